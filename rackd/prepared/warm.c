/*
 * Makes, keeps and hands over the resources of starts to come. A timer looks
 * once a second who wants some and whom nobody came for; rack/app_run.c asks
 * for them when a start begins.
 */
#include "prepared/warm.h"

#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "base/env.h"
#include "base/log.h"
#include "base/mem.h"
#include "plan/plan.h"
#include "prepared/templates.h"
#include "rack/app_run.h"
#include "rack/link.h"
#include "run/session.h"

#define LOOK_MS 1000

struct warm_pool {
    struct warm_spec spec;
    uv_timer_t look_timer;
    struct warm *all;
};

/* The resources of one app's next start. */
struct warm {
    struct tenant tenant;
    struct warm_pool *pool;
    struct plan *plan; /* referenced */
    struct plan part;  /* its resources with containers, borrowed */
    struct env client_env;
    char *dir, release[12];
    bool frozen;       /* they wait */
    bool going;        /* they are removed */
    bool taken, over;  /* taken: it lives until the start that has it is over */
    uint64_t since_ms; /* loop clock: their app ran last */
    struct warm *prev, *next;
};

/* In order of time. */
static void on_look(uv_timer_t *timer);
static void begin(struct warm_pool *wp, struct app_run *run);
static void on_begin(struct tenant *t);
static void on_event(struct tenant *t, const struct session_event *event);
static void on_over(struct tenant *t);
static void on_returned(struct tenant *t);
static void on_timer_closed(uv_handle_t *handle);

static const struct tenant_kind warm_kind = {
    .name = "warm",
    .letter = 's', /* it becomes a start's */
    .background = true,
    .begin = on_begin,
    .on_event = on_event,
    .on_over = on_over,
    .on_returned = on_returned,
};

struct warm_pool *warm_pool_new(const struct warm_spec *spec)
{
    struct warm_pool *wp = xcalloc(1, sizeof(*wp));

    wp->spec = *spec;
    uv_timer_init(spec->tenants->loop, &wp->look_timer);
    uv_timer_start(&wp->look_timer, on_look, LOOK_MS, LOOK_MS);
    return wp;
}

/* ---- which there are ----------------------------------------------------- */

static struct warm *find(const struct warm_pool *wp, const char *app)
{
    struct warm *w;

    DL_FOREACH (wp->all, w)
        if (strcmp(w->part.app, app) == 0 && !w->going)
            return w;
    return NULL;
}

unsigned warm_count_all(const struct warm_pool *wp)
{
    const struct warm *w;
    unsigned sum = 0;

    DL_FOREACH (wp->all, w)
        if (w->frozen)
            sum += (unsigned)w->part.resources.len;
    return sum;
}

unsigned warm_count(const struct warm_pool *wp, const char *app,
                    long long *bytes)
{
    const struct warm *w = find(wp, app);

    *bytes = 0;
    if (w == NULL || !w->frozen)
        return 0;
    *bytes = session_memory(w->tenant.session);
    return (unsigned)w->part.resources.len;
}

/* ---- made ---------------------------------------------------------------- */

