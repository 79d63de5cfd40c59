#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "api/timings.h"
#include "base/env.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "logs/hub.h"
#include "plan/plan.h"
#include "rack.h"
#include "run/session.h"
#include "web/web.h"

/* Ten years: what is longer does not end. */
#define SECONDS_MAX 315360000u

/* How long the end of a session may wait for the guard's. */
#define GUARD_LATE_MS 3000

/*
 * In order of time: the request is read, the engine found, the session runs
 * and its events go to whoever watches; it ends, and so does the stream.
 */
static void on_lease_gone(struct web_req *req, void *user);
static void on_link(struct link *link, const struct err *err, void *user);
static void guard(struct app_run *run, struct link *link);
static void on_run_event(const struct session_event *event, void *user);
static void on_wake(void *user);
static void on_drain(struct web_req *req, void *user);
static void on_ttl(uv_timer_t *timer);
static void on_session_ending(void *user);
static void on_session_gone(int status, void *user);
static void on_guard_late(uv_timer_t *timer);
static void finish(struct app_run *run);
static void on_ttl_closed(uv_handle_t *handle);

/* ---- who watches -------------------------------------------------------- */

static bool takes(const struct app_run *run, const struct web_req *req,
                  bool passing)
{
    return req != NULL &&
           !(passing && web_queued(req) >= run->rack->full_bytes);
}

/* To the lease and to everybody who waits for the end. Takes `event`. One that
 * passes is not kept for who does not read: tell_states() makes up for it. */
static void tell_some(struct app_run *run, struct cJSON *event, bool passing)
{
    for (size_t i = 0; i < run->watchers.len; i++)
        if (takes(run, run->watchers.v[i].watcher->req, passing))
            web_event(run->watchers.v[i].watcher->req,
                      cJSON_Duplicate(event, 1));
    if (takes(run, run->req, passing)) {
        web_event(run->req, event);
        return;
    }
    cJSON_Delete(event);
    if (run->req == NULL)
        return;
    run->missed++;
    web_on_drain(run->req, on_drain, run);
}

static void tell(struct app_run *run, struct cJSON *event)
{
    tell_some(run, event, false);
}

/* To a client that did not read for long: how things stand now. */
static void tell_states(struct app_run *run)
{
    struct session_item item;
    struct cJSON *e;

    if (run->missed == 0 || run->req == NULL)
        return;
    e = event_new(run, "lost");
    cJSON_AddNumberToObject(e, "lines", 0);
    cJSON_AddNumberToObject(e, "events", (double)run->missed);
    run->missed = 0;
    web_event(run->req, e);
    for (size_t i = 0;
         run->session != NULL && i < session_item_count(run->session); i++) {
        session_item_get(run->session, i, &item);
        web_event(run->req, event_json(run, &(struct session_event){
                                                .type = SESSION_EVENT_STATE,
                                                .kind = item.kind,
                                                .name = item.name,
                                                .replica = item.replica,
                                                .state = item.state }));
    }
}

static void send_end(struct web_req *req, const struct app_run *run, int status)
{
    struct cJSON *e = event_new(run, "end");

    cJSON_AddNumberToObject(e, "status", status);
    web_event(req, e);
    web_end(req);
}

static void end_lease(struct app_run *run, int status)
{
    if (run->sub != NULL)
        hub_unsubscribe(run->sub);
    run->sub = NULL;
    if (run->req != NULL)
        send_end(run->req, run, status);
    run->req = NULL;
}

static void tell_log_lines(struct app_run *run)
{
    if (run->req != NULL && run->sub != NULL &&
        !view_lines(run->req, run->sub, run->text, run_ms(run)))
        web_on_drain(run->req, on_drain, run);
}

static void on_wake(void *user)
{
    tell_log_lines(user);
}

static void on_drain(struct web_req *req, void *user)
{
    (void)req;
    tell_states(user);
    tell_log_lines(user);
}

/* ---- a run's life ------------------------------------------------------- */

