/*
 * templates -- made one session after the other: each starts the databases of
 * a plan, stops them cleanly and keeps what they wrote (run/template_make.c). Nobody
 * waits for it but `cvx templates build`; ten sessions that miss the same one
 * ask ten times, and the second time it is there.
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
#include "prepared/template_list.h"
#include "rack.h"
#include "run/session.h"

#define HEX "0123456789abcdef"

/* An app that has just become ready has better things to do. */
#define LATER_MS 1000

struct template_job {
    struct rack *rack;
    struct link *link;
    struct plan *plan; /* held */
    struct plan part;  /* its resources that can have a template, borrowed */
    struct env client_env;
    char *dir;
    enum { JOB_WAITING, JOB_GUARDING, JOB_LIVE } stage;
    struct hub *hub;
    struct session *session;
    char id[8];
    char *error;    /* what went wrong, or NULL */
    template_cb cb; /* NULL: nobody listens */
    void *user;
    struct template_job *prev, *next;
};

/* In order of time. */
static void on_timer(uv_timer_t *timer);
static void begin(struct template_job *job);
static void on_event(const struct session_event *event, void *user);
static void on_gone(int status, void *user);
static void finish(struct template_job *job);

/* ---- what sessions say --------------------------------------------------- */

void templates_note(struct app_run *run, const struct session_event *event)
{
    run->misses_template |= strcmp(event->state, "missing") == 0;
    if (strcmp(event->state, "used") == 0)
        template_touch(run->rack, event->text);
    if (strcmp(event->state, "bad") == 0)
        template_remove(run->link, event->text);
}

void templates_want(struct app_run *run)
{
    if (!run->misses_template)
        return;
    run->misses_template = false;
    templates_make(run->link, run->plan, &run->input.client_env, run->input.dir,
                   NULL, NULL);
}

/* ---- jobs ---------------------------------------------------------------- */

static bool can_have_one(const struct plan_resource *r)
{
    return r->server.len > 0;
}

static void job_free(struct template_job *job)
{
    plan_free(job->plan);
    env_release(&job->client_env);
    free(job->part.resources.v);
    free(job->dir);
    free(job->error);
    if (job->hub != NULL)
        hub_free(job->hub);
    free(job);
}

bool templates_make(struct link *link, struct plan *plan,
                    const struct env *client_env, const char *dir,
                    template_cb cb, void *user)
{
    struct template_job *job = xcalloc(1, sizeof(*job));
    struct rack *r = link->rack;

    job->rack = r;
    job->link = link;
    job->plan = plan_ref(plan);
    job->dir = xstrdup(dir);
    job->cb = cb;
    job->user = user;
    env_merge(&job->client_env, client_env);
    plan_pick(&job->part, job->plan, can_have_one);
    if (job->part.resources.len == 0 || r->quitting) {
        job_free(job);
        return false;
    }
    DL_APPEND(r->template_jobs, job);
    if (r->template_jobs == job)
        uv_timer_start(&r->template_timer, on_timer, cb == NULL ? LATER_MS : 0,
                       0);
    return true;
}

static void tell(struct template_job *job, const char *state,
                 const char *resource, const char *text)
{
    if (job->cb != NULL)
        job->cb(state, resource, text, job->user);
}

static void on_timer(uv_timer_t *timer)
{
    struct rack *r = container_of(timer, struct rack, template_timer);
    struct template_job *job = r->template_jobs;

    if (job == NULL || job->stage != JOB_WAITING)
        return;
    job->stage = JOB_GUARDING;
    link_sweep(job->link);
    if (guard_begin(job->link))
        begin(job);
}

void templates_guard_changed(struct link *link)
{
    struct template_job *job = link->rack->template_jobs;

    if (job != NULL && job->link == link && job->stage == JOB_GUARDING &&
        guard_is_up(link))
        begin(job);
}

bool templates_are_made(const struct link *link)
{
    const struct template_job *job = link->rack->template_jobs;

    return job != NULL && job->link == link && job->stage != JOB_WAITING;
}

bool templates_session_lives(const struct rack *r, const char *session)
{
    return r->template_jobs != NULL && r->template_jobs->stage == JOB_LIVE &&
           strcmp(r->template_jobs->id, session) == 0;
}

static void begin(struct template_job *job)
{
    struct session_spec spec;

    job->stage = JOB_LIVE;
    job->id[0] = 't';
    store_random(job->id + 1, sizeof(job->id) - 2, HEX);
    job->hub = hub_new();
    log_info("templates", "making those of %s: session %s", job->part.app,
             job->id);
    rack_session_spec(job->link, &spec);
    spec.plan = &job->part;
    spec.hub = job->hub;
    spec.id = job->id;
    spec.release = "template";
    spec.dir = job->dir;
    spec.client_env = &job->client_env;
    spec.templates = TEMPLATES_MAKE;
    spec.exit_on_failure = true;
    spec.on_event = on_event;
    spec.on_gone = on_gone;
    spec.user = job;
    job->session = session_start(&spec);
}

static void on_template(struct template_job *job,
                        const struct session_event *event)
{
    if (strcmp(event->state, "made") == 0) {
        log_info("templates", "%s made", event->text);
        template_touch(job->rack, event->text);
    }
    tell(job, event->state, event->name, event->text);
}

static void on_event(const struct session_event *event, void *user)
{
    struct template_job *job = user;

    if (event->type == SESSION_EVENT_TEMPLATE)
        on_template(job, event);
    if (event->type == SESSION_EVENT_ERROR) {
        log_warn("templates", "%s: %s", event->text,
                 event->why == NULL ? "" : event->why);
        if (job->error == NULL)
            job->error = xasprintf("%s: %s", event->text,
                                   event->why == NULL ? "" : event->why);
    }
    if (event->type == SESSION_EVENT_READY)
        session_stop(job->session, "made", true, 0);
}

static void on_gone(int status, void *user)
{
    struct template_job *job = user;

    (void)status;
    job->session = NULL;
    finish(job);
}

static void finish(struct template_job *job)
{
    struct rack *r = job->rack;
    struct link *link = job->link;

    tell(job, "end", NULL, job->error == NULL ? "" : job->error);
    DL_DELETE(r->template_jobs, job);
    job_free(job);
    guard_end(link);
    if (!r->quitting) {
        template_trim(link);
        uv_timer_start(&r->template_timer, on_timer, 0, 0);
    }
    rack_run_ended(r);
}

void templates_stop(struct rack *r)
{
    struct template_job *job, *next;

    uv_timer_stop(&r->template_timer);
    DL_FOREACH_SAFE (r->template_jobs, job, next) {
        if (job->session != NULL) {
            session_stop(job->session, "rackd ends", true, 1);
            continue;
        }
        tell(job, "end", NULL, "rackd ends");
        DL_DELETE(r->template_jobs, job);
        job_free(job);
    }
}
