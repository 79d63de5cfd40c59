/*
 * A start's life, apart from its audience: begun by api/start.c once the engine
 * is known, stopped by a request, a lost lease, its time to live or rackd's
 * end. All that happens goes to its listeners.
 */
#include "rack/app_run.h"

#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "plan/plan.h"
#include "rack/link.h"
#include "run/session.h"
#include "store/store.h"
#include "timing/record.h"

/* In order of time. */
static void on_begin(struct tenant *t);
static void on_event(struct tenant *t, const struct session_event *event);
static void on_ttl(uv_timer_t *timer);
static void on_over(struct tenant *t);
static void on_ttl_closed(uv_handle_t *handle);

static const struct tenant_kind start_kind = {
    .name = "start",
    .letter = 's',
    .begin = on_begin,
    .on_event = on_event,
    .on_over = on_over,
};

static struct app_run *run_of(struct tenant *t)
{
    return container_of(t, struct app_run, tenant);
}

uint64_t app_run_ms(const struct app_run *run)
{
    return uv_now(run->tenant.tenants->loop) - run->asked_ms;
}

/* ---- the list ------------------------------------------------------------ */

struct app_run *app_runs_find(const struct app_runs *runs, const char *app)
{
    struct app_run *run, *found = NULL;

    DL_FOREACH (runs->all, run)
        if (run->tenant.session != NULL && strcmp(run->app, app) == 0)
            found = run;
    return found;
}

struct app_run *app_runs_find_session(const struct app_runs *runs,
                                      const char *session)
{
    struct app_run *run;

    DL_FOREACH (runs->all, run)
        if (strcmp(run->tenant.id, session) == 0)
            return run;
    return NULL;
}

/* ---- who listens --------------------------------------------------------- */

void app_runs_listen(struct app_runs *runs, struct app_listener *l)
{
    DL_APPEND(runs->listeners, l);
}

void app_run_listen(struct app_run *run, struct app_listener *l)
{
    DL_APPEND(run->listeners, l);
}

void app_run_unlisten(struct app_run *run, struct app_listener *l)
{
    DL_DELETE(run->listeners, l);
}

bool app_run_is_read(const struct app_run *run)
{
    const struct app_listener *l;

    DL_FOREACH (run->listeners, l)
        if (l->reads_output)
            return true;
    return false;
}

static void tell_session(struct app_run *run)
{
    struct app_listener *l, *next;

    DL_FOREACH_SAFE (run->listeners, l, next)
        if (l->on_session != NULL)
            l->on_session(l, run);
    DL_FOREACH_SAFE (run->runs->listeners, l, next)
        if (l->on_session != NULL)
            l->on_session(l, run);
}

static void tell_event(struct app_run *run, const struct session_event *event)
{
    struct app_listener *l, *next;

    DL_FOREACH_SAFE (run->listeners, l, next)
        if (l->on_event != NULL)
            l->on_event(l, run, event);
    DL_FOREACH_SAFE (run->runs->listeners, l, next)
        if (l->on_event != NULL)
            l->on_event(l, run, event);
}

static void tell_over(struct app_run *run)
{
    struct app_listener *l, *next;

    DL_FOREACH_SAFE (run->listeners, l, next) {
        DL_DELETE(run->listeners, l);
        if (l->on_over != NULL)
            l->on_over(l, run);
    }
    DL_FOREACH_SAFE (run->runs->listeners, l, next)
        if (l->on_over != NULL)
            l->on_over(l, run);
}

/* ---- its life ------------------------------------------------------------ */

struct app_run *app_run_new(struct app_runs *runs,
                            const struct app_run_spec *spec)
{
    struct app_run *run = xcalloc(1, sizeof(*run));

    run->runs = runs;
    run->plan = spec->plan;
    run->app = xstrdup(spec->app);
    run->dir = xstrdup(spec->dir);
    snprintf(run->release, sizeof(run->release), "%s", spec->release);
    strv_add_all(&run->secrets, spec->secrets);
    env_merge(&run->client_env, spec->client_env);
    run->no_build = spec->no_build;
    run->no_cache = spec->no_cache;
    run->exit_on_failure = spec->exit_on_failure;
    run->keep_warm = spec->keep_warm;
    run->wait_timeout_s = spec->wait_timeout_s;
    run->asked_ns = spec->asked_ns;
    run->asked_ms = spec->asked_ms;
    run->started_s = spec->started_s;
    tenant_init(&run->tenant, runs->tenants, spec->link, &start_kind);
    uv_timer_init(runs->tenants->loop, &run->ttl_timer);
    DL_APPEND(runs->all, run);
    return run;
}

