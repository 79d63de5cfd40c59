#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "api/plan_json.h"
#include "base/build.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "logs/hub.h"
#include "manifest/manifest.h"
#include "plan/mask.h"
#include "plan/plan.h"
#include "rack.h"
#include "run/session.h"
#include "web/web.h"

static double whole_seconds(uint64_t ms)
{
    uint64_t s = ms / 1000;

    return (double)s;
}

/* ---- the rack ----------------------------------------------------------- */

static long resident_kb(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    long pages = 0;

    if (f == NULL)
        return 0;
    if (fscanf(f, "%*s %ld", &pages) != 1)
        pages = 0;
    fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* cvx points our stderr at a file beside the socket. */
static char *log_path(const struct rack *r)
{
    const char *slash = strrchr(r->socket_path, '/');

    return xasprintf("%.*s/rackd.log",
                     slash == NULL ? 1 : (int)(slash - r->socket_path),
                     slash == NULL ? "." : r->socket_path);
}

void on_version(struct web_req *req, void *user)
{
    struct rack *r = user;
    struct cJSON *a = cJSON_CreateObject();
    cleanup_free char *log = NULL;
    struct app_run *run;
    int sessions = 0;

    DL_COUNT(r->runs, run, sessions);
    cJSON_AddStringToObject(a, "version", CVX_VERSION);
    cJSON_AddStringToObject(a, "build", cvx_build);
    cJSON_AddNumberToObject(a, "pid", getpid());
    cJSON_AddNumberToObject(a, "sessions", sessions);
    cJSON_AddNumberToObject(a, "warm", warm_all(r));
    web_put(a, "socket", r->socket_path);
    cJSON_AddNumberToObject(a, "rss_kb", (double)resident_kb());
    cJSON_AddNumberToObject(a, "uptime_s",
                            whole_seconds(uv_now(r->loop) - r->started));
    log = log_path(r);
    web_put(a, "log", log);
    web_put(a, "rack_id", r->store.rack_id);
    web_answer(req, a);
}

void on_quit(struct web_req *req, void *user)
{
    web_answer(req, cJSON_CreateObject());
    rack_quit(user);
}

void on_sessions(struct web_req *req, void *user)
{
    struct rack *r = user;
    struct cJSON *a = cJSON_CreateObject(), *list = cJSON_CreateArray();
    struct app_run *run;

    DL_FOREACH (r->runs, run) {
        struct cJSON *one = cJSON_CreateObject();

        if (run->session == NULL) {
            cJSON_Delete(one);
            continue;
        }
        cJSON_AddStringToObject(one, "id", run->id);
        web_put(one, "app", run->input.app);
        cJSON_AddStringToObject(one, "state",
                                session_is_stopping(run->session) ? "stopping"
                                : session_is_ready(run->session)  ? "ready"
                                                                  : "starting");
        web_put(one, "dir", run->input.dir);
        cJSON_AddBoolToObject(one, "detached", run->detached);
        cJSON_AddNumberToObject(one, "started", (double)run->started_s);
        cJSON_AddItemToArray(list, one);
    }
    cJSON_AddItemToObject(a, "sessions", list);
    web_answer(req, a);
}

/* ---- manifest and plan -------------------------------------------------- */

static struct cJSON *diag_list(const struct input *in, enum diag_level level,
                               const char *word)
{
    struct cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < in->diags.len; i++) {
        const struct diag *d = &in->diags.v[i];
        struct cJSON *one;

        if (d->level != level)
            continue;
        one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "level", word);
        web_put(one, "file", in->manifest_name);
        cJSON_AddNumberToObject(one, "line", d->pos.line);
        cJSON_AddNumberToObject(one, "col", d->pos.col);
        put_masked(one, "text", d->text, &in->secrets);
        cJSON_AddItemToArray(list, one);
    }
    return list;
}

static void put_printed(struct cJSON *a, const char *name,
                        const struct input *in, const enum diag_level *levels,
                        size_t count)
{
    cleanup_str struct str text = { 0 };

    for (size_t i = 0; i < count; i++)
        diags_print(&in->diags, levels[i], in->manifest_name, in->text,
                    in->text_len, &text);
    put_masked(a, name, str_c(&text), &in->secrets);
}

