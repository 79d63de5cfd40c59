/*
 * POST /templates, /templates/build and /templates/prune: which templates an
 * engine has; making those of an app ahead; removing them.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/input.h"
#include "api/json.h"
#include "api/routes.h"
#include "base/env.h"
#include "base/err.h"
#include "base/mem.h"
#include "plan/plan.h"
#include "prepared/template_list.h"
#include "prepared/templates.h"
#include "rack/link.h"
#include "web/web.h"

/* One `cvx templates`, or one of its kind. */
struct template_request {
    struct api *api;
    struct link *link;
    struct web_req *req; /* NULL: the client went away */
    bool stale_only, all;
    struct input input; /* build */
    struct plan *plan;
    unsigned pending, failed;
};

/* One that is being removed. */
struct removal {
    struct template_request *request;
    struct cJSON *event;
};

/*
 * In order of time. The list, and what is removed of it:
 */
static void on_link_to_list(struct link *link, const struct err *err,
                            void *user);
static void on_list(const struct template_info *list, size_t count,
                    const struct err *err, void *user);
static void on_link_to_prune(struct link *link, const struct err *err,
                             void *user);
static void on_list_to_prune(const struct template_info *list, size_t count,
                             const struct err *err, void *user);

/* Those of an app, made ahead: */
static void on_link_to_build(struct link *link, const struct err *err,
                             void *user);
static void on_template(const char *state, const char *resource,
                        const char *text, void *user);

static void on_gone(struct web_req *req, void *user)
{
    struct template_request *v = user;

    (void)req;
    v->req = NULL; /* what was begun goes on */
}

static struct template_request *request_new(struct api *api,
                                            struct web_req *req)
{
    struct template_request *v = xcalloc(1, sizeof(*v));

    v->api = api;
    v->req = req;
    web_stream(req, on_gone, v);
    return v;
}

static struct cJSON *event(const char *type)
{
    struct cJSON *e = cJSON_CreateObject();

    cJSON_AddStringToObject(e, "type", type);
    return e;
}

static void tell(struct template_request *v, struct cJSON *e)
{
    if (v->req != NULL)
        web_event(v->req, e);
    else
        cJSON_Delete(e);
}

static void tell_error(struct template_request *v, const char *text,
                       const char *why)
{
    struct cJSON *e = event("error");

    web_put(e, "text", text);
    web_put(e, "why", why);
    v->failed++;
    tell(v, e);
}

static void finish(struct template_request *v)
{
    struct cJSON *e = event("end");

    cJSON_AddNumberToObject(e, "status", v->failed > 0 ? 1 : 0);
    tell(v, e);
    if (v->req != NULL)
        web_end(v->req);
    plan_free(v->plan);
    input_release(&v->input);
    free(v);
}

static bool has_link(struct template_request *v, struct link *link,
                     const struct err *err)
{
    v->link = link;
    if (err == NULL)
        return true;
    tell_error(v, "no container engine answers", err->msg);
    finish(v);
    return false;
}

static void find_link(struct template_request *v, const struct web_req *req,
                      link_cb cb)
{
    cleanup_env struct env env = { 0 };

    input_client_env(&env, web_body(req));
    links_find(v->api->links, &env, cb, v);
}

/* ---- the list ------------------------------------------------------------ */

void on_templates(struct web_req *req, void *user)
{
    struct template_request *v = request_new(user, req);

    v->all = web_bool(web_body(req), "all");
    find_link(v, req, on_link_to_list);
}

static void on_link_to_list(struct link *link, const struct err *err,
                            void *user)
{
    struct template_request *v = user;

    if (has_link(v, link, err))
        template_list_ask(v->api->template_list, link, v->all, on_list, v);
}

static struct cJSON *template_event(const struct template_info *t)
{
    struct cJSON *e = event("template");

    web_put(e, "name", *t->name == '\0' ? t->id : t->name);
    web_put(e, "kind", t->kind);
    web_put(e, "image", t->image);
    cJSON_AddNumberToObject(e, "size", (double)t->size);
    cJSON_AddNumberToObject(e, "made", (double)t->made);
    cJSON_AddNumberToObject(e, "used", (double)t->used);
    cJSON_AddBoolToObject(e, "stale", t->stale);
    cJSON_AddBoolToObject(e, "foreign", t->foreign);
    cJSON_AddBoolToObject(e, "unfinished", *t->name == '\0');
    return e;
}

