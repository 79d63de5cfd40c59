/*
 * session_timer -- a timer of a session or of one of its items. Each has one
 * job, which its name says. The session is freed when the last of them has
 * been closed (session_handle_closed()).
 *
 *     session_timer_init(s, &it->exit.backoff);
 *     uv_timer_start(&it->exit.backoff.uv, on_backoff, ms, 0);
 *     ... container_of(timer, struct item, exit.backoff.uv)
 *     session_timer_close(&it->exit.backoff);
 */
#ifndef RUN_SESSION_TIMER_H
#define RUN_SESSION_TIMER_H

#include <uv.h>

struct session;

struct session_timer {
    uv_timer_t uv;
    struct session *s;
};

void session_timer_init(struct session *s, struct session_timer *t);
void session_timer_close(struct session_timer *t);

#endif /* RUN_SESSION_TIMER_H */
