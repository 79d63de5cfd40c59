/*
 * Notes for `cvx timings` when an item goes through what, and what it waits
 * for. item_set_state() calls it at every change.
 */
#include "run/item_marks.h"

#include <string.h>

#include "run/build.h"
#include "run/image.h"
#include "run/item.h"
#include "run/session_parts.h"
#include "timing/marks.h"

static void need_all(struct item *it, enum item_kind kind, const char *name)
{
    for (struct item *other = it->s->items; other != NULL; other = other->next)
        if (other->kind == kind && strcmp(other->name, name) == 0)
            mark_need(&it->s->marks, it->mark, MARK_DEPEND, other->mark);
}

void item_mark_sandbox(struct item *it)
{
    if (it->sandbox.of != NULL)
        mark_need(&it->s->marks, it->mark, MARK_DEPEND, it->sandbox.of->mark);
}

static void need_volumes(struct item *it)
{
    for (size_t i = 0; i < it->plan->mounts.len; i++)
        if (it->plan->mounts.v[i].volume >= 0)
            mark_need(&it->s->marks, it->mark, MARK_WAIT,
                      it->s->volumes.mark +
                          (size_t)it->plan->mounts.v[i].volume);
}

static void need_resources(struct item *it)
{
    const struct plan *plan = it->s->spec.plan;

    for (size_t i = 0; it->service != NULL && i < it->service->resources.len;
         i++)
        need_all(it, ITEM_RESOURCE,
                 plan->resources.v[it->service->resources.v[i]].name);
    if (it->kind == ITEM_SERVICE)
        need_all(it, ITEM_INIT, it->name);
}

void item_mark(struct item *it)
{
    struct marks *m = &it->s->marks;

    it->mark = mark_new(m, item_kind_word(it->kind), it->name, it->replica);
    m->v[it->mark].from = it->state == ITEM_FROZEN ? "ahead" : "image";
    mark_need(m, it->mark, MARK_WAIT, it->s->network.mark);
    mark_need(m, it->mark, MARK_DEPEND, it->s->network.mark);
    mark_need(m, it->mark, MARK_WAIT,
              it->plan->build < 0 ? it->image->mark
                                  : build_mark(it->s->builds[it->plan->build]));
    need_volumes(it);
    need_resources(it);
    item_mark_state(it);
}

/* The phase of a start that its state is part of; -1: of none. */
static int phase_of(const struct item *it)
{
    switch (it->state) {
    case ITEM_WAITING:
        return MARK_WAIT;
    case ITEM_CREATING:
        return MARK_CREATE;
    case ITEM_FILLING:
        return MARK_FILL;
    case ITEM_CREATED:
        return MARK_DEPEND;
    case ITEM_ATTACHING:
    case ITEM_STARTING:
    case ITEM_FROZEN: /* and being thawed */
        return MARK_START;
    case ITEM_CHECKING:
        return it->kind == ITEM_INIT ? MARK_RUN : MARK_CONNECT;
    case ITEM_BACKOFF:
        return MARK_RESTART;
    case ITEM_READY:
    case ITEM_SAVING:
    case ITEM_STOPPING:
    case ITEM_REMOVING:
    case ITEM_GONE:
        break;
    }
    return -1;
}

void item_mark_state(struct item *it)
{
    struct marks *m = &it->s->marks;
    int phase = phase_of(it);

    if (phase < 0)
        mark_done(m, it->mark);
    else
        mark_phase(m, it->mark, (enum mark_phase)phase);
}

void item_mark_from(struct item *it, const char *from)
{
    it->s->marks.v[it->mark].from = from;
}

void item_mark_connected(struct item *it, uint64_t ns)
{
    if (ns > 0)
        mark_phase_since(&it->s->marks, it->mark, MARK_ANSWER, ns);
}