static unsigned seconds_of(const struct cJSON *body, const char *name)
{
    double s = web_number(body, name, 0);

    return s > 0 && s <= SECONDS_MAX ? (unsigned)s : s > 0 ? SECONDS_MAX : 0;
}

static struct app_run *run_new(struct rack *r, const struct cJSON *body)
{
    struct app_run *run = xcalloc(1, sizeof(*run));

    run->rack = r;
    run->started = uv_now(r->loop);
    run->asked_ns = uv_hrtime();
    run->started_s = time(NULL);
    run->id[0] = 's';
    random_text(run->id + 1, sizeof(run->id) - 2, RANDOM_HEX);
    run->release[0] = 'R';
    random_text(run->release + 1, 10, RANDOM_CAPITALS);
    run->detach = web_bool(body, "detach");
    run->keep_warm = web_bool(body, "warm");
    run->text = web_bool(body, "text");
    run->no_build = web_bool(body, "no_build");
    run->no_cache = web_bool(body, "no_cache");
    run->exit_on_failure = web_bool(body, "exit_on_failure");
    run->wait_timeout_s = seconds_of(body, "wait_timeout");
    run->ttl_s = seconds_of(body, "ttl");
    uv_timer_init(r->loop, &run->ttl_timer);
    DL_APPEND(r->runs, run);
    return run;
}

static void on_ttl_closed(uv_handle_t *handle)
{
    struct app_run *run = container_of(handle, struct app_run, ttl_timer);
    struct rack *r = run->rack;

    DL_DELETE(r->runs, run);
    if (run->plan != NULL)
        plan_free(run->plan);
    if (run->hub != NULL)
        hub_free(run->hub);
    input_release(&run->input);
    warm_free(run->warm);
    free(run->watchers.v);
    free(run);
    rack_run_ended(r);
}

static void run_close(struct app_run *run)
{
    uv_close((uv_handle_t *)&run->ttl_timer, on_ttl_closed);
}

/* Before there is a session: say it and be done. */
static void refuse(struct app_run *run, const char *text, const char *why,
                   const char *todo)
{
    struct cJSON *e = event_error(run, text, why, todo, 1);

    if (run->input.diags.errors > 0)
        view_diags(e, &run->input);
    tell(run, e);
    end_lease(run, 1);
    run_close(run);
}

static void refuse_manifest(struct app_run *run)
{
    size_t n = run->input.diags.errors;
    cleanup_free char *text =
        xasprintf("%s: %zu error%s; nothing was started",
                  run->input.manifest_name, n, n == 1 ? "" : "s");

    refuse(run, text, NULL, NULL);
}

static void tell_warnings(struct app_run *run)
{
    cleanup_str struct str text = { 0 };
    struct cJSON *e;

    diags_print(&run->input.diags, DIAG_WARNING, run->input.manifest_name,
                run->input.text, run->input.text_len, &text);
    if (text.len == 0)
        return;
    str_cut(&text, text.len - 1);
    e = event_new(run, "warning");
    put_masked(e, "text", str_c(&text), &run->input.secrets);
    tell(run, e);
}

void on_start(struct web_req *req, void *user)
{
    struct rack *r = user;
    const struct cJSON *body = web_body(req);
    struct app_run *run = run_new(r, body);
    struct err err = { 0 };

    run->req = req;
    web_stream(req, on_lease_gone, run);
    if (r->quitting) {
        refuse(run, "this rackd is ending", NULL, "try again");
        return;
    }
    if (input_load(&run->input, body, &r->store, &err) < 0) {
        refuse(run, err.msg, NULL,
               err.code == ERR_NOT_FOUND && run->input.text == NULL
                   ? "run cvx where convox.yml is, or name it with -m FILE"
                   : NULL);
        return;
    }
    run->plan = input_plan(&run->input, &r->store, run->release,
                           web_bool(body, "keep_data"));
    if (run->plan == NULL) {
        refuse_manifest(run);
        return;
    }
    tell_warnings(run);
    rack_link(r, &run->input.client_env, on_link, run);
}

