#include <cjson/cJSON.h>
#include <stdio.h>

#include "api/timings.h"
#include "base/mem.h"
#include "plan/mask.h"
#include "rack.h"
#include "run/session.h"
#include "web/web.h"

uint64_t run_ms(const struct app_run *run)
{
    return uv_now(run->rack->loop) - run->started;
}

struct cJSON *event_new(const struct app_run *run, const char *type)
{
    struct cJSON *e = cJSON_CreateObject();

    cJSON_AddStringToObject(e, "type", type);
    cJSON_AddNumberToObject(e, "ms", (double)run_ms(run));
    return e;
}

void put_masked(struct cJSON *object, const char *name, const char *text,
                const struct strv *secrets)
{
    cleanup_free char *shown = mask_text(text, secrets);

    web_put(object, name, shown);
}

static struct cJSON *state_json(const struct app_run *run,
                                const struct session_event *ev)
{
    struct cJSON *e = event_new(run, "state");

    web_put(e, "kind", ev->kind);
    web_put(e, "name", ev->name);
    cJSON_AddNumberToObject(e, "replica", ev->replica);
    web_put(e, "state", ev->state);
    put_masked(e, "text", ev->text, &run->input.secrets);
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

struct cJSON *event_error(const struct app_run *run, const char *text,
                          const char *why, const char *todo, int code)
{
    struct cJSON *e = event_new(run, "error");

    put_masked(e, "text", text, &run->input.secrets);
    put_masked(e, "why", why, &run->input.secrets);
    web_put(e, "todo", todo);
    cJSON_AddNumberToObject(e, "code", code);
    return e;
}

static struct cJSON *ready_json(struct cJSON *e, const struct app_run *run)
{
    cJSON_AddNumberToObject(e, "seconds", (double)run_ms(run) / 1000.0);
    cJSON_AddItemToObject(e, "services", view_services(run));
    cJSON_AddItemToObject(e, "resources", view_resources(run, false));
    cJSON_AddNumberToObject(e, "engine_calls",
                            (double)session_calls(run->session));
    if (run->timings != NULL)
        timings_put_slower(run->timings, e);
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

struct cJSON *event_json(const struct app_run *run,
                         const struct session_event *ev)
{
    struct cJSON *e;

    switch (ev->type) {
    case SESSION_EVENT_STATE:
        return state_json(run, ev);
    case SESSION_EVENT_PROGRESS:
        return progress_json(event_new(run, "progress"), ev);
    case SESSION_EVENT_WARNING:
        e = event_new(run, "warning");
        put_masked(e, "text", ev->text, &run->input.secrets);
        return e;
    case SESSION_EVENT_ERROR:
        return event_error(run, ev->text, ev->why, ev->todo, ev->status);
    case SESSION_EVENT_READY:
        return ready_json(event_new(run, "ready"), run);
    case SESSION_EVENT_STOPPING:
        e = event_new(run, "stopping");
        put_masked(e, "reason", ev->text, &run->input.secrets);
        return e;
    case SESSION_EVENT_REMOVED:
    case SESSION_EVENT_TEMPLATE: /* never told */
        break;
    }
    return removed_json(event_new(run, "removed"), ev);
}
