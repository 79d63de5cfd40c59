#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "logs/hub.h"
#include "probe/health.h"
#include "probe/ready.h"
#include "run/internal.h"

/* How long a resource may take to its first answer when nothing else was
 * said: a first mysql start on a slow disk takes half a minute. */
#define RESOURCE_READY_S 180

/* With a template it has nothing to do but to start. */
#define TEMPLATE_READY_S 20

/* After an exit, wait for the rest of the output until none came for so long;
 * and, killed with SIGKILL, this long to hear whether somebody removes it or
 * memory ran out. */
#define LAST_WORDS_MS 1000
#define KILLED_MS     400
#define KILLED_STATUS 137

/* Memory that ran out is the reason of an exit within this time. What was
 * killed then may have been another process in it. */
#define OOM_MS 5000

/* Back-off of restarts, and how long it must run to be forgiven. */
#define BACKOFF_FIRST_MS 500
#define BACKOFF_MAX_MS   15000
#define FORGIVEN_MS      30000

/*
 * In order of time: it runs; handshake or health check until it is ready; it
 * ends, its last words arrive, and it is started again or the session ends.
 */
static void on_handshake(void *user);
static void on_too_late(uv_timer_t *timer);
static void on_health(bool healthy, const char *why, void *user);
static void on_post_start(int status, const struct err *err, void *user);
static void become_ready(struct item *it);
static void on_last_words(uv_timer_t *timer);
static void settle(struct item *it);
static void on_backoff(uv_timer_t *timer);

/* ---- readiness -------------------------------------------------------------
 */

static int published_at(const struct item *it, int container)
{
    for (size_t i = 0; i < it->plan->ports.len; i++)
        if (it->plan->ports.v[i].container == container)
            return it->host_ports[i];
    return 0;
}

static unsigned ready_limit_s(const struct item *it)
{
    unsigned limit_s = it->s->spec.wait_timeout_s;

    if (limit_s == 0)
        limit_s = RESOURCE_READY_S;
    return it->template == TEMPLATE_USED && limit_s > TEMPLATE_READY_S
               ? TEMPLATE_READY_S
               : limit_s;
}

static void resource_answers(struct item *it)
{
    if (it->s->spec.templates == TEMPLATES_MAKE)
        item_save(it);
    else if (it->s->spec.ahead)
        item_freeze(it);
    else
        become_ready(it);
}

static void attend_resource(struct item *it)
{
    const struct plan_resource *r = it->resource;
    int outside = published_at(it, r->port);

    if (r->probe == PROBE_NONE) {
        resource_answers(it);
        return;
    }
    it->ready =
        ready_start(it->s->spec.loop,
                    &(struct ready_spec){
                        .probe = r->probe,
                        .targets = { { .host = it->ip, .port = r->port },
                                     { .host = outside > 0 ? "127.0.0.1" : NULL,
                                       .port = outside } },
                        .on_ready = on_handshake,
                        .user = it });
    uv_timer_start(&it->timer, on_too_late, ready_limit_s(it) * 1000ULL, 0);
}

static void attend_service(struct item *it)
{
    const struct plan_health *h = &it->service->health;
    int host_port = published_at(it, h->port);

    if (it->service->post_start.len > 0)
        it->call =
            engine_exec(it->s->spec.engine, it->id, &it->service->post_start, 0,
                        NULL, on_post_start, it);
    if (h->path == NULL) {
        become_ready(it);
        return;
    }
    it->health = health_start(
        it->s->spec.loop,
        &(struct health_spec){ .host = host_port > 0 ? "127.0.0.1" : it->ip,
                               .port = host_port > 0 ? host_port : h->port,
                               .scheme = h->scheme,
                               .path = h->path,
                               .grace_ms = h->grace_s * 1000,
                               .interval_ms = h->interval_s * 1000,
                               .timeout_ms = h->timeout_s * 1000,
                               .on_change = on_health,
                               .user = it });
}

void item_attend(struct item *it)
{
    item_set_state(it, ITEM_CHECKING, NULL);
    if (it->kind == ITEM_RESOURCE)
        attend_resource(it);
    else if (it->kind == ITEM_SERVICE)
        attend_service(it);
    else if (it->kind == ITEM_SANDBOX)
        become_ready(it);
    /* An init container is waited for: item_died(). */
}

