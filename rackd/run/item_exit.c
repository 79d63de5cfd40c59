/*
 * Deals with the end of a container. engine_events.c reports it; then the rest
 * of its output is waited for, and it is started again after a back-off, made
 * again if somebody removed it, or the session ends with it.
 */
#include "run/item_exit.h"

#include "base/mem.h"
#include "run/explain.h"
#include "run/item.h"
#include "run/item_depend.h"
#include "run/item_files.h"
#include "run/item_freeze.h"
#include "run/item_output.h"
#include "run/item_ready.h"
#include "run/sandbox.h"
#include "run/session.h"
#include "run/session_parts.h"
#include "run/template.h"

/* After an exit the rest of the output is waited for until none came for so
 * long. After a SIGKILL we also wait to hear why: somebody may be removing the
 * container, or memory ran out. */
#define LAST_WORDS_MS 1000
#define KILLED_MS     400
#define KILLED_STATUS 137

/* Memory that ran out is the reason of an exit within this time; after it, the
 * process that was killed then was another one in the container. */
#define OOM_MS 5000

/* Back-off of restarts, and how long it must run to be forgiven. */
#define BACKOFF_FIRST_MS 500
#define BACKOFF_MAX_MS   15000
#define FORGIVEN_MS      30000

/* How many exits in a row are told with the last lines of output. */
#define EXITS_TOLD 3

/* In order of time. */
static void on_last_words(uv_timer_t *timer);
static void settle(struct item *it);
static void on_backoff(uv_timer_t *timer);

void item_exit_begin(struct item *it)
{
    it->exit.died = it->exit.oom = it->exit.removed = it->exit.waited = false;
    it->exit.oom_at = 0;
}

/* An engine may report the end of what it could not start. */
void item_never_ran(struct item *it)
{
    it->exit.died = false;
}

void item_exit_stop(struct item *it)
{
    uv_timer_stop(&it->exit.last_words.uv);
    uv_timer_stop(&it->exit.backoff.uv);
}

/* ---- the engine says so -------------------------------------------------- */

static bool is_recent_oom(const struct item *it)
{
    return it->exit.oom_at > 0 &&
           uv_now(it->s->spec.loop) - it->exit.oom_at < OOM_MS;
}

/* The engine may send `oom` before or after `die`. */
void item_oom(struct item *it)
{
    it->exit.oom_at = uv_now(it->s->spec.loop);
    if (it->exit.died && it->exit.status == KILLED_STATUS)
        it->exit.oom = true;
}

/* An init container that is ready has ended well, and a server whose data was
 * saved has been stopped: neither is news. */
static bool has_ended_as_wanted(const struct item *it)
{
    return it->state == ITEM_READY &&
           (it->kind == ITEM_INIT || it->making.image_id != NULL);
}

void item_died(struct item *it, int status, bool oom)
{
    switch (it->state) {
    case ITEM_STARTING: /* the event may overtake the answer */
    case ITEM_CHECKING:
    case ITEM_READY:
        break;
    case ITEM_FROZEN:
        item_lose_frozen(it);
        return;
    default:
        return;
    }
    if (it->exit.died || has_ended_as_wanted(it))
        return;
    item_unwatch(it);
    it->exit.died = true;
    it->exit.status = status;
    it->exit.oom = oom || is_recent_oom(it);
    if (it->kind == ITEM_SANDBOX)
        sandbox_lost(it);
    if (it->state != ITEM_STARTING) /* else the start's answer goes on */
        item_await_last_words(it);
}

static void removed_while_it_ran(struct item *it)
{
    it->exit.removed = true;
    if (!it->exit.died)
        item_died(it, KILLED_STATUS, false);
    else if (it->exit.waited)
        item_await_last_words(it);
}

static void removed_while_it_paused(struct item *it)
{
    cleanup_free char *title = item_title(it);

    item_forget_container(it);
    session_warn(it->s,
                 "%s: its container was removed from outside; making it again",
                 title);
}

void item_removed(struct item *it)
{
    if (it->drop.dropping)
        return;
    switch (it->state) {
    case ITEM_FILLING:
    case ITEM_CREATED:
    case ITEM_ATTACHING:
        item_make_again(it);
        break;
    case ITEM_STARTING: /* the answer to the start goes on */
        it->exit.removed = it->exit.died = true;
        it->exit.status = KILLED_STATUS;
        break;
    case ITEM_READY:
        if (it->kind == ITEM_INIT)
            item_forget_container(it); /* it has done its work */
        else
            removed_while_it_ran(it);
        break;
    case ITEM_CHECKING:
        removed_while_it_ran(it);
        break;
    case ITEM_BACKOFF:
        removed_while_it_paused(it);
        break;
    case ITEM_FROZEN:
        item_lose_frozen(it);
        break;
    default:
        break;
    }
}

/* ---- its last words ------------------------------------------------------ */

void item_await_last_words(struct item *it)
{
    item_output_expect(it);
    uv_timer_start(&it->exit.last_words.uv, on_last_words,
                   it->output.call != NULL ? LAST_WORDS_MS : 0, 0);
}

void item_output_ended(struct item *it)
{
    if (it->exit.died && it->state != ITEM_STARTING &&
        it->s->state != SESSION_STOPPING)
        item_await_last_words(it);
}

