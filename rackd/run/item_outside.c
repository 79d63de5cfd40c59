#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "run/internal.h"

/* Somebody who removes it each time before it is ready means it. */
#define REMADE_TRIES 3

/*
 * What somebody does to a running session with the engine's own tools. In order
 * of time: a container is gone, and is made again; or it was taken off the
 * session's network, which a look at it tells from the end that every container
 * comes to, and is connected again.
 */
static void on_network_event(const struct engine_event *event, void *user);
static void on_network_deaf(const struct err *err, void *user);
static void on_inspected(const struct engine_state *state,
                         const struct err *err, void *user);
static void on_connected(const struct err *err, void *user);
static void on_new_address(const struct engine_state *state,
                           const struct err *err, void *user);

/* ---- removed ------------------------------------------------------------ */

/* Nothing of it stays in the books: another may get the name. */
static void forget(struct item *it)
{
    free(it->id);
    it->id = NULL;
    if (!it->addressless)
        return;
    free(it->ip); /* the engine's choice: the next one gets one of ours */
    it->ip = NULL;
    it->addressless = false;
}

/* Files on their way into it go into the next one. */
static void stop_step(struct item *it)
{
    if (it->call != NULL)
        engine_cancel(it->call);
    it->call = NULL;
    if (it->attach != NULL)
        engine_cancel(it->attach);
    it->attach = NULL;
    free(it->archive);
    it->archive = NULL;
    if (it->owns != NULL)
        it->owns->owning = false;
    it->owns = NULL;
}

static bool ends_the_session(const struct item *it)
{
    return it->kind == ITEM_SERVICE && it->was_ready &&
           it->s->spec.exit_on_failure;
}

void item_make_again(struct item *it)
{
    static const char how[] = "its container was removed from outside";
    cleanup_free char *title = item_title(it);

    stop_step(it);
    forget(it);
    it->exit_status = 137;
    if (it->died)
        item_emit_exit(it, "removed from outside");
    if (ends_the_session(it) || it->remade++ >= REMADE_TRIES) {
        item_end_session(it, how);
        return;
    }
    item_backoff(it);
    session_warn(it->s, "%s: %s; making it again", title, how);
}

static void removed_while_it_ran(struct item *it)
{
    it->removed = true;
    if (!it->died)
        item_died(it, 137, false);
    else if (it->waited)
        item_hear_out(it);
}

static void removed_while_it_paused(struct item *it)
{
    cleanup_free char *title = item_title(it);

    forget(it);
    session_warn(it->s,
                 "%s: its container was removed from outside; making it again",
                 title);
}

void item_removed(struct item *it)
{
    if (it->dropping)
        return;
    switch (it->state) {
    case ITEM_FILLING:
    case ITEM_CREATED:
    case ITEM_ATTACHING:
        item_make_again(it);
        break;
    case ITEM_STARTING: /* the answer to the start goes on */
        it->removed = it->died = true;
        it->exit_status = 137;
        break;
    case ITEM_READY:
        if (it->kind == ITEM_INIT)
            forget(it); /* it has done its work */
        else
            removed_while_it_ran(it);
        break;
    case ITEM_CHECKING:
        removed_while_it_ran(it);
        break;
    case ITEM_BACKOFF:
        removed_while_it_paused(it);
        break;
    case ITEM_FROZEN:
        item_lost_frozen(it);
        break;
    default:
        break;
    }
}

/* ---- off the network ---------------------------------------------------- */

void session_hear_network(struct session *s)
{
    if (s->net == NET_READY && s->net_events == NULL)
        s->net_events = engine_network_events(
            s->spec.engine, s->net_id, on_network_event, on_network_deaf, s);
}

static void on_network_event(const struct engine_event *event, void *user)
{
    struct session *s = user;
    bool stopping = s->state == SESSION_STOPPING;
    struct item *it;

    if (strcmp(event->type, "network") != 0 ||
        strcmp(event->id, s->net_id) != 0)
        return;
    if (strcmp(event->action, "destroy") == 0 && !stopping) {
        net_lost(s);
        return;
    }
    it = session_find_item(s, event->container);
    if (it == NULL || strcmp(event->action, "disconnect") != 0)
        return;
    if (stopping)
        teardown_unplugged(it);
    else
        item_check_network(it);
}

/* When the engine went away listen.c comes back here; one that does not know
 * such events is done without them. */
static void on_network_deaf(const struct err *err, void *user)
{
    struct session *s = user;

    s->net_events = NULL;
    log_debug("run", "session %s: no events of its network: %s", s->id,
              err == NULL ? "the stream has ended" : err->msg);
}

void item_check_network(struct item *it)
{
    if (it->state == ITEM_FROZEN)
        item_lost_frozen(it);
    if ((it->state != ITEM_CHECKING && it->state != ITEM_READY) || it->died ||
        it->mend != NULL || it->sandbox != NULL)
        return;
    it->mend =
        engine_container_inspect(it->s->spec.engine, it->id, on_inspected, it);
}

static void connect_it(struct item *it)
{
    it->mend = engine_network_connect(
        it->s->spec.engine, it->s->net_id,
        &(struct engine_endpoint){ .container = it->id,
                                   .ip = it->addressless ? NULL : it->ip,
                                   .aliases = &it->plan->aliases },
        on_connected, it);
}

/* One that has just ended is on no network either. */
static void on_inspected(const struct engine_state *state,
                         const struct err *err, void *user)
{
    struct item *it = user;
    cleanup_free char *title = item_title(it);

    it->mend = NULL;
    if (err != NULL || strcmp(state->state, "running") != 0 ||
        strv_has(&state->networks, it->s->net_name))
        return;
    session_warn(it->s,
                 "%s was disconnected from the session's network from "
                 "outside; connecting it again",
                 title);
    connect_it(it);
}

static bool is_connected(const struct err *err)
{
    return strstr(err->msg, "already exists in network") != NULL;
}

/* Its address may have gone to somebody else meanwhile; any will do. */
static void on_connected(const struct err *err, void *user)
{
    struct item *it = user;
    cleanup_free char *title = item_title(it);

    it->mend = NULL;
    if (err != NULL && net_is_missing(err)) {
        net_lost(it->s);
        return;
    }
    if (err == NULL || is_connected(err) || err->code == ERR_NOT_FOUND) {
        if (it->addressless)
            it->mend = engine_container_inspect(it->s->spec.engine, it->id,
                                                on_new_address, it);
        return;
    }
    if (!it->addressless) {
        it->addressless = true;
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

    it->mend = NULL;
    if (err != NULL || *state->ip == '\0')
        return;
    free(it->ip);
    it->ip = xstrdup(state->ip);
}
