#include <string.h>
#include <utlist.h>

#include "base/err.h"
#include "base/label.h"
#include "base/log.h"
#include "base/mem.h"
#include "run/internal.h"

/* After the engine went away, look for it this often and this long. */
#define ENGINE_RETRY_MS   250
#define ENGINE_GONE_TRIES 120

/*
 * In order of time: the engine says that it listens, then who ended; when it
 * went away it is asked again, and what happened meanwhile is looked up.
 */
static void on_listening(const struct err *err, void *user);
static void on_engine_event(const struct engine_event *event, void *user);
static void on_deaf(const struct err *err, void *user);
static void on_retry(uv_timer_t *timer);
static void on_relisted(const struct engine_state *list, size_t count,
                        const struct err *err, void *user);

void session_hear(struct session *s)
{
    cleanup_free char *label = xasprintf(LABEL_SESSION "=%s", s->id);

    s->events = engine_events(s->spec.engine, label, on_engine_event,
                              on_listening, on_deaf, s);
}

struct item *session_find_item(struct session *s, const char *id)
{
    struct item *it;

    DL_FOREACH (s->items, it)
        if (it->id != NULL && strcmp(it->id, id) == 0)
            return it;
    return NULL;
}

static void on_listening(const struct err *err, void *user)
{
    struct session *s = user;
    cleanup_free char *label = NULL;

    if (err != NULL)
        return;
    s->events_ready = true;
    if (s->net_events == NULL)
        session_hear_network(s);
    if (s->events_lost > 0 && s->state != SESSION_STOPPING) {
        /* Who ended while nobody listened? */
        label = xasprintf(LABEL_SESSION "=%s", s->id);
        if (s->relist != NULL)
            engine_cancel(s->relist);
        s->relist_asked = uv_now(s->spec.loop);
        s->relist =
            engine_container_list(s->spec.engine, label, on_relisted, s);
        session_say(s, s->spec.hub_tag, s->spec.hub_tag,
                    "the engine is back; looking at what is left");
    }
    s->events_lost = 0;
    session_poke(s);
}

static void on_engine_event(const struct engine_event *event, void *user)
{
    struct session *s = user;
    struct item *it = session_find_item(s, event->id);

    if (it == NULL)
        return;
    if (s->state == SESSION_STOPPING) {
        if (strcmp(event->action, "die") == 0)
            teardown_died(it);
        return;
    }
    if (strcmp(event->action, "oom") == 0)
        item_oom(it);
    else if (strcmp(event->action, "die") == 0)
        item_died(it, event->exit_code, false);
    else if (strcmp(event->action, "destroy") == 0)
        item_removed(it);
}

static void on_deaf(const struct err *err, void *user)
{
    struct session *s = user;

    s->events = NULL;
    s->events_ready = false;
    if (s->state == SESSION_STOPPING)
        return;
    if (s->spec.ahead) {
        session_fail(s, 1, "the engine went away", NULL, NULL);
        return;
    }
    if (s->events_lost++ == 0)
        session_warn(s,
                     "the engine went away%s%s; waiting for it to come "
                     "back",
                     err == NULL ? "" : ": ", err == NULL ? "" : err->msg);
    if (s->events_lost > ENGINE_GONE_TRIES)
        session_fail(s, 1, "the engine went away and did not come back",
                     err == NULL ? NULL : err->msg,
                     "start it again; what the session left is removed by "
                     "the next cvx start");
    else
        uv_timer_start(&s->events_timer, on_retry, ENGINE_RETRY_MS, 0);
}

static void on_retry(uv_timer_t *timer)
{
    struct session *s = container_of(timer, struct session, events_timer);

    if (s->state != SESSION_STOPPING && s->events == NULL)
        session_hear(s);
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
        item_died(it, 137, false);
    } else {
        if (it->attach == NULL && it->kind != ITEM_SANDBOX)
            item_listen(it);
        item_check_network(it);
    }
}

static void on_relisted(const struct engine_state *list, size_t count,
                        const struct err *err, void *user)
{
    struct session *s = user;
    struct item *it, *next;

    s->relist = NULL;
    if (err != NULL || s->state == SESSION_STOPPING)
        return;
    DL_FOREACH_SAFE (s->items, it, next) {
        /* What was not up when we asked, the answer cannot know. */
        if ((it->state != ITEM_CHECKING && it->state != ITEM_READY) ||
            it->died || it->running_since > s->relist_asked)
            continue;
        compare(it, find_state(list, count, it->id));
    }
}
