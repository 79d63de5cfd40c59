/*
 * A session as a whole: it is started, its parts go on when it is poked, it
 * becomes ready or fails, and it is freed when everything is gone. rack/ and
 * prepared/ start it; every file of run/ pokes it; teardown.c ends it.
 */
#include "run/session.h"

#include <utlist.h>

#include "base/env.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "probe/health.h"
#include "probe/ready.h"
#include "run/backpressure.h"
#include "run/build.h"
#include "run/engine_events.h"
#include "run/explain.h"
#include "run/heartbeat.h"
#include "run/image.h"
#include "run/item.h"
#include "run/item_freeze.h"
#include "run/item_start.h"
#include "run/network.h"
#include "run/sandbox.h"
#include "run/session_parts.h"
#include "run/session_timer.h"
#include "run/stragglers.h"
#include "run/teardown.h"
#include "run/volume.h"
#include "timing/marks.h"

/* Where nobody watches (--exit-on-failure) a start must not wait for ever. */
#define UNWATCHED_READY_S 300

/*
 * In order of time: everything is laid out and poked; the engine's events say
 * who ended; when all is ready the watcher is told; in the end every handle
 * is closed and the session freed.
 */
static void lay_out(struct session *s);
static void on_network_up(struct session *s);
static void go_on(struct session *s);
static void on_failed(struct session *s, const char *text, int status);
static void on_gone(struct session *s);
static void on_closed(struct session *s);
static void on_too_late(uv_timer_t *timer);

const struct marks *session_marks(const struct session *s)
{
    return &s->marks;
}

/* ---- start -------------------------------------------------------------- */

static unsigned wait_s(const struct session *s)
{
    return s->spec.wait_timeout_s > 0 ? s->spec.wait_timeout_s
                                      : UNWATCHED_READY_S;
}

void session_time_start(struct session *s)
{
    s->started = uv_now(s->spec.loop);
    session_mark_start(s);
    if (s->spec.wait_timeout_s > 0 || s->spec.exit_on_failure)
        uv_timer_start(&s->too_late.uv, on_too_late, wait_s(s) * 1000ULL, 0);
}

/* How the parts below reach what is above them. */
static const struct session_hooks hooks = { .go_on = go_on,
                                            .on_failed = on_failed,
                                            .on_gone = on_gone,
                                            .on_closed = on_closed };

static void init_timers(struct session *s)
{
    session_timer_init(s, &s->too_late);
    session_timer_init(s, &s->network.again);
    session_timer_init(s, &s->events.retry);
    session_timer_init(s, &s->heartbeat.timer);
    session_timer_init(s, &s->backpressure.timer);
    session_timer_init(s, &s->teardown.limit);
    session_timer_init(s, &s->removal.again);
}

struct session *session_start(const struct session_spec *spec)
{
    struct session *s = xcalloc(1, sizeof(*s));

    s->spec = *spec;
    s->hooks = &hooks;
    s->client_env = xcalloc(1, sizeof(*s->client_env));
    if (spec->client_env != NULL)
        env_merge(s->client_env, spec->client_env);
    s->id = xstrdup(spec->id);
    s->rack_id = xstrdup(spec->rack_id);
    s->owner = xstrdup(spec->owner);
    s->release = xstrdup(spec->release);
    s->dir = xstrdup(spec->dir);
    s->calls_before = engine_calls(spec->engine);
    network_init(s);
    init_timers(s);
    session_time_start(s);
    lay_out(s);
    session_listen(s);
    heartbeat_start(s);
    backpressure_start(s);
    network_start(
        s, on_network_up); /* may fail at once: everything else is set up */
    if (s->state != SESSION_STOPPING)
        volumes_create(s);
    return s;
}

static void on_network_up(struct session *s)
{
    if (s->events.ready)
        session_listen_network(s);
}

static void lay_out(struct session *s)
{
    session_tell_resources(s);
    session_add_resources(s);
    sandbox_lay_out(s);
    session_add_services(s);
}

/* ---- going on ----------------------------------------------------------- */

static bool is_as_wanted(const struct item *it)
{
    return it->state == ITEM_READY ||
           (it->s->spec.freeze && item_is_frozen(it)) ||
           (it->kind == ITEM_SANDBOX && it->state == ITEM_GONE); /* given up */
}

static bool all_ready(const struct session *s)
{
    for (struct item *it = s->items; it != NULL; it = it->next)
        if (!is_as_wanted(it))
            return false;
    return network_is_up(s) && s->events.ready;
}

/* Who takes long to answer is created and started first, so that it comes up
 * while the others start; a sandbox comes before those who wait for it. */