static void tell_session(struct app_run *run)
{
    struct cJSON *e = event_new(run, "session");

    cJSON_AddStringToObject(e, "session", run->id);
    cJSON_AddStringToObject(e, "app", run->input.app);
    cJSON_AddStringToObject(e, "release", run->release);
    cJSON_AddStringToObject(e, "engine", run->link->name);
    cJSON_AddStringToObject(e, "engine_version", run->link->version);
    tell(run, e);
}

static struct session_spec spec_of(struct app_run *run)
{
    struct session_spec spec;

    rack_session_spec(run->link, &spec);
    spec.plan = run->plan;
    spec.hub = run->hub;
    spec.id = run->id;
    spec.release = run->release;
    spec.dir = run->input.dir;
    spec.client_env = &run->input.client_env;
    spec.no_build = run->no_build;
    spec.no_cache = run->no_cache;
    spec.exit_on_failure = run->exit_on_failure;
    spec.asked_ns = run->asked_ns;
    spec.wait_timeout_s = run->wait_timeout_s;
    spec.on_event = on_run_event;
    spec.on_ending = on_session_ending;
    spec.on_gone = on_session_gone;
    spec.user = run;
    return spec;
}

static void begin_session(struct app_run *run, struct link *link)
{
    struct session_spec spec;
    bool warm;

    run->stage = RUN_LIVE;
    run->link = link;
    warm = warm_take(run);
    if (!warm)
        run->hub = hub_new();
    tell_session(run);
    run->sub = hub_subscribe(
        run->hub, &(struct hub_filter){ .tail = -1, .patient = true }, on_wake,
        NULL, run);
    spec = spec_of(run);
    if (warm)
        session_take_over(run->session, &spec);
    else
        run->session = session_start(&spec);
}

static const char *engine_todo(const struct app_run *run)
{
    if (env_get(&run->input.client_env, "DOCKER_HOST") != NULL)
        return "is DOCKER_HOST right? without it the engine of this machine is "
               "used; cvx doctor says more";
    return "start Docker or Podman, or set DOCKER_HOST; cvx doctor says more";
}

static void on_link(struct link *link, const struct err *err, void *user)
{
    struct app_run *run = user;

    if (run->req == NULL) { /* the client went away meanwhile */
        run_close(run);
        return;
    }
    if (run->rack->quitting)
        refuse(run, "this rackd is ending", NULL, "try again");
    else if (err != NULL)
        refuse(run, "no container engine answers", err->msg, engine_todo(run));
    else
        guard(run, link);
}

/* Nothing is created before there is somebody to remove it again. */
static void guard(struct app_run *run, struct link *link)
{
    run->link = link;
    run->stage = RUN_GUARDING;
    link_sweep(link);
    if (guard_begin(link))
        begin_session(run, link);
}

void runs_guard_changed(struct link *link)
{
    struct app_run *run, *next;

    DL_FOREACH_SAFE (link->rack->runs, run, next) {
        if (run->link != link)
            continue;
        if (run->stage == RUN_GUARDING && guard_is_up(link))
            begin_session(run, link);
        else if (run->stage == RUN_OVER && run->session == NULL &&
                 !uv_is_closing((uv_handle_t *)&run->ttl_timer) &&
                 guard_end(link))
            finish(run);
    }
}

/* With --detach the lease is rackd's from here on. */
static void hand_over(struct app_run *run)
{
    run->detached = true;
    end_lease(run, 0);
    if (run->ttl_s > 0)
        uv_timer_start(&run->ttl_timer, on_ttl, run->ttl_s * 1000ULL, 0);
}

/* Before it is told, and after. */
static void begin_ready(struct app_run *run)
{
    run->timings = timings_new(run);
}

static void end_ready(struct app_run *run)
{
    timings_keep(run->timings);
    timings_free(run->timings);
    run->timings = NULL;
    templates_want(run);
    guard_complete(run->link);
    if (run->detach)
        hand_over(run);
}

