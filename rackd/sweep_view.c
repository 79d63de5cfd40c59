#include <cjson/cJSON.h>
#include <stdio.h>

#include "base/env.h"
#include "base/err.h"
#include "base/mem.h"
#include "control/control.h"
#include "rack.h"
#include "sweep.h"

/* One `cvx sweep`. */
struct visit {
    struct rack *rack;
    struct control_req *req; /* NULL: the client went away */
    bool dry;
    size_t found;
};

/* In order of time. */
static void on_link(struct link *link, const struct err *err, void *user);
static void on_object(const struct sweep_object *object, void *user);
static void on_done(size_t left, const struct err *err, void *user);
static void finish(struct visit *v, int status);

static void on_gone(struct control_req *req, void *user)
{
    struct visit *v = user;

    (void)req;
    v->req = NULL; /* what was begun goes on */
}

void on_sweep(struct control_req *req, void *user)
{
    struct visit *v = xcalloc(1, sizeof(*v));
    cleanup_env struct env env = { 0 };

    v->rack = user;
    v->req = req;
    v->dry = control_bool(control_body(req), "dry_run");
    input_client_env(&env, control_body(req));
    control_stream(req, on_gone, v);
    rack_link(v->rack, &env, on_link, v);
}

static void tell_error(struct visit *v, const char *text, const char *why)
{
    struct cJSON *e;

    if (v->req == NULL)
        return;
    e = cJSON_CreateObject();
    cJSON_AddStringToObject(e, "type", "error");
    control_put(e, "text", text);
    control_put(e, "why", why);
    control_event(v->req, e);
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
    control_put(e, "name", object->name);
    control_put(e, "id", object->id);
    control_put(e, "app", object->app);
    control_put(e, "why", object->why);
    cJSON_AddBoolToObject(e, "removed", !v->dry && object->err == NULL);
    control_put(e, "error", object->err == NULL ? "" : object->err->msg);
    control_event(v->req, e);
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
        control_event(v->req, e);
        control_end(v->req);
    }
    free(v);
}