void item_unattend(struct item *it)
{
    if (it->ready != NULL)
        ready_cancel(it->ready);
    it->ready = NULL;
    if (it->health != NULL)
        health_cancel(it->health);
    it->health = NULL;
    if (it->mend != NULL)
        engine_cancel(it->mend);
    it->mend = NULL;
    uv_timer_stop(&it->timer);
}

static void become_ready(struct item *it)
{
    it->was_ready = true;
    it->remade = 0;
    item_set_state(it, ITEM_READY, NULL);
    session_poke(it->s);
}

static void on_handshake(void *user)
{
    struct item *it = user;

    item_mark_connected(it, ready_connected_ns(it->ready));
    it->ready = NULL;
    uv_timer_stop(&it->timer);
    resource_answers(it);
}

/* The template is not to be trusted: its image is. */
static void start_without_template(struct item *it, const char *why)
{
    item_unattend(it);
    template_give_up(it, why);
}

static void on_too_late(uv_timer_t *timer)
{
    struct item *it = container_of(timer, struct item, timer);
    cleanup_free char *text = NULL, *why = NULL, *output = explain_output(it);

    if (it->template == TEMPLATE_USED && !it->was_ready) {
        start_without_template(it, "it did not become ready in time");
        return;
    }
    text = xasprintf("resource %s (%s) did not become ready within %u s",
                     it->name, it->resource->type, ready_limit_s(it));
    why = xasprintf("last answer on port %d: %s%s%s", it->resource->port,
                    ready_last_error(it->ready),
                    output == NULL ? "" : "\nits last lines:\n",
                    output == NULL ? "" : output);
    session_fail(it->s, 1, text, why,
                 "give it more time with --wait-timeout; is its `image` one of "
                 "that type?");
}

/* The port is the usual culprit, so name it and the variable. */
static void warn_unhealthy(struct item *it, const char *why)
{
    const struct plan_health *h = &it->service->health;

    session_warn(it->s,
                 "service %s does not answer on port %d: GET %s: %s\n"
                 "  does it listen on 0.0.0.0:%d (variable PORT)? is %s the "
                 "right health path?",
                 it->name, h->port, h->path, why, h->port, h->path);
}

static void on_health(bool healthy, const char *why, void *user)
{
    struct item *it = user;

    free(it->unhealthy_why);
    it->unhealthy_why = healthy ? NULL : xstrdup(why);
    if (healthy) {
        it->warned_unhealthy = false;
        if (it->state == ITEM_CHECKING) {
            item_mark_connected(it, health_connected_ns(it->health));
            become_ready(it);
        }
        return;
    }
    if (!it->warned_unhealthy)
        warn_unhealthy(it, why);
    it->warned_unhealthy = true;
}

static void on_post_start(int status, const struct err *err, void *user)
{
    struct item *it = user;

    it->call = NULL;
    if (err != NULL)
        session_warn(it->s, "service %s: lifecycle.postStart: %s", it->name,
                     err->msg);
    else if (status != 0)
        session_warn(it->s,
                     "service %s: lifecycle.postStart ended with status %d",
                     it->name, status);
}

/* ---- the end of a container --------------------------------------------- */

static bool is_recent_oom(const struct item *it)
{
    return it->oom_at > 0 && uv_now(it->s->spec.loop) - it->oom_at < OOM_MS;
}

/* The word of it comes before that of the exit, or after it. */
void item_oom(struct item *it)
{
    it->oom_at = uv_now(it->s->spec.loop);
    if (it->died && it->exit_status == KILLED_STATUS)
        it->oom = true;
}

void item_died(struct item *it, int status, bool oom)
{
    switch (it->state) {
    case ITEM_STARTING: /* the event may overtake the answer */
    case ITEM_CHECKING:
    case ITEM_READY:
        break;
    case ITEM_FROZEN:
        item_lost_frozen(it);
        return;
    default:
        return;
    }
    if (it->died || (it->state == ITEM_READY &&
                     (it->kind == ITEM_INIT || it->saved_id != NULL)))
        return;
    item_unattend(it);
    it->died = true;
    it->exit_status = status;
    it->oom = oom || is_recent_oom(it);
    if (it->kind == ITEM_SANDBOX)
        sandbox_lost(it);
    if (it->state != ITEM_STARTING) /* else the start's answer goes on */
        item_hear_out(it);
}

