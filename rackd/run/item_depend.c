/*
 * What an item depends on: the volumes it mounts, the resources it lists, its
 * init container. item_start.c asks before it goes on; item_wait() tells the
 * watcher whom it waits for.
 */
#include "run/item_depend.h"

#include <string.h>

#include "base/mem.h"
#include "base/strv.h"
#include "run/item.h"
#include "run/session_parts.h"

bool item_volumes_are_made(const struct item *it)
{
    for (size_t i = 0; i < it->plan->mounts.len; i++) {
        int v = it->plan->mounts.v[i].volume;

        if (v >= 0 && !it->s->volumes.v[v].made)
            return false;
    }
    return true;
}

static bool volumes_are_owned(const struct item *it)
{
    for (size_t i = 0; i < it->plan->mounts.len; i++) {
        int v = it->plan->mounts.v[i].volume;

        if (v >= 0 && it->s->volumes.v[v].owning && !it->s->volumes.v[v].owned)
            return false;
    }
    return true;
}

static bool is_ready(const struct session *s, enum item_kind kind,
                     const char *name)
{
    for (struct item *it = s->items; it != NULL; it = it->next)
        if (it->kind == kind && strcmp(it->name, name) == 0 &&
            it->state != ITEM_READY)
            return false;
    return true;
}

bool item_dependencies_are_ready(const struct item *it)
{
    const struct plan_service *svc = it->service;

    if (!it->s->events.ready || !volumes_are_owned(it))
        return false;
    if (svc == NULL)
        return true;
    for (size_t i = 0; i < svc->resources.len; i++) {
        int r = svc->resources.v[i];

        if (!is_ready(it->s, ITEM_RESOURCE,
                      it->s->spec.plan->resources.v[r].name))
            return false;
    }
    return it->kind == ITEM_INIT || is_ready(it->s, ITEM_INIT, svc->name);
}

/* "db, cache": whose readiness it waits for; the caller frees it. */
static char *unready_names(const struct item *it)
{
    cleanup_strv struct strv names = { 0 };
    const struct plan *plan = it->s->spec.plan;

    for (size_t i = 0; it->service != NULL && i < it->service->resources.len;
         i++) {
        const char *name = plan->resources.v[it->service->resources.v[i]].name;

        if (!is_ready(it->s, ITEM_RESOURCE, name))
            strv_add(&names, name);
    }
    if (it->kind == ITEM_SERVICE && it->service != NULL &&
        it->service->has_init && !is_ready(it->s, ITEM_INIT, it->name))
        strv_add(&names, "its init container");
    return strv_join(&names, ", ");
}

void item_wait(struct item *it)
{
    cleanup_free char *names = unready_names(it);
    cleanup_free char *text = NULL;

    if (*names != '\0')
        text = xasprintf("for %s", names);
    item_set_state(it, ITEM_CREATED, text);
    session_poke(it->s);
}
