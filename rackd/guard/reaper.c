/*
 * The guard's container as a whole: wanted or not, tried again, given up,
 * closed. guard.c wants it when sessions come and go; its steps are in
 * reaper_create.c, reaper_lease.c and reaper_remove.c.
 */
#include "guard/reaper.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "guard/reaper_blob.h"
#include "guard/reaper_parts.h"
#include "logs/demux.h"

/* An engine that does not answer is asked again soon, since a container that it
 * starts again waits for us only for a second. */
#define AGAIN_MS      100
#define AGAIN_SLOW_MS 500
#define AGAIN_FAST    300 /* tries at the fast pace, before the slow one */

/* A container that ends before it has answered is not tried for ever. */
#define TRIES 3

static void on_again(uv_timer_t *timer);
static void on_no_answer(uv_timer_t *timer);
static void on_answer_timer_closed(uv_handle_t *handle);
static void on_again_timer_closed(uv_handle_t *handle);

static const char *state_word(enum reaper_state state)
{
    static const char *const words[] = {
        [REAPER_OFF] = "off",
        [REAPER_CREATING] = "creating",
        [REAPER_IMPORTING] = "importing",
        [REAPER_ATTACHING] = "attaching",
        [REAPER_STARTING] = "starting",
        [REAPER_ASKING] = "asking",
        [REAPER_UP] = "up",
        [REAPER_AWAY] = "away",
        [REAPER_REPLACING] = "replacing",
        [REAPER_REMOVING] = "removing",
        [REAPER_FAILED] = "failed",
    };

    return words[state];
}

static void change_state(struct reaper *r, enum reaper_state state)
{
    log_debug("reaper", "%s -> %s", state_word(r->state), state_word(state));
    r->state = state;
}

void reaper_set_state(struct reaper *r, enum reaper_state state)
{
    bool was_settled = reaper_is_settled(r);

    change_state(r, state);
    if (!was_settled && reaper_is_settled(r))
        r->spec.on_change(r->spec.user);
}

struct reaper *reaper_new(const struct reaper_spec *spec)
{
    struct reaper *r = xcalloc(1, sizeof(*r));

    r->spec = *spec;
    strv_add_all(&r->labels, spec->labels);
    r->socket_path = xstrdup(spec->socket_path);
    r->image = reaper_image();
    uv_timer_init(spec->loop, &r->again_timer);
    uv_timer_init(spec->loop, &r->answer_timer);
    return r;
}

bool reaper_is_up(const struct reaper *r)
{
    return r->state == REAPER_UP;
}

bool reaper_is_gone(const struct reaper *r)
{
    return r->state == REAPER_OFF ||
           (r->state == REAPER_FAILED && r->id == NULL);
}

bool reaper_is_settled(const struct reaper *r)
{
    if (r->state == REAPER_FAILED)
        return true;
    return r->wanted ? r->state == REAPER_UP : r->state == REAPER_OFF;
}

const char *reaper_why(const struct reaper *r)
{
    return r->why == NULL ? "" : r->why;
}

void reaper_stop_timers(struct reaper *r)
{
    uv_timer_stop(&r->again_timer);
    uv_timer_stop(&r->answer_timer);
}

void reaper_go_on(struct reaper *r)
{
    reaper_stop_timers(r);
    if (r->closing)
        return;
    if (!r->wanted && r->id != NULL)
        reaper_remove(r);
    else if (!r->wanted)
        reaper_set_state(r, REAPER_OFF);
    else if (r->id == NULL)
        reaper_create(r);
}

void reaper_want(struct reaper *r, bool wanted)
{
    if (r->wanted == wanted)
        return;
    r->wanted = wanted;
    if (wanted && (r->state == REAPER_OFF || r->state == REAPER_FAILED)) {
        r->tries = r->again = 0;
        r->imported = r->worked = false;
        free(r->why);
        free(r->last);
        r->why = r->last = NULL;
        reaper_create(r);
    } else if (!wanted && r->call == NULL && r->id != NULL) {
        reaper_go_on(r);
    } else if (!wanted && r->call == NULL) {
        /* on_change() never runs from inside a call: the caller asks itself. */
        reaper_stop_timers(r);
        change_state(r, REAPER_OFF);
    } /* else the answer to the call under way goes on from here */
}

