/*
 * The life that every owner of a session has in common: guarded, running,
 * leaving, gone. rack/app_run.c, prepared/templates.c and prepared/warm.c embed
 * a tenant each; rack.c ends them all through the registry here.
 */
#include "rack/tenant.h"

#include <malloc.h>
#include <string.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "guard/reaper.h"
#include "guard/sweeper.h"
#include "logs/hub.h"
#include "rack/link.h"
#include "run/session.h"

/* How long the end of a session may wait for the guard's container to go. An
 * engine that hangs must not hang us: the container goes by itself once we let
 * go of it. */
#define LEAVE_MS 3000

/* The reaper's program with --pause only keeps its container there. */
static const char *const sandbox_argv[] = { REAPER_PROGRAM, "--pause", NULL };

/* In order of time. */
static void begin_if_guarded(struct tenant *t);
static void on_session_event(const struct session_event *event, void *user);
static void on_session_ending(void *user);
static void on_session_gone(int status, void *user);
static void on_leave_late(uv_timer_t *timer);
static void over(struct tenant *t);
static void on_timer_closed(uv_handle_t *handle);

static void tenant_set_state(struct tenant *t, enum tenant_state state)
{
    static const char *const words[] = { "WAITING", "GUARDING", "LIVE",
                                         "LEAVING", "OVER" };

    log_debug("rack", "%s %s: %s -> %s", t->kind->name, t->id, words[t->state],
              words[state]);
    t->state = state;
}

/* ---- the registry -------------------------------------------------------- */

bool tenants_live(const char *session, void *user)
{
    const struct tenants *ts = user;
    const struct tenant *t;

    DL_FOREACH (ts->all, t)
        if (strcmp(t->id, session) == 0)
            return true;
    return false;
}

void tenants_guard_changed(struct link *link, void *user)
{
    struct tenants *ts = user;
    struct tenant *t, *next;

    DL_FOREACH_SAFE (ts->all, t, next) {
        if (t->link != link)
            continue;
        if (t->state == TENANT_GUARDING)
            begin_if_guarded(t);
        else if (t->state == TENANT_LEAVING && guard_is_let_go(link->guard))
            over(t);
    }
}

void tenants_stop(struct tenants *ts, const char *reason, bool now)
{
    struct tenant *t, *next;

    ts->quitting = true;
    DL_FOREACH_SAFE (ts->all, t, next)
        tenant_stop(t, reason, now || t->kind->background, 1);
}

/* ---- its life ------------------------------------------------------------ */

void tenant_init(struct tenant *t, struct tenants *ts, struct link *link,
                 const struct tenant_kind *kind)
{
    *t = (struct tenant){ .kind = kind, .tenants = ts, .link = link };
    t->id[0] = kind->letter;
    random_text(t->id + 1, sizeof(t->id) - 2, RANDOM_HEX);
    uv_timer_init(ts->loop, &t->leave_timer);
    DL_APPEND(ts->all, t);
}

/* Nothing is created before there is somebody to remove it again. */
void tenant_begin(struct tenant *t)
{
    tenant_set_state(t, TENANT_GUARDING);
    sweeper_before_session(t->link->sweeper);
    guard_claim(t->link->guard, &t->claim);
    begin_if_guarded(t);
}

static void begin_if_guarded(struct tenant *t)
{
    if (!guard_is_up(t->link->guard))
        return;
    tenant_set_state(t, TENANT_LIVE);
    t->kind->begin(t);
}

void tenant_session_spec(struct tenant *t, struct session_spec *out)
{
    struct tenants *ts = t->tenants;

    if (t->hub == NULL)
        t->hub = hub_new();
    *out =
        (struct session_spec){ .loop = ts->loop,
                               .engine = t->link->engine,
                               .notes = ts->notes,
                               .ports = &ts->ports,
                               .hub = t->hub,
                               .id = t->id,
                               .rack_id = ts->rack_id,
                               .owner = ts->owner,
                               .hub_tag = "convox",
                               .templates = ts->use_templates ? TEMPLATES_USE
                                                              : TEMPLATES_OFF,
                               .podman = t->link->podman,
                               .sandbox_image = ts->sandbox_image,
                               .sandbox_argv = sandbox_argv,
                               .tick_ms = ts->tick_ms,
                               .on_event = on_session_event,
                               .on_ending = on_session_ending,
                               .on_gone = on_session_gone,
                               .user = t };
}

void tenant_take(struct tenant *t, struct tenant *from)
{
    memcpy(t->id, from->id, sizeof(t->id));
    t->hub = from->hub;
    t->session = from->session;
    t->taken = from;
    from->hub = NULL;
    from->session = NULL;
    over(from);
}

void tenant_run(struct tenant *t, const struct session_spec *spec)
{
    if (t->taken != NULL)
        session_take_over(t->session, spec);
    else
        t->session = session_start(spec);
}

static void on_session_event(const struct session_event *event, void *user)
{
    struct tenant *t = user;

    if (event->type == SESSION_EVENT_REMOVED && event->left > 0) {
        t->objects_remain = true;
        sweeper_objects_remain(t->link->sweeper);
    }
    t->kind->on_event(t, event);
    if (event->type == SESSION_EVENT_READY && !t->kind->background)
        guard_session_ready(t->link->guard);
}

/* The guard's container goes beside the last of it: both take a while. */
static void on_session_ending(void *user)
{
    struct tenant *t = user;

    guard_claim_ending(&t->claim);
}

static void on_session_gone(int status, void *user)
{
    struct tenant *t = user;

    t->session = NULL;
    t->status = status;
    tenant_set_state(t, TENANT_LEAVING);
    guard_claim_drop(&t->claim);
    if (guard_is_let_go(t->link->guard))
        over(t);
    else
        uv_timer_start(&t->leave_timer, on_leave_late, LEAVE_MS, 0);
}

static void on_leave_late(uv_timer_t *timer)
{
    over(container_of(timer, struct tenant, leave_timer));
}

void tenant_stop(struct tenant *t, const char *reason, bool now, int status)
{
    if (t->session != NULL) {
        session_stop(t->session, reason, now, status);
        return;
    }
    if (t->state != TENANT_WAITING && t->state != TENANT_GUARDING)
        return;
    t->status = 1; /* it never had a session */
    t->kind->on_event(t, &(struct session_event){ .type = SESSION_EVENT_ERROR,
                                                  .text = reason,
                                                  .status = 1 });
    over(t);
}

/* ---- the end ------------------------------------------------------------- */

static void over(struct tenant *t)
{
    tenant_set_state(t, TENANT_OVER);
    guard_claim_drop(&t->claim);
    uv_close((uv_handle_t *)&t->leave_timer, on_timer_closed);
}

static void on_timer_closed(uv_handle_t *handle)
{
    uv_timer_t *timer = (uv_timer_t *)handle;
    struct tenant *t = container_of(timer, struct tenant, leave_timer);
    struct tenants *ts = t->tenants;
    struct tenant *taken = t->taken;
    struct hub *hub = t->hub;

    DL_DELETE(ts->all, t);
    t->kind->on_over(t);
    if (hub != NULL)
        hub_free(hub);
    if (taken != NULL)
        taken->kind->on_returned(taken);
    /* A session's log lines leave megabytes of holes, which glibc keeps. */
    malloc_trim(0);
    if (ts->all == NULL && ts->on_empty != NULL)
        ts->on_empty(ts->user);
}
