/* POST /sweep: what dead racks left on an engine is removed by hand, or shown.
 */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "api/api.h"
#include "api/input.h"
#include "api/routes.h"
#include "base/env.h"
#include "base/err.h"
#include "base/mem.h"
#include "guard/sweep.h"
#include "guard/sweeper.h"
#include "rack/link.h"
#include "web/web.h"

/* One `cvx sweep`. */
struct sweep_request {
    struct web_req *req; /* NULL: the client went away */
    bool dry;
    size_t found;
};

/* In order of time. */
static void on_link(struct link *link, const struct err *err, void *user);
static void on_object(const struct sweep_object *object, void *user);
static void on_done(size_t left, const struct err *err, void *user);
static void finish(struct sweep_request *r, int status);

static void on_gone(struct web_req *req, void *user)
{
    struct sweep_request *r = user;

    (void)req;
    r->req = NULL; /* what was begun goes on */
}

void on_sweep(struct web_req *req, void *user)
{
    struct sweep_request *r = xcalloc(1, sizeof(*r));
    struct api *api = user;
    cleanup_env struct env env = { 0 };

    r->req = req;
    r->dry = web_bool(web_body(req), "dry_run");
    input_client_env(&env, web_body(req));
    web_stream(req, on_gone, r);
    links_find(api->links, &env, on_link, r);
}

static void tell_error(struct sweep_request *r, const char *text,
                       const char *why)
{
    struct cJSON *e;

    if (r->req == NULL)
        return;
    e = cJSON_CreateObject();
    cJSON_AddStringToObject(e, "type", "error");
    web_put(e, "text", text);
    web_put(e, "why", why);
    web_event(r->req, e);
}

static void on_link(struct link *link, const struct err *err, void *user)
{
    struct sweep_request *r = user;

    if (err != NULL) {
        tell_error(r, "no container engine answers", err->msg);
        finish(r, 1);
        return;
    }
    sweep_start(&(struct sweep_spec){ .scope = sweeper_scope(link->sweeper),
                                      .dry = r->dry,
                                      .on_object = on_object,
                                      .on_done = on_done,
                                      .user = r });
}

static void on_object(const struct sweep_object *object, void *user)
{
    struct sweep_request *r = user;
    struct cJSON *e;

    r->found++;
    if (r->req == NULL)
        return;
    e = cJSON_CreateObject();
    cJSON_AddStringToObject(e, "type", "leftover");
    cJSON_AddStringToObject(e, "kind", object->kind);
    web_put(e, "name", object->name);
    web_put(e, "id", object->id);
    web_put(e, "app", object->app);
    web_put(e, "why", object->why);
    cJSON_AddBoolToObject(e, "removed", !r->dry && object->err == NULL);
    web_put(e, "error", object->err == NULL ? "" : object->err->msg);
    web_event(r->req, e);
}

static void on_done(size_t left, const struct err *err, void *user)
{
    struct sweep_request *r = user;

    if (err != NULL)
        tell_error(r, "the engine does not say what it has", err->msg);
    finish(r, left > 0 || err != NULL ? 1 : 0);
}

static void finish(struct sweep_request *r, int status)
{
    struct cJSON *e;

    if (r->req != NULL) {
        e = cJSON_CreateObject();
        cJSON_AddStringToObject(e, "type", "end");
        cJSON_AddNumberToObject(e, "status", status);
        cJSON_AddNumberToObject(e, "found", (double)r->found);
        web_event(r->req, e);
        web_end(r->req);
    }
    free(r);
}
