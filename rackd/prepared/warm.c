/*
 * warm -- for a start with --warm: while the app runs, the resources of its
 * next start are started in a session of their own and frozen
 * (run/item_freeze.c). The next start takes that session over; if none comes,
 * it goes.
 *
 * Asked for, not the rule: what Ctrl-C leaves otherwise is nothing at all.
 */
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "base/env.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "logs/hub.h"
#include "plan/plan.h"
#include "rack.h"
#include "run/session.h"

#define HEX "0123456789abcdef"

struct warm {
    struct rack *rack;
    struct link *link;
    struct plan *plan; /* held */
    struct plan part;  /* its resources with containers, borrowed */
    struct env client_env;
    char *dir, id[8];
    struct hub *hub;
    struct session *session; /* NULL: taken, or gone */
    bool frozen, going;
    uint64_t since; /* loop clock */
    struct warm *prev, *next;
};

/* In order of time. */
static void begin(struct app_run *run);
static void on_event(const struct session_event *event, void *user);
static void on_gone(int status, void *user);

/* ---- which there are ----------------------------------------------------- */

static struct warm *find(const struct rack *r, const char *app)
{
    struct warm *w;

    DL_FOREACH (r->warm, w)
        if (strcmp(w->part.app, app) == 0 && !w->going)
            return w;
    return NULL;
}

unsigned warm_all(const struct rack *r)
{
    const struct warm *w;
    unsigned sum = 0;

    DL_FOREACH (r->warm, w)
        if (w->frozen)
            sum += (unsigned)w->part.resources.len;
    return sum;
}

unsigned warm_count(const struct rack *r, const char *app, long long *bytes)
{
    const struct warm *w = find(r, app);

    *bytes = w != NULL && w->frozen ? session_memory(w->session) : 0;
    return w != NULL && w->frozen ? (unsigned)w->part.resources.len : 0;
}

bool warm_is_on(const struct link *link)
{
    const struct warm *w;

    DL_FOREACH (link->rack->warm, w)
        if (w->link == link)
            return true;
    return false;
}

bool warm_session_lives(const struct rack *r, const char *session)
{
    const struct warm *w;

    DL_FOREACH (r->warm, w)
        if (strcmp(w->id, session) == 0)
            return true;
    return false;
}

/* ---- made ---------------------------------------------------------------- */

void warm_free(struct warm *w)
{
    if (w == NULL)
        return;
    plan_free(w->plan);
    env_release(&w->client_env);
    free(w->part.resources.v);
    free(w->dir);
    free(w);
}

static bool has_container(const struct plan_resource *r)
{
    return r->has_container;
}

static struct warm *warm_new(struct app_run *run)
{
    struct warm *w = xcalloc(1, sizeof(*w));

    w->rack = run->rack;
    w->link = run->link;
    w->plan = plan_ref(run->plan);
    plan_pick(&w->part, w->plan, has_container);
    w->dir = xstrdup(run->input.dir);
    env_merge(&w->client_env, &run->input.client_env);
    w->since = uv_now(w->rack->loop);
    w->id[0] = 's';
    store_random(w->id + 1, sizeof(w->id) - 2, HEX);
    return w;
}

static bool keeps_data(const struct app_run *run)
{
    for (size_t i = 0; i < run->plan->resources.len; i++)
        if (run->plan->resources.v[i].container.mounts.len > 0)
            return true;
    return false;
}

/* Templates first: what is made of them is smaller and sooner there. */
static bool wants_one(const struct app_run *run)
{
    return run->keep_warm && !run->rack->quitting && run->session != NULL &&
           session_is_ready(run->session) && !keeps_data(run) &&
           run->rack->template_jobs == NULL &&
           find(run->rack, run->plan->app) == NULL;
}

