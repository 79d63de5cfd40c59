/*
 * Makes the templates that starts missed (behind them) or that a client asked
 * for: one job, with a session of its own, at a time. rack.c makes it; api/
 * calls templates_make().
 */
#include "prepared/templates.h"

#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "base/env.h"
#include "base/log.h"
#include "base/mem.h"
#include "plan/plan.h"
#include "prepared/template_list.h"
#include "rack/app_run.h"
#include "rack/link.h"
#include "run/session.h"

/* An app that has just become ready has better use for the CPUs. */
#define LATER_MS 1000

struct templates {
    struct templates_spec spec;
    struct app_listener listener; /* to every start */
    struct missing *missing;
    struct job *jobs; /* the first one may be under way */
    uv_timer_t timer; /* the first job begins */
};

/* A start that has missed a template and is not ready yet. */
struct missing {
    const struct app_run *run;
    struct missing *prev, *next;
};

struct job {
    struct tenant tenant;
    struct templates *templates;
    struct plan *plan; /* referenced */
    struct plan part;  /* its resources that can have a template, borrowed */
    struct env client_env;
    char *dir;
    char *error;    /* what went wrong, or NULL */
    template_cb cb; /* NULL: nobody asked for it */
    void *user;
    struct job *prev, *next;
};

/* In order of time: a start says what it missed; a job's session. */
static void on_run_event(struct app_listener *l, struct app_run *run,
                         const struct session_event *event);
static void on_run_over(struct app_listener *l, struct app_run *run);
static void on_timer(uv_timer_t *timer);
static void on_begin(struct tenant *t);
static void on_event(struct tenant *t, const struct session_event *event);
static void on_over(struct tenant *t);
static void on_timer_closed(uv_handle_t *handle);

static const struct tenant_kind template_kind = {
    .name = "templates",
    .letter = 't',
    .background = true,
    .begin = on_begin,
    .on_event = on_event,
    .on_over = on_over,
};

struct templates *templates_new(const struct templates_spec *spec)
{
    struct templates *ts = xcalloc(1, sizeof(*ts));

    ts->spec = *spec;
    ts->listener.on_event = on_run_event;
    ts->listener.on_over = on_run_over;
    app_runs_listen(spec->runs, &ts->listener);
    uv_timer_init(spec->tenants->loop, &ts->timer);
    return ts;
}

bool templates_are_idle(const struct templates *ts)
{
    return ts->jobs == NULL;
}

/* ---- what starts say ------------------------------------------------------
 */

static struct missing *find_missing(const struct templates *ts,
                                    const struct app_run *run)
{
    struct missing *m;

    DL_FOREACH (ts->missing, m)
        if (m->run == run)
            return m;
    return NULL;
}

static void note_missing(struct templates *ts, const struct app_run *run)
{
    struct missing *m;

    if (find_missing(ts, run) != NULL)
        return;
    m = xcalloc(1, sizeof(*m));
    m->run = run;
    DL_APPEND(ts->missing, m);
}

/* Returns whether it was noted. */
static bool forget_missing(struct templates *ts, const struct app_run *run)
{
    struct missing *m = find_missing(ts, run);

    if (m == NULL)
        return false;
    DL_DELETE(ts->missing, m);
    free(m);
    return true;
}

static void on_run_template(struct templates *ts, struct app_run *run,
                            const struct session_event *event)
{
    struct template_list *list = ts->spec.list;

    if (strcmp(event->state, "missing") == 0)
        note_missing(ts, run);
    if (strcmp(event->state, "used") == 0)
        template_touch(list, event->text);
    if (strcmp(event->state, "bad") == 0)
        template_remove(list, run->tenant.link, event->text);
}

static void on_run_event(struct app_listener *l, struct app_run *run,
                         const struct session_event *event)
{
    struct templates *ts = container_of(l, struct templates, listener);

    if (event->type == SESSION_EVENT_TEMPLATE)
        on_run_template(ts, run, event);
    if (event->type == SESSION_EVENT_READY && forget_missing(ts, run))
        templates_make(ts, run->tenant.link, run->plan, &run->client_env,
                       run->dir, NULL, NULL);
}

