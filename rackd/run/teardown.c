#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "base/err.h"
#include "base/label.h"
#include "base/log.h"
#include "base/mem.h"
#include "run/internal.h"

/* A kept database gets this long to close its files. */
#define KEPT_GRACE_S 60

/* lifecycle.preStop may take this long on top of the service's grace. */
#define PRE_STOP_MAX_MS 30000

/* The whole may take this long past the longest grace; and, where somebody is
 * in a hurry, this long. Then what is left is named and the session ends: an
 * engine that hangs must not hang us. */
#define LIMIT_MS         30000
#define LIMIT_HURRIED_MS 10000

/* An engine that is being restarted is asked again, this often and this
 * long. */
#define AGAIN_MS    250
#define PATIENCE_MS 10000

/*
 * In order of time: services are stopped, each resource is killed once nobody
 * who lists it runs any more, every container is removed, all side by side.
 * The network goes as soon as the last one has left it, while their files are
 * being removed; then one look for what was missed, then volumes.
 */
static void on_pre_stop(int status, const struct err *err, void *user);
static void stop(struct item *it);
static void on_stopped(const struct err *err, void *user);
static void drop(struct item *it);
static void on_removed(const struct err *err, void *user);
static void sweep(struct session *s);
static void on_swept(const struct engine_state *list, size_t count,
                     const struct err *err, void *user);
static void on_swept_one(const struct err *err, void *user);
static void on_again(uv_timer_t *timer);
static void on_limit(uv_timer_t *timer);
static void finish(struct session *s);

static bool builds_are_idle(struct session *s)
{
    bool idle = true;

    for (size_t i = 0; i < s->spec.plan->builds.len; i++)
        if (!build_cancel(s->builds[i]))
            idle = false;
    return idle;
}

/* Whom services use, and who goes after them. */
static bool is_used(const struct item *it)
{
    return it->kind == ITEM_RESOURCE || it->kind == ITEM_SANDBOX;
}

/* Ephemeral resources are killed, not asked; kept data is closed cleanly. */
static unsigned grace_of(const struct item *it)
{
    if (!is_used(it))
        return it->plan->stop_grace_s;
    for (size_t i = 0; i < it->plan->mounts.len; i++)
        if (it->plan->mounts.v[i].volume >= 0 &&
            it->s->volumes[it->plan->mounts.v[i].volume].keep)
            return KEPT_GRACE_S;
    return 0;
}

/* How long the teardown may take: services, then kept resources, the rest. */
static uint64_t limit_of(const struct session *s)
{
    uint64_t limit = s->stop_now ? LIMIT_HURRIED_MS : LIMIT_MS;
    uint64_t grace = 0, kept = 0;

    if (s->spec.limit_ms > 0)
        limit = s->spec.limit_ms;
    if (s->stop_now)
        return limit;
    for (struct item *it = s->items; it != NULL; it = it->next) {
        uint64_t ms = grace_of(it) * 1000ULL;

        if (it->service != NULL && it->service->pre_stop.len > 0)
            ms += PRE_STOP_MAX_MS;
        if (is_used(it))
            kept = ms > kept ? ms : kept;
        else
            grace = ms > grace ? ms : grace;
    }
    return grace + kept + limit;
}

void session_stop(struct session *s, const char *reason, bool now, int status)
{
    struct item *it, *next;

    if (s->state == SESSION_GONE || (s->state == SESSION_STOPPING && !now))
        return;
    if (s->state != SESSION_STOPPING) {
        s->state = SESSION_STOPPING;
        flow_stop(s);
        s->status = status;
        s->stop_started = uv_now(s->spec.loop);
        uv_timer_stop(&s->wait_timer);
        uv_timer_stop(&s->events_timer);
        session_emit(s, &(struct session_event){ .type = SESSION_EVENT_STOPPING,
                                                 .text = reason });
        for (size_t i = 0; i < s->image_count; i++)
            image_cancel(s->images[i]);
        builds_are_idle(s); /* cancels them */
    }
    if (!uv_is_active((uv_handle_t *)&s->limit_timer) || now > s->stop_now) {
        s->stop_now |= now;
        uv_timer_start(&s->limit_timer, on_limit, limit_of(s), 0);
    }
    DL_FOREACH_SAFE (s->items, it, next)
        if (!is_used(it))
            item_take_down(it, s->stop_now);
    DL_FOREACH_SAFE (s->items, it, next)
        if (is_used(it))
            item_take_down(it, s->stop_now);
    session_poke(s);
}