static void poke_items(struct session *s)
{
    struct item *it, *next;

    for (int rank = 0; rank < ITEM_RANKS; rank++)
        DL_FOREACH_SAFE (s->items, it, next)
            if (item_rank(it) == rank)
                item_poke(it);
}

static void poke_all(struct session *s)
{
    for (size_t i = 0; i < s->spec.plan->builds.len; i++)
        build_poke(s->builds[i]);
    poke_items(s);
    if (s->state == SESSION_STARTING && all_ready(s)) {
        session_set_state(s, SESSION_READY);
        marks_end(&s->marks);
        uv_timer_stop(&s->too_late.uv);
        session_emit(s, &(struct session_event){ .type = SESSION_EVENT_READY });
    }
}

static void close_handles(struct session *s)
{
    struct item *it;

    s->closing = true;
    session_unlisten(s);
    heartbeat_stop(s);
    session_timer_close(&s->too_late);
    session_timer_close(&s->network.again);
    session_timer_close(&s->events.retry);
    session_timer_close(&s->heartbeat.timer);
    session_timer_close(&s->backpressure.timer);
    session_timer_close(&s->teardown.limit);
    session_timer_close(&s->removal.again);
    DL_FOREACH (s->items, it)
        item_close(it);
}

/* What a poke comes to: session_poke(). */
static void go_on(struct session *s)
{
    if (s->state == SESSION_STOPPING)
        teardown_poke(s);
    else if (s->state != SESSION_GONE)
        poke_all(s);
}

static void on_gone(struct session *s)
{
    if (!s->closing)
        close_handles(s);
}

static void on_failed(struct session *s, const char *text, int status)
{
    session_stop(s, text, false, status);
}

/* ---- not ready in time -------------------------------------------------- */

static void add_missing(struct str *out, const struct item *it)
{
    cleanup_free char *lines = explain_output(it);

    str_printf(out, "%s%s %s: %s", out->len == 0 ? "" : "\n",
               item_kind_word(it->kind), it->name, item_state_word(it));
    if (it->readiness.health != NULL)
        str_printf(out, ": GET %s on port %d: %s", it->service->health.path,
                   it->service->health.port,
                   health_last_error(it->readiness.health));
    if (it->readiness.probe != NULL)
        str_printf(out, ": last answer on port %d: %s", it->resource->port,
                   ready_last_error(it->readiness.probe));
    if (lines != NULL)
        str_printf(out, "\nits last lines:\n%s", lines);
}

/* Everything that is not ready, and why; the caller frees it. */
static char *what_is_missing(const struct session *s, bool *unhealthy)
{
    struct str out = { 0 };

    for (struct item *it = s->items; it != NULL; it = it->next) {
        if (it->state == ITEM_READY)
            continue;
        *unhealthy |= it->readiness.health != NULL;
        add_missing(&out, it);
    }
    return str_take(&out);
}

static void on_too_late(uv_timer_t *timer)
{
    struct session *s = container_of(timer, struct session, too_late.uv);
    bool unhealthy = false;
    cleanup_free char *why = what_is_missing(s, &unhealthy), *text = NULL;

    text = xasprintf("not ready within %u s", wait_s(s));
    session_fail(s, 1, text, why,
                 unhealthy ? "does it listen on 0.0.0.0 and the port of its "
                             "variable PORT? or give it more time with "
                             "--wait-timeout"
                           : "give it more time with --wait-timeout");
}

/* ---- the end ------------------------------------------------------------ */

bool session_is_ready(const struct session *s)
{
    return s->state == SESSION_READY;
}

bool session_is_stopping(const struct session *s)
{
    return s->state == SESSION_STOPPING || s->state == SESSION_GONE;
}

static void session_free(struct session *s)
{
    struct item *it, *next;

    DL_FOREACH_SAFE (s->items, it, next)
        item_free(it);
    for (size_t i = 0; i < s->image_count; i++)
        image_free(s->images[i]);
    for (size_t i = 0; i < s->spec.plan->builds.len; i++)
        build_free(s->builds[i]);
    env_release(s->client_env);
    free(s->client_env);
    free(s->images);
    free(s->builds);
    volumes_release(s);
    stragglers_release(s);
    sandbox_release(s);
    network_release(s);
    marks_release(&s->marks);
    free(s->id);
    free(s->rack_id);
    free(s->owner);
    free(s->release);
    free(s->dir);
    free(s);
}

/* What was left behind makes a session that else went well fail. */
static int status_of(const struct session *s)
{
    if (s->teardown.status == 0 && s->removal.left > 0)
        return 1;
    return s->teardown.status;
}

static void on_closed(struct session *s)
{
    int status = status_of(s);
    void (*gone)(int, void *) = s->spec.on_gone;
    void *user = s->spec.user;

    session_free(s);
    gone(status, user);
}