static void on_last_words(uv_timer_t *timer)
{
    struct item *it = container_of(timer, struct item, exit.last_words.uv);

    if (item_output_goes_on(it)) {
        item_await_last_words(it);
        return;
    }
    item_cancel_call(it); /* a postStart may be under way */
    item_output_stop(it);
    if (it->exit.status == KILLED_STATUS && !it->exit.oom &&
        !it->exit.removed && !it->exit.waited) {
        it->exit.waited = true;
        uv_timer_start(&it->exit.last_words.uv, on_last_words, KILLED_MS, 0);
        return;
    }
    settle(it);
}

/* ---- what becomes of it -------------------------------------------------- */

static void emit_exit(struct item *it, const char *text)
{
    if (it->kind == ITEM_SANDBOX)
        return;
    session_emit(it->s,
                 &(struct session_event){ .type = SESSION_EVENT_STATE,
                                          .kind = item_kind_word(it->kind),
                                          .name = it->name,
                                          .replica = it->replica,
                                          .state = "exited",
                                          .exited = true,
                                          .status = it->exit.status,
                                          .text = text });
}

/* Why it ended, with its last lines; the caller frees it. */
static char *last_words(const struct item *it)
{
    cleanup_free char *output = explain_output(it);

    if (output == NULL)
        return xstrdup("it printed nothing");
    return xasprintf("its last lines:\n%s", output);
}

/* "web ended: how" */
static void end_session(struct item *it, const char *how)
{
    cleanup_free char *why = last_words(it), *title = item_title(it);
    cleanup_free char *text =
        xasprintf("%s ended%s: %s", title,
                  it->readiness.was_ready || it->kind == ITEM_INIT
                      ? ""
                      : " before it was ready",
                  how);
    int status = it->exit.status;

    if (status == 0 && it->s->state == SESSION_STARTING)
        status = 1;
    session_fail(it->s, status, text, why, explain_exit_todo(it));
}

static void restart_later(struct item *it, const char *how)
{
    bool tells = it->exit.count < EXITS_TOLD && it->kind != ITEM_SANDBOX;
    cleanup_free char *why = tells ? last_words(it) : NULL;
    cleanup_free char *title = item_title(it);

    item_backoff(it);
    session_warn(it->s, "%s ended: %s; starting it again in %.1f s%s%s", title,
                 how,
                 (double)uv_timer_get_due_in(&it->exit.backoff.uv) / 1000.0,
                 why == NULL ? "" : "\n", why == NULL ? "" : why);
}

static void settle_sandbox(struct item *it, const char *how)
{
    if (sandbox_has_failed(it))
        sandbox_give_up(it, how);
    else
        restart_later(it, how);
}

static bool is_vital(const struct item *it)
{
    return it->kind == ITEM_INIT ||
           (it->kind == ITEM_RESOURCE && !it->readiness.was_ready) ||
           (it->kind == ITEM_SERVICE && it->s->spec.exit_on_failure);
}

static void settle(struct item *it)
{
    cleanup_free char *how = NULL;

    if (it->s->spec.freeze && it->kind == ITEM_SANDBOX) {
        item_lose_frozen(it);
        return;
    }
    if (it->exit.removed) {
        item_make_again(it);
        return;
    }
    how = explain_exit(it->exit.status, it->exit.oom);
    if (it->template.state == TEMPLATE_USED && !it->readiness.was_ready &&
        !it->sandbox.lost) {
        item_start_without_template(it, how);
        return;
    }
    emit_exit(it, how);
    if (it->kind == ITEM_SANDBOX)
        settle_sandbox(it, how);
    else if (it->kind == ITEM_INIT && it->exit.status == 0)
        item_become_ready(it);
    else if (is_vital(it) && !it->sandbox.lost)
        end_session(it, how);
    else
        restart_later(it, how);
}

static bool removal_ends_the_session(const struct item *it)
{
    return it->kind == ITEM_SERVICE && it->readiness.was_ready &&
           it->s->spec.exit_on_failure;
}

void item_make_again(struct item *it)
{
    static const char how[] = "its container was removed from outside";
    cleanup_free char *title = item_title(it);

    item_cancel_call(it);
    item_output_stop(it);
    item_files_stop(it);
    item_forget_container(it);
    it->exit.status = KILLED_STATUS;
    if (it->exit.died)
        emit_exit(it, "removed from outside");
    if (removal_ends_the_session(it) || !item_may_be_remade(it)) {
        end_session(it, how);
        return;
    }
    item_backoff(it);
    session_warn(it->s, "%s: %s; making it again", title, how);
}

/* ---- once more ----------------------------------------------------------- */

void item_backoff(struct item *it)
{
    uint64_t ran = uv_now(it->s->spec.loop) - it->running_since;
    uint64_t wait = BACKOFF_FIRST_MS;

    if (ran > FORGIVEN_MS)
        it->exit.count = 0;
    for (unsigned i = 0; i < it->exit.count && wait < BACKOFF_MAX_MS; i++)
        wait *= 2;
    it->exit.count++;
    uv_timer_start(&it->exit.backoff.uv, on_backoff,
                   wait > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : wait, 0);
    item_set_state(it, ITEM_BACKOFF, NULL);
}

static void on_backoff(uv_timer_t *timer)
{
    struct item *it = container_of(timer, struct item, exit.backoff.uv);

    if (it->id == NULL)
        item_start_over(it);
    else
        item_wait(it);
}