static void warm_free(struct warm *w)
{
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

static bool keeps_data(const struct app_run *run)
{
    for (size_t i = 0; i < run->plan->resources.len; i++)
        if (run->plan->resources.v[i].container.mounts.len > 0)
            return true;
    return false;
}

/* Templates come first: what is made of them is smaller and sooner there. */
static bool wants_some(const struct warm_pool *wp, const struct app_run *run)
{
    return run->keep_warm && !wp->spec.tenants->quitting &&
           run->tenant.session != NULL &&
           session_is_ready(run->tenant.session) && !keeps_data(run) &&
           templates_are_idle(wp->spec.templates) &&
           find(wp, run->plan->app) == NULL;
}

static void begin(struct warm_pool *wp, struct app_run *run)
{
    struct warm *w = xcalloc(1, sizeof(*w));

    run->keep_warm = false; /* again with the next start: no endless tries */
    w->pool = wp;
    w->plan = plan_ref(run->plan);
    plan_pick(&w->part, w->plan, has_container);
    w->dir = xstrdup(run->dir);
    snprintf(w->release, sizeof(w->release), "%s", run->release);
    env_merge(&w->client_env, &run->client_env);
    w->since_ms = uv_now(wp->spec.tenants->loop);
    if (w->part.resources.len == 0) {
        warm_free(w);
        return;
    }
    tenant_init(&w->tenant, wp->spec.tenants, run->tenant.link, &warm_kind);
    DL_APPEND(wp->all, w);
    log_info("warm", "making the next resources of %s: session %s", w->part.app,
             w->tenant.id);
    tenant_begin(&w->tenant);
}

static void on_begin(struct tenant *t)
{
    struct warm *w = container_of(t, struct warm, tenant);
    struct session_spec spec;

    tenant_session_spec(t, &spec);
    spec.plan = &w->part;
    spec.release = w->release;
    spec.dir = w->dir;
    spec.client_env = &w->client_env;
    spec.freeze = true;
    spec.exit_on_failure = true;
    tenant_run(t, &spec);
}

static void drop(struct warm *w, const char *why)
{
    if (w->going)
        return;
    w->going = true;
    w->frozen = false;
    log_info("warm", "the next resources of %s go: %s", w->part.app, why);
    tenant_stop(&w->tenant, why, true, 0);
}

/* The oldest go first; one that alone takes too much is no use either. */
static void keep_in_bounds(struct warm_pool *wp)
{
    long long most = (long long)wp->spec.max_mb << 20, sum = 0;
    struct warm *w, *next;

    DL_FOREACH (wp->all, w)
        if (w->frozen)
            sum += session_memory(w->tenant.session);
    DL_FOREACH_SAFE (wp->all, w, next) {
        if (sum <= most)
            return;
        if (!w->frozen)
            continue;
        sum -= session_memory(w->tenant.session);
        drop(w, "all that waits takes more memory than CVX_WARM_MB");
    }
}

static void on_event(struct tenant *t, const struct session_event *event)
{
    struct warm *w = container_of(t, struct warm, tenant);

    if (event->type == SESSION_EVENT_ERROR)
        log_warn("warm", "%s: %s", event->text,
                 event->why == NULL ? "" : event->why);
    if (event->type == SESSION_EVENT_STOPPING) {
        w->going = true;
        w->frozen = false;
    }
    if (event->type != SESSION_EVENT_READY)
        return;
    w->frozen = true;
    log_info("warm", "%s: %zu containers wait, %lld MB", w->part.app,
             w->part.resources.len, session_memory(t->session) >> 20);
    keep_in_bounds(w->pool);
}

/* ---- taken, or dropped --------------------------------------------------- */

struct tenant *warm_find_ready_made(struct app_run *run, void *user)
{
    struct warm_pool *wp = user;
    struct warm *w = find(wp, run->plan->app);

    if (w == NULL || !w->frozen || w->tenant.link != run->tenant.link)
        return NULL;
    if (keeps_data(run) || !plan_same_resources(&w->part, run->plan)) {
        drop(w, "the app has other resources now");
        return NULL;
    }
    w->taken = true;
    w->frozen = false;
    DL_DELETE(wp->all, w);
    return &w->tenant;
}

bool warm_drop(struct warm_pool *wp, const char *app, const char *why)
{
    struct warm *w, *next;
    bool any = false;

    /* One whose session is gone only waits for the guard: it is no more. */
    DL_FOREACH_SAFE (wp->all, w, next)
        if (strcmp(w->part.app, app) == 0 && w->tenant.state < TENANT_LEAVING) {
            any = true;
            drop(w, why);
        }
    return any;
}

static void drop_unwanted(struct warm_pool *wp, struct warm *w)
{
    uint64_t now_ms = uv_now(wp->spec.tenants->loop);

    if (app_runs_find(wp->spec.runs, w->part.app) != NULL)
        w->since_ms = now_ms;
    else if (w->frozen && now_ms - w->since_ms > WARM_MINUTES * 60000ULL)
        drop(w, "no start came for it");
}

static void on_look(uv_timer_t *timer)
{
    struct warm_pool *wp = container_of(timer, struct warm_pool, look_timer);
    struct app_run *run;
    struct warm *w, *next;

    DL_FOREACH (wp->spec.runs->all, run)
        if (wants_some(wp, run))
            begin(wp, run);
    DL_FOREACH_SAFE (wp->all, w, next)
        drop_unwanted(wp, w);
}

/* ---- the end ------------------------------------------------------------- */

static void on_over(struct tenant *t)
{
    struct warm *w = container_of(t, struct warm, tenant);

    w->over = true;
    if (w->taken)
        return;
    DL_DELETE(w->pool->all, w);
    warm_free(w);
}

/* Its start may end before its own handles are closed: the last one frees. */
static void on_returned(struct tenant *t)
{
    struct warm *w = container_of(t, struct warm, tenant);

    w->taken = false;
    w->going = true;
    if (w->over)
        warm_free(w);
    else
        DL_APPEND(w->pool->all, w);
}

void warm_pool_close(struct warm_pool *wp)
{
    uv_close((uv_handle_t *)&wp->look_timer, on_timer_closed);
}

static void on_timer_closed(uv_handle_t *handle)
{
    uv_timer_t *timer = (uv_timer_t *)handle;

    free(container_of(timer, struct warm_pool, look_timer));
}
