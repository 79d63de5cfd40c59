/*
 * POST /start: reads what is to be started, finds the engine and begins the
 * start (rack/app_run.h). Its connection is the session's lease: what happens
 * goes out on it as events until the end, or until rackd takes the lease over.
 */
#include "api/start.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <utlist.h>
#include <uv.h>

#include "api/api.h"
#include "api/event_json.h"
#include "api/input.h"
#include "api/json.h"
#include "api/log_json.h"
#include "api/routes.h"
#include "base/env.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "logs/hub.h"
#include "plan/plan.h"
#include "rack/app_run.h"
#include "rack/link.h"
#include "run/session.h"
#include "web/web.h"

/* Ten years: what is longer does not end. */
#define SECONDS_MAX 315360000u

/* One `cvx start` that is attached. */
struct start {
    struct api *api;
    struct web_req *req; /* the lease; NULL: the client went away */
    struct input input;  /* until the run has it */
    struct plan *plan;   /* too */
    char release[12];
    uint64_t asked_ms; /* loop clock */
    uint64_t asked_ns; /* the same, by uv_hrtime() */
    int64_t started_s; /* the same, unix time */
    bool detach, text; /* text: it takes lines as `text` events */
    bool no_build, no_cache, exit_on_failure, warm;
    unsigned ttl_s, wait_timeout_s;
    struct app_run *run; /* NULL: the engine is not known yet */
    struct app_listener listener;
    struct hub_sub *sub;  /* the session's lines */
    unsigned long missed; /* events that it was too slow for */
};

/*
 * In order of time: the request is read, the engine found, the session runs
 * and its events go out; it ends, and so does the stream.
 */
static void on_lease_gone(struct web_req *req, void *user);
static void on_link(struct link *link, const struct err *err, void *user);
static void on_session(struct app_listener *l, struct app_run *run);
static void on_event(struct app_listener *l, struct app_run *run,
                     const struct session_event *event);
static void on_wake(void *user);
static void on_drain(struct web_req *req, void *user);
static void on_over(struct app_listener *l, struct app_run *run);

static uint64_t ms_of(const struct start *s)
{
    return uv_now(s->api->loop) - s->asked_ms;
}

/* ---- the request is read --------------------------------------------------
 */

static unsigned seconds_of(const struct cJSON *body, const char *name)
{
    double s = web_number(body, name, 0);

    return s > 0 && s <= SECONDS_MAX ? (unsigned)s : s > 0 ? SECONDS_MAX : 0;
}

static struct start *start_new(struct api *api, struct web_req *req)
{
    const struct cJSON *body = web_body(req);
    struct start *s = xcalloc(1, sizeof(*s));

    s->api = api;
    s->req = req;
    s->asked_ms = uv_now(api->loop);
    s->asked_ns = uv_hrtime();
    s->started_s = time(NULL);
    s->release[0] = 'R';
    random_text(s->release + 1, 10, RANDOM_CAPITALS);
    s->detach = web_bool(body, "detach");
    s->warm = web_bool(body, "warm");
    s->text = web_bool(body, "text");
    s->no_build = web_bool(body, "no_build");
    s->no_cache = web_bool(body, "no_cache");
    s->exit_on_failure = web_bool(body, "exit_on_failure");
    s->wait_timeout_s = seconds_of(body, "wait_timeout");
    s->ttl_s = seconds_of(body, "ttl");
    return s;
}

static void start_free(struct start *s)
{
    if (s->plan != NULL)
        plan_free(s->plan);
    input_release(&s->input);
    free(s);
}

static void end(struct start *s, int status)
{
    if (s->sub != NULL)
        hub_unsubscribe(s->sub);
    if (s->req != NULL) {
        web_event(s->req, event_end(ms_of(s), status));
        web_end(s->req);
    }
    start_free(s);
}