static void on_run_over(struct app_listener *l, struct app_run *run)
{
    forget_missing(container_of(l, struct templates, listener), run);
}

/* ---- jobs ---------------------------------------------------------------- */

static bool can_have_one(const struct plan_resource *r)
{
    return r->server.len > 0;
}

static void job_free(struct job *job)
{
    plan_free(job->plan);
    env_release(&job->client_env);
    free(job->part.resources.v);
    free(job->dir);
    free(job->error);
    free(job);
}

bool templates_make(struct templates *ts, struct link *link, struct plan *plan,
                    const struct env *client_env, const char *dir,
                    template_cb cb, void *user)
{
    struct job *job = xcalloc(1, sizeof(*job));

    job->templates = ts;
    job->plan = plan_ref(plan);
    job->dir = xstrdup(dir);
    job->cb = cb;
    job->user = user;
    env_merge(&job->client_env, client_env);
    plan_pick(&job->part, job->plan, can_have_one);
    if (job->part.resources.len == 0 || ts->spec.tenants->quitting) {
        job_free(job);
        return false;
    }
    tenant_init(&job->tenant, ts->spec.tenants, link, &template_kind);
    DL_APPEND(ts->jobs, job);
    if (ts->jobs == job)
        uv_timer_start(&ts->timer, on_timer, cb == NULL ? LATER_MS : 0, 0);
    return true;
}

static void on_timer(uv_timer_t *timer)
{
    struct templates *ts = container_of(timer, struct templates, timer);
    struct job *job = ts->jobs;

    if (job != NULL && job->tenant.state == TENANT_WAITING)
        tenant_begin(&job->tenant);
}

static void on_begin(struct tenant *t)
{
    struct job *job = container_of(t, struct job, tenant);
    struct session_spec spec;

    log_info("templates", "making those of %s: session %s", job->part.app,
             t->id);
    tenant_session_spec(t, &spec);
    spec.plan = &job->part;
    spec.release = "template";
    spec.dir = job->dir;
    spec.client_env = &job->client_env;
    spec.templates = TEMPLATES_MAKE;
    spec.exit_on_failure = true;
    tenant_run(t, &spec);
}

static void tell(struct job *job, const char *state, const char *resource,
                 const char *text)
{
    if (job->cb != NULL)
        job->cb(state, resource, text, job->user);
}

static void on_error(struct job *job, const struct session_event *event)
{
    cleanup_free char *text =
        event->why == NULL ? xstrdup(event->text)
                           : xasprintf("%s: %s", event->text, event->why);

    log_warn("templates", "%s", text);
    if (job->error != NULL)
        return;
    job->error = text;
    text = NULL;
}

static void on_template(struct job *job, const struct session_event *event)
{
    if (strcmp(event->state, "made") == 0) {
        log_info("templates", "%s made", event->text);
        template_touch(job->templates->spec.list, event->text);
    }
    tell(job, event->state, event->name, event->text);
}

static void on_event(struct tenant *t, const struct session_event *event)
{
    struct job *job = container_of(t, struct job, tenant);

    if (event->type == SESSION_EVENT_TEMPLATE)
        on_template(job, event);
    if (event->type == SESSION_EVENT_ERROR)
        on_error(job, event);
    if (event->type == SESSION_EVENT_READY)
        tenant_stop(t, "made", true, 0);
}

static void on_over(struct tenant *t)
{
    struct job *job = container_of(t, struct job, tenant);
    struct templates *ts = job->templates;
    struct link *link = t->link;

    tell(job, "end", NULL, job->error == NULL ? "" : job->error);
    DL_DELETE(ts->jobs, job);
    job_free(job);
    if (ts->spec.tenants->quitting)
        return;
    template_trim(ts->spec.list, link, ts->jobs != NULL);
    uv_timer_start(&ts->timer, on_timer, 0, 0);
}

/* ---- the end ------------------------------------------------------------- */

void templates_close(struct templates *ts)
{
    uv_close((uv_handle_t *)&ts->timer, on_timer_closed);
}

static void on_timer_closed(uv_handle_t *handle)
{
    uv_timer_t *timer = (uv_timer_t *)handle;

    free(container_of(timer, struct templates, timer));
}
