/* `cvx timings` as text: a table with bars as wide as the terminal, a legend,
 * and the phases of each row in words. */
#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/term.h"
#include "cli/text.h"
#include "cli/timings.h"
#include "cli/when.h"

#define BAR_MIN   10
#define BAR_MAX   100
#define OWN_WIDTH 8
#define LABEL_MAX 28
/* Columns. Below WITH_USUAL the usual times are left out; below LABEL_BESIDE
 * the phases of a row begin on a line of their own. */
#define WITH_USUAL   76
#define LABEL_BESIDE 64

/* The width of each column. */
struct layout {
    const struct term *look;
    size_t label, bar;
    bool usual;
};

static struct layout lay_out(const struct timings *t, const struct term *look)
{
    struct layout l = { .look = look };
    size_t columns = look->columns, used;

    for (size_t i = 0; i < t->len; i++) {
        size_t wide = text_width(t->v[i].label, strlen(t->v[i].label));

        if (t->v[i].shown && wide > l.label)
            l.label = wide;
    }
    if (l.label > LABEL_MAX)
        l.label = LABEL_MAX;
    if (l.label > columns / 3)
        l.label = columns / 3;
    l.usual = t->usual_ms >= 0 && columns >= WITH_USUAL;
    used = 2 + l.label + 1 + OWN_WIDTH + (l.usual ? 1 + OWN_WIDTH : 0) + 2;
    l.bar = columns > used + BAR_MIN ? columns - used - 1 : 0;
    if (l.bar > BAR_MAX)
        l.bar = BAR_MAX;
    return l;
}

/* ---- the head ----------------------------------------------------------- */

static void add_head(const struct timings *t, const struct term *look,
                     int64_t now_s, struct str *out)
{
    cleanup_free char *ready = xasprintf("ready in %.1f s", t->ready_ms / 1000);
    cleanup_str struct str rest = { 0 }, ago = { 0 };

    if (t->slower)
        timings_slower(&rest, t->usual_ms, t->culprit);
    else if (t->usual_ms >= 0)
        timings_slower(&rest, t->usual_ms, "");
    str_printf(out, "%s: ", t->app);
    term_paint(look, out, t->slower ? "1;33" : "1;32", ready);
    str_printf(out, "%s\n", str_c(&rest));
    when_ago(&ago, t->started_s, now_s);
    str_cut(&rest, 0);
    str_printf(&rest, "started %s%s%s", str_c(&ago),
               *t->engine == '\0' ? "" : " on ", t->engine);
    if (t->compared > 0)
        str_printf(&rest, ", %d former start%s like it", t->compared,
                   t->compared == 1 ? "" : "s");
    term_paint(look, out, "2", str_c(&rest));
    str_add(out, "\n\n");
}

static void pad_left(struct str *out, const char *text, size_t columns)
{
    size_t wide = text_width(text, strlen(text));

    for (; wide < columns; wide++)
        str_add_char(out, ' ');
    str_add(out, text);
}

/* Adds the names of the columns, and the two ends of the scale. */
static void add_scale(const struct timings *t, const struct layout *l,
                      struct str *out)
{
    cleanup_str struct str line = { 0 }, total = { 0 };

    text_pad(&line, "", 2 + l->label + 1);
    pad_left(&line, "OWN", OWN_WIDTH);
    if (l->usual)
        pad_left(&line, "USUAL", OWN_WIDTH + 1);
    if (l->bar > 0) {
        timings_duration(&total, t->ready_ms);
        str_add(&line, "  0");
        pad_left(&line, str_c(&total), l->bar - 1);
    }
    term_paint(l->look, out, "2", str_c(&line));
    str_add_char(out, '\n');
}

/* ---- bars --------------------------------------------------------------- */

/* The span that took most of the time between two moments; NULL when there is
 * none. Work goes before waiting, so that short work is still visible. */
