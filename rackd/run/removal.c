/*
 * Keeps account of what a session's end has removed, and is patient with an
 * engine that is being restarted meanwhile. Called by what removes something:
 * item_teardown.c, stragglers.c, network.c and volume.c.
 */
#include "run/removal.h"

#include "base/err.h"
#include "base/mem.h"
#include "run/session.h"
#include "run/session_parts.h"

/* An engine that does not answer is asked again, this often and this long. */
#define AGAIN_MS    250
#define PATIENCE_MS 10000

static void on_again(uv_timer_t *timer);

void removal_done(struct session *s, enum removal_kind kind)
{
    if (kind == REMOVAL_CONTAINER)
        s->removal.containers++;
    else if (kind == REMOVAL_NETWORK)
        s->removal.networks++;
    else
        s->removal.volumes++;
}

void removal_failed(struct session *s, enum removal_kind kind, const char *name,
                    const struct err *err)
{
    static const char *const words[] = { "container", "network", "volume" };
    cleanup_free char *text =
        xasprintf("%s %s could not be removed", words[kind], name);

    session_emit(
        s, &(struct session_event){ .type = SESSION_EVENT_ERROR,
                                    .text = text,
                                    .why = err->msg,
                                    .todo = "the next cvx start tries again",
                                    .status = 1 });
    s->removal.left++;
}

bool removal_try_again(struct session *s, const struct err *err)
{
    uint64_t now = uv_now(s->spec.loop);

    if (err->code != ERR_UNAVAILABLE || s->teardown.now)
        return false;
    if (s->removal.unreachable_since == 0)
        s->removal.unreachable_since = now;
    if (now - s->removal.unreachable_since >= PATIENCE_MS)
        return false;
    uv_timer_start(&s->removal.again.uv, on_again, AGAIN_MS, 0);
    return true;
}

static void on_again(uv_timer_t *timer)
{
    session_poke(container_of(timer, struct session, removal.again.uv));
}

void removal_give_up(struct session *s)
{
    uv_timer_stop(&s->removal.again.uv);
}