/* ---- one container ------------------------------------------------------ */

static void cancel_call(struct item *it)
{
    if (it->call != NULL)
        engine_cancel(it->call);
    it->call = NULL;
}

static bool is_asked(const struct item *it)
{
    return it->state == ITEM_STOPPING && it->service != NULL && !it->died;
}

/* Killed at once, it needs its network no more. */
static bool still_runs(const struct item *it)
{
    return it->state != ITEM_REMOVING && it->state != ITEM_GONE && !it->died;
}

static bool lists(const struct item *it, const struct plan_resource *r)
{
    const struct plan *p = it->s->spec.plan;

    for (size_t i = 0; i < it->service->resources.len; i++)
        if (strcmp(p->resources.v[it->service->resources.v[i]].name, r->name) ==
            0)
            return true;
    return false;
}

/* Whoever was asked to end may have to write to its database first. */
static bool is_in_use(const struct item *used)
{
    for (struct item *it = used->s->items; it != NULL; it = it->next)
        if (used->resource == NULL ? it->sandbox == used && still_runs(it)
                                   : is_asked(it) && lists(it, used->resource))
            return true;
    return false;
}

/* A create or start under way must answer first, or its container is lost to
 * us, and a commit, or its image: their callbacks come back here. */
void item_take_down(struct item *it, bool now)
{
    bool runs = it->state == ITEM_CHECKING || it->state == ITEM_READY;

    item_unattend(it);
    if (it->state == ITEM_GONE || it->state == ITEM_REMOVING)
        return;
    if (it->call != NULL &&
        (it->committing || it->state == ITEM_CREATING ||
         it->state == ITEM_STARTING || it->state == ITEM_WAITING))
        return;
    if (it->id == NULL) {
        cancel_call(it);
        item_set_state(it, ITEM_GONE, NULL);
        return;
    }
    if (runs && !now && is_used(it) && is_in_use(it))
        return; /* teardown_poke() comes back here */
    if (now || !runs || it->died || grace_of(it) == 0) {
        if (it->state != ITEM_STOPPING || now) {
            cancel_call(it);
            drop(it);
        }
        return;
    }
    cancel_call(it);
    item_set_state(it, ITEM_STOPPING, NULL);
    if (it->service != NULL && it->service->pre_stop.len > 0)
        it->call =
            engine_exec(it->s->spec.engine, it->id, &it->service->pre_stop,
                        PRE_STOP_MAX_MS, NULL, on_pre_stop, it);
    else
        stop(it);
}

bool item_is_over(struct item *it)
{
    it->call = NULL;
    if (it->s->state != SESSION_STOPPING)
        return false;
    item_take_down(it, it->s->stop_now);
    session_poke(it->s);
    return true;
}

static void on_pre_stop(int status, const struct err *err, void *user)
{
    struct item *it = user;

    it->call = NULL;
    if (err != NULL || status != 0)
        session_warn(it->s, "service %s: lifecycle.preStop failed: %s",
                     it->name, err != NULL ? err->msg : "not status 0");
    stop(it);
}

static void stop(struct item *it)
{
    it->call = engine_container_stop(it->s->spec.engine, it->id, grace_of(it),
                                     on_stopped, it);
}

static void on_stopped(const struct err *err, void *user)
{
    struct item *it = user;

    it->call = NULL;
    if (err != NULL)
        log_warn("run", "%s: stop: %s", it->source, err->msg);
    drop(it);
    session_poke(it->s);
}

