/*
 * GET /logs, and the last lines of a start whose session is over: lines go out
 * as fast as the client reads them.
 */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/event_json.h"
#include "api/log_json.h"
#include "api/routes.h"
#include "base/mem.h"
#include "logs/hub.h"
#include "plan/plan.h"
#include "rack/app_run.h"
#include "web/web.h"

/* One client of `cvx logs`, or of a start whose session is over. */
struct reader {
    struct web_req *req;
    struct hub_sub *sub;
    bool follow, text;
    uint64_t ms; /* of its events */
    int status;  /* what its `end` says */
};

static void on_reader_wake(void *user);
static void on_reader_drain(struct web_req *req, void *user);
static void on_reader_gone(struct web_req *req, void *user);
static void on_hub_end(void *user);

static void reader_end(struct reader *rd)
{
    hub_unsubscribe(rd->sub);
    if (rd->req != NULL) {
        web_event(rd->req, event_end(rd->ms, rd->status));
        web_end(rd->req);
    }
    free(rd);
}

static void go_on(struct reader *rd)
{
    if (!send_lines(rd->req, rd->sub, rd->text, rd->ms))
        web_on_drain(rd->req, on_reader_drain, rd);
    else if (!rd->follow)
        reader_end(rd);
}

static void on_reader_wake(void *user)
{
    go_on(user);
}

static void on_reader_drain(struct web_req *req, void *user)
{
    (void)req;
    go_on(user);
}

static void on_reader_gone(struct web_req *req, void *user)
{
    struct reader *rd = user;

    (void)req;
    rd->req = NULL;
    reader_end(rd);
}

/* The session has ended: what is left to read goes out as it is read, then the
 * end. Who does not read keeps a hub's worth of lines, and no session. */
static void on_hub_end(void *user)
{
    struct reader *rd = user;

    rd->follow = false;
    go_on(rd);
}

void send_last_lines(struct web_req *req, struct hub_sub *sub, bool text,
                     uint64_t ms, int status)
{
    struct reader *rd = xcalloc(1, sizeof(*rd));

    rd->req = req;
    rd->sub = sub;
    rd->text = text;
    rd->ms = ms;
    rd->status = status;
    web_on_gone(rd->req, on_reader_gone, rd);
    hub_hand_over(rd->sub, on_reader_wake, on_hub_end, rd);
    go_on(rd);
}

static double number_of(struct web_req *req, const char *name, double otherwise)
{
    const char *text = web_query(req, name);

    return *text == '\0' ? otherwise : strtod(text, NULL);
}

static bool is_set(struct web_req *req, const char *name)
{
    return strcmp(web_query(req, name), "1") == 0;
}

/* Nobody else sees the lines of a detached session: who follows is to see all
 * of them. Where there is a lease, looking on does not hold it up. */
void on_logs(struct web_req *req, void *user)
{
    struct api *api = user;
    cleanup_free char *app = plan_app_name(web_query(req, "app"));
    struct app_run *run = app == NULL ? NULL : app_runs_find(api->runs, app);
    const char *service = web_query(req, "service");
    struct reader *rd;

    if (run == NULL) {
        web_error(req, 404, "app not running: %s", web_query(req, "app"));
        return;
    }
    rd = xcalloc(1, sizeof(*rd));
    rd->req = req;
    rd->follow = is_set(req, "follow");
    rd->text = is_set(req, "text");
    rd->sub =
        hub_subscribe(run->tenant.hub,
                      &(struct hub_filter){
                          .tag = *service == '\0' ? NULL : service,
                          .since_ms = (int64_t)number_of(req, "since_ms", 0),
                          .tail = (long)number_of(req, "tail", -1),
                          .patient = rd->follow && !app_run_is_read(run) },
                      on_reader_wake, on_hub_end, rd);
    web_stream(req, on_reader_gone, rd);
    go_on(rd);
}
