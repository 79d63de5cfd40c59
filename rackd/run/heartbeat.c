/*
 * An engine that hangs closes nothing: only a question without an answer shows
 * it. From its start to its end a session asks one now and then. What was asked
 * before goes on as soon as the engine does, so that all there is to do is to
 * tell the watcher.
 */
#include "run/heartbeat.h"

#include "base/err.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "run/session_parts.h"

/* Between two pings; and half of the time that is given to the answer. */
#define PING_MS 5000

/* In order of time. */
static void on_pause_over(uv_timer_t *timer);
static void on_pong(const struct err *err, void *user);

static unsigned ping_ms(const struct session *s)
{
    return s->spec.ping_ms > 0 ? s->spec.ping_ms : PING_MS;
}

void heartbeat_start(struct session *s)
{
    uv_timer_start(&s->heartbeat.timer.uv, on_pause_over, ping_ms(s), 0);
}

static void on_pause_over(uv_timer_t *timer)
{
    struct session *s = container_of(timer, struct session, heartbeat.timer.uv);

    s->heartbeat.ping = engine_ping(s->spec.engine, 2 * ping_ms(s), on_pong, s);
}

static double seconds_since(const struct session *s, uint64_t then)
{
    return (double)(uv_now(s->spec.loop) - then) / 1000.0;
}

static void fell_silent(struct session *s)
{
    s->heartbeat.mute_since = uv_now(s->spec.loop);
    session_warn(s,
                 "the engine at %s does not answer (for %.1f s now); waiting "
                 "for it\n"
                 "  is it stopped, or is the machine out of memory or disk? "
                 "see cvx doctor",
                 engine_endpoint(s->spec.engine), 2 * ping_ms(s) / 1000.0);
}

static void speaks_again(struct session *s)
{
    session_warn(s, "the engine answers again, after %.1f s",
                 seconds_since(s, s->heartbeat.mute_since) +
                     2 * ping_ms(s) / 1000.0);
    s->heartbeat.mute_since = 0;
}

/* Of an engine that is gone, not mute, engine_events.c takes notice. */
static void on_pong(const struct err *err, void *user)
{
    struct session *s = user;

    s->heartbeat.ping = NULL;
    if (err == NULL && s->heartbeat.mute_since > 0)
        speaks_again(s);
    else if (err != NULL && err->code == ERR_TIMEOUT &&
             s->heartbeat.mute_since == 0)
        fell_silent(s);
    heartbeat_start(s);
}

void heartbeat_stop(struct session *s)
{
    if (s->heartbeat.ping != NULL)
        engine_cancel(s->heartbeat.ping);
    s->heartbeat.ping = NULL;
    uv_timer_stop(&s->heartbeat.timer.uv);
}
