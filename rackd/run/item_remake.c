/*
 * What is tried when the engine refuses a step of an item: another container
 * with other ports, without an init program, or without its template. Called by
 * the steps' callbacks, which fail the session where none of that helps.
 */
#include "run/item_remake.h"

#include "base/err.h"
#include "engine/reason.h"
#include "run/item.h"
#include "run/item_drop.h"
#include "run/item_ports.h"
#include "run/session_parts.h"
#include "run/template.h"

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
