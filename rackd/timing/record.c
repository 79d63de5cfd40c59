/*
 * Puts what a start's time went into together: marks in, JSON out, compared
 * with former starts. rack/app_run.c calls it when a start is ready,
 * api/timings.c when somebody asks for the last one.
 */
#include "timing/record.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"
#include "timing/critical.h"
#include "timing/history.h"
#include "timing/marks.h"

struct record {
    struct history history; /* former starts */
    struct cJSON *run;
};

/* ---- a run as JSON ------------------------------------------------------ */

/* A string member; bytes that are no UTF-8 become U+FFFD. */
static void put_text(struct cJSON *o, const char *name, const char *text)
{
    cleanup_free char *clean = utf8_clean(text);

    cJSON_AddStringToObject(o, name, clean);
}

/* Tenths are enough for people, and for files. */
static void put_tenths(struct cJSON *o, const char *name, double ms)
{
    uint64_t tenths = (uint64_t)(ms * 10 + 0.5);

    cJSON_AddNumberToObject(o, name, (double)tenths / 10);
}

static void put_ms(struct cJSON *o, const char *name, uint64_t us)
{
    put_tenths(o, name, (double)us / 1000);
}

static struct cJSON *id_json(const struct mark *mark)
{
    struct cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "kind", mark->kind);
    put_text(o, "name", mark->name);
    cJSON_AddNumberToObject(o, "replica", mark->replica);
    return o;
}

/* Whom it waited for, the last of them last. */
static void add_awaited(struct cJSON *span, const struct marks *m, size_t mark,
                        const struct mark_span *s)
{
    cleanup_free size_t *needs =
        xcalloc(m->v[mark].needs.len + 1, sizeof(*needs));
    size_t count = critical_awaited(m, mark, s, needs);
    struct cJSON *list = cJSON_AddArrayToObject(span, "for");

    for (size_t i = 0; i < count; i++)
        cJSON_AddItemToArray(list, id_json(&m->v[needs[i]]));
}

static struct cJSON *span_json(const struct marks *m, size_t mark,
                               const struct mark_span *s,
                               const struct critical *path)
{
    struct cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "phase", mark_phase_word(s->phase));
    put_ms(o, "begin_ms", s->begin_us);
    put_ms(o, "end_ms", s->end_us);
    cJSON_AddBoolToObject(o, "critical", critical_covers(path, mark, s));
    if (mark_is_wait(s->phase))
        add_awaited(o, m, mark, s);
    return o;
}

static struct cJSON *item_json(const struct marks *m, size_t index,
                               const struct critical *path)
{
    const struct mark *mark = &m->v[index];
    struct cJSON *o = id_json(mark);
    struct cJSON *spans;

    if (mark->from != NULL)
        cJSON_AddStringToObject(o, "from", mark->from);
    put_ms(o, "begin_ms", mark->spans.v[0].begin_us);
    put_ms(o, "end_ms", mark->spans.v[mark->spans.len - 1].end_us);
    put_ms(o, "own_ms", mark_own_us(mark));
    cJSON_AddBoolToObject(o, "critical", critical_has(path, index));
    spans = cJSON_AddArrayToObject(o, "spans");
    for (size_t i = 0; i < mark->spans.len; i++)
        if (mark->spans.v[i].begin_us < mark->spans.v[i].end_us)
            cJSON_AddItemToArray(spans,
                                 span_json(m, index, &mark->spans.v[i], path));
    return o;
}

static struct cJSON *step_json(const struct marks *m,
                               const struct critical_step *step)
{
    struct cJSON *o = id_json(&m->v[step->mark]);

    cJSON_AddStringToObject(o, "phase", mark_phase_word(step->phase));
    put_ms(o, "begin_ms", step->begin_us);
    put_ms(o, "end_ms", step->end_us);
    return o;
}

static void add_marks(struct cJSON *run, const struct marks *m)
{
    struct cJSON *items = cJSON_AddArrayToObject(run, "items");
    struct cJSON *steps = cJSON_AddArrayToObject(run, "path");
    struct critical path;

    critical_find(&path, m);
    for (size_t i = 0; i < m->len; i++)
        if (m->v[i].spans.len > 0)
            cJSON_AddItemToArray(items, item_json(m, i, &path));
    for (size_t i = 0; i < path.len; i++)
        cJSON_AddItemToArray(steps, step_json(m, &path.v[i]));
    critical_release(&path);
}

