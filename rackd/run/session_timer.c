/*
 * Opens and closes the timers of a session and its items, and counts them, so
 * that session.c knows when the session may be freed.
 */
#include "run/session_timer.h"

#include "base/mem.h"
#include "run/session_parts.h"

void session_timer_init(struct session *s, struct session_timer *t)
{
    t->s = s;
    uv_timer_init(s->spec.loop, &t->uv);
    s->open_handles++;
}

static void on_closed(uv_handle_t *handle)
{
    struct session_timer *t = container_of(handle, struct session_timer, uv);

    session_handle_closed(t->s);
}

void session_timer_close(struct session_timer *t)
{
    uv_close((uv_handle_t *)&t->uv, on_closed);
}