/* The engine says it a while before it answers the stop. */
void teardown_died(struct item *it)
{
    if (it->sandbox != NULL)
        it->unplugged = true; /* it never was on the network itself */
    if (it->state != ITEM_STOPPING)
        return;
    it->died = true;
    session_poke(it->s);
}

void teardown_unplugged(struct item *it)
{
    it->unplugged = true;
    session_poke(it->s);
}

static void drop(struct item *it)
{
    it->state = ITEM_REMOVING;
    it->call =
        engine_container_remove(it->s->spec.engine, it->id, on_removed, it);
}

static void on_removed(const struct err *err, void *user)
{
    struct item *it = user;

    it->call = NULL;
    if (it->attach != NULL)
        engine_cancel(it->attach);
    it->attach = NULL;
    it->left = err != NULL; /* the sweep tries again */
    if (err != NULL) {
        log_warn("run", "%s: remove: %s", it->source, err->msg);
        it->state = ITEM_GONE;
    } else {
        it->s->removed_containers++;
        item_set_state(it, ITEM_GONE, NULL);
    }
    session_poke(it->s);
}

/* ---- the whole ---------------------------------------------------------- */

void teardown_failed(struct session *s, const char *kind, const char *name,
                     const struct err *err)
{
    cleanup_free char *text =
        xasprintf("%s %s could not be removed", kind, name);

    session_emit(
        s, &(struct session_event){ .type = SESSION_EVENT_ERROR,
                                    .text = text,
                                    .why = err->msg,
                                    .todo = "the next cvx start tries again",
                                    .status = 1 });
    s->left++;
    if (s->status == 0)
        s->status = 1;
}

bool teardown_again(struct session *s, const struct err *err)
{
    uint64_t now = uv_now(s->spec.loop);

    if (err->code != ERR_UNAVAILABLE || s->stop_now)
        return false;
    if (s->unreachable_since == 0)
        s->unreachable_since = now;
    if (now - s->unreachable_since >= PATIENCE_MS)
        return false;
    uv_timer_start(&s->events_timer, on_again, AGAIN_MS, 0);
    return true;
}

static void on_again(uv_timer_t *timer)
{
    session_poke(container_of(timer, struct session, events_timer));
}

bool teardown_is_empty(const struct session *s)
{
    for (struct item *it = s->items; it != NULL; it = it->next)
        if (it->state != ITEM_GONE)
            return false;
    return true;
}

/* Stopped containers are on no network, though their files may take long. */
static bool network_is_empty(const struct session *s)
{
    for (struct item *it = s->items; it != NULL; it = it->next)
        if (it->state != ITEM_GONE && !it->unplugged && it->sandbox == NULL)
            return false;
    return true;
}

static void take_down_resources(struct session *s)
{
    struct item *it, *next;

    DL_FOREACH_SAFE (s->items, it, next)
        if (is_used(it) &&
            (it->state == ITEM_CHECKING || it->state == ITEM_READY))
            item_take_down(it, s->stop_now);
}

/* Does the engine have all of it in hand? What it was asked to remove, and runs
 * no more, it removes whatever becomes of us. */
static bool is_ending(const struct session *s)
{
    for (struct item *it = s->items; it != NULL; it = it->next)
        if (it->state != ITEM_GONE &&
            (it->state != ITEM_REMOVING || !it->unplugged))
            return false;
    return net_is_going(s);
}

static void say_ending(struct session *s)
{
    if (s->ending || !is_ending(s))
        return;
    s->ending = true;
    if (s->spec.on_ending != NULL)
        s->spec.on_ending(s->spec.user);
}

void teardown_poke(struct session *s)
{
    take_down_resources(s);
    if (network_is_empty(s))
        net_remove(s);
    say_ending(s);
    if (!teardown_is_empty(s) || !builds_are_idle(s))
        return;
    if (!s->swept) {
        sweep(s);
        return;
    }
    net_remove_volumes(s);
    if (net_is_gone(s))
        finish(s);
    else
        say_ending(s);
}

