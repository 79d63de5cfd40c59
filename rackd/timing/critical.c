/* Finds the critical path of a start that has ended. api/timings.c calls it
 * once per start, and run/ never does. */
#include "timing/critical.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/vec.h"

/* The search goes back in time. It is at the moment `us`, in the mark `mark`.
 * `waiters` are the marks it came through: each waited for the next, the last
 * one for `mark`. */
struct walk {
    const struct marks *m;
    struct critical *path;
    size_t mark;
    uint64_t us;
    struct {
        size_t *v;
        size_t len, cap;
    } waiters;
};

/* The last span that began before `us` and has a length; NULL when there is
 * none. */
static const struct mark_span *span_before(const struct mark *mark, uint64_t us)
{
    for (size_t i = mark->spans.len; i > 0; i--) {
        const struct mark_span *s = &mark->spans.v[i - 1];

        if (s->begin_us < us && s->begin_us < s->end_us)
            return s;
    }
    return NULL;
}

/* When the mark was done, as far as was known at `us`; 0: it was not. A
 * container that restarts is done several times. */
static uint64_t done_us(const struct mark *mark, uint64_t us)
{
    const struct mark_span *s = span_before(mark, us);
    const struct mark_span *end = mark->spans.v + mark->spans.len;

    if (s == NULL || s->end_us > us)
        return 0;
    for (const struct mark_span *next = s + 1; next < end; next++)
        if (next->begin_us == s->end_us && next->end_us > s->end_us)
            return 0; /* it went from one phase to the next */
    return s->end_us;
}

/* Which of the needs was done last within the span, as far as was known at
 * `us`; SIZE_MAX: none. */
static size_t last_needed(const struct marks *m, const struct mark *mark,
                          const struct mark_span *span, uint64_t us)
{
    size_t best = SIZE_MAX;
    uint64_t best_us = span->begin_us;

    for (size_t i = 0; i < mark->needs.len; i++) {
        const struct mark_need *need = &mark->needs.v[i];
        uint64_t done = done_us(&m->v[need->mark], us);

        if (need->phase != span->phase || done <= best_us)
            continue;
        best = need->mark;
        best_us = done;
    }
    return best;
}

/* Puts the time from `from_us` to where the search is on the path, as a step of
 * the current mark, and moves the search there. */
static void add_step(struct walk *w, enum mark_phase phase, uint64_t from_us)
{
    struct critical *path = w->path;
    struct critical_step *step =
        path->len == 0 ? NULL : &path->v[path->len - 1];

    if (step != NULL && step->mark == w->mark && step->phase == phase) {
        step->begin_us = from_us; /* the same phase, found in two pieces */
    } else if (from_us < w->us) {
        step = vec_add(path);
        *step = (struct critical_step){ .mark = w->mark,
                                        .phase = phase,
                                        .begin_us = from_us,
                                        .end_us = w->us };
    }
    w->us = from_us;
}

/* The current mark had not begun yet. What was going on then is to be found in
 * the mark that waited for it, else in the first mark of all. */
static void go_to_waiter(struct walk *w)
{
    if (w->waiters.len > 0)
        w->mark = w->waiters.v[--w->waiters.len];
    else if (w->mark != 0)
        w->mark = 0;
    else
        add_step(w, MARK_WAIT, 0);
}

static void step_back(struct walk *w)
{
    const struct mark *mark = &w->m->v[w->mark];
    const struct mark_span *span = span_before(mark, w->us);
    size_t need;

    if (span == NULL) {
        go_to_waiter(w);
        return;
    }
    if (span->end_us < w->us) { /* it was done and did nothing in between */
        add_step(w, MARK_WAIT, span->end_us);
        return;
    }
    need = last_needed(w->m, mark, span, w->us);
    /* No mark waits for itself, not even through others; if one did, this ends
     * the search. */
    if (need == SIZE_MAX || w->waiters.len > w->m->len) {
        add_step(w, span->phase, span->begin_us);
        return;
    }
    add_step(w, span->phase, done_us(&w->m->v[need], w->us));
    *(size_t *)vec_add(&w->waiters) = w->mark;
    w->mark = need;
}

/* The mark that was done last: the path ends there. */
static size_t last_ready(const struct marks *m)
{
    size_t best = 0;
    uint64_t best_us = 0;

    for (size_t i = 0; i < m->len; i++) {
        uint64_t us = done_us(&m->v[i], m->end_us);

        if (us <= best_us)
            continue;
        best = i;
        best_us = us;
    }
    return best;
}

static void reverse(struct critical *path)
{
    for (size_t i = 0; i < path->len / 2; i++) {
        struct critical_step step = path->v[i];

        path->v[i] = path->v[path->len - 1 - i];
        path->v[path->len - 1 - i] = step;
    }
}

void critical_find(struct critical *out, const struct marks *m)
{
    struct walk w = { .m = m, .path = out, .us = m->end_us };

    *out = (struct critical){ 0 };
    if (m->len == 0)
        return;
    w.mark = last_ready(m);
    while (w.us > 0)
        step_back(&w);
    reverse(out);
    free(w.waiters.v);
}

void critical_release(struct critical *path)
{
    free(path->v);
    *path = (struct critical){ 0 };
}

bool critical_has(const struct critical *path, size_t mark)
{
    for (size_t i = 0; i < path->len; i++)
        if (path->v[i].mark == mark)
            return true;
    return false;
}

bool critical_covers(const struct critical *path, size_t mark,
                     const struct mark_span *span)
{
    uint64_t covered = 0;

    for (size_t i = 0; i < path->len; i++) {
        const struct critical_step *s = &path->v[i];
        uint64_t from =
            s->begin_us > span->begin_us ? s->begin_us : span->begin_us;
        uint64_t to = s->end_us < span->end_us ? s->end_us : span->end_us;

        if (s->mark == mark && from < to)
            covered += to - from;
    }
    return covered > 0 && covered * 2 >= span->end_us - span->begin_us;
}

size_t critical_awaited(const struct marks *m, size_t mark,
                        const struct mark_span *span, size_t *out)
{
    const struct mark *it = &m->v[mark];
    size_t count = 0;

    for (size_t i = 0; i < it->needs.len; i++) {
        size_t need = it->needs.v[i].mark, at = count;
        uint64_t done = done_us(&m->v[need], span->end_us);

        if (it->needs.v[i].phase != span->phase || done <= span->begin_us)
            continue;
        while (at > 0 && done_us(&m->v[out[at - 1]], span->end_us) > done) {
            out[at] = out[at - 1];
            at--;
        }
        out[at] = need;
        count++;
    }
    return count;
}