void app_run_begin(struct app_run *run)
{
    tenant_begin(&run->tenant);
}

static void on_begin(struct tenant *t)
{
    struct app_run *run = run_of(t);
    struct app_runs *runs = run->runs;
    struct tenant *ready_made = NULL;
    struct session_spec spec;

    if (runs->find_ready_made != NULL)
        ready_made = runs->find_ready_made(run, runs->user);
    if (ready_made != NULL)
        tenant_take(t, ready_made);
    tenant_session_spec(t, &spec);
    spec.plan = run->plan;
    spec.release = run->release;
    spec.dir = run->dir;
    spec.client_env = &run->client_env;
    spec.no_build = run->no_build;
    spec.no_cache = run->no_cache;
    spec.exit_on_failure = run->exit_on_failure;
    spec.asked_ns = run->asked_ns;
    spec.wait_timeout_s = run->wait_timeout_s;
    tell_session(run);
    tenant_run(t, &spec);
}

static bool keeps_data(const struct plan *plan)
{
    for (size_t i = 0; i < plan->volumes.len; i++)
        if (plan->volumes.v[i].keep)
            return true;
    return false;
}

/* What its time went into, beside what former starts of the app took. */
static struct record *record_of(const struct app_run *run)
{
    cleanup_str struct str former = { 0 };
    struct err err = { 0 };

    if (store_timings_load(run->runs->store, run->app, &former, &err) < 0) {
        log_warn("rack", "timings of %s: %s", run->app, err.msg);
        str_cut(&former, 0);
    }
    return record_new(&(struct record_head){ .app = run->app,
                                             .session = run->tenant.id,
                                             .release = run->release,
                                             .engine = run->tenant.link->name,
                                             .keep_data = keeps_data(run->plan),
                                             .started_s = run->started_s },
                      session_marks(run->tenant.session), &former);
}

static void keep_record(struct app_run *run)
{
    struct err err = { 0 };

    if (store_timings_save(run->runs->store, run->app,
                           record_lines(run->record), &err) < 0)
        log_warn("rack", "timings of %s are not kept: %s", run->app, err.msg);
    record_free(run->record);
    run->record = NULL;
}

static void on_event(struct tenant *t, const struct session_event *event)
{
    struct app_run *run = run_of(t);

    if (event->type == SESSION_EVENT_READY)
        run->record = record_of(run);
    tell_event(run, event);
    if (event->type == SESSION_EVENT_READY)
        keep_record(run);
}

void app_run_stop(struct app_run *run, const char *reason, bool now, int status)
{
    tenant_stop(&run->tenant, reason, now, status);
}

void app_run_detach(struct app_run *run, unsigned ttl_s)
{
    run->detached = true;
    if (ttl_s > 0)
        uv_timer_start(&run->ttl_timer, on_ttl, ttl_s * 1000ULL, 0);
}

static void on_ttl(uv_timer_t *timer)
{
    app_run_stop(container_of(timer, struct app_run, ttl_timer),
                 "its time (--ttl) is over", false, 0);
}

/* ---- the end ------------------------------------------------------------- */

static void on_over(struct tenant *t)
{
    struct app_run *run = run_of(t);

    tell_over(run);
    DL_DELETE(run->runs->all, run);
    uv_close((uv_handle_t *)&run->ttl_timer, on_ttl_closed);
}

static void on_ttl_closed(uv_handle_t *handle)
{
    uv_timer_t *timer = (uv_timer_t *)handle;
    struct app_run *run = container_of(timer, struct app_run, ttl_timer);

    plan_free(run->plan);
    free(run->app);
    free(run->dir);
    strv_release(&run->secrets);
    env_release(&run->client_env);
    free(run);
}
