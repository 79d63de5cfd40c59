/*
 * Puts a container back onto the session's network after somebody took it off
 * with the engine's own tools. engine_events.c calls item_check_network() when
 * the engine reports a disconnect; every container is also disconnected when it
 * ends, so a look at it tells the two apart.
 */
#include "run/item_network.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strv.h"
#include "engine/engine.h"
#include "engine/reason.h"
#include "run/item.h"
#include "run/item_freeze.h"
#include "run/network.h"
#include "run/session_parts.h"

/* In order of time. */
static void on_inspected(const struct engine_state *state,
                         const struct err *err, void *user);
static void on_connected(const struct err *err, void *user);
static void on_new_address(const struct engine_state *state,
                           const struct err *err, void *user);

void item_check_network(struct item *it)
{
    if (it->state == ITEM_FROZEN)
        item_lose_frozen(it);
    if ((it->state != ITEM_CHECKING && it->state != ITEM_READY) ||
        it->exit.died || it->network.call != NULL || it->sandbox.of != NULL ||
        it->sandbox.kill != NULL)
        return;
    it->network.call =
        engine_container_inspect(it->s->spec.engine, it->id, on_inspected, it);
}

void item_network_stop(struct item *it)
{
    if (it->network.call != NULL)
        engine_cancel(it->network.call);
    it->network.call = NULL;
}

static void connect_it(struct item *it)
{
    it->network.call = engine_network_connect(
        it->s->spec.engine, it->s->network.id,
        &(struct engine_endpoint){ .container = it->id,
                                   .ip = it->ip_is_engines ? NULL : it->ip,
                                   .aliases = &it->plan->aliases },
        on_connected, it);
}

/* One that has just ended is on no network either. */
static void on_inspected(const struct engine_state *state,
                         const struct err *err, void *user)
{
    struct item *it = user;
    cleanup_free char *title = item_title(it);

    it->network.call = NULL;
    if (err != NULL || strcmp(state->state, "running") != 0 ||
        strv_has(&state->networks, it->s->network.name))
        return;
    session_warn(it->s,
                 "%s was disconnected from the session's network from "
                 "outside; connecting it again",
                 title);
    connect_it(it);
}

/* Its address may have gone to somebody else meanwhile; any will do. */
static void on_connected(const struct err *err, void *user)
{
    struct item *it = user;
    cleanup_free char *title = item_title(it);

    it->network.call = NULL;
    if (err != NULL && network_is_missing(err)) {
        network_lost(it->s);
        return;
    }
    if (err == NULL || engine_says(err->msg, REASON_CONNECTED) ||
        err->code == ERR_NOT_FOUND) {
        if (it->ip_is_engines)
            it->network.call = engine_container_inspect(
                it->s->spec.engine, it->id, on_new_address, it);
        return;
    }
    if (!it->ip_is_engines) {
        item_lose_ip(it);
        connect_it(it);
        return;
    }
    session_warn(it->s,
                 "%s cannot be connected again: %s\n"
                 "  docker kill %.12s starts it anew",
                 title, err->msg, it->id);
}

static void on_new_address(const struct engine_state *state,
                           const struct err *err, void *user)
{
    struct item *it = user;

    it->network.call = NULL;
    if (err == NULL && *state->ip != '\0')
        item_set_ip(it, state->ip);
}
