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

/* Only then let go: else it would begin its work, on a session that lives. */
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
    uv_timer_stop(&r->timer);
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

/* What could not be removed goes by itself once nobody holds it; where there
 * are sessions it stays held, or it would begin with them. */
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
