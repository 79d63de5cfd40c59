/*
 * What is done when the engine refuses a step of an item: another container
 * with other ports, without an init program, or without its template; and where
 * none of that helps, the session fails. Called by the steps' callbacks.
 */
#include "run/item_remake.h"

#include "base/err.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/reason.h"
#include "run/explain.h"
#include "run/item.h"
#include "run/session_parts.h"

static void on_dropped(const struct err *err, void *user);

/* The init program of Podman, and Docker's, is a package that may be
 * missing. */
static void do_without_init(struct item *it)
{
    struct session *s = it->s;

    it->remake.without_init = true;
    if (!s->no_init)
        session_warn(s,
                     "the engine has no init program: a service that does "
                     "not heed SIGTERM by itself is killed when its grace "
                     "is over\n"
                     "  install catatonit (for Podman) or tini (for Docker)");
    s->no_init = true;
}

bool item_remake(struct item *it, const struct err *err)
{
    if (engine_says(err->msg, REASON_PORT_TAKEN) &&
        item_may_choose_others(it)) {
        item_drop(it);
    } else if (engine_says(err->msg, REASON_INIT_MISSING) && it->plan->init &&
               !it->remake.without_init) {
        do_without_init(it);
        item_drop(it);
    } else if (it->template.state == TEMPLATE_USED) {
        template_give_up(it, err->msg);
    } else {
        return false;
    }
    return true;
}

void item_drop(struct item *it)
{
    if (it->id == NULL) {
        item_start_over(it);
        return;
    }
    item_output_stop(it);
    it->remake.dropping = true;
    it->call =
        engine_container_remove(it->s->spec.engine, it->id, on_dropped, it);
}

static void on_dropped(const struct err *err, void *user)
{
    struct item *it = user;

    it->call = NULL;
    it->remake.dropping = false;
    if (it->s->state == SESSION_STOPPING)
        item_take_down(it, true);
    else if (err != NULL)
        item_fail_step(it, "remove", err);
    else
        item_start_over(it);
}

void item_fail_step(struct item *it, const char *step, const struct err *err)
{
    cleanup_free char *text =
        xasprintf("%s %s: cannot %s its container", item_kind_word(it->kind),
                  it->name, step);

    if (it->kind == ITEM_SANDBOX) {
        sandbox_give_up(it, err->msg);
        return;
    }
    session_fail(it->s, 1, text, err->msg,
                 it->plan->build >= 0 && err->code == ERR_NOT_FOUND &&
                         it->id == NULL
                     ? "its image is not built yet: start without --no-build"
                     : explain_step(it, err->msg));
}