void reaper_fail(struct reaper *r, const char *what, const char *why)
{
    free(r->why);
    r->why = xasprintf("%s: %s", what, why);
    log_warn("reaper", "no container: %s", r->why);
    if (r->id != NULL)
        reaper_remove(r);
    else
        reaper_set_state(r, REAPER_FAILED);
}

bool reaper_is_away(const struct err *err)
{
    return err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT;
}

bool reaper_may_pass(const struct reaper *r, const struct err *err)
{
    bool failed = err->code == ERR_SYSTEM || err->code == ERR_PROTOCOL ||
                  err->code == ERR_CONFLICT;

    return reaper_is_away(err) ||
           (r->worked && failed && r->again < AGAIN_FAST);
}

void reaper_try_again(struct reaper *r, enum reaper_state state)
{
    unsigned ms = r->again++ < AGAIN_FAST ? AGAIN_MS : AGAIN_SLOW_MS;

    reaper_set_state(r, state);
    reaper_wait(r, ms);
}

void reaper_fail_step(struct reaper *r, const char *what, const struct err *err)
{
    if (!r->wanted)
        reaper_go_on(r);
    else if (reaper_may_pass(r, err))
        reaper_try_again(r, REAPER_AWAY);
    else
        reaper_fail(r, what, err->msg);
}

bool reaper_give_up(struct reaper *r)
{
    if (++r->tries <= TRIES)
        return false;
    reaper_fail(r, "it ends before it has answered",
                r->last == NULL ? "without a word" : r->last);
    return true;
}

void reaper_wait(struct reaper *r, unsigned ms)
{
    uv_timer_start(&r->again_timer, on_again, ms, 0);
}

void reaper_wait_for_answer(struct reaper *r, unsigned limit_ms)
{
    uv_timer_start(&r->answer_timer, on_no_answer, limit_ms, 0);
}

static void on_no_answer(uv_timer_t *timer)
{
    struct reaper *r = container_of(timer, struct reaper, answer_timer);

    if (r->wanted)
        reaper_replace(r);
    else
        reaper_go_on(r);
}

static void on_again(uv_timer_t *timer)
{
    struct reaper *r = container_of(timer, struct reaper, again_timer);

    if (r->state == REAPER_REMOVING)
        reaper_remove(r);
    else if (!r->wanted)
        reaper_go_on(r);
    else if (r->state == REAPER_REPLACING)
        reaper_remove_old(r);
    else if (r->lease != NULL)
        reaper_start(r); /* only its start went wrong */
    else if (r->id != NULL)
        reaper_lease(r);
    else
        reaper_create(r);
}

void reaper_close(struct reaper *r, reaper_cb cb, void *user)
{
    r->closing = true;
    r->on_closed = cb;
    r->closed_user = user;
    reaper_let_go(r);
    if (r->call != NULL)
        engine_cancel(r->call);
    r->open_handles = 2;
    uv_close((uv_handle_t *)&r->answer_timer, on_answer_timer_closed);
    uv_close((uv_handle_t *)&r->again_timer, on_again_timer_closed);
}

static void one_closed(struct reaper *r)
{
    reaper_cb cb = r->on_closed;
    void *user = r->closed_user;

    if (--r->open_handles > 0)
        return;
    if (r->demux != NULL)
        demux_free(r->demux);
    strv_release(&r->labels);
    free(r->socket_path);
    free(r->image);
    free(r->name);
    free(r->id);
    free(r->tar);
    free(r->why);
    free(r->last);
    free(r);
    cb(user);
}

static void on_answer_timer_closed(uv_handle_t *handle)
{
    uv_timer_t *timer = (uv_timer_t *)handle;

    one_closed(container_of(timer, struct reaper, answer_timer));
}

static void on_again_timer_closed(uv_handle_t *handle)
{
    uv_timer_t *timer = (uv_timer_t *)handle;

    one_closed(container_of(timer, struct reaper, again_timer));
}
