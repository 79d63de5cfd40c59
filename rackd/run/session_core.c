/*
 * What every part of a session may do to the whole: change its state, poke it,
 * fail it, close a timer of it. What comes of that is above the parts, in
 * session.c, which gives its functions as hooks: so that calls in run/ go one
 * way.
 */
#include "base/log.h"
#include "run/session_parts.h"

void session_set_state(struct session *s, enum session_state state)
{
    static const char *const words[] = { "STARTING", "READY", "STOPPING",
                                         "GONE" };

    log_debug("run", "session %s: %s -> %s", s->id, words[s->state],
              words[state]);
    s->state = state;
}

/* A step that ends at once pokes from inside a poke: that makes this loop go
 * round once more, not deeper. */
void session_poke(struct session *s)
{
    s->poke_again = true;
    if (s->in_poke)
        return;
    s->in_poke = true;
    while (s->poke_again) {
        s->poke_again = false;
        s->hooks->go_on(s);
    }
    s->in_poke = false;
    if (s->state == SESSION_GONE)
        s->hooks->on_gone(s);
}

void session_fail(struct session *s, int status, const char *text,
                  const char *why, const char *todo)
{
    if (s->state == SESSION_STOPPING || s->state == SESSION_GONE)
        return;
    session_emit(s, &(struct session_event){ .type = SESSION_EVENT_ERROR,
                                             .text = text,
                                             .why = why,
                                             .todo = todo,
                                             .status = status });
    s->hooks->on_failed(s, text, status);
}

void session_handle_closed(struct session *s)
{
    if (--s->open_handles == 0)
        s->hooks->on_closed(s);
}
