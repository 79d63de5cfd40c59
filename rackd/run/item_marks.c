#include <string.h>

#include "run/internal.h"

static void need_all(struct item *it, enum item_kind kind, const char *name)
{
    for (struct item *other = it->s->items; other != NULL; other = other->next)
        if (other->kind == kind && strcmp(other->name, name) == 0)
            mark_need(&it->s->marks, it->mark, MARK_HOLD, other->mark);
}

static void need_volumes(struct item *it)
{
    for (size_t i = 0; i < it->plan->mounts.len; i++)
        if (it->plan->mounts.v[i].volume >= 0)
            mark_need(&it->s->marks, it->mark, MARK_WAIT,
                      it->s->volumes_mark +
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
    m->v[it->mark].from = "image";
    mark_phase(m, it->mark, MARK_WAIT);
    mark_need(m, it->mark, MARK_WAIT, it->s->net_mark);
    mark_need(m, it->mark, MARK_WAIT,
              it->plan->build < 0 ? it->image->mark
                                  : build_mark(it->s->builds[it->plan->build]));
    need_volumes(it);
    need_resources(it);
}

void item_mark_state(struct item *it)
{
    static const int phases[] = {
        [ITEM_WAITING] = MARK_WAIT,     [ITEM_CREATING] = MARK_CREATE,
        [ITEM_FILLING] = MARK_FILL,     [ITEM_CREATED] = MARK_HOLD,
        [ITEM_ATTACHING] = MARK_START,  [ITEM_STARTING] = MARK_START,
        [ITEM_CHECKING] = MARK_CONNECT, [ITEM_READY] = -1,
        [ITEM_BACKOFF] = MARK_RESTART,  [ITEM_STOPPING] = -1,
        [ITEM_REMOVING] = -1,           [ITEM_GONE] = -1,
    };
    int phase = phases[it->state];

    if (phase == MARK_CONNECT && it->kind == ITEM_INIT)
        phase = MARK_RUN;
    if (phase < 0)
        mark_done(&it->s->marks, it->mark);
    else
        mark_phase(&it->s->marks, it->mark, (enum mark_phase)phase);
}

void item_mark_connected(struct item *it, uint64_t ns)
{
    if (ns > 0)
        mark_phase_since(&it->s->marks, it->mark, MARK_ANSWER, ns);
}