static const struct timings_span *span_in(const struct timings_row *row,
                                          double from_ms, double to_ms)
{
    const struct timings_span *best = NULL;
    double most = 0;

    for (size_t i = 0; i < row->len; i++) {
        const struct timings_span *s = &row->v[i];
        double begin = s->begin_ms > from_ms ? s->begin_ms : from_ms;
        double end = s->end_ms < to_ms ? s->end_ms : to_ms;
        double took = end - begin;

        if (took > 0 && timings_phases[s->phase].letter == '.')
            took /= 1e6;
        if (took > most) {
            most = took;
            best = s;
        }
    }
    return best;
}

static void add_cell(const struct term *look, const struct timings_span *s,
                     struct str *out)
{
    const struct timings_phase *p = &timings_phases[s->phase];
    int shown = s->critical ? toupper(p->letter) : p->letter;
    cleanup_free char *letter = xasprintf("%c", shown);
    bool waits = p->letter == '.';

    if (look->colour && look->utf8)
        term_paint(look, out, p->colour, waits ? "·" : s->critical ? "█" : "▒");
    else
        term_paint(look, out, p->colour, letter);
}

static void add_bar(const struct timings *t, const struct timings_row *row,
                    const struct layout *l, struct str *out)
{
    double step = t->ready_ms / (double)l->bar;
    cleanup_str struct str bar = { 0 };
    size_t end = 0;

    for (size_t i = 0; i < l->bar; i++) {
        const struct timings_span *s =
            span_in(row, step * (double)i, step * (double)(i + 1));

        if (s == NULL) {
            str_add_char(&bar, ' ');
            continue;
        }
        add_cell(l->look, s, &bar);
        end = bar.len;
    }
    str_cut(&bar, end); /* no spaces at the end of a line */
    if (bar.len > 0)
        str_printf(out, "  %s", str_c(&bar));
}

static void add_duration(struct str *out, double ms, size_t columns)
{
    cleanup_str struct str text = { 0 };

    if (ms >= 0)
        timings_duration(&text, ms);
    pad_left(out, str_c(&text), columns);
}

static void add_row(const struct timings *t, const struct timings_row *row,
                    const struct layout *l, struct str *out)
{
    cleanup_str struct str label = { 0 }, padded = { 0 };

    if (row->critical)
        term_paint(l->look, out, "1", "*");
    else
        str_add_char(out, ' ');
    str_add_char(out, ' ');
    text_fit(&label, row->label, l->label, !l->look->utf8);
    text_pad(&padded, str_c(&label), l->label + 1);
    if (row->critical)
        term_paint(l->look, out, "1", str_c(&padded));
    else
        str_add(out, str_c(&padded));
    add_duration(out, row->own_ms, OWN_WIDTH);
    if (l->usual)
        add_duration(out, row->usual_ms, OWN_WIDTH + 1);
    if (l->bar > 0)
        add_bar(t, row, l, out);
    str_add_char(out, '\n');
}

/* ---- words that are wrapped --------------------------------------------- */

/* A line that is being filled, and where it is wrapped. */
struct wrap {
    struct str *out;
    size_t at, indent, columns;
};

/* Adds a word, `gap` spaces after the last one, or on the next line. */
static void add_word(struct wrap *w, const char *word, size_t gap)
{
    size_t wide = text_width(word, strlen(word));

    if (w->at > w->indent && w->at + gap + wide > w->columns) {
        str_add_char(w->out, '\n');
        text_pad(w->out, "", w->indent);
        w->at = w->indent;
    } else if (w->at > w->indent) {
        text_pad(w->out, "", gap);
        w->at += gap;
    }
    str_add(w->out, word);
    w->at += wide;
}

static bool is_used(const struct timings *t, size_t phase)
{
    for (size_t i = 0; i < t->len; i++)
        for (size_t k = 0; t->v[i].shown && k < t->v[i].len; k++)
            if (t->v[i].v[k].phase == phase)
                return true;
    return false;
}