static void on_run_event(const struct session_event *event, void *user)
{
    struct app_run *run = user;

    if (event->type == SESSION_EVENT_TEMPLATE) {
        templates_note(run, event);
        return;
    }
    if (event->type == SESSION_EVENT_READY)
        begin_ready(run);
    if (event->type == SESSION_EVENT_ERROR ||
        event->type == SESSION_EVENT_STOPPING ||
        event->type == SESSION_EVENT_REMOVED ||
        event->type == SESSION_EVENT_READY)
        tell_log_lines(run); /* what led to it comes first */
    tell_some(run, event_json(run, event),
              event->type == SESSION_EVENT_STATE ||
                  event->type == SESSION_EVENT_PROGRESS ||
                  event->type == SESSION_EVENT_WARNING);
    if (event->type == SESSION_EVENT_REMOVED && event->left > 0)
        link_is_dirty(run->link);
    run->left |= event->type == SESSION_EVENT_REMOVED && event->left > 0;
    if (event->type == SESSION_EVENT_READY)
        end_ready(run);
}

/* The engine may be long in coming back: nobody waits for it. */
static void stop_guarding(struct app_run *run, const char *reason)
{
    struct link *link = run->link;

    run->stage = RUN_OVER;
    if (run->req != NULL)
        refuse(run, reason, NULL, NULL);
    else
        run_close(run);
    guard_end(link);
}

void run_stop(struct app_run *run, const char *reason, bool now, int status)
{
    if (run->session != NULL)
        session_stop(run->session, reason, now, status);
    else if (run->stage == RUN_GUARDING)
        stop_guarding(run, reason);
}

static void on_ttl(uv_timer_t *timer)
{
    run_stop(container_of(timer, struct app_run, ttl_timer),
             "its time (--ttl) is over", false, 0);
}

static void on_lease_gone(struct web_req *req, void *user)
{
    struct app_run *run = user;

    (void)req;
    run->req = NULL;
    end_lease(run, 1);
    run_stop(run, "cvx went away", false, 1);
}

/* The container that guards goes beside the last of it: both take a while. */
static void on_session_ending(void *user)
{
    struct app_run *run = user;

    run->ending = true;
    guard_end(run->link);
}

static void on_session_gone(int status, void *user)
{
    struct app_run *run = user;

    run->session = NULL;
    run->status = status;
    run->stage = RUN_OVER;
    if (guard_end(run->link))
        finish(run);
    else
        uv_timer_start(&run->ttl_timer, on_guard_late, GUARD_LATE_MS, 0);
}

/* An engine that hangs must not hang us: the container that guards goes by
 * itself once we let go of it. */
static void on_guard_late(uv_timer_t *timer)
{
    finish(container_of(timer, struct app_run, ttl_timer));
}

/* What stays on the engine for the next start, and how to be rid of it. */
static void tell_warm(struct app_run *run)
{
    long long bytes;
    unsigned count = warm_count(run->rack, run->input.app, &bytes);
    struct cJSON *e;

    if (count == 0)
        return;
    e = event_new(run, "warm");
    cJSON_AddNumberToObject(e, "containers", count);
    cJSON_AddNumberToObject(e, "bytes", (double)bytes);
    cJSON_AddNumberToObject(e, "minutes", WARM_MINUTES);
    tell(run, e);
}

static void finish(struct app_run *run)
{
    tell_warm(run);
    if (run->req != NULL && run->sub != NULL) {
        view_rest(run);
        run->req = NULL;
        run->sub = NULL;
    }
    for (size_t i = 0; i < run->watchers.len; i++) {
        struct watcher *w = run->watchers.v[i].watcher;

        w->status |= run->left;
        if (--w->sessions > 0)
            continue;
        if (w->req != NULL)
            send_end(w->req, run, w->status);
        free(w);
    }
    run_close(run);
}
