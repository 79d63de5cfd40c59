/*
 * GET /sessions, /ps, /services and /resources: what runs now. The lists of
 * services and resources stand in the event `ready` too.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "api/api.h"
#include "api/json.h"
#include "api/routes.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"
#include "plan/mask.h"
#include "plan/plan.h"
#include "rack/app_run.h"
#include "run/session.h"
#include "web/web.h"

void put_masked(struct cJSON *object, const char *name, const char *text,
                const struct strv *secrets)
{
    cleanup_free char *shown = mask_text(text, secrets);

    web_put(object, name, shown);
}

/* Unix time as listings have it. */
static double whole_seconds(int64_t ms)
{
    int64_t s = ms / 1000;

    return (double)s;
}

void on_sessions(struct web_req *req, void *user)
{
    struct api *api = user;
    struct cJSON *a = cJSON_CreateObject(), *list = cJSON_CreateArray();
    struct app_run *run;

    DL_FOREACH (api->runs->all, run) {
        const struct session *s = run->tenant.session;
        struct cJSON *one;

        if (s == NULL)
            continue;
        one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "id", run->tenant.id);
        web_put(one, "app", run->app);
        cJSON_AddStringToObject(one, "state",
                                session_is_stopping(s) ? "stopping"
                                : session_is_ready(s)  ? "ready"
                                                       : "starting");
        web_put(one, "dir", run->dir);
        cJSON_AddBoolToObject(one, "detached", run->detached);
        cJSON_AddNumberToObject(one, "started", (double)run->started_s);
        cJSON_AddItemToArray(list, one);
    }
    cJSON_AddItemToObject(a, "sessions", list);
    web_answer(req, a);
}

static struct cJSON *ports_json(const struct app_run *run,
                                const struct plan_service *svc)
{
    struct cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < svc->container.ports.len; i++) {
        int inside = svc->container.ports.v[i].container;
        int host = session_host_port(run->tenant.session, "service", svc->name,
                                     inside);
        struct cJSON *one;

        if (host == 0)
            continue;
        one = cJSON_CreateObject();
        cJSON_AddNumberToObject(one, "host", host);
        cJSON_AddNumberToObject(one, "container", inside);
        cJSON_AddItemToArray(list, one);
    }
    return list;
}

static char *service_url(const struct app_run *run,
                         const struct plan_service *svc)
{
    int host = svc->port == 0
                   ? 0
                   : session_host_port(run->tenant.session, "service",
                                       svc->name, svc->port);

    if (host == 0)
        return xstrdup("");
    return xasprintf("%s://127.0.0.1:%d",
                     svc->scheme == NULL ? "http" : svc->scheme, host);
}

struct cJSON *services_json(const struct app_run *run)
{
    struct cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < run->plan->services.len; i++) {
        const struct plan_service *svc = &run->plan->services.v[i];
        cleanup_free char *url = service_url(run, svc);
        struct cJSON *one = cJSON_CreateObject();

        web_put(one, "name", svc->name);
        web_put(one, "url", url);
        cJSON_AddItemToObject(one, "ports", ports_json(run, svc));
        cJSON_AddNumberToObject(one, "replicas", svc->count);
        cJSON_AddBoolToObject(one, "internal", svc->internal);
        cJSON_AddStringToObject(
            one, "status",
            session_is_ready(run->tenant.session) ? "running" : "starting");
        cJSON_AddItemToArray(list, one);
    }
    return list;
}

/* The URL as it works on this machine: HOST:PORT becomes 127.0.0.1:N. */
static char *host_url(const struct plan_resource *res, int host_port)
{
    cleanup_free char *inside = NULL;
    const char *at;

    if (res->vars.url == NULL)
        return xstrdup("");
    if (res->external)
        return xstrdup(res->vars.url);
    inside = xasprintf("%s:%d", res->vars.host, res->port);
    at = strstr(res->vars.url, inside);
    if (at == NULL || host_port == 0)
        return xstrdup("");
    return xasprintf("%.*s127.0.0.1:%d%s", (int)(at - res->vars.url),
                     res->vars.url, host_port, at + strlen(inside));
}

static const char *resource_status(const struct app_run *run,
                                   const struct plan_resource *res)
{
    struct session_item item;

    if (res->external)
        return "external";
    for (size_t i = 0; i < session_item_count(run->tenant.session); i++) {
        session_item_get(run->tenant.session, i, &item);
        if (strcmp(item.kind, "resource") == 0 &&
            strcmp(item.name, res->name) == 0)
            return strcmp(item.state, "ready") == 0 ? "running" : item.state;
    }
    return "running";
}