static void on_list(const struct template_info *list, size_t count,
                    const struct err *err, void *user)
{
    struct template_request *v = user;

    if (err != NULL)
        tell_error(v, "the engine does not say which images it has", err->msg);
    while (count > 0) /* the one used last comes first */
        tell(v, template_event(&list[--count]));
    finish(v);
}

/* ---- prune --------------------------------------------------------------- */

void on_templates_prune(struct web_req *req, void *user)
{
    struct template_request *v = request_new(user, req);

    v->stale_only = web_bool(web_body(req), "stale");
    v->all = web_bool(web_body(req), "all");
    find_link(v, req, on_link_to_prune);
}

static void on_link_to_prune(struct link *link, const struct err *err,
                             void *user)
{
    struct template_request *v = user;

    if (has_link(v, link, err))
        template_list_ask(v->api->template_list, link, v->all, on_list_to_prune,
                          v);
}

static void one_done(struct template_request *v)
{
    if (--v->pending == 0)
        finish(v);
}

static void on_pruned(const struct err *err, void *user)
{
    struct removal *r = user;
    struct template_request *v = r->request;

    if (err == NULL) {
        tell(v, r->event);
    } else {
        tell_error(v, "a template is in use", err->msg);
        cJSON_Delete(r->event);
    }
    free(r);
    one_done(v);
}

static void prune(struct template_request *v, const struct template_info *t)
{
    struct removal *r = xcalloc(1, sizeof(*r));

    r->request = v;
    r->event = template_event(t);
    v->pending++;
    template_remove_told(v->api->template_list, v->link,
                         *t->name == '\0' ? t->id : t->name, on_pruned, r);
}

static void on_list_to_prune(const struct template_info *list, size_t count,
                             const struct err *err, void *user)
{
    struct template_request *v = user;

    if (err != NULL)
        tell_error(v, "the engine does not say which images it has", err->msg);
    v->pending = 1; /* this answer itself */
    for (size_t i = 0; i < count; i++)
        if (!v->stale_only || list[i].stale || *list[i].name == '\0')
            prune(v, &list[i]);
    one_done(v);
}

/* ---- build --------------------------------------------------------------- */

static void refuse(struct template_request *v, const char *text)
{
    struct cJSON *e = event("error");

    cJSON_AddStringToObject(e, "text", text);
    if (v->input.diags.errors > 0)
        put_diags(e, &v->input);
    v->failed++;
    tell(v, e);
    finish(v);
}

void on_templates_build(struct web_req *req, void *user)
{
    struct template_request *v = request_new(user, req);
    const struct cJSON *body = web_body(req);
    struct api *api = v->api;
    struct err err = { 0 };

    if (api->templates == NULL) {
        refuse(v, "templates are switched off (CVX_TEMPLATES_MB=0)");
        return;
    }
    if (input_load(&v->input, body, api->store, &err) < 0) {
        refuse(v, err.msg);
        return;
    }
    v->plan = input_plan(&v->input, api->store, "template", false);
    if (v->plan == NULL) {
        refuse(v, "convox.yml has errors; nothing was made");
        return;
    }
    links_find(api->links, &v->input.client_env, on_link_to_build, v);
}

static void on_link_to_build(struct link *link, const struct err *err,
                             void *user)
{
    struct template_request *v = user;

    if (!has_link(v, link, err))
        return;
    if (!templates_make(v->api->templates, link, v->plan, &v->input.client_env,
                        v->input.dir, on_template, v))
        finish(v); /* none of its resources can have one */
}

static void on_template(const char *state, const char *resource,
                        const char *text, void *user)
{
    struct template_request *v = user;
    struct cJSON *e;

    if (strcmp(state, "end") == 0) {
        if (*text != '\0')
            tell_error(v, text, NULL);
        finish(v);
        return;
    }
    e = event("template");
    cJSON_AddStringToObject(e, "state", state);
    web_put(e, "resource", resource);
    web_put(e, "name", text);
    tell(v, e);
}
