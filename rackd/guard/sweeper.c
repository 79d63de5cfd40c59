/*
 * Decides when an engine is swept: before its first session, and again with
 * growing pauses while objects remain. rack/link.c makes one for each engine
 * and closes it with the engine.
 */
#include "guard/sweeper.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "guard/sweep.h"

/* What could not be removed is tried again while rackd lives, less and less
 * often: an engine may hold on to a network until it is started again. */
#define AGAIN_MS     2000
#define AGAIN_MAX_MS 120000

struct sweeper {
    struct sweep_scope scope;
    bool sweeping;
    bool objects_remain; /* as far as is known since the last sweep began */
    bool closing;
    uint64_t again_ms; /* the next pause */
    uv_timer_t again_timer;
    void (*on_closed)(void *user);
    void *user;
};

static void on_swept(size_t left, const struct err *err, void *user);
static void on_again(uv_timer_t *timer);
static void on_timer_closed(uv_handle_t *handle);

struct sweeper *sweeper_new(uv_loop_t *loop, const struct sweep_scope *scope)
{
    struct sweeper *s = xcalloc(1, sizeof(*s));

    s->scope = *scope;
    s->objects_remain = true; /* nobody knows what was left before us */
    uv_timer_init(loop, &s->again_timer);
    return s;
}

struct sweep_scope *sweeper_scope(struct sweeper *s)
{
    return &s->scope;
}

bool sweeper_is_clean(const struct sweeper *s)
{
    return !s->objects_remain && !s->sweeping;
}

static void sweep(struct sweeper *s)
{
    if (s->sweeping)
        return;
    s->sweeping = true;
    s->objects_remain = false;
    sweep_start(&(struct sweep_spec){
        .scope = &s->scope, .on_done = on_swept, .user = s });
}

void sweeper_before_session(struct sweeper *s)
{
    if (s->objects_remain)
        sweep(s);
}

static void sweep_later(struct sweeper *s)
{
    if (s->again_ms == 0)
        s->again_ms = AGAIN_MS;
    uv_timer_start(&s->again_timer, on_again, s->again_ms, 0);
    if (s->again_ms < AGAIN_MAX_MS)
        s->again_ms *= 2;
}

void sweeper_objects_remain(struct sweeper *s)
{
    s->objects_remain = true;
    s->again_ms = AGAIN_MS;
    if (!s->sweeping)
        sweep_later(s);
}

static void on_swept(size_t left, const struct err *err, void *user)
{
    struct sweeper *s = user;

    s->sweeping = false;
    if (err != NULL)
        log_debug("rack", "the sweep was not finished: %s", err->msg);
    s->objects_remain |= left > 0 || err != NULL;
    if (!s->objects_remain)
        s->again_ms = AGAIN_MS;
    else if (!s->closing)
        sweep_later(s);
}

static void on_again(uv_timer_t *timer)
{
    sweep(container_of(timer, struct sweeper, again_timer));
}

void sweeper_close(struct sweeper *s, void (*cb)(void *user), void *user)
{
    s->closing = true;
    s->on_closed = cb;
    s->user = user;
    sweep_drop_all(&s->scope);
    uv_close((uv_handle_t *)&s->again_timer, on_timer_closed);
}

static void on_timer_closed(uv_handle_t *handle)
{
    uv_timer_t *timer = (uv_timer_t *)handle;
    struct sweeper *s = container_of(timer, struct sweeper, again_timer);

    s->on_closed(s->user);
    free(s);
}
