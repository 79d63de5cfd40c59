/* Which app a command is about, and the "source" that rackd gets: directory,
 * manifest, variables. Every command that names an app, and every one that
 * reads convox.yml, calls it. */
#include "cli/app.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/percent.h"
#include "base/str.h"
#include "base/strv.h"
#include "cli/client.h"
#include "cli/flags.h"

/* Bytes. A larger .convox/app is not read. */
#define NAME_FILE_MAX ((size_t)4096)

/* The first line of .convox/app, trimmed; NULL when there is none. */
static char *name_from_file(void)
{
    static const char path[] = ".convox/app";
    cleanup_str struct str text = { 0 };
    struct err err;
    const char *name;
    size_t len;

    if (file_read(&text, path, path, NAME_FILE_MAX, &err) < 0)
        return NULL;
    name = str_c(&text) + strspn(str_c(&text), " \t\r\n");
    len = strcspn(name, "\r\n");
    while (len > 0 && strchr(" \t", name[len - 1]) != NULL)
        len--;
    return len == 0 ? NULL : str_dup_len(name, len);
}

static char *current_dir(struct err *err)
{
    char *dir = getcwd(NULL, 0);

    if (dir == NULL)
        err_set(err, ERR_SYSTEM, "the current directory: %s", strerror(errno));
    return dir;
}

char *app_name(const struct flags *flags, struct err *err)
{
    const char *given = flags_get(flags, "app");
    cleanup_free char *dir = NULL;
    char *name;

    if (given != NULL && *given != '\0')
        return xstrdup(given);
    name = name_from_file();
    if (name != NULL)
        return name;
    dir = current_dir(err);
    if (dir == NULL)
        return NULL;
    if (strcmp(dir, "/") == 0) {
        err_set(err, ERR_INVALID, "app required: -a APP");
        return NULL;
    }
    return xstrdup(strrchr(dir, '/') + 1);
}

char *app_target(const struct flags *flags, const char *path, struct err *err)
{
    cleanup_free char *name = app_name(flags, err);
    struct str target = { 0 };

    if (name == NULL)
        return NULL;
    str_printf(&target, "%s%capp=", path, strchr(path, '?') ? '&' : '?');
    percent_encode(&target, name, "");
    return str_take(&target);
}

cJSON *app_reset(const struct flags *flags, const char *resource,
                 struct err *err)
{
    cleanup_client struct client c = { 0 };
    cleanup_free char *target = app_target(flags, "/resources/reset", err);
    cleanup_str struct str full = { 0 };
    cJSON *body, *answer;

    if (target == NULL || client_open(&c, CLIENT_START, err) < 0)
        return NULL;
    str_printf(&full, "%s&name=", target);
    percent_encode(&full, resource, "");
    body = cJSON_CreateObject();
    cJSON_AddItemToObject(body, "client_env", app_client_env());
    answer = client_call(&c, "POST", str_c(&full), body, err);
    cJSON_Delete(body);
    return answer;
}

cJSON *app_client_env(void)
{
    static const char *const names[] = {
        "HOME",           "XDG_RUNTIME_DIR",  "XDG_CONFIG_HOME",
        "DOCKER_HOST",    "DOCKER_CONTEXT",   "DOCKER_CONFIG",
        "CONTAINER_HOST", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY",
    };
    cJSON *env = cJSON_CreateObject();

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (getenv(names[i]) != NULL)
            cJSON_AddStringToObject(env, names[i], getenv(names[i]));
    return env;
}

/* cJSON_CreateStringArray() of an empty list gives no list, so it is built by
 * hand. */
cJSON *app_strings(const struct strv *list)
{
    cJSON *json = cJSON_CreateArray();

    for (size_t i = 0; i < list->len; i++)
        cJSON_AddItemToArray(json, cJSON_CreateString(list->v[i]));
    return json;
}

static void add_list(cJSON *json, const char *key, const struct flags *flags,
                     const char *flag)
{
    cleanup_strv struct strv list = { 0 };

    flags_all(flags, flag, &list);
    cJSON_AddItemToObject(json, key, app_strings(&list));
}

/* Refuses a -e without "=", which would otherwise be dropped silently. */
static int check_env(const struct flags *flags, struct err *err)
{
    cleanup_strv struct strv list = { 0 };

    flags_all(flags, "env", &list);
    for (size_t i = 0; i < list.len; i++)
        if (strchr(list.v[i], '=') == NULL || list.v[i][0] == '=')
            return err_set(err, ERR_INVALID, "Key=Value expected: %s",
                           list.v[i]);
    return 0;
}

cJSON *app_source(const struct flags *flags, struct err *err)
{
    cleanup_free char *dir = current_dir(err);
    const char *manifest = flags_get(flags, "manifest");
    const char *app = flags_get(flags, "app");
    cJSON *json;

    if (dir == NULL || check_env(flags, err) < 0)
        return NULL;
    json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "dir", dir);
    cJSON_AddStringToObject(json, "manifest",
                            manifest == NULL ? "convox.yml" : manifest);
    cJSON_AddStringToObject(json, "app", app == NULL ? "" : app);
    add_list(json, "env", flags, "env");
    add_list(json, "env_files", flags, "env-file");
    cJSON_AddItemToObject(json, "client_env", app_client_env());
    return json;
}