static void begin(struct app_run *run)
{
    struct rack *r = run->rack;
    struct warm *w = warm_new(run);
    struct session_spec spec;

    run->keep_warm = false; /* again with the next start: no endless tries */
    if (w->part.resources.len == 0) {
        warm_free(w);
        return;
    }
    DL_APPEND(r->warm, w);
    w->hub = hub_new();
    log_info("warm", "making the next resources of %s: session %s", w->part.app,
             w->id);
    rack_session_spec(w->link, &spec);
    spec.plan = &w->part;
    spec.hub = w->hub;
    spec.id = w->id;
    spec.release = run->release;
    spec.dir = w->dir;
    spec.client_env = &w->client_env;
    spec.freeze = true;
    spec.exit_on_failure = true;
    spec.on_event = on_event;
    spec.on_gone = on_gone;
    spec.user = w;
    w->session = session_start(&spec);
}

static void drop(struct warm *w, const char *why)
{
    if (w->going)
        return;
    w->going = true;
    w->frozen = false;
    log_info("warm", "the next resources of %s go: %s", w->part.app, why);
    session_stop(w->session, why, true, 0);
}

/* The oldest go first; one that alone takes too much is no use either. */
static void keep_in_bounds(struct rack *r)
{
    long long most = (long long)r->warm_mb << 20, sum = 0;
    struct warm *w, *next;

    DL_FOREACH (r->warm, w)
        if (w->frozen)
            sum += session_memory(w->session);
    DL_FOREACH_SAFE (r->warm, w, next) {
        if (sum <= most)
            return;
        if (!w->frozen)
            continue;
        sum -= session_memory(w->session);
        drop(w, "all that waits takes more memory than CVX_WARM_MB");
    }
}

static void on_event(const struct session_event *event, void *user)
{
    struct warm *w = user;

    if (event->type == SESSION_EVENT_ERROR)
        log_warn("warm", "%s: %s", event->text,
                 event->why == NULL ? "" : event->why);
    if (event->type == SESSION_EVENT_STOPPING)
        w->going = true;
    if (event->type != SESSION_EVENT_READY)
        return;
    w->frozen = true;
    log_info("warm", "%s: %zu containers wait, %lld MB", w->part.app,
             w->part.resources.len, session_memory(w->session) >> 20);
    keep_in_bounds(w->rack);
}

static void on_gone(int status, void *user)
{
    struct warm *w = user;
    struct rack *r = w->rack;
    struct link *link = w->link;

    (void)status;
    DL_DELETE(r->warm, w);
    hub_free(w->hub);
    warm_free(w);
    guard_end(link);
    rack_run_ended(r);
}

/* ---- taken, or dropped --------------------------------------------------- */

bool warm_take(struct app_run *run)
{
    struct warm *w = find(run->rack, run->plan->app);

    if (w == NULL || !w->frozen || w->link != run->link)
        return false;
    if (keeps_data(run) || !plan_same_resources(&w->part, run->plan)) {
        drop(w, "the app has other resources now");
        return false;
    }
    DL_DELETE(run->rack->warm, w);
    memcpy(run->id, w->id, sizeof(run->id));
    run->warm = w;
    run->hub = w->hub;
    run->session = w->session;
    return true;
}

bool warm_drop(struct rack *r, const char *app, const char *why)
{
    struct warm *w, *next;
    bool any = false;

    DL_FOREACH_SAFE (r->warm, w, next)
        if (app == NULL || strcmp(w->part.app, app) == 0) {
            any = true;
            drop(w, why);
        }
    return any;
}

void warm_tick(struct rack *r)
{
    struct app_run *run;
    struct warm *w, *next;

    DL_FOREACH (r->runs, run)
        if (wants_one(run))
            begin(run);
    DL_FOREACH_SAFE (r->warm, w, next)
        if (w->frozen && rack_find_app(r, w->part.app) == NULL &&
            uv_now(r->loop) - w->since > WARM_MINUTES * 60000ULL)
            drop(w, "no start came for it");
        else if (rack_find_app(r, w->part.app) != NULL)
            w->since = uv_now(r->loop);
}
