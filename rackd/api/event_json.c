/*
 * Turns what happens in a start into the events that clients read: for the
 * request that started it (start.c) and for those who wait for its end
 * (stop.c).
 */
#include "api/event_json.h"

#include <cjson/cJSON.h>

#include "api/json.h"
#include "plan/plan.h"
#include "prepared/warm.h"
#include "rack/app_run.h"
#include "rack/link.h"
#include "run/session.h"
#include "timing/record.h"
#include "web/web.h"

struct cJSON *event_new(const char *type, uint64_t ms)
{
    struct cJSON *e = cJSON_CreateObject();

    cJSON_AddStringToObject(e, "type", type);
    cJSON_AddNumberToObject(e, "ms", (double)ms);
    return e;
}

static struct cJSON *state_json(const struct app_run *run,
                                const struct session_event *ev)
{
    struct cJSON *e = event_new("state", app_run_ms(run));

    web_put(e, "kind", ev->kind);
    web_put(e, "name", ev->name);
    cJSON_AddNumberToObject(e, "replica", ev->replica);
    web_put(e, "state", ev->state);
    put_masked(e, "text", ev->text, &run->secrets);
    if (ev->exited)
        cJSON_AddNumberToObject(e, "exit", ev->status);
    return e;
}

static struct cJSON *progress_json(struct cJSON *e,
                                   const struct session_event *ev)
{
    web_put(e, "name", ev->name);
    web_put(e, "text", ev->text);
    cJSON_AddNumberToObject(e, "current", (double)ev->current);
    cJSON_AddNumberToObject(e, "total", (double)ev->total);
    cJSON_AddNumberToObject(e, "layers", ev->layers);
    cJSON_AddNumberToObject(e, "layers_done", ev->layers_done);
    return e;
}

struct cJSON *event_error(uint64_t ms, const struct strv *secrets,
                          const char *text, const char *why, const char *todo,
                          int code)
{
    struct cJSON *e = event_new("error", ms);

    put_masked(e, "text", text, secrets);
    put_masked(e, "why", why, secrets);
    web_put(e, "todo", todo);
    cJSON_AddNumberToObject(e, "code", code);
    return e;
}

struct cJSON *event_end(uint64_t ms, int status)
{
    struct cJSON *e = event_new("end", ms);

    cJSON_AddNumberToObject(e, "status", status);
    return e;
}

struct cJSON *event_session(const struct app_run *run)
{
    const struct link *link = run->tenant.link;
    struct cJSON *e = event_new("session", app_run_ms(run));

    cJSON_AddStringToObject(e, "session", run->tenant.id);
    cJSON_AddStringToObject(e, "app", run->app);
    cJSON_AddStringToObject(e, "release", run->release);
    cJSON_AddStringToObject(e, "engine", link->name);
    cJSON_AddStringToObject(e, "engine_version", link->version);
    return e;
}

struct cJSON *event_warm(const struct app_run *run, const struct warm_pool *wp)
{
    long long bytes;
    unsigned count = warm_count(wp, run->app, &bytes);
    struct cJSON *e;

    if (count == 0)
        return NULL;
    e = event_new("warm", app_run_ms(run));
    cJSON_AddNumberToObject(e, "containers", count);
    cJSON_AddNumberToObject(e, "bytes", (double)bytes);
    cJSON_AddNumberToObject(e, "minutes", WARM_MINUTES);
    return e;
}

static struct cJSON *ready_json(struct cJSON *e, const struct app_run *run)
{
    cJSON_AddNumberToObject(e, "seconds", (double)app_run_ms(run) / 1000.0);
    cJSON_AddItemToObject(e, "services", services_json(run));
    cJSON_AddItemToObject(e, "resources", resources_json(run, false));
    cJSON_AddNumberToObject(e, "engine_calls",
                            (double)session_calls(run->tenant.session));
    if (run->record != NULL)
        record_put_slower(run->record, e);
    return e;
}

static struct cJSON *removed_json(struct cJSON *e,
                                  const struct session_event *ev)
{
    cJSON_AddNumberToObject(e, "containers", ev->containers);
    cJSON_AddNumberToObject(e, "networks", ev->networks);
    cJSON_AddNumberToObject(e, "volumes", ev->volumes);
    cJSON_AddNumberToObject(e, "seconds", (double)ev->took_ms / 1000.0);
    return e;
}

bool event_is_passing(const struct session_event *ev)
{
    return ev->type == SESSION_EVENT_STATE ||
           ev->type == SESSION_EVENT_PROGRESS ||
           ev->type == SESSION_EVENT_WARNING;
}

struct cJSON *event_json(const struct app_run *run,
                         const struct session_event *ev)
{
    uint64_t ms = app_run_ms(run);
    struct cJSON *e = NULL;

    switch (ev->type) {
    case SESSION_EVENT_STATE:
        return state_json(run, ev);
    case SESSION_EVENT_PROGRESS:
        return progress_json(event_new("progress", ms), ev);
    case SESSION_EVENT_WARNING:
        e = event_new("warning", ms);
        put_masked(e, "text", ev->text, &run->secrets);
        return e;
    case SESSION_EVENT_ERROR:
        return event_error(ms, &run->secrets, ev->text, ev->why, ev->todo,
                           ev->status);
    case SESSION_EVENT_READY:
        return ready_json(event_new("ready", ms), run);
    case SESSION_EVENT_STOPPING:
        e = event_new("stopping", ms);
        put_masked(e, "reason", ev->text, &run->secrets);
        return e;
    case SESSION_EVENT_REMOVED:
        return removed_json(event_new("removed", ms), ev);
    case SESSION_EVENT_TEMPLATE: /* what becomes of templates is not told */
        break;
    }
    return NULL;
}
