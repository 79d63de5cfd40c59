#include "base/mem.h"
#include "logs/hub.h"
#include "run/internal.h"

/* Between two looks at who holds everything up. */
#define TICK_MS 1000

/*
 * In order of time: who must not miss a line cannot keep up, and no output is
 * read; the engine's pipes fill, and the services wait in their write(2). It
 * has read enough, or is asleep: on it goes.
 */
static void on_full(bool full, void *user);
static void on_tick(uv_timer_t *timer);

void flow_start(struct session *s)
{
    hub_on_full(s->spec.hub, on_full, s);
}

static void on_full(bool full, void *user)
{
    struct session *s = user;
    unsigned ms = s->spec.tick_ms > 0 ? s->spec.tick_ms : TICK_MS;
    struct item *it;

    for (it = s->items; it != NULL; it = it->next)
        if (it->attach != NULL)
            engine_pause(it->attach, full);
    if (full)
        uv_timer_start(&s->flow_timer, on_tick, ms, ms);
    else
        uv_timer_stop(&s->flow_timer);
}

static void on_tick(uv_timer_t *timer)
{
    struct session *s = container_of(timer, struct session, flow_timer);

    hub_tick(s->spec.hub);
}

void flow_listen(struct item *it)
{
    if (hub_is_full(it->s->spec.hub))
        engine_pause(it->attach, true);
}

/* A service that is asked to end must be able to say its last words. */
void flow_stop(struct session *s)
{
    hub_on_full(s->spec.hub, NULL, NULL);
    on_full(false, s);
}