void view_diags(struct cJSON *a, const struct input *in)
{
    static const enum diag_level loud[] = { DIAG_WARNING, DIAG_ERROR };
    static const enum diag_level quiet[] = { DIAG_NOTE };

    cJSON_AddBoolToObject(a, "ok", in->diags.errors == 0);
    cJSON_AddItemToObject(a, "errors", diag_list(in, DIAG_ERROR, "error"));
    cJSON_AddItemToObject(a, "warnings",
                          diag_list(in, DIAG_WARNING, "warning"));
    cJSON_AddItemToObject(a, "notes", diag_list(in, DIAG_NOTE, "note"));
    put_printed(a, "diag_text", in, loud, 2);
    put_printed(a, "notes_text", in, quiet, 1);
}

/* Shared by validate and plan: false when the request has been answered. */
static bool load(struct web_req *req, struct rack *r, struct input *in,
                 struct plan **plan)
{
    struct err err = { 0 };

    if (input_load(in, web_body(req), &r->store, &err) < 0) {
        input_release(in);
        web_error(req, err.code == ERR_NOT_FOUND ? 404 : 400, "%s", err.msg);
        return false;
    }
    *plan = input_plan(in, &r->store, "RELEASE",
                       web_bool(web_body(req), "keep_data"));
    return true;
}

void on_validate(struct web_req *req, void *user)
{
    struct input in = { 0 };
    struct plan *plan;
    struct cJSON *a;

    if (!load(req, user, &in, &plan))
        return;
    a = cJSON_CreateObject();
    view_diags(a, &in);
    web_put(a, "app", in.app);
    if (in.manifest != NULL) {
        cJSON_AddNumberToObject(a, "services",
                                (double)in.manifest->services.len);
        cJSON_AddNumberToObject(a, "resources",
                                (double)in.manifest->resources.len);
    }
    if (plan != NULL)
        plan_free(plan);
    input_release(&in);
    web_answer(req, a);
}

void on_plan(struct web_req *req, void *user)
{
    cleanup_str struct str text = { 0 };
    struct input in = { 0 };
    struct plan *plan;
    struct cJSON *a;

    if (!load(req, user, &in, &plan))
        return;
    a = cJSON_CreateObject();
    view_diags(a, &in);
    if (plan != NULL) {
        plan_print(plan, &text);
        put_masked(a, "plan", str_c(&text), &in.secrets);
        cJSON_AddItemToObject(a, "tree", plan_json(plan, &in.secrets));
        plan_free(plan);
    }
    input_release(&in);
    web_answer(req, a);
}

/* ---- what runs ---------------------------------------------------------- */

static struct cJSON *ports_json(const struct app_run *run,
                                const struct plan_service *svc)
{
    struct cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < svc->container.ports.len; i++) {
        int inside = svc->container.ports.v[i].container;
        int host =
            session_host_port(run->session, "service", svc->name, inside);
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
    int host = svc->port == 0 ? 0
                              : session_host_port(run->session, "service",
                                                  svc->name, svc->port);

    if (host == 0)
        return xstrdup("");
    return xasprintf("%s://127.0.0.1:%d",
                     svc->scheme == NULL ? "http" : svc->scheme, host);
}

