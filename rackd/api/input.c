/*
 * Reads what a request names, for start, validate, plan and templates: the
 * manifest, environment files and the stored environment become a plan.
 */
#include "api/input.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "manifest/manifest.h"
#include "plan/mask.h"
#include "plan/plan.h"
#include "store/store.h"
#include "web/web.h"

static char *absolute(const char *dir, const char *path)
{
    return path[0] == '/' ? xstrdup(path) : xasprintf("%s/%s", dir, path);
}

char *input_app_name(const char *given, const char *dir)
{
    cleanup_free char *path = xasprintf("%s/.convox/app", dir);
    cleanup_str struct str text = { 0 };
    const char *slash = strrchr(dir, '/');
    struct err err = { 0 };

    if (*given != '\0')
        return plan_app_name(given);
    if (file_read(&text, path, path, 4096, &err) == 0) {
        str_cut(&text, strcspn(str_c(&text), "\r\n"));
        if (text.len > 0)
            return plan_app_name(str_c(&text));
    }
    return plan_app_name(slash == NULL ? dir : slash + 1);
}

void input_client_env(struct env *out, const struct cJSON *body)
{
    const struct cJSON *list =
        cJSON_GetObjectItemCaseSensitive(body, "client_env");
    const struct cJSON *one;

    cJSON_ArrayForEach(one, list)
    {
        if (cJSON_IsString(one))
            env_set(out, one->string, one->valuestring, "environment");
    }
}

/* ---- the manifest ------------------------------------------------------- */

static int read_manifest(struct input *in, const char *dir, struct err *err)
{
    cleanup_free char *path = absolute(dir, in->manifest_name);
    cleanup_str struct str text = { 0 };
    char *slash;

    if (file_read(&text, path, in->manifest_name, MANIFEST_MAX, err) < 0)
        return -1;
    in->text_len = text.len;
    in->text = str_take(&text);
    in->dir = realpath(path, NULL);
    if (in->dir == NULL)
        in->dir = xstrdup(path);
    slash = strrchr(in->dir, '/');
    slash[slash == in->dir ? 1 : 0] = '\0'; /* "/" stays itself */
    return 0;
}

/* ---- the environment ---------------------------------------------------- */

static int add_env_file(struct input *in, const char *path, const char *shown,
                        const char *source, bool must, struct err *err)
{
    cleanup_str struct str text = { 0 };
    struct err local = { 0 };

    if (file_read(&text, path, shown, INPUT_ENV_MAX, &local) < 0) {
        if (!must && local.code == ERR_NOT_FOUND)
            return 0;
        *err = local;
        return -1;
    }
    env_parse(&in->env, str_c(&text), text.len, true, source);
    return 0;
}

static int add_env_files(struct input *in, const char *dir,
                         const struct cJSON *body, struct err *err)
{
    const struct cJSON *one,
        *list = cJSON_GetObjectItemCaseSensitive(body, "env_files");
    cleanup_free char *beside = xasprintf("%s/.env", in->dir);

    if (add_env_file(in, beside, ".env", ".env", false, err) < 0)
        return -1;
    cJSON_ArrayForEach(one, list)
    {
        cleanup_free char *path = NULL;

        if (!cJSON_IsString(one))
            continue;
        path = absolute(dir, one->valuestring);
        if (add_env_file(in, path, one->valuestring, "--env-file", true, err) <
            0)
            return -1;
    }
    return 0;
}

static int add_env_args(struct input *in, const struct cJSON *body,
                        struct err *err)
{
    const struct cJSON *one,
        *list = cJSON_GetObjectItemCaseSensitive(body, "env");

    cJSON_ArrayForEach(one, list)
    {
        if (!cJSON_IsString(one) ||
            !env_parse_pair(&in->env, one->valuestring, "-e"))
            return err_set(err, ERR_INVALID,
                           "-e wants KEY=VALUE, not \"%.80s\"",
                           cJSON_IsString(one) ? one->valuestring : "?");
    }
    return 0;
}

int input_load(struct input *in, const struct cJSON *body,
               const struct store *store, struct err *err)
{
    const char *dir = web_text(body, "dir");
    const char *manifest = web_text(body, "manifest");

    if (dir[0] != '/')
        return err_set(err, ERR_INVALID, "dir must be an absolute path");
    in->manifest_name = xstrdup(*manifest == '\0' ? "convox.yml" : manifest);
    in->strict = web_bool(body, "strict");
    input_client_env(&in->client_env, body);
    if (read_manifest(in, dir, err) < 0)
        return -1;
    in->app = input_app_name(web_text(body, "app"), in->dir);
    if (in->app == NULL)
        return err_set(err, ERR_INVALID,
                       *web_text(body, "app") != '\0'
                           ? "-a: an app's name has letters or digits"
                           : "this directory's name makes no app name: use "
                             "-a APP");
    if (store_env_load(store, in->app, &in->env, err) < 0 ||
        add_env_files(in, dir, body, err) < 0 ||
        add_env_args(in, body, err) < 0)
        return -1;
    mask_collect_env(&in->env, STORE_ENV_SOURCE, &in->secrets);
    in->manifest = manifest_load(in->text, in->text_len, &in->env, &in->diags);
    return 0;
}

struct plan *input_plan(struct input *in, const struct store *store,
                        const char *release, bool keep_data)
{
    struct plan *plan = NULL;

    if (in->manifest != NULL)
        plan = plan_make(in->manifest,
                         &(struct plan_opts){ .app = in->app,
                                              .rack = "local",
                                              .release = release,
                                              .build_id = "BLOCAL",
                                              .rack_url = "",
                                              .password = store->password,
                                              .env = &in->env,
                                              .keep_data = keep_data },
                         &in->diags);
    if (plan != NULL)
        mask_collect(plan, &in->secrets);
    if (in->strict)
        diags_strict(&in->diags);
    diags_sort(&in->diags);
    if (in->diags.errors == 0)
        return plan;
    if (plan != NULL)
        plan_free(plan);
    return NULL;
}

void input_release(struct input *in)
{
    free(in->dir);
    free(in->manifest_name);
    free(in->app);
    free(in->text);
    env_release(&in->env);
    env_release(&in->client_env);
    strv_release(&in->secrets);
    diags_release(&in->diags);
    if (in->manifest != NULL)
        manifest_free(in->manifest);
    *in = (struct input){ 0 };
}
