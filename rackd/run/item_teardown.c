/*
 * One container's way back: a service is asked to end and given its grace; a
 * resource is killed once nobody who lists it runs any more; both are removed.
 * teardown.c calls it for every item at every poke.
 */
#include "run/item_teardown.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "run/item.h"
#include "run/item_exit.h"
#include "run/item_output.h"
#include "run/item_ready.h"
#include "run/removal.h"
#include "run/session_parts.h"

/* A kept database gets this long to close its files. */
#define KEPT_GRACE_S 60

/* lifecycle.preStop may take this long on top of the service's grace. */
#define PRE_STOP_MAX_MS 30000

/* In order of time. */
static void on_pre_stop(int status, const struct err *err, void *user);
static void stop(struct item *it);
static void on_stopped(const struct err *err, void *user);
static void drop(struct item *it);
static void on_removed(const struct err *err, void *user);

bool item_is_used(const struct item *it)
{
    return it->kind == ITEM_RESOURCE || it->kind == ITEM_SANDBOX;
}

/* Ephemeral resources are killed, not asked; kept data is closed cleanly. */
static unsigned grace_of(const struct item *it)
{
    if (!item_is_used(it))
        return it->plan->stop_grace_s;
    for (size_t i = 0; i < it->plan->mounts.len; i++)
        if (it->plan->mounts.v[i].volume >= 0 &&
            it->s->volumes.v[it->plan->mounts.v[i].volume].keep)
            return KEPT_GRACE_S;
    return 0;
}

static bool has_pre_stop(const struct item *it)
{
    return it->service != NULL && it->service->pre_stop.len > 0;
}

uint64_t item_end_ms(const struct item *it)
{
    return grace_of(it) * 1000ULL + (has_pre_stop(it) ? PRE_STOP_MAX_MS : 0);
}

/* ---- who still uses it --------------------------------------------------- */

static bool has_ended(const struct item *it)
{
    return it->exit.died || it->teardown.ended;
}

/* A service that has been asked to end and has not done so. */
static bool is_asked(const struct item *it)
{
    return it->state == ITEM_STOPPING && it->service != NULL && !has_ended(it);
}

/* One that is being removed was killed, and needs its network no more. */
static bool still_runs(const struct item *it)
{
    return it->state != ITEM_REMOVING && it->state != ITEM_GONE &&
           !has_ended(it);
}

static bool lists(const struct item *it, const struct plan_resource *r)
{
    const struct plan *p = it->s->spec.plan;

    for (size_t i = 0; i < it->service->resources.len; i++)
        if (strcmp(p->resources.v[it->service->resources.v[i]].name, r->name) ==
            0)
            return true;
    return false;
}

/* Whoever was asked to end may have to write to its database first. */
static bool is_in_use(const struct item *used)
{
    for (struct item *it = used->s->items; it != NULL; it = it->next)
        if (used->resource == NULL ? it->sandbox.of == used && still_runs(it)
                                   : is_asked(it) && lists(it, used->resource))
            return true;
    return false;
}

/* ---- its end ------------------------------------------------------------- */

/* A create or start must answer first, or its container is lost to us, and a
 * commit, or its image is: their callbacks poke the session. */
static bool must_answer_first(const struct item *it)
{
    return it->call != NULL &&
           (it->making.committing || it->state == ITEM_CREATING ||
            it->state == ITEM_STARTING || it->state == ITEM_WAITING);
}

void item_take_down(struct item *it, bool now)
{
    bool runs = it->state == ITEM_CHECKING || it->state == ITEM_READY;

    item_unwatch(it);
    item_exit_stop(it);
    uv_timer_stop(&it->files.again.uv);
    if (it->state == ITEM_GONE || it->state == ITEM_REMOVING ||
        must_answer_first(it))
        return;
    if (it->id == NULL) {
        item_cancel_call(it);
        item_set_state(it, ITEM_GONE, NULL);
        return;
    }
    if (runs && !now && item_is_used(it) && is_in_use(it))
        return;
    if (now || !runs || has_ended(it) || grace_of(it) == 0) {
        if (it->state != ITEM_STOPPING || now) {
            item_cancel_call(it);
            drop(it);
        }
        return;
    }
    item_cancel_call(it);
    item_set_state(it, ITEM_STOPPING, NULL);
    if (has_pre_stop(it))
        it->call =
            engine_exec(it->s->spec.engine, it->id, &it->service->pre_stop,
                        PRE_STOP_MAX_MS, NULL, on_pre_stop, it);
    else
        stop(it);
}

static void on_pre_stop(int status, const struct err *err, void *user)
{
    struct item *it = user;

    it->call = NULL;
    if (err != NULL || status != 0)
        session_warn(it->s, "service %s: lifecycle.preStop failed: %s",
                     it->name, err != NULL ? err->msg : "not status 0");
    stop(it);
}

static void stop(struct item *it)
{
    it->call = engine_container_stop(it->s->spec.engine, it->id, grace_of(it),
                                     on_stopped, it);
}

static void on_stopped(const struct err *err, void *user)
{
    struct item *it = user;

    it->call = NULL;
    if (err != NULL)
        log_warn("run", "%s: stop: %s", it->source, err->msg);
    drop(it);
    session_poke(it->s);
}

/* The engine's event comes a while before its answer to the stop. */
void item_ended(struct item *it)
{
    if (it->sandbox.of != NULL)
        it->teardown.unplugged = true; /* it was never on the network itself */
    if (it->state != ITEM_STOPPING)
        return;
    it->teardown.ended = true;
    session_poke(it->s);
}

void item_unplugged(struct item *it)
{
    it->teardown.unplugged = true;
    session_poke(it->s);
}

static void drop(struct item *it)
{
    item_set_state_quietly(it, ITEM_REMOVING);
    it->call =
        engine_container_remove(it->s->spec.engine, it->id, on_removed, it);
}

static void on_removed(const struct err *err, void *user)
{
    struct item *it = user;

    it->call = NULL;
    item_output_stop(it);
    it->teardown.left = err != NULL; /* the stragglers try again */
    if (err != NULL) {
        log_warn("run", "%s: remove: %s", it->source, err->msg);
        item_set_state_quietly(it, ITEM_GONE);
    } else {
        removal_done(it->s, REMOVAL_CONTAINER);
        item_set_state(it, ITEM_GONE, NULL);
    }
    session_poke(it->s);
}

/* ---- all of them --------------------------------------------------------- */

bool items_are_unplugged(const struct session *s)
{
    for (struct item *it = s->items; it != NULL; it = it->next)
        if (it->state != ITEM_GONE && !it->teardown.unplugged &&
            it->sandbox.of == NULL)
            return false;
    return true;
}

bool items_are_going(const struct session *s)
{
    for (struct item *it = s->items; it != NULL; it = it->next)
        if (it->state != ITEM_GONE &&
            (it->state != ITEM_REMOVING || !it->teardown.unplugged))
            return false;
    return true;
}

void item_give_up(struct item *it)
{
    item_cancel_call(it);
    item_output_stop(it);
    if (it->state == ITEM_GONE)
        return;
    it->teardown.left = true;
    item_set_state_quietly(it, ITEM_GONE);
}

void items_name_left(struct session *s, const struct err *err)
{
    for (struct item *it = s->items; it != NULL; it = it->next) {
        cleanup_free char *name = item_container_name(it);

        if (it->teardown.left)
            removal_failed(s, REMOVAL_CONTAINER, name, err);
        it->teardown.left = false;
    }
}
