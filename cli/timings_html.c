/* `cvx timings --html`: one HTML page with a chart, without scripts or anything
 * from the network, so that it can be kept as an artefact of a CI job. */
#include <string.h>

#include "base/str.h"
#include "cli/timings.h"
#include "cli/when.h"

/* The scale has about this many steps. */
#define TICKS 8

static const char style[] =
    ":root{color-scheme:light dark;--bg:#fbfbfc;--fg:#1d2330;--dim:#68707f;"
    "--line:#e3e6eb;--mark:#1d2330;--bad:#b45309}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#14171c;--fg:#e6e9ef;"
    "--dim:#939cab;--line:#2a2f39;--mark:#fff;--bad:#fbbf24}}\n"
    "body{margin:2rem auto;max-width:72rem;padding:0 1.25rem;"
    "background:var(--bg);color:var(--fg);"
    "font:15px/1.45 system-ui,sans-serif}\n"
    "h1{font-size:1.5rem;margin:0}h1 b{font-weight:600}"
    "p{margin:.2rem 0 1.4rem;color:var(--dim)}"
    "h2{font-size:1.05rem;margin:2rem 0 .6rem}"
    ".bad{color:var(--bad)}\n"
    ".row,.scale{display:grid;grid-template-columns:13rem 4.6rem 4.6rem 1fr;"
    "column-gap:.8rem;align-items:center}\n"
    ".row{padding:.28rem 0;border-top:1px solid var(--line)}"
    ".scale{color:var(--dim);font-size:.8rem}\n"
    ".name{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}"
    ".crit .name{font-weight:600}"
    ".name i{display:inline-block;width:1rem;font-style:normal}\n"
    ".num{text-align:right;font-variant-numeric:tabular-nums;"
    "white-space:nowrap}.usual{color:var(--dim)}\n"
    ".bar{position:relative;height:1.35rem}"
    ".bar span{position:absolute;top:.2rem;bottom:.2rem;min-width:1px;"
    "border-radius:2px;opacity:.55}"
    ".bar .wait{top:.6rem;bottom:.6rem;opacity:1}"
    ".bar .on{opacity:1;top:.05rem;bottom:.05rem;"
    "box-shadow:inset 0 -3px 0 var(--mark)}"
    ".bar .wait.on{top:.5rem;bottom:.5rem}\n"
    ".ticks{position:relative;height:1.2rem}"
    ".ticks span{position:absolute;white-space:nowrap}"
    ".ticks span:not(:first-child){transform:translateX(-50%)}"
    ".ticks span:last-child{transform:translateX(-100%)}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:.3rem 1.1rem;margin:1.1rem 0 0;"
    "color:var(--dim);font-size:.85rem}"
    ".legend i{display:inline-block;width:.8rem;height:.8rem;"
    "border-radius:2px;margin-right:.35rem;vertical-align:-1px}"
    ".legend .path{box-shadow:inset 0 -3px 0 var(--mark);"
    "background:var(--line)}\n"
    "table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;padding:.28rem .8rem .28rem 0;"
    "border-top:1px solid var(--line);vertical-align:top}"
    "td:first-child{white-space:nowrap}td b{font-weight:600}td b,td "
    "span{white-space:nowrap}\n"
    "@media(max-width:44rem){.row,.scale{grid-template-columns:1fr 4.6rem}"
    ".usual{display:none}.bar,.ticks{grid-column:1/-1}"
    "td b,td span{white-space:normal}}\n";

void timings_escape(struct str *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            str_add(out, "&amp;");
            break;
        case '<':
            str_add(out, "&lt;");
            break;
        case '>':
            str_add(out, "&gt;");
            break;
        case '"':
            str_add(out, "&quot;");
            break;
        case '\'':
            str_add(out, "&#39;");
            break;
        default:
            str_add_char(out, *text);
        }
    }
}

static void add_colours(struct str *out)
{
    for (size_t i = 0; i <= TIMINGS_PHASES; i++)
        str_printf(out, ".%s{background:%s}", timings_phases[i].word,
                   timings_phases[i].light);
    str_add(out, "\n@media(prefers-color-scheme:dark){");
    for (size_t i = 0; i <= TIMINGS_PHASES; i++)
        str_printf(out, ".%s{background:%s}", timings_phases[i].word,
                   timings_phases[i].dark);
    str_add(out, "}\n");
}

static void add_head(const struct timings *t, struct str *out)
{
    cleanup_str struct str when = { 0 }, slower = { 0 };

    when_rfc3339(&when, t->started_s * 1000);
    if (t->usual_ms >= 0)
        timings_slower(&slower, t->usual_ms, t->slower ? t->culprit : "");
    str_add(out, "<h1>");
    timings_escape(out, t->app);
    str_printf(out, ": <b>ready in %.1f s</b><span class=\"%s\">",
               t->ready_ms / 1000, t->slower ? "bad" : "");
    timings_escape(out, str_c(&slower));
    str_printf(out, "</span></h1>\n<p>started %s", str_c(&when));
    if (*t->engine != '\0')
        str_add(out, " on ");
    timings_escape(out, t->engine);
    if (t->compared > 0)
        str_printf(out, ", %d former start%s like it", t->compared,
                   t->compared == 1 ? "" : "s");
    str_add(out, "</p>\n");
}

/* Length of a step: 1, 2 or 5 times a power of ten. */
static double tick_of(double ready_ms)
{
    static const double times[] = { 1, 2, 5 };
    double unit = 1;

    for (;; unit *= 10)
        for (size_t i = 0; i < 3; i++)
            if (unit * times[i] * TICKS >= ready_ms)
                return unit * times[i];
}