static void add_legend(const struct timings *t, const struct term *look,
                       struct str *out)
{
    struct wrap w = {
        .out = out, .at = 2, .indent = 2, .columns = look->columns
    };
    bool blocks = look->colour && look->utf8;

    str_add(out, "\n  ");
    for (size_t i = 0; i <= TIMINGS_PHASES; i++) {
        const struct timings_phase *p = &timings_phases[i];
        char letter[2] = { p->letter };
        cleanup_str struct str word = { 0 };

        if (!is_used(t, i))
            continue;
        term_paint(look, &word, p->colour,
                   !blocks            ? letter
                   : p->letter == '.' ? "·"
                                      : "█");
        str_printf(&word, " %s", p->word);
        add_word(&w, str_c(&word), 2);
    }
    add_word(&w, blocks ? "* critical path" : "* CRITICAL PATH", 2);
    str_add(out, "\n\n");
}

/* True for spans of a millisecond or more; shorter ones are not worth a
 * word. */
static bool is_said(const struct timings_span *s)
{
    return s->end_ms - s->begin_ms >= 1;
}

/* Adds "*connect 1.02 s," or "wait 60 ms for resource db,", which is not
 * broken. */
static void add_span(const struct timings_span *s, const struct term *look,
                     bool last, struct wrap *w)
{
    cleanup_str struct str took = { 0 }, text = { 0 }, word = { 0 };

    timings_duration(&took, s->end_ms - s->begin_ms);
    str_printf(&text, "%s%s %s", s->critical ? "*" : "",
               timings_phases[s->phase].word, str_c(&took));
    if (*s->awaited != '\0')
        str_printf(&text, " for %s", s->awaited);
    text_fit(&word, str_c(&text), w->columns - w->indent - 1, !look->utf8);
    str_cut(&text, 0);
    if (s->critical)
        term_paint(look, &text, "1", str_c(&word));
    else
        str_add(&text, str_c(&word));
    if (!last)
        str_add_char(&text, ',');
    add_word(w, str_c(&text), 1);
}

/* Adds the label: beside its phases when there is room, else on a line above
 * them. */
static void add_label(const struct timings_row *row, const struct layout *l,
                      bool beside, struct wrap *w)
{
    cleanup_str struct str label = { 0 };

    str_add(w->out, row->critical ? "* " : "  ");
    text_fit(&label, row->label, beside ? l->label : w->columns - 2,
             !l->look->utf8);
    if (beside)
        text_pad(w->out, str_c(&label), w->indent - 2);
    else
        str_printf(w->out, "%s\n%*s", str_c(&label), (int)w->indent, "");
    w->at = w->indent;
}

static void add_phases(const struct timings_row *row, const struct layout *l,
                       struct str *out)
{
    bool beside = l->look->columns >= LABEL_BESIDE;
    struct wrap w = { .out = out,
                      .indent = beside ? 2 + l->label + 2 : 4,
                      .columns = l->look->columns };
    size_t left = 0;

    for (size_t i = 0; i < row->len; i++)
        left += is_said(&row->v[i]);
    if (left == 0)
        return;
    add_label(row, l, beside, &w);
    if (*row->from != '\0') {
        cleanup_free char *from = xasprintf("%s,", row->from);

        add_word(&w, from, 1);
    }
    for (size_t i = 0; i < row->len; i++)
        if (is_said(&row->v[i]))
            add_span(&row->v[i], l->look, --left == 0, &w);
    str_add_char(out, '\n');
}

void timings_text(const struct timings *t, const struct term *look,
                  int64_t now_s, struct str *out)
{
    struct layout l = lay_out(t, look);

    add_head(t, look, now_s, out);
    add_scale(t, &l, out);
    for (size_t i = 0; i < t->len; i++)
        if (t->v[i].shown)
            add_row(t, &t->v[i], &l, out);
    add_legend(t, look, out);
    for (size_t i = 0; i < t->len; i++)
        if (t->v[i].shown)
            add_phases(&t->v[i], &l, out);
}
