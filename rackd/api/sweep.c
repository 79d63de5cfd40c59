#include <cjson/cJSON.h>
#include <stdio.h>

#include "base/env.h"
#include "base/err.h"
#include "base/mem.h"
#include "guard/sweep.h"
#include "rack.h"
#include "web/web.h"

/* One `cvx sweep`. */
struct visit {
    struct rack *rack;
    struct web_req *req; /* NULL: the client went away */
    bool dry;
    size_t found;
};

/* In order of time. */
static void on_link(struct link *link, const struct err *err, void *user);
static void on_object(const struct sweep_object *object, void *user);
static void on_done(size_t left, const struct err *err, void *user);
static void finish(struct visit *v, int status);

static void on_gone(struct web_req *req, void *user)
{
    struct visit *v = user;

    (void)req;
    v->req = NULL; /* what was begun goes on */
}

void on_sweep(struct web_req *req, void *user)
{
    struct visit *v = xcalloc(1, sizeof(*v));
    cleanup_env struct env env = { 0 };

    v->rack = user;
    v->req = req;
    v->dry = web_bool(web_body(req), "dry_run");
    input_client_env(&env, web_body(req));
    web_stream(req, on_gone, v);
    rack_link(v->rack, &env, on_link, v);
}

static void tell_error(struct visit *v, const char *text, const char *why)
{
    struct cJSON *e;

    if (v->req == NULL)
        return;
    e = cJSON_CreateObject();
    cJSON_AddStringToObject(e, "type", "error");
    web_put(e, "text", text);
    web_put(e, "why", why);
    web_event(v->req, e);
}

static void on_link(struct link *link, const struct err *err, void *user)
{
    struct visit *v = user;

    if (err != NULL) {
        tell_error(v, "no container engine answers", err->msg);
        finish(v, 1);
        return;
    }
    sweep_start(&(struct sweep_spec){ .link = link,
                                      .dry = v->dry,
                                      .on_object = on_object,
                                      .on_done = on_done,
                                      .user = v });
}

static void on_object(const struct sweep_object *object, void *user)
{
    struct visit *v = user;
    struct cJSON *e;

    v->found++;
    if (v->req == NULL)
        return;
    e = cJSON_CreateObject();
    cJSON_AddStringToObject(e, "type", "leftover");
    cJSON_AddStringToObject(e, "kind", object->kind);
    web_put(e, "name", object->name);
    web_put(e, "id", object->id);
    web_put(e, "app", object->app);
    web_put(e, "why", object->why);
    cJSON_AddBoolToObject(e, "removed", !v->dry && object->err == NULL);
    web_put(e, "error", object->err == NULL ? "" : object->err->msg);
    web_event(v->req, e);
}

static void on_done(size_t left, const struct err *err, void *user)
{
    struct visit *v = user;

    if (err != NULL)
        tell_error(v, "the engine does not say what it has", err->msg);
    finish(v, left > 0 || err != NULL ? 1 : 0);
}

static void finish(struct visit *v, int status)
{
    struct cJSON *e;

    if (v->req != NULL) {
        e = cJSON_CreateObject();
        cJSON_AddStringToObject(e, "type", "end");
        cJSON_AddNumberToObject(e, "status", status);
        cJSON_AddNumberToObject(e, "found", (double)v->found);
        web_event(v->req, e);
        web_end(v->req);
    }
    free(v);
}