static double percent(const struct timings *t, double ms)
{
    return t->ready_ms > 0 ? ms * 100 / t->ready_ms : 0;
}

/* Adds the scale. Its last mark is the time of `ready` itself; a mark too close
 * to that is left out. */
static void add_scale(const struct timings *t, struct str *out)
{
    cleanup_str struct str end = { 0 };
    double step = tick_of(t->ready_ms);

    str_add(out, "<div class=\"scale\"><div></div><div class=\"num\">own</div>"
                 "<div class=\"num usual\">");
    str_add(out, t->usual_ms >= 0 ? "usual" : "");
    str_add(out, "</div><div class=\"ticks\"><span style=\"left:0\">0</span>");
    for (int i = 1; step * i < t->ready_ms - step * 0.7; i++) {
        cleanup_str struct str text = { 0 };

        timings_duration(&text, step * i);
        str_printf(out, "<span style=\"left:%.2f%%\">%s</span>",
                   percent(t, step * i), str_c(&text));
    }
    timings_duration(&end, t->ready_ms);
    str_printf(out, "<span style=\"left:100%%\">%s</span></div></div>\n",
               str_c(&end));
}

/* Adds "connect 1.02 s", or "wait 60 ms for resource db". */
static void add_words(const struct timings_span *s, struct str *out)
{
    cleanup_str struct str took = { 0 };

    timings_duration(&took, s->end_ms - s->begin_ms);
    str_printf(out, "%s %s", timings_phases[s->phase].word, str_c(&took));
    if (*s->awaited != '\0')
        str_add(out, " for ");
    timings_escape(out, s->awaited);
}

static void add_bar(const struct timings *t, const struct timings_row *row,
                    struct str *out)
{
    str_add(out, "<div class=\"bar\">");
    for (size_t i = 0; i < row->len; i++) {
        const struct timings_span *s = &row->v[i];

        str_printf(out,
                   "<span class=\"%s%s\" style=\"left:%.3f%%;width:%.3f%%\" "
                   "title=\"",
                   timings_phases[s->phase].word, s->critical ? " on" : "",
                   percent(t, s->begin_ms),
                   percent(t, s->end_ms - s->begin_ms));
        add_words(s, out);
        str_add(out, s->critical ? " (critical path)\"></span>" : "\"></span>");
    }
    str_add(out, "</div>");
}

static void add_duration(struct str *out, const char *class, double ms)
{
    str_printf(out, "<div class=\"%s\">", class);
    if (ms >= 0)
        timings_duration(out, ms);
    str_add(out, "</div>");
}

static void add_row(const struct timings *t, const struct timings_row *row,
                    struct str *out)
{
    str_printf(out, "<div class=\"row%s\"><div class=\"name\" title=\"",
               row->critical ? " crit" : "");
    timings_escape(out, row->label);
    str_printf(out, "\"><i>%s</i>", row->critical ? "&#9733;" : "");
    timings_escape(out, row->label);
    str_add(out, "</div>");
    add_duration(out, "num", row->own_ms);
    add_duration(out, "num usual", row->usual_ms);
    add_bar(t, row, out);
    str_add(out, "</div>\n");
}

static void add_legend(struct str *out)
{
    str_add(out, "<div class=\"legend\">");
    for (size_t i = 0; i < TIMINGS_PHASES; i++)
        str_printf(out, "<span title=\"%s\"><i class=\"%s\"></i>%s</span>",
                   timings_phases[i].meaning, timings_phases[i].word,
                   timings_phases[i].word);
    str_add(out, "<span><i class=\"path\"></i>&#9733; critical path: what the "
                 "start was waiting for</span></div>\n");
}

static void add_phases(const struct timings_row *row, struct str *out)
{
    const char *between;

    str_add(out, "<tr><td>");
    timings_escape(out, row->label);
    str_add(out, "</td><td>");
    timings_escape(out, row->from);
    between = *row->from == '\0' ? "" : ", ";
    for (size_t i = 0; i < row->len; i++) {
        const struct timings_span *s = &row->v[i];

        if (s->end_ms - s->begin_ms < 1)
            continue;
        str_add(out, between);
        str_add(out, s->critical ? "<b>&#9733; " : "<span>");
        add_words(s, out);
        str_add(out, s->critical ? "</b>" : "</span>");
        between = ", ";
    }
    str_add(out, "</td></tr>\n");
}

static void add_table(const struct timings *t, struct str *out)
{
    str_add(out, "<h2>Phases</h2>\n<table>\n");
    for (size_t i = 0; i < t->len; i++)
        if (t->v[i].shown)
            add_phases(&t->v[i], out);
    str_add(out, "</table>\n");
}

void timings_html(const struct timings *t, struct str *out)
{
    str_add(out, "<!DOCTYPE html>\n<html lang=\"en\"><head>"
                 "<meta charset=\"utf-8\">\n"
                 "<meta name=\"viewport\" content=\"width=device-width\">\n"
                 "<title>");
    timings_escape(out, t->app);
    str_printf(out, ": ready in %.1f s</title>\n<style>\n%s",
               t->ready_ms / 1000, style);
    add_colours(out);
    str_add(out, "</style></head><body>\n");
    add_head(t, out);
    add_scale(t, out);
    for (size_t i = 0; i < t->len; i++)
        if (t->v[i].shown)
            add_row(t, &t->v[i], out);
    add_legend(out);
    add_table(t, out);
    str_add(out, "</body></html>\n");
}
