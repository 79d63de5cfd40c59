/*
 * Hears from the engine what happens to a session's containers and network, and
 * passes it on to their items: while it runs to item_exit.c and item_network.c,
 * while it ends to item_teardown.c. When the engine went away it is asked again
 * and again, and what happened meanwhile is looked up.
 */
#include "run/engine_events.h"

#include <string.h>
#include <utlist.h>

#include "base/err.h"
#include "base/label.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "run/item.h"
#include "run/item_exit.h"
#include "run/item_network.h"
#include "run/item_output.h"
#include "run/item_teardown.h"
#include "run/network.h"
#include "run/session_parts.h"

/* After the engine went away, look for it this often and this long. */
#define ENGINE_RETRY_MS   250
#define ENGINE_GONE_TRIES 120

/* The exit status of what ended while nobody listened: it may have been
 * killed with the engine. */
#define UNHEARD_STATUS 137

/* In order of time; the network's events are a stream of their own. */
static void on_listening(const struct err *err, void *user);
static void on_container_event(const struct engine_event *event, void *user);
static void on_ended(const struct err *err, void *user);
static void on_retry(uv_timer_t *timer);
static void on_relisted(const struct engine_state *list, size_t count,
                        const struct err *err, void *user);
static void on_network_event(const struct engine_event *event, void *user);
static void on_network_ended(const struct err *err, void *user);

/* ---- containers ---------------------------------------------------------- */

void session_listen(struct session *s)
{
    cleanup_free char *label = xasprintf(LABEL_SESSION "=%s", s->id);

    s->events.containers = engine_events(
        s->spec.engine, label, on_container_event, on_listening, on_ended, s);
}

/* Who ended while nobody listened? */
static void relist(struct session *s)
{
    cleanup_free char *label = xasprintf(LABEL_SESSION "=%s", s->id);

    if (s->events.relist != NULL)
        engine_cancel(s->events.relist);
    s->events.relist_asked = uv_now(s->spec.loop);
    s->events.relist =
        engine_container_list(s->spec.engine, label, on_relisted, s);
    session_say(s, s->spec.hub_tag, s->spec.hub_tag,
                "the engine is back; looking at what is left");
}

static void on_listening(const struct err *err, void *user)
{
    struct session *s = user;

    if (err != NULL)
        return;
    s->events.ready = true;
    session_listen_network(s);
    if (s->events.lost > 0 && s->state != SESSION_STOPPING)
        relist(s);
    s->events.lost = 0;
    session_poke(s);
}

static void on_container_event(const struct engine_event *event, void *user)
{
    struct session *s = user;
    struct item *it = session_find_item(s, event->id);

    if (it == NULL)
        return;
    if (s->state == SESSION_STOPPING) {
        if (strcmp(event->action, "die") == 0)
            item_ended(it);
        return;
    }
    if (strcmp(event->action, "oom") == 0)
        item_oom(it);
    else if (strcmp(event->action, "die") == 0)
        item_died(it, event->exit_code, false);
    else if (strcmp(event->action, "destroy") == 0)
        item_removed(it);
}

static void on_ended(const struct err *err, void *user)
{
    struct session *s = user;

    s->events.containers = NULL;
    s->events.ready = false;
    if (s->state == SESSION_STOPPING)
        return;
    if (s->spec.freeze) {
        session_fail(s, 1, "the engine went away", NULL, NULL);
        return;
    }
    if (s->events.lost++ == 0)
        session_warn(s,
                     "the engine went away%s%s; waiting for it to come "
                     "back",
                     err == NULL ? "" : ": ", err == NULL ? "" : err->msg);
    if (s->events.lost > ENGINE_GONE_TRIES)
        session_fail(s, 1, "the engine went away and did not come back",
                     err == NULL ? NULL : err->msg,
                     "start it again; what the session left is removed by "
                     "the next cvx start");
    else
        uv_timer_start(&s->events.retry.uv, on_retry, ENGINE_RETRY_MS, 0);
}

static void on_retry(uv_timer_t *timer)
{
    struct session *s = container_of(timer, struct session, events.retry.uv);

    if (s->state != SESSION_STOPPING && s->events.containers == NULL)
        session_listen(s);
}

static const struct engine_state *find_state(const struct engine_state *list,
                                             size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].id, id) == 0)
            return &list[i];
    return NULL;
}

static bool runs(const struct engine_state *state)
{
    return strcmp(state->state, "running") == 0 ||
           strcmp(state->state, "restarting") == 0;
}

static void compare(struct item *it, const struct engine_state *state)
{
    if (state == NULL) {
        item_removed(it);
    } else if (!runs(state)) {
        item_died(it, UNHEARD_STATUS, false);
    } else {
        if (it->output.call == NULL && it->kind != ITEM_SANDBOX)
            item_output_resume(it);
        item_check_network(it);
    }
}

static void on_relisted(const struct engine_state *list, size_t count,
                        const struct err *err, void *user)
{
    struct session *s = user;
    struct item *it, *next;

    s->events.relist = NULL;
    if (err != NULL || s->state == SESSION_STOPPING)
        return;
    DL_FOREACH_SAFE (s->items, it, next) {
        /* What was not up when we asked, the answer cannot know. */
        if ((it->state != ITEM_CHECKING && it->state != ITEM_READY) ||
            it->exit.died || it->running_since > s->events.relist_asked)
            continue;
        compare(it, find_state(list, count, it->id));
    }
}

/* ---- the network --------------------------------------------------------- */

void session_listen_network(struct session *s)
{
    if (network_is_up(s) && s->events.network == NULL)
        s->events.network =
            engine_network_events(s->spec.engine, s->network.id,
                                  on_network_event, on_network_ended, s);
}

static void on_network_event(const struct engine_event *event, void *user)
{
    struct session *s = user;
    bool stopping = s->state == SESSION_STOPPING;
    struct item *it;

    if (strcmp(event->type, "network") != 0 ||
        strcmp(event->id, s->network.id) != 0)
        return;
    if (strcmp(event->action, "destroy") == 0 && !stopping) {
        network_lost(s);
        return;
    }
    it = session_find_item(s, event->container);
    if (it == NULL || strcmp(event->action, "disconnect") != 0)
        return;
    if (stopping)
        item_unplugged(it);
    else
        item_check_network(it);
}

/* When the engine went away, on_listening() begins again; one that does not
 * know such events is done without them. */
static void on_network_ended(const struct err *err, void *user)
{
    struct session *s = user;

    s->events.network = NULL;
    log_debug("run", "session %s: no events of its network: %s", s->id,
              err == NULL ? "the stream has ended" : err->msg);
}

/* ---- the end ------------------------------------------------------------- */

void session_listen_no_more(struct session *s)
{
    uv_timer_stop(&s->events.retry.uv);
}

static void cancel(struct engine_call **call)
{
    if (*call != NULL)
        engine_cancel(*call);
    *call = NULL;
}

void session_unlisten(struct session *s)
{
    cancel(&s->events.containers);
    cancel(&s->events.relist);
    cancel(&s->events.network);
}