static struct cJSON *run_json(const struct record_head *head,
                              const struct marks *m)
{
    struct cJSON *o = cJSON_CreateObject();

    put_text(o, "app", head->app);
    cJSON_AddStringToObject(o, "session", head->session);
    cJSON_AddStringToObject(o, "release", head->release);
    put_text(o, "engine", head->engine);
    cJSON_AddBoolToObject(o, "keep_data", head->keep_data);
    cJSON_AddNumberToObject(o, "started", (double)head->started_s);
    put_ms(o, "ready_ms", m->end_us);
    add_marks(o, m);
    return o;
}

/* ---- at ready ----------------------------------------------------------- */

static void read_history(struct history *h, struct str *former, const char *app)
{
    *h = (struct history){ .lines = *former };
    *former = (struct str){ 0 };
    history_read(h);
    if (h->bad > 0)
        log_warn("rack", "timings of %s: ignored %u malformed lines", app,
                 h->bad);
}

struct record *record_new(const struct record_head *head, const struct marks *m,
                          struct str *former)
{
    struct record *r = xcalloc(1, sizeof(*r));

    read_history(&r->history, former, head->app);
    r->run = run_json(head, m);
    return r;
}

static void put_culprit(struct cJSON *o, const struct usual *u,
                        const struct cJSON *run)
{
    const struct cJSON *culprit = usual_culprit(u, run);
    static const char *const names[] = { "kind", "name", "replica" };
    struct cJSON *who;

    if (culprit == NULL)
        return;
    who = cJSON_AddObjectToObject(o, "culprit");
    for (size_t i = 0; i < 3; i++)
        cJSON_AddItemToObject(
            who, names[i],
            cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(culprit, names[i]),
                            1));
}

void record_put_slower(const struct record *r, struct cJSON *event)
{
    struct usual u;

    usual_find(&u, &r->history, r->history.len, r->run);
    if (!usual_is_slower(&u, r->run))
        return;
    cJSON_AddNumberToObject(event, "usual", u.usual_ms / 1000);
    put_culprit(event, &u, r->run);
}

const struct str *record_lines(struct record *r)
{
    history_append(&r->history, r->run);
    return &r->history.lines;
}

void record_free(struct record *r)
{
    history_release(&r->history);
    cJSON_Delete(r->run);
    free(r);
}

/* ---- later -------------------------------------------------------------- */

static void add_usual(struct cJSON *run, const struct usual *u)
{
    struct cJSON *item;
    size_t index = 0;

    if (u->len < HISTORY_ENOUGH)
        return;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(run, "items"))
        put_tenths(item, "usual_ms", usual_own_ms(u, item, index++));
}

static void add_starts(struct cJSON *answer, const struct history *h)
{
    struct cJSON *list = cJSON_AddArrayToObject(answer, "starts");

    for (size_t i = 0; i < h->len; i++) {
        struct cJSON *one = cJSON_CreateObject();

        cJSON_AddNumberToObject(one, "started", h->v[i].started);
        put_tenths(one, "ready_ms", h->v[i].ready_ms);
        cJSON_AddItemToArray(list, one);
    }
}

/* Takes `run`, the last of the history. */
static struct cJSON *answer_of(const struct history *h, struct cJSON *run)
{
    struct cJSON *a = cJSON_CreateObject();
    struct usual u;

    usual_find(&u, h, h->len - 1, run);
    cJSON_AddBoolToObject(a, "slower", usual_is_slower(&u, run));
    if (u.len >= HISTORY_ENOUGH)
        put_tenths(a, "usual_ms", u.usual_ms);
    cJSON_AddNumberToObject(a, "compared", (double)u.len);
    if (usual_is_slower(&u, run))
        put_culprit(a, &u, run);
    add_usual(run, &u);
    add_starts(a, h);
    cJSON_AddItemToObject(a, "run", run);
    return a;
}

struct cJSON *record_last(const char *app, struct str *former)
{
    struct cJSON *run, *answer = NULL;
    struct history h;

    read_history(&h, former, app);
    run = history_last(&h);
    if (run != NULL)
        answer = answer_of(&h, run);
    history_release(&h);
    return answer;
}