/* Its output has not ended: it is being read, or waits for a slow reader. */
static bool still_speaks(const struct item *it)
{
    return it->attach != NULL && (it->heard || hub_is_full(it->s->spec.hub));
}

void item_hear_out(struct item *it)
{
    it->heard = false;
    uv_timer_start(&it->timer, on_last_words,
                   it->attach != NULL ? LAST_WORDS_MS : 0, 0);
}

void item_output_ended(struct item *it)
{
    if (it->died && it->state != ITEM_STARTING &&
        it->s->state != SESSION_STOPPING)
        item_hear_out(it);
}

static void on_last_words(uv_timer_t *timer)
{
    struct item *it = container_of(timer, struct item, timer);

    if (still_speaks(it)) {
        item_hear_out(it);
        return;
    }
    if (it->call != NULL) /* a postStart, of what is no more */
        engine_cancel(it->call);
    it->call = NULL;
    if (it->attach != NULL)
        engine_cancel(it->attach);
    it->attach = NULL;
    if (it->exit_status == KILLED_STATUS && !it->oom && !it->removed &&
        !it->waited) {
        it->waited = true;
        uv_timer_start(&it->timer, on_last_words, KILLED_MS, 0);
        return;
    }
    settle(it);
}

void item_emit_exit(struct item *it, const char *text)
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
                                          .status = it->exit_status,
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

void item_end_session(struct item *it, const char *how)
{
    cleanup_free char *why = last_words(it), *title = item_title(it);
    cleanup_free char *text = xasprintf(
        "%s ended%s: %s", title,
        it->was_ready || it->kind == ITEM_INIT ? "" : " before it was ready",
        how);
    int status = it->exit_status;

    if (status == 0 && it->s->state == SESSION_STARTING)
        status = 1;
    session_fail(it->s, status, text, why, explain_exit_todo(it));
}

static void restart_later(struct item *it, const char *how)
{
    bool speaks = it->exits < 3 && it->kind != ITEM_SANDBOX;
    cleanup_free char *why = speaks ? last_words(it) : NULL;
    cleanup_free char *title = item_title(it);

    item_backoff(it);
    session_warn(it->s, "%s ended: %s; starting it again in %.1f s%s%s", title,
                 how, (double)uv_timer_get_due_in(&it->timer) / 1000.0,
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
           (it->kind == ITEM_RESOURCE && !it->was_ready) ||
           (it->kind == ITEM_SERVICE && it->s->spec.exit_on_failure);
}

static void settle(struct item *it)
{
    cleanup_free char *how = NULL;

    if (it->s->spec.ahead && it->kind == ITEM_SANDBOX) {
        item_lost_frozen(it);
        return;
    }
    if (it->removed) {
        item_make_again(it);
        return;
    }
    how = explain_exit(it->exit_status, it->oom);
    if (it->template == TEMPLATE_USED && !it->was_ready && !it->lost) {
        start_without_template(it, how);
        return;
    }
    item_emit_exit(it, how);
    if (it->kind == ITEM_SANDBOX)
        settle_sandbox(it, how);
    else if (it->kind == ITEM_INIT && it->exit_status == 0)
        become_ready(it);
    else if (is_vital(it) && !it->lost)
        item_end_session(it, how);
    else
        restart_later(it, how);
}

void item_backoff(struct item *it)
{
    uint64_t ran = uv_now(it->s->spec.loop) - it->running_since;
    uint64_t wait = BACKOFF_FIRST_MS;

    if (ran > FORGIVEN_MS)
        it->exits = 0;
    for (unsigned i = 0; i < it->exits && wait < BACKOFF_MAX_MS; i++)
        wait *= 2;
    it->exits++;
    uv_timer_start(&it->timer, on_backoff,
                   wait > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : wait, 0);
    item_set_state(it, ITEM_BACKOFF, NULL);
}

static void on_backoff(uv_timer_t *timer)
{
    struct item *it = container_of(timer, struct item, timer);

    if (it->id == NULL)
        item_start_over(it);
    else
        item_wait(it);
}