/* Before there is a session: say it and be done. */
static void refuse(struct start *s, const char *text, const char *why,
                   const char *todo)
{
    struct cJSON *e =
        event_error(ms_of(s), &s->input.secrets, text, why, todo, 1);

    if (s->input.diags.errors > 0)
        put_diags(e, &s->input);
    web_event(s->req, e);
    end(s, 1);
}

static void refuse_manifest(struct start *s)
{
    size_t n = s->input.diags.errors;
    cleanup_free char *text =
        xasprintf("%s: %zu error%s; nothing was started",
                  s->input.manifest_name, n, n == 1 ? "" : "s");

    refuse(s, text, NULL, NULL);
}

static void tell_warnings(struct start *s)
{
    cleanup_str struct str text = { 0 };
    struct cJSON *e;

    diags_print(&s->input.diags, DIAG_WARNING, s->input.manifest_name,
                s->input.text, s->input.text_len, &text);
    if (text.len == 0)
        return;
    str_cut(&text, text.len - 1);
    e = event_new("warning", ms_of(s));
    put_masked(e, "text", str_c(&text), &s->input.secrets);
    web_event(s->req, e);
}

void on_start(struct web_req *req, void *user)
{
    struct api *api = user;
    const struct cJSON *body = web_body(req);
    struct start *s = start_new(api, req);
    struct err err = { 0 };

    web_stream(req, on_lease_gone, s);
    if (api->tenants->quitting) {
        refuse(s, "this rackd is ending", NULL, "try again");
        return;
    }
    if (input_load(&s->input, body, api->store, &err) < 0) {
        refuse(s, err.msg, NULL,
               err.code == ERR_NOT_FOUND && s->input.text == NULL
                   ? "run cvx where convox.yml is, or name it with -m FILE"
                   : NULL);
        return;
    }
    s->plan = input_plan(&s->input, api->store, s->release,
                         web_bool(body, "keep_data"));
    if (s->plan == NULL) {
        refuse_manifest(s);
        return;
    }
    tell_warnings(s);
    links_find(api->links, &s->input.client_env, on_link, s);
}

/* ---- the engine is found --------------------------------------------------
 */

static const char *engine_todo(const struct start *s)
{
    if (env_get(&s->input.client_env, "DOCKER_HOST") != NULL)
        return "is DOCKER_HOST right? without it the engine of this machine is "
               "used; cvx doctor says more";
    return "start Docker or Podman, or set DOCKER_HOST; cvx doctor says more";
}

static void begin(struct start *s, struct link *link)
{
    s->run = app_run_new(
        s->api->runs,
        &(struct app_run_spec){ .link = link,
                                .plan = s->plan,
                                .app = s->input.app,
                                .dir = s->input.dir,
                                .release = s->release,
                                .secrets = &s->input.secrets,
                                .client_env = &s->input.client_env,
                                .no_build = s->no_build,
                                .no_cache = s->no_cache,
                                .exit_on_failure = s->exit_on_failure,
                                .keep_warm = s->warm,
                                .wait_timeout_s = s->wait_timeout_s,
                                .asked_ns = s->asked_ns,
                                .asked_ms = s->asked_ms,
                                .started_s = s->started_s });
    s->plan = NULL;
    input_release(&s->input);
    s->listener.on_session = on_session;
    s->listener.on_event = on_event;
    s->listener.on_over = on_over;
    s->listener.reads_output = true;
    app_run_listen(s->run, &s->listener);
    app_run_begin(s->run);
}

static void on_link(struct link *link, const struct err *err, void *user)
{
    struct start *s = user;

    if (s->req == NULL) /* the client went away meanwhile */
        start_free(s);
    else if (s->api->tenants->quitting)
        refuse(s, "this rackd is ending", NULL, "try again");
    else if (err != NULL)
        refuse(s, "no container engine answers", err->msg, engine_todo(s));
    else
        begin(s, link);
}

/* ---- the session runs -----------------------------------------------------
 */

static struct start *start_of(struct app_listener *l)
{
    return container_of(l, struct start, listener);
}

