/*
 * The end of a session. session_stop() begins it, for whatever reason, and
 * every poke goes on with it: services are stopped, then resources killed, all
 * containers removed side by side. The network goes as soon as the last
 * container has left it, while their files are being removed; then stragglers
 * are looked for, then volumes go.
 */
#include "run/teardown.h"

#include <utlist.h>

#include "base/err.h"
#include "base/mem.h"
#include "run/backpressure.h"
#include "run/build.h"
#include "run/engine_events.h"
#include "run/image.h"
#include "run/item.h"
#include "run/item_teardown.h"
#include "run/network.h"
#include "run/removal.h"
#include "run/session.h"
#include "run/session_parts.h"
#include "run/stragglers.h"
#include "run/volume.h"

/* The whole may take this long past the longest grace; and, where somebody is
 * in a hurry, this long. Then what is left is named and the session ends: an
 * engine that hangs must not hang us. */
#define LIMIT_MS         30000
#define LIMIT_HURRIED_MS 10000

static void on_limit(uv_timer_t *timer);

/* Cancels what can be cancelled; true once no build is under way. */
static bool builds_are_idle(struct session *s)
{
    bool idle = true;

    for (size_t i = 0; i < s->spec.plan->builds.len; i++)
        if (!build_cancel(s->builds[i]))
            idle = false;
    return idle;
}

/* How long the teardown may take: services, then kept resources, the rest. */
static uint64_t limit_of(const struct session *s)
{
    uint64_t limit = s->teardown.now ? LIMIT_HURRIED_MS : LIMIT_MS;
    uint64_t services = 0, resources = 0;

    if (s->spec.limit_ms > 0)
        limit = s->spec.limit_ms;
    if (s->teardown.now)
        return limit;
    for (struct item *it = s->items; it != NULL; it = it->next) {
        uint64_t ms = item_end_ms(it);
        uint64_t *longest = item_is_used(it) ? &resources : &services;

        *longest = ms > *longest ? ms : *longest;
    }
    return services + resources + limit;
}

static void stop_everything_else(struct session *s)
{
    backpressure_stop(s);
    session_listen_no_more(s);
    uv_timer_stop(&s->too_late.uv);
    for (size_t i = 0; i < s->image_count; i++)
        image_cancel(s->images[i]);
    builds_are_idle(s);
}

/* Resources come after those who use them. */
static void take_down_all(struct session *s)
{
    struct item *it, *next;

    DL_FOREACH_SAFE (s->items, it, next)
        if (!item_is_used(it))
            item_take_down(it, s->teardown.now);
    DL_FOREACH_SAFE (s->items, it, next)
        if (item_is_used(it))
            item_take_down(it, s->teardown.now);
}

void session_stop(struct session *s, const char *reason, bool now, int status)
{
    if (s->state == SESSION_GONE || (s->state == SESSION_STOPPING && !now))
        return;
    if (s->state != SESSION_STOPPING) {
        session_set_state(s, SESSION_STOPPING);
        s->teardown.status = status;
        s->teardown.started = uv_now(s->spec.loop);
        session_emit(s, &(struct session_event){ .type = SESSION_EVENT_STOPPING,
                                                 .text = reason });
        stop_everything_else(s);
    }
    if (!uv_is_active((uv_handle_t *)&s->teardown.limit.uv) ||
        now > s->teardown.now) {
        s->teardown.now |= now;
        uv_timer_start(&s->teardown.limit.uv, on_limit, limit_of(s), 0);
    }
    take_down_all(s);
    session_poke(s);
}

/* ---- going on ----------------------------------------------------------- */

/* The engine has all of it in hand: what it was asked to remove, and runs no
 * more, it removes whatever becomes of us. */
static bool is_ending(const struct session *s)
{
    return items_are_going(s) && volumes_are_going(s) && network_is_going(s);
}

static void say_ending(struct session *s)
{
    if (s->teardown.ending || !is_ending(s))
        return;
    s->teardown.ending = true;
    if (s->spec.on_ending != NULL)
        s->spec.on_ending(s->spec.user);
}

static void finish(struct session *s)
{
    uint64_t ms = uv_now(s->spec.loop) - s->teardown.started;

    for (size_t i = 0; i < s->spec.plan->builds.len; i++)
        build_drop_old(s->builds[i]);
    session_set_state(s, SESSION_GONE);
    session_emit(s,
                 &(struct session_event){ .type = SESSION_EVENT_REMOVED,
                                          .containers = s->removal.containers,
                                          .networks = s->removal.networks,
                                          .volumes = s->removal.volumes,
                                          .left = s->removal.left,
                                          .took_ms = ms });
}

void teardown_poke(struct session *s)
{
    take_down_all(s);
    /* Stopped containers are on no network, though their files may take
     * long. */
    if (items_are_unplugged(s))
        network_remove(s);
    say_ending(s);
    if (!items_are_gone(s) || !builds_are_idle(s))
        return;
    if (!s->stragglers.gone) {
        stragglers_remove(s);
        return;
    }
    volumes_remove(s);
    if (network_is_gone(s) && volumes_are_gone(s))
        finish(s);
    else
        say_ending(s);
}

static void on_limit(uv_timer_t *timer)
{
    struct session *s = container_of(timer, struct session, teardown.limit.uv);
    struct err err = { .code = ERR_TIMEOUT,
                       .msg = "the engine did not do it in time" };

    removal_give_up(s);
    for (struct item *it = s->items; it != NULL; it = it->next)
        item_give_up(it);
    stragglers_give_up(s, &err);
    volumes_give_up(s, &err);
    network_give_up(s, &err);
    session_poke(s);
}
