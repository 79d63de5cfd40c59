/* Records when what happened in a start. run/ calls it at every change of an
 * item's state; api/timings.c reads it once the start is ready. */
#include "timing/marks.h"

#include <uv.h>

#include "base/mem.h"
#include "base/vec.h"

void marks_init(struct marks *m, uint64_t asked_ns)
{
    *m = (struct marks){ .asked_ns = asked_ns == 0 ? uv_hrtime() : asked_ns };
}

void marks_release(struct marks *m)
{
    for (size_t i = 0; i < m->len; i++) {
        free(m->v[i].name);
        free(m->v[i].spans.v);
        free(m->v[i].needs.v);
    }
    free(m->v);
    *m = (struct marks){ 0 };
}

size_t mark_new(struct marks *m, const char *kind, const char *name,
                int replica)
{
    struct mark *mark = vec_add(m);

    mark->kind = kind;
    mark->name = xstrdup(name);
    mark->replica = replica;
    return m->len - 1;
}

void mark_need(struct marks *m, size_t mark, enum mark_phase phase, size_t need)
{
    struct mark_need *n = vec_add(&m->v[mark].needs);

    n->phase = phase;
    n->mark = need;
}

static uint64_t since_asked_us(const struct marks *m, uint64_t ns)
{
    return ns > m->asked_ns ? (ns - m->asked_ns) / 1000 : 0;
}

/* Ends the last span, if it is open. */
static void close_span(struct mark *mark, uint64_t us)
{
    struct mark_span *last;

    if (!mark->open)
        return;
    last = &mark->spans.v[mark->spans.len - 1];
    last->end_us = us > last->begin_us ? us : last->begin_us;
    mark->open = false;
}

/* Goes on with the last span when that has the same phase, or when there are
 * too many spans; false when a new one has to begin. */
static bool continue_span(struct mark *mark, enum mark_phase phase)
{
    size_t n = mark->spans.len;

    if (n == 0 || (n < MARK_SPANS_MAX &&
                   (!mark->open || mark->spans.v[n - 1].phase != phase)))
        return false;
    mark->open = true;
    return true;
}

void mark_phase_since(struct marks *m, size_t mark, enum mark_phase phase,
                      uint64_t ns)
{
    struct mark *it = &m->v[mark];
    uint64_t us = since_asked_us(m, ns);
    struct mark_span *span;

    if (m->end_us > 0 || continue_span(it, phase))
        return;
    close_span(it, us);
    /* The phase may be said to have begun before the last one ended. */
    if (it->spans.len > 0 && it->spans.v[it->spans.len - 1].end_us > us)
        us = it->spans.v[it->spans.len - 1].end_us;
    span = vec_add(&it->spans);
    *span = (struct mark_span){ .phase = phase, .begin_us = us, .end_us = us };
    it->open = true;
}

void mark_phase(struct marks *m, size_t mark, enum mark_phase phase)
{
    mark_phase_since(m, mark, phase, uv_hrtime());
}

void mark_done(struct marks *m, size_t mark)
{
    if (m->end_us == 0)
        close_span(&m->v[mark], since_asked_us(m, uv_hrtime()));
}

void marks_end(struct marks *m)
{
    uint64_t now = since_asked_us(m, uv_hrtime());

    if (m->end_us > 0)
        return;
    for (size_t i = 0; i < m->len; i++)
        close_span(&m->v[i], now);
    m->end_us = now > 0 ? now : 1;
}

bool mark_is_wait(enum mark_phase phase)
{
    return phase == MARK_WAIT || phase == MARK_DEPEND;
}

const char *mark_phase_word(enum mark_phase phase)
{
    static const char *const words[MARK_PHASES] = {
        [MARK_PREPARE] = "prepare", [MARK_WAIT] = "wait",
        [MARK_DEPEND] = "wait",     [MARK_PULL] = "pull",
        [MARK_BUILD] = "build",     [MARK_CREATE] = "create",
        [MARK_FILL] = "fill",       [MARK_START] = "start",
        [MARK_CONNECT] = "connect", [MARK_ANSWER] = "answer",
        [MARK_RUN] = "run",         [MARK_RESTART] = "restart",
    };

    return words[phase];
}

uint64_t mark_own_us(const struct mark *mark)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < mark->spans.len; i++)
        if (!mark_is_wait(mark->spans.v[i].phase))
            sum += mark->spans.v[i].end_us - mark->spans.v[i].begin_us;
    return sum;
}