/* What was given to us, not said by us: "--token=x" is masked too. */
static void put_hidden(struct cJSON *one, const char *name, const char *text,
                       const struct app_run *run)
{
    cleanup_str struct str shown = { 0 };

    mask_add(text == NULL ? "" : text, &run->secrets, &shown);
    web_put(one, name, str_c(&shown));
}

/* The password of a database of ours is random, thrown away with it, and of use
 * on this machine only: who wants to connect needs it. Another's is neither. */
static void put_url(struct cJSON *one, const char *name, const char *url,
                    const struct app_run *run, bool whole)
{
    if (whole)
        web_put(one, name, url);
    else
        put_hidden(one, name, url, run);
}

struct cJSON *resources_json(const struct app_run *run, bool whole)
{
    struct cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < run->plan->resources.len; i++) {
        const struct plan_resource *res = &run->plan->resources.v[i];
        int port =
            session_host_port(run->tenant.session, "resource", res->name, 0);
        cleanup_free char *outside = host_url(res, port);
        struct cJSON *one = cJSON_CreateObject();

        web_put(one, "name", res->name);
        web_put(one, "type", res->type);
        put_url(one, "url", res->vars.url, run, whole || !res->external);
        put_url(one, "host_url", outside, run, whole || !res->external);
        cJSON_AddNumberToObject(one, "host_port", port);
        cJSON_AddBoolToObject(one, "external", res->external);
        cJSON_AddStringToObject(one, "status", resource_status(run, res));
        cJSON_AddItemToArray(list, one);
    }
    return list;
}

static void add_process(struct cJSON *list, const struct app_run *run,
                        const struct session_item *item)
{
    cleanup_free char *command = strv_join(item->argv, " ");
    struct cJSON *one = cJSON_CreateObject();
    char id[13];

    snprintf(id, sizeof(id), "%s",
             item->container_id == NULL ? "" : item->container_id);
    cJSON_AddStringToObject(one, "id", id);
    web_put(one, "app", run->app);
    web_put(one, "service", item->name);
    cJSON_AddStringToObject(one, "status",
                            strcmp(item->state, "ready") == 0 ? "running"
                                                              : item->state);
    cJSON_AddStringToObject(one, "release", run->release);
    cJSON_AddNumberToObject(one, "started", whole_seconds(item->started_ms));
    put_hidden(one, "command", command, run);
    cJSON_AddStringToObject(one, "session", run->tenant.id);
    cJSON_AddItemToArray(list, one);
}

/* The app of a query as rackd knows it; answers 404 and returns NULL when it
 * does not run. */
static struct app_run *asked_app(struct web_req *req, const struct api *api)
{
    cleanup_free char *app = plan_app_name(web_query(req, "app"));
    struct app_run *run = app == NULL ? NULL : app_runs_find(api->runs, app);

    if (run == NULL)
        web_error(req, 404, "app not running: %s", web_query(req, "app"));
    return run;
}

void on_ps(struct web_req *req, void *user)
{
    struct api *api = user;
    struct cJSON *a, *list;
    cleanup_free char *app = NULL;
    struct app_run *run;
    struct session_item item;

    if (*web_query(req, "app") != '\0') {
        if (asked_app(req, api) == NULL)
            return;
        app = plan_app_name(web_query(req, "app"));
    }
    a = cJSON_CreateObject();
    list = cJSON_AddArrayToObject(a, "processes");
    DL_FOREACH (api->runs->all, run) {
        if (run->tenant.session == NULL ||
            (app != NULL && strcmp(app, run->app) != 0))
            continue;
        for (size_t i = 0; i < session_item_count(run->tenant.session); i++) {
            session_item_get(run->tenant.session, i, &item);
            if (strcmp(item.kind, "service") == 0)
                add_process(list, run, &item);
        }
    }
    web_answer(req, a);
}

void on_services(struct web_req *req, void *user)
{
    struct app_run *run = asked_app(req, user);
    struct cJSON *a;

    if (run == NULL)
        return;
    a = cJSON_CreateObject();
    cJSON_AddItemToObject(a, "services", services_json(run));
    web_answer(req, a);
}

void on_resources(struct web_req *req, void *user)
{
    bool whole = strcmp(web_query(req, "secrets"), "1") == 0;
    struct app_run *run = asked_app(req, user);
    struct cJSON *a;

    if (run == NULL)
        return;
    a = cJSON_CreateObject();
    cJSON_AddItemToObject(a, "resources", resources_json(run, whole));
    web_answer(req, a);
}
