/* GET and POST /env: the environment that the rack stores for an app. */
#include <cjson/cJSON.h>

#include "api/api.h"
#include "api/routes.h"
#include "base/env.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/strv.h"
#include "plan/plan.h"
#include "store/store.h"
#include "web/web.h"

void on_env_get(struct web_req *req, void *user)
{
    struct api *api = user;
    cleanup_free char *app = plan_app_name(web_query(req, "app"));
    cleanup_env struct env env = { 0 };
    cleanup_strv struct strv keys = { 0 };
    struct err err = { 0 };
    struct cJSON *a, *list;

    if (app == NULL || store_env_load(api->store, app, &env, &err) < 0) {
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
    struct api *api = user;
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
         store_env_load(api->store, app, &env, &err) < 0)) {
        web_error(req, 500, "%s", err.msg);
        return;
    }
    apply(&env, body);
    if (store_env_save(api->store, app, &env, &err) < 0) {
        web_error(req, 500, "%s", err.msg);
        return;
    }
    random_text(release + 1, 10, RANDOM_CAPITALS);
    a = cJSON_CreateObject();
    cJSON_AddStringToObject(a, "release", release);
    web_answer(req, a);
}
