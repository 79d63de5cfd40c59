/*
 * POST /resources/reset: forgets the data that --keep-data kept of a resource,
 * or of a whole app.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/input.h"
#include "api/routes.h"
#include "base/env.h"
#include "base/err.h"
#include "base/label.h"
#include "base/mem.h"
#include "base/strv.h"
#include "engine/engine.h"
#include "plan/plan.h"
#include "rack/link.h"
#include "store/store.h"
#include "web/web.h"

/* One `cvx resources reset` or `cvx down --data`. */
struct reset {
    struct api *api;
    struct web_req *req;
    char *app, *name;
    struct link *link;
    unsigned pending, removed;
    struct err err; /* the first refusal */
};

/*
 * In order of time: the engine is found, its volumes are listed, and those
 * kept for this resource of this app are removed.
 */
static void on_link(struct link *link, const struct err *err, void *user);
static void on_volumes(const struct engine_object *list, size_t count,
                       const struct err *err, void *user);
static void on_removed(const struct err *err, void *user);
static void finish(struct reset *rs);

void on_reset(struct web_req *req, void *user)
{
    struct reset *rs;
    cleanup_env struct env env = { 0 };
    char *app = plan_app_name(web_query(req, "app"));

    if (app == NULL) {
        web_error(req, 400, "the name of an app is wanted");
        return;
    }
    rs = xcalloc(1, sizeof(*rs));
    rs->api = user;
    rs->req = req;
    rs->app = app;
    rs->name = xstrdup(web_query(req, "name"));
    input_client_env(&env, web_body(req));
    links_find(rs->api->links, &env, on_link, rs);
}

static void fail(struct reset *rs, const struct err *err)
{
    if (rs->err.code == ERR_NONE)
        rs->err = *err;
}

static void on_link(struct link *link, const struct err *err, void *user)
{
    struct reset *rs = user;
    cleanup_free char *label = NULL;

    if (err != NULL) {
        fail(rs, err);
        finish(rs);
        return;
    }
    rs->link = link;
    label = xasprintf(LABEL_RACK "=%s", rs->api->store->rack_id);
    engine_volume_list(link->engine, label, on_volumes, rs);
}

/* Only what carries our rack's label, is kept, and is this resource's; no
 * name: the app's. */
static bool is_asked_for(const struct reset *rs, const struct strv *labels)
{
    cleanup_free char *app = xasprintf(LABEL_APP "=%s", rs->app);
    cleanup_free char *name = xasprintf(LABEL_RESOURCE "=%s", rs->name);

    return strv_has(labels, LABEL_KEEP "=true") && strv_has(labels, app) &&
           (*rs->name == '\0' || strv_has(labels, name));
}

static void on_volumes(const struct engine_object *list, size_t count,
                       const struct err *err, void *user)
{
    struct reset *rs = user;

    rs->pending = 1; /* this answer itself */
    if (err != NULL)
        fail(rs, err);
    for (size_t i = 0; err == NULL && i < count; i++) {
        if (!is_asked_for(rs, &list[i].labels))
            continue;
        rs->pending++;
        rs->removed++;
        engine_volume_remove(rs->link->engine, list[i].id, on_removed, rs);
    }
    on_removed(NULL, rs);
}

static void on_removed(const struct err *err, void *user)
{
    struct reset *rs = user;

    if (err != NULL)
        fail(rs, err);
    if (--rs->pending == 0)
        finish(rs);
}

static void finish(struct reset *rs)
{
    struct cJSON *a;

    if (rs->err.code != ERR_NONE) {
        web_error(rs->req, rs->err.code == ERR_CONFLICT ? 409 : 500, "%s",
                  rs->err.msg);
    } else if (rs->removed == 0) {
        web_error(rs->req, 404, "no data is kept for %s: %s",
                  *rs->name == '\0' ? "app" : "resource",
                  *rs->name == '\0' ? rs->app : rs->name);
    } else {
        a = cJSON_CreateObject();
        cJSON_AddNumberToObject(a, "volumes", rs->removed);
        web_answer(rs->req, a);
    }
    free(rs->app);
    free(rs->name);
    free(rs);
}