/* One question to the engine, so that nothing is left even where our own
 * books are wrong (a create whose answer was lost). */
static void sweep(struct session *s)
{
    cleanup_free char *label = xasprintf(LABEL_SESSION "=%s", s->id);

    if (s->sweep == NULL && s->sweeps == NULL)
        s->sweep = engine_container_list(s->spec.engine, label, on_swept, s);
}

/* The engine does not say what is there: name what we know of. */
static void name_what_is_left(struct session *s, const struct err *err)
{
    for (struct item *it = s->items; it != NULL; it = it->next) {
        cleanup_free char *name = item_container_name(it);

        if (it->left)
            teardown_failed(s, "container", name, err);
        it->left = false;
    }
    s->swept = true;
}

static void on_swept(const struct engine_state *list, size_t count,
                     const struct err *err, void *user)
{
    struct session *s = user;

    s->sweep = NULL;
    if (err != NULL && teardown_again(s, err))
        return;
    if (err != NULL) {
        log_warn("run", "session %s: sweep: %s", s->id, err->msg);
        name_what_is_left(s, err);
    }
    s->swept |= count == 0;
    s->sweeps = xcalloc(count + 1, sizeof(*s->sweeps));
    s->sweep_count = s->sweep_left = count;
    for (size_t i = 0; i < count; i++) {
        struct sweep_step *step = &s->sweeps[i];

        log_warn("run", "%s is still there: removing it", list[i].name);
        step->session = s;
        step->name = xstrdup(list[i].name);
        step->call = engine_container_remove(s->spec.engine, list[i].id,
                                             on_swept_one, step);
    }
    session_poke(s);
}

static void on_swept_one(const struct err *err, void *user)
{
    struct sweep_step *step = user;
    struct session *s = step->session;

    step->call = NULL;
    if (err != NULL)
        teardown_failed(s, "container", step->name, err);
    else
        s->removed_containers++;
    if (--s->sweep_left > 0)
        return;
    s->swept = true;
    session_poke(s);
}

/* ---- too late ----------------------------------------------------------- */

static void give_up_item(struct item *it)
{
    cancel_call(it);
    if (it->attach != NULL)
        engine_cancel(it->attach);
    it->attach = NULL;
    it->left |= it->state != ITEM_GONE;
    it->state = ITEM_GONE;
}

static void give_up_sweep(struct session *s, const struct err *err)
{
    if (s->sweep != NULL)
        engine_cancel(s->sweep);
    s->sweep = NULL;
    for (size_t i = 0; i < s->sweep_count; i++) {
        if (s->sweeps[i].call == NULL)
            continue;
        engine_cancel(s->sweeps[i].call);
        s->sweeps[i].call = NULL;
        teardown_failed(s, "container", s->sweeps[i].name, err);
    }
    s->sweep_left = 0;
    if (!s->swept && s->sweeps == NULL)
        name_what_is_left(s, err);
    s->swept = true;
}

static void on_limit(uv_timer_t *timer)
{
    struct session *s = container_of(timer, struct session, limit_timer);
    struct err err = { .code = ERR_TIMEOUT,
                       .msg = "the engine did not do it in time" };

    uv_timer_stop(&s->events_timer);
    for (struct item *it = s->items; it != NULL; it = it->next)
        give_up_item(it);
    give_up_sweep(s, &err);
    net_give_up(s, &err);
    session_poke(s);
}

static void finish(struct session *s)
{
    uint64_t ms = uv_now(s->spec.loop) - s->stop_started;

    for (size_t i = 0; i < s->spec.plan->builds.len; i++)
        build_drop_old(s->builds[i]);
    s->state = SESSION_GONE;
    session_emit(s,
                 &(struct session_event){ .type = SESSION_EVENT_REMOVED,
                                          .containers = s->removed_containers,
                                          .networks = s->removed_networks,
                                          .volumes = s->removed_volumes,
                                          .left = s->left,
                                          .took_ms = ms });
}
