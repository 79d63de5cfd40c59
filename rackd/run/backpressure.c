/*
 * Somebody who must not miss a line cannot keep up: then no output is read, the
 * engine's pipes fill, and the services wait in their write(2). Once the hub
 * says that it has read enough, or has gone, output is read again.
 */
#include "run/backpressure.h"

#include "base/mem.h"
#include "engine/engine.h"
#include "logs/hub.h"
#include "run/item.h"
#include "run/session_parts.h"

/* Between two looks at who holds everything up. */
#define TICK_MS 1000

/* In order of time. */
static void on_full(bool full, void *user);
static void on_tick(uv_timer_t *timer);

void backpressure_start(struct session *s)
{
    hub_on_full(s->spec.hub, on_full, s);
}

static void on_full(bool full, void *user)
{
    struct session *s = user;
    unsigned ms = s->spec.tick_ms > 0 ? s->spec.tick_ms : TICK_MS;
    struct item *it;

    for (it = s->items; it != NULL; it = it->next)
        if (it->output.call != NULL)
            engine_pause(it->output.call, full);
    if (full)
        uv_timer_start(&s->backpressure.timer.uv, on_tick, ms, ms);
    else
        uv_timer_stop(&s->backpressure.timer.uv);
}

static void on_tick(uv_timer_t *timer)
{
    struct session *s =
        container_of(timer, struct session, backpressure.timer.uv);

    hub_tick(s->spec.hub);
}

void backpressure_join(struct item *it)
{
    if (hub_is_full(it->s->spec.hub))
        engine_pause(it->output.call, true);
}

/* A service that is asked to end must be able to say its last words. */
void backpressure_stop(struct session *s)
{
    hub_on_full(s->spec.hub, NULL, NULL);
    on_full(false, s);
}
