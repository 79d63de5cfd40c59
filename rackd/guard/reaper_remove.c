/*
 * Removes the guard's container: to make another in its place, or for good when
 * no session is left.
 */
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "guard/reaper_parts.h"

static void on_replaced(const struct err *err, void *user);
static void on_removed(const struct err *err, void *user);

/* ---- for another --------------------------------------------------------- */

void reaper_replace(struct reaper *r)
{
    if (!reaper_give_up(r))
        reaper_remove_old(r);
}

/* The stream is closed only after the removal: a container whose stream closes
 * begins its work, on sessions that live. */
void reaper_remove_old(struct reaper *r)
{
    reaper_set_state(r, REAPER_REPLACING);
    r->call = engine_container_remove(r->spec.engine, r->id, on_replaced, r);
}

static void on_replaced(const struct err *err, void *user)
{
    struct reaper *r = user;

    r->call = NULL;
    if (err != NULL && r->wanted && reaper_may_pass(r, err)) {
        reaper_try_again(r, REAPER_REPLACING);
        return;
    }
    if (err != NULL) {
        reaper_fail_step(r, "it cannot be removed", err);
        return;
    }
    reaper_let_go(r);
    free(r->id);
    r->id = NULL;
    reaper_go_on(r);
}

/* ---- for good ------------------------------------------------------------ */

void reaper_remove(struct reaper *r)
{
    reaper_stop_timers(r);
    if (r->call != NULL)
        return; /* its answer comes back here */
    reaper_set_state(r, REAPER_REMOVING);
    r->call = engine_container_remove(r->spec.engine, r->id, on_removed, r);
}

static void keep_failed(struct reaper *r, const struct err *err)
{
    if (r->why == NULL)
        r->why = xasprintf("it cannot be removed: %s", err->msg);
    reaper_set_state(r, REAPER_FAILED);
}

/* A container that could not be removed goes by itself once its stream is
 * closed. Where there are sessions the stream stays open, or the container
 * would remove them first. */
static void on_removed(const struct err *err, void *user)
{
    struct reaper *r = user;

    r->call = NULL;
    if (err != NULL && reaper_is_away(err)) {
        reaper_try_again(r, REAPER_REMOVING);
        return;
    }
    if (err != NULL)
        log_warn("reaper", "%s: %s", r->name, err->msg);
    if (err != NULL && r->wanted) {
        keep_failed(r, err);
        return;
    }
    reaper_let_go(r);
    free(r->id);
    r->id = NULL;
    if (r->wanted && r->why == NULL)
        reaper_create(r);
    else
        reaper_set_state(r, r->wanted ? REAPER_FAILED : REAPER_OFF);
}