struct cJSON *view_services(const struct app_run *run)
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
        cJSON_AddStringToObject(one, "status",
                                session_is_ready(run->session) ? "running"
                                                               : "starting");
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
    for (size_t i = 0; i < session_item_count(run->session); i++) {
        session_item_get(run->session, i, &item);
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

    mask_add(text == NULL ? "" : text, &run->input.secrets, &shown);
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

struct cJSON *view_resources(const struct app_run *run, bool whole)
{
    struct cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < run->plan->resources.len; i++) {
        const struct plan_resource *res = &run->plan->resources.v[i];
        int port = session_host_port(run->session, "resource", res->name, 0);
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
    web_put(one, "app", run->input.app);
    web_put(one, "service", item->name);
    cJSON_AddStringToObject(one, "status",
                            strcmp(item->state, "ready") == 0 ? "running"
                                                              : item->state);
    cJSON_AddStringToObject(one, "release", run->release);
    cJSON_AddNumberToObject(one, "started",
                            whole_seconds((uint64_t)item->started_ms));
    put_hidden(one, "command", command, run);
    cJSON_AddStringToObject(one, "session", run->id);
    cJSON_AddItemToArray(list, one);
}

/* The app of a query as rackd knows it; answers 404 and returns NULL when it
 * does not run. */
static struct app_run *asked_app(struct web_req *req, struct rack *r)
{
    cleanup_free char *app = plan_app_name(web_query(req, "app"));
    struct app_run *run = app == NULL ? NULL : rack_find_app(r, app);

    if (run == NULL)
        web_error(req, 404, "app not running: %s", web_query(req, "app"));
    return run;
}

void on_ps(struct web_req *req, void *user)
{
    struct rack *r = user;
    struct cJSON *a, *list;
    cleanup_free char *app = NULL;
    struct app_run *run;
    struct session_item item;

    if (*web_query(req, "app") != '\0') {
        if (asked_app(req, r) == NULL)
            return;
        app = plan_app_name(web_query(req, "app"));
    }
    a = cJSON_CreateObject();
    list = cJSON_AddArrayToObject(a, "processes");
    DL_FOREACH (r->runs, run) {
        if (run->session == NULL ||
            (app != NULL && strcmp(app, run->input.app) != 0))
            continue;
        for (size_t i = 0; i < session_item_count(run->session); i++) {
            session_item_get(run->session, i, &item);
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
    cJSON_AddItemToObject(a, "services", view_services(run));
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
    cJSON_AddItemToObject(a, "resources", view_resources(run, whole));
    web_answer(req, a);
}

/* ---- environment -------------------------------------------------------- */

void on_env_get(struct web_req *req, void *user)
{
    struct rack *r = user;
    cleanup_free char *app = plan_app_name(web_query(req, "app"));
    cleanup_env struct env env = { 0 };
    cleanup_strv struct strv keys = { 0 };
    struct err err = { 0 };
    struct cJSON *a, *list;

    if (app == NULL || store_env_load(&r->store, app, &env, &err) < 0) {
        web_error(req, 400, "%s", app == NULL ? "no such app" : err.msg);
        return;
    }
    for (size_t i = 0; i < env.len; i++)
        strv_add(&keys, env.v[i].key);
    strv_sort(&keys);
    a = cJSON_CreateObject();
    list = cJSON_AddArrayToObject(a, "env");
    for (size_t i = 0; i < keys.len; i++) {
        struct cJSON *one = cJSON_CreateObject();

        web_put(one, "key", keys.v[i]);
        web_put(one, "value", env_get(&env, keys.v[i]));
        cJSON_AddItemToArray(list, one);
    }
    web_answer(req, a);
}

static void apply(struct env *env, const struct cJSON *body)
{
    const struct cJSON *one;

    cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(
                                body, "set")) if (cJSON_IsString(one))
        env_parse_pair(env, one->valuestring, "cvx env set");
    cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(
                                body, "unset")) if (cJSON_IsString(one))
        env_unset(env, one->valuestring);
}

void on_env_set(struct web_req *req, void *user)
{
    struct rack *r = user;
    const struct cJSON *body = web_body(req);
    cleanup_free char *app = plan_app_name(web_query(req, "app"));
    cleanup_env struct env env = { 0 };
    struct err err = { 0 };
    struct cJSON *a;
    char release[12] = "R";

    if (app == NULL) {
        web_error(req, 400, "no such app");
        return;
    }
    if ((!web_bool(body, "replace") &&
         store_env_load(&r->store, app, &env, &err) < 0)) {
        web_error(req, 500, "%s", err.msg);
        return;
    }
    apply(&env, body);
    if (store_env_save(&r->store, app, &env, &err) < 0) {
        web_error(req, 500, "%s", err.msg);
        return;
    }
    random_text(release + 1, 10, RANDOM_CAPITALS);
    a = cJSON_CreateObject();
    cJSON_AddStringToObject(a, "release", release);
    web_answer(req, a);
}
