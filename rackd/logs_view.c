#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "control/control.h"
#include "logs/hub.h"
#include "plan/plan.h"
#include "rack.h"

/* One client of `cvx logs`, or of a start whose session is over. */
struct reader {
    struct control_req *req;
    struct hub_sub *sub;
    bool follow;
    uint64_t ms; /* of its events */
    int status;  /* what its `end` says */
};

static void on_reader_wake(void *user);
static void on_reader_drain(struct control_req *req, void *user);
static void on_reader_gone(struct control_req *req, void *user);
static void on_hub_end(void *user);

void view_line(struct str *out, const struct hub_line *line, uint64_t ms)
{
    str_printf(out, "{\"type\":\"log\",\"ms\":%llu,\"time\":%lld,\"tag\":",
               (unsigned long long)ms, (long long)line->time_ms);
    control_quote(out, line->tag, strlen(line->tag));
    str_add(out, ",\"source\":");
    control_quote(out, line->source, strlen(line->source));
    str_printf(out, ",\"stream\":\"%s\"%s,\"line\":",
               line->is_stderr ? "stderr" : "stdout",
               line->partial ? ",\"partial\":true" : "");
    control_quote(out, line->text, line->len);
    str_add(out, "}\n");
}

static void reader_end(struct reader *rd)
{
    cleanup_str struct str end = { 0 };

    str_printf(&end, "{\"type\":\"end\",\"ms\":%llu,\"status\":%d}\n",
               (unsigned long long)rd->ms, rd->status);
    hub_unsubscribe(rd->sub);
    if (rd->req != NULL) {
        control_event_text(rd->req, str_c(&end), end.len);
        control_end(rd->req);
    }
    free(rd);
}

static void send_lines(struct reader *rd)
{
    const struct hub_line *line = NULL;
    uint64_t lost;

    while (control_queued(rd->req) < CONTROL_HIGH_WATER &&
           (line = hub_next(rd->sub, &lost)) != NULL) {
        cleanup_str struct str text = { 0 };

        if (lost > 0)
            str_printf(&text,
                       "{\"type\":\"lost\",\"ms\":%llu,\"lines\":%llu}\n",
                       (unsigned long long)rd->ms, (unsigned long long)lost);
        view_line(&text, line, rd->ms);
        control_event_text(rd->req, str_c(&text), text.len);
    }
    if (control_queued(rd->req) >= CONTROL_HIGH_WATER)
        control_on_drain(rd->req, on_reader_drain, rd);
    else if (!rd->follow)
        reader_end(rd);
}

static void on_reader_wake(void *user)
{
    send_lines(user);
}

static void on_reader_drain(struct control_req *req, void *user)
{
    (void)req;
    send_lines(user);
}

static void on_reader_gone(struct control_req *req, void *user)
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
    send_lines(rd);
}

void view_rest(struct control_req *req, struct hub_sub *sub, uint64_t ms,
               int status)
{
    struct reader *rd = xcalloc(1, sizeof(*rd));

    rd->req = req;
    rd->sub = sub;
    rd->ms = ms;
    rd->status = status;
    control_on_gone(req, on_reader_gone, rd);
    hub_hand_over(sub, on_reader_wake, on_hub_end, rd);
    send_lines(rd);
}

static double number_of(struct control_req *req, const char *name,
                        double otherwise)
{
    const char *text = control_query(req, name);

    return *text == '\0' ? otherwise : strtod(text, NULL);
}

void on_logs(struct control_req *req, void *user)
{
    struct rack *r = user;
    cleanup_free char *app = plan_app_name(control_query(req, "app"));
    struct app_run *run = app == NULL ? NULL : rack_find_app(r, app);
    const char *service = control_query(req, "service");
    struct reader *rd;

    if (run == NULL) {
        control_error(req, 404, "app not running: %s",
                      control_query(req, "app"));
        return;
    }
    rd = xcalloc(1, sizeof(*rd));
    rd->req = req;
    rd->follow = strcmp(control_query(req, "follow"), "1") == 0;
    rd->sub =
        hub_subscribe(run->hub,
                      &(struct hub_filter){
                          .tag = *service == '\0' ? NULL : service,
                          .since_ms = (int64_t)number_of(req, "since_ms", 0),
                          .tail = (long)number_of(req, "tail", -1) },
                      on_reader_wake, on_hub_end, rd);
    control_stream(req, on_reader_gone, rd);
    send_lines(rd);
}
