/*
 * POST /sessions/ID/stop and /apps/APP/stop: stops what runs; the second is a
 * stream that ends when all of it is gone.
 */
#include <cjson/cJSON.h>
#include <string.h>
#include <utlist.h>

#include "api/api.h"
#include "api/event_json.h"
#include "api/routes.h"
#include "base/mem.h"
#include "base/vec.h"
#include "plan/plan.h"
#include "prepared/warm.h"
#include "rack/app_run.h"
#include "run/session.h"
#include "web/web.h"

/* A client that waits for the end of an app's sessions. */
struct stop {
    struct api *api;
    struct web_req *req; /* NULL: the client went away */
    unsigned sessions;   /* still to end */
    int status;
};

/* One of the sessions. */
struct stopping {
    struct stop *stop;
    struct app_listener listener;
};

/* In order of time. */
static void on_gone(struct web_req *req, void *user);
static void on_event(struct app_listener *l, struct app_run *run,
                     const struct session_event *event);
static void on_over(struct app_listener *l, struct app_run *run);

void on_session_stop(struct web_req *req, void *user)
{
    struct api *api = user;
    struct app_run *run = app_runs_find_session(api->runs, web_arg(req, "id"));
    bool now = strcmp(web_query(req, "now"), "1") == 0;

    if (run == NULL) {
        web_error(req, 404, "no such session: %s", web_arg(req, "id"));
        return;
    }
    app_run_stop(run, "stopped", now, 0);
    web_answer(req, cJSON_CreateObject());
}

/* It did not run; what was made ahead for it goes. */
static void end_at_once(struct web_req *req)
{
    struct cJSON *e = cJSON_CreateObject();

    web_stream(req, NULL, NULL);
    cJSON_AddStringToObject(e, "type", "end");
    cJSON_AddNumberToObject(e, "status", 0);
    web_event(req, e);
    web_end(req);
}

static bool is_asked_for(const struct app_run *run, const char *app)
{
    return run->tenant.session != NULL && strcmp(run->app, app) == 0;
}

static void wait_for(struct app_run *run, struct stop *s)
{
    struct stopping *one = xcalloc(1, sizeof(*one));

    one->stop = s;
    one->listener.on_event = on_event;
    one->listener.on_over = on_over;
    app_run_listen(run, &one->listener);
    s->sessions++;
}

static void stop_app(struct api *api, struct web_req *req, const char *app)
{
    struct stop *s = xcalloc(1, sizeof(*s));
    struct app_run *run, *next;

    s->api = api;
    s->req = req;
    web_stream(req, on_gone, s);
    DL_FOREACH (api->runs->all, run)
        if (is_asked_for(run, app))
            wait_for(run, s);
    DL_FOREACH_SAFE (api->runs->all, run, next)
        if (is_asked_for(run, app))
            app_run_stop(run, "stopped", false, 0);
}

void on_app_stop(struct web_req *req, void *user)
{
    struct api *api = user;
    cleanup_free char *app = plan_app_name(web_arg(req, "app"));
    bool drop_warm = strcmp(web_query(req, "warm"), "drop") == 0;
    bool dropped =
        app != NULL && drop_warm && warm_drop(api->warm, app, "cvx down");

    if (app != NULL && app_runs_find(api->runs, app) != NULL)
        stop_app(api, req, app);
    else if (dropped)
        end_at_once(req);
    else
        web_error(req, 404, "app not running: %s", web_arg(req, "app"));
}

static void on_gone(struct web_req *req, void *user)
{
    struct stop *s = user;

    (void)req;
    s->req = NULL; /* the sessions end all the same */
}

static void on_event(struct app_listener *l, struct app_run *run,
                     const struct session_event *event)
{
    struct stop *s = container_of(l, struct stopping, listener)->stop;
    struct cJSON *e;

    if (s->req == NULL ||
        (event_is_passing(event) && web_queued(s->req) >= s->api->full_bytes))
        return;
    e = event_json(run, event);
    if (e != NULL)
        web_event(s->req, e);
}

static void on_over(struct app_listener *l, struct app_run *run)
{
    struct stopping *one = container_of(l, struct stopping, listener);
    struct stop *s = one->stop;
    struct cJSON *warm = event_warm(run, s->api->warm);

    free(one);
    s->status |= run->tenant.objects_remain;
    if (s->req != NULL && warm != NULL)
        web_event(s->req, warm);
    else
        cJSON_Delete(warm);
    if (--s->sessions > 0)
        return;
    if (s->req != NULL) {
        web_event(s->req, event_end(app_run_ms(run), s->status));
        web_end(s->req);
    }
    free(s);
}
