/* Reads rackd's answer to GET /timings into rows of spans, for timings_text.c
 * and timings_html.c; it also has the words for them. cmd_timings.c calls it,
 * and report.c asks for the words at `ready`. */
#include "cli/timings.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "cli/events.h"
#include "cli/when.h"

const struct timings_phase timings_phases[TIMINGS_PHASES + 1] = {
    { "prepare", 'e', "38;5;245", "#8a8f98", "#9aa0aa",
      "rackd reads the manifest, its guard comes up" },
    { "wait", '.', "2", "#d7dae0", "#3a3f4a", "it waits" },
    { "pull", 'p', "38;5;141", "#8b5cf6", "#a78bfa", "the image is pulled" },
    { "build", 'b', "38;5;208", "#ea7317", "#fb923c", "the image is built" },
    { "create", 'c', "38;5;75", "#3b82f6", "#60a5fa", "the engine creates it" },
    { "fill", 'f', "38;5;80", "#0e9aa7", "#22d3ee", "files are put into it" },
    { "start", 's', "38;5;37", "#0f8a75", "#2dd4bf",
      "output attached, started" },
    { "connect", 'n', "38;5;178", "#c99700", "#facc15",
      "it runs and takes no connection yet" },
    { "answer", 'a', "38;5;113", "#5a9e1b", "#a3e635",
      "it takes connections and is not ready yet" },
    { "run", 'r', "38;5;176", "#c2469b", "#f472b6", "an init container runs" },
    { "restart", 'x', "38;5;203", "#dc2626", "#f87171",
      "it ended and is started again" },
    { "other", 'o', "38;5;250", "#8a8f98", "#9aa0aa", "something else" },
};

static size_t phase_of(const char *word)
{
    size_t i = 0;

    while (i < TIMINGS_PHASES && strcmp(timings_phases[i].word, word) != 0)
        i++;
    return i;
}

/* Adds "resource db" or "service web/2". A network and rackd have no name that
 * is worth telling. */
static void add_label(struct str *out, const cJSON *item)
{
    const char *kind = event_string(item, "kind");
    int replica = (int)event_number(item, "replica");

    str_add(out, kind);
    if (strcmp(kind, "network") != 0 && strcmp(kind, "rackd") != 0)
        str_printf(out, " %s", event_string(item, "name"));
    if (replica > 0)
        str_printf(out, "/%d", replica);
}

void timings_culprit(struct str *out, const cJSON *who)
{
    const char *kind = event_string(who, "kind");
    const char *name = event_string(who, "name");
    int replica = (int)event_number(who, "replica");

    if (strcmp(kind, "image") == 0)
        str_printf(out, "pull of %s", name);
    else if (strcmp(kind, "build") == 0)
        str_printf(out, "build of %s", name);
    else if (strcmp(kind, "init") == 0)
        str_printf(out, "init container of %s", name);
    else if (strcmp(kind, "volume") == 0)
        str_printf(out, "volume %s", name);
    else if (strcmp(kind, "network") == 0)
        str_add(out, "the network");
    else
        str_add(out, name);
    if (replica > 0)
        str_printf(out, "/%d", replica);
}

void timings_duration(struct str *out, double ms)
{
    if (ms < 0.95)
        str_printf(out, "%.1f ms", ms < 0 ? 0 : ms);
    else if (ms < 999.5)
        str_printf(out, "%.0f ms", ms);
    else if (ms < 9995)
        str_printf(out, "%.2f s", ms / 1000);
    else
        when_elapsed(out, (int64_t)(ms + 50));
}

void timings_slower(struct str *out, double usual_ms, const char *culprit)
{
    str_printf(out, ", usually %.1f s", usual_ms / 1000);
    if (*culprit != '\0')
        str_printf(out, ": %s", culprit);
}

/* ---- reading the answer ------------------------------------------------- */

static char *awaited_of(const cJSON *span)
{
    struct str text = { 0 };
    const cJSON *who;

    cJSON_ArrayForEach(who, cJSON_GetObjectItemCaseSensitive(span, "for"))
    {
        if (text.len > 0)
            str_add(&text, ", ");
        add_label(&text, who);
    }
    return str_take(&text);
}

static void read_spans(struct timings_row *row, const cJSON *item,
                       double ready_ms)
{
    const cJSON *span;

    cJSON_ArrayForEach(span, cJSON_GetObjectItemCaseSensitive(item, "spans"))
    {
        double begin = event_number(span, "begin_ms");
        double end = event_number(span, "end_ms");
        struct timings_span *s;

        if (begin < 0 || end < begin || end > ready_ms)
            continue;
        s = vec_add(row);
        s->phase = phase_of(event_string(span, "phase"));
        s->begin_ms = begin;
        s->end_ms = end;
        s->critical = event_true(span, "critical");
        s->awaited = awaited_of(span);
    }
}

/* Where a container came from. That it was made from an image goes without
 * saying. */
static char *from_of(const cJSON *item)
{
    const char *from = event_string(item, "from");

    if (*from == '\0' || strcmp(from, "image") == 0)
        return xstrdup("");
    return strcmp(from, "ahead") == 0 ? xstrdup("made ahead")
                                      : xasprintf("from a %s", from);
}

/* The usual time; -1 when the answer has none. */
static double usual_of(const cJSON *json)
{
    return cJSON_HasObjectItem(json, "usual_ms")
               ? event_number(json, "usual_ms")
               : -1;
}

/* Containers and builds always get a row; helpers only when they took a
 * noticeable time. */
static bool is_worth_a_row(const struct timings_row *row, const cJSON *item,
                           double ready_ms)
{
    static const char *const helpers[] = { "rackd", "network", "volume",
                                           "image", NULL };
    const char *kind = event_string(item, "kind");

    for (size_t i = 0; helpers[i] != NULL; i++)
        if (strcmp(kind, helpers[i]) == 0)
            return row->own_ms >= 1 &&
                   (row->critical || row->own_ms >= ready_ms / 50);
    return true;
}

static void read_row(struct timings *t, const cJSON *item)
{
    struct timings_row *row = vec_add(t);
    struct str label = { 0 };

    add_label(&label, item);
    row->label = str_take(&label);
    row->from = from_of(item);
    row->critical = event_true(item, "critical");
    row->own_ms = event_number(item, "own_ms");
    row->usual_ms = usual_of(item);
    row->shown = is_worth_a_row(row, item, t->ready_ms);
    read_spans(row, item, t->ready_ms);
}

void timings_read(struct timings *t, const cJSON *answer)
{
    const cJSON *run = cJSON_GetObjectItemCaseSensitive(answer, "run"), *item;
    struct str culprit = { 0 };

    *t = (struct timings){ .app = event_string(run, "app"),
                           .engine = event_string(run, "engine"),
                           .ready_ms = event_number(run, "ready_ms"),
                           .usual_ms = usual_of(answer),
                           .compared = (int)event_number(answer, "compared"),
                           .slower = event_true(answer, "slower"),
                           .started_s = (int64_t)event_number(run, "started") };
    timings_culprit(&culprit,
                    cJSON_GetObjectItemCaseSensitive(answer, "culprit"));
    t->culprit = str_take(&culprit);
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(run, "items"))
        read_row(t, item);
}

void timings_release(struct timings *t)
{
    for (size_t i = 0; i < t->len; i++) {
        for (size_t k = 0; k < t->v[i].len; k++)
            free(t->v[i].v[k].awaited);
        free(t->v[i].v);
        free(t->v[i].label);
        free(t->v[i].from);
    }
    free(t->v);
    free(t->culprit);
    *t = (struct timings){ 0 };
}
