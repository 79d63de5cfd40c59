/* POST /sessions/ID/stop and /apps/APP/stop: run_stop(), and who waits for it.
 */
#include <cjson/cJSON.h>
#include <string.h>
#include <utlist.h>

#include "base/mem.h"
#include "base/vec.h"
#include "plan/plan.h"
#include "rack.h"
#include "web/web.h"

void on_session_stop(struct web_req *req, void *user)
{
    struct rack *r = user;
    struct app_run *run, *next;
    bool now = strcmp(web_query(req, "now"), "1") == 0;

    DL_FOREACH_SAFE (r->runs, run, next) {
        if (strcmp(run->id, web_arg(req, "id")) != 0)
            continue;
        run_stop(run, "stopped", now, 0);
        web_answer(req, cJSON_CreateObject());
        return;
    }
    web_error(req, 404, "no such session: %s", web_arg(req, "id"));
}

static void on_watcher_gone(struct web_req *req, void *user)
{
    struct watcher *w = user;

    (void)req;
    w->req = NULL;
}

static void watch(struct app_run *run, struct watcher *w)
{
    ((struct watching *)vec_add(&run->watchers))->watcher = w;
    w->sessions++;
}

static void on_nobody(struct web_req *req, void *user)
{
    (void)req;
    (void)user;
}

/* It did not run; what was made ahead for it goes. */
static void end_at_once(struct web_req *req)
{
    struct cJSON *e = cJSON_CreateObject();

    web_stream(req, on_nobody, NULL);
    cJSON_AddStringToObject(e, "type", "end");
    cJSON_AddNumberToObject(e, "status", 0);
    web_event(req, e);
    web_end(req);
}

void on_app_stop(struct web_req *req, void *user)
{
    struct rack *r = user;
    cleanup_free char *app = plan_app_name(web_arg(req, "app"));
    struct app_run *run, *next;
    struct watcher *w;

    if (app != NULL && strcmp(web_query(req, "warm"), "drop") == 0 &&
        warm_drop(r, app, "cvx down") && rack_find_app(r, app) == NULL) {
        end_at_once(req);
        return;
    }
    if (app == NULL || rack_find_app(r, app) == NULL) {
        web_error(req, 404, "app not running: %s", web_arg(req, "app"));
        return;
    }
    w = xcalloc(1, sizeof(*w));
    w->req = req;
    web_stream(req, on_watcher_gone, w);
    DL_FOREACH (r->runs, run)
        if (run->session != NULL && strcmp(run->input.app, app) == 0)
            watch(run, w);
    DL_FOREACH_SAFE (r->runs, run, next)
        if (run->session != NULL && strcmp(run->input.app, app) == 0)
            run_stop(run, "stopped", false, 0);
}