static void on_session(struct app_listener *l, struct app_run *run)
{
    struct start *s = start_of(l);

    web_event(s->req, event_session(run));
    s->sub = hub_subscribe(run->tenant.hub,
                           &(struct hub_filter){ .tail = -1, .patient = true },
                           on_wake, NULL, s);
}

static void tell_lines(struct start *s)
{
    if (s->sub != NULL && !send_lines(s->req, s->sub, s->text, ms_of(s)))
        web_on_drain(s->req, on_drain, s);
}

/* To a client that did not read for long: how things stand now. */
static void tell_states(struct start *s)
{
    const struct session *session = s->run->tenant.session;
    struct session_item item;
    struct cJSON *e;

    if (s->missed == 0)
        return;
    e = event_new("lost", ms_of(s));
    cJSON_AddNumberToObject(e, "lines", 0);
    cJSON_AddNumberToObject(e, "events", (double)s->missed);
    s->missed = 0;
    web_event(s->req, e);
    for (size_t i = 0; session != NULL && i < session_item_count(session);
         i++) {
        session_item_get(session, i, &item);
        web_event(s->req, event_json(s->run, &(struct session_event){
                                                 .type = SESSION_EVENT_STATE,
                                                 .kind = item.kind,
                                                 .name = item.name,
                                                 .replica = item.replica,
                                                 .state = item.state }));
    }
}

static void on_wake(void *user)
{
    tell_lines(user);
}

static void on_drain(struct web_req *req, void *user)
{
    (void)req;
    tell_states(user);
    tell_lines(user);
}

/* What led to one of these comes before it. */
static bool follows_lines(const struct session_event *event)
{
    return event->type == SESSION_EVENT_ERROR ||
           event->type == SESSION_EVENT_STOPPING ||
           event->type == SESSION_EVENT_REMOVED ||
           event->type == SESSION_EVENT_READY;
}

/* With --detach the lease is rackd's from here on. */
static void hand_over(struct start *s)
{
    app_run_detach(s->run, s->ttl_s);
    app_run_unlisten(s->run, &s->listener);
    end(s, 0);
}

/* What passes is not kept for a client that does not read: tell_states() makes
 * up for it. */
static void on_event(struct app_listener *l, struct app_run *run,
                     const struct session_event *event)
{
    struct start *s = start_of(l);
    struct cJSON *e;

    if (follows_lines(event))
        tell_lines(s);
    if (event_is_passing(event) && web_queued(s->req) >= s->api->full_bytes) {
        s->missed++;
        web_on_drain(s->req, on_drain, s);
        return;
    }
    e = event_json(run, event);
    if (e != NULL)
        web_event(s->req, e);
    if (event->type == SESSION_EVENT_READY && s->detach)
        hand_over(s);
}

/* ---- the end --------------------------------------------------------------
 */

static void on_lease_gone(struct web_req *req, void *user)
{
    struct start *s = user;
    struct app_run *run = s->run;

    (void)req;
    s->req = NULL;
    if (run == NULL)
        return; /* on_link() ends it */
    app_run_unlisten(run, &s->listener);
    end(s, 1);
    app_run_stop(run, "cvx went away", false, 1);
}

static void on_over(struct app_listener *l, struct app_run *run)
{
    struct start *s = start_of(l);
    struct cJSON *warm = event_warm(run, s->api->warm);

    if (warm != NULL)
        web_event(s->req, warm);
    if (s->sub == NULL) { /* it never had a session */
        end(s, run->tenant.status);
        return;
    }
    send_last_lines(s->req, s->sub, s->text, app_run_ms(run),
                    run->tenant.status);
    start_free(s);
}

size_t start_unread(const struct app_run *run)
{
    struct app_listener *l;

    DL_FOREACH (run->listeners, l)
        if (l->on_over == on_over)
            return web_queued(start_of(l)->req);
    return 0;
}
