/* Reads logins for registries from the docker CLI's config.json. pull.c asks
 * for the login of one registry, build.c for all of them. What was read is
 * wiped from memory after use. */
#include "engine/auth.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/base64.h"
#include "engine/find.h"
#include "engine/json.h"

#define HUB "https://index.docker.io/v1/"

const char *auth_server(const char *registry)
{
    if (strcmp(registry, "docker.io") == 0 ||
        strcmp(registry, "index.docker.io") == 0)
        return HUB;
    return registry;
}

/* "https://reg.example.com/v2/" becomes "reg.example.com": people log in to a
 * registry under any of these forms. */
static char *host_of(const char *server)
{
    const char *at = strstr(server, "://");

    at = at == NULL ? server : at + 3;
    return str_dup_len(at, strcspn(at, "/"));
}

static const cJSON *find_entry(const cJSON *map, const char *server)
{
    const cJSON *entry = json_get(map, server), *item;
    cleanup_free char *host = host_of(server);

    if (entry != NULL)
        return entry;
    cJSON_ArrayForEach(item, map)
    {
        cleanup_free char *other = host_of(item->string);

        if (strcmp(other, host) == 0)
            return item;
    }
    return NULL;
}

static cJSON *read_config(const char *config_dir)
{
    cleanup_free char *path = NULL, *text = NULL;

    if (config_dir == NULL)
        return NULL;
    path = xasprintf("%s/config.json", config_dir);
    text = find_read(path);
    return text == NULL ? NULL : cJSON_Parse(text);
}

/* Reads an entry of `auths`; its "auth" is the base64 of user:password. */
static bool read_entry(struct auth *out, const cJSON *entry)
{
    struct str pair = { 0 };
    char *colon;

    if (*json_text(entry, "identitytoken") != '\0')
        out->token = xstrdup(json_text(entry, "identitytoken"));
    if (*json_text(entry, "username") != '\0') {
        out->username = xstrdup(json_text(entry, "username"));
        out->password = xstrdup(json_text(entry, "password"));
    } else if (base64_decode(&pair, json_text(entry, "auth")) && pair.len > 0) {
        colon = strchr(pair.s, ':');
        if (colon != NULL) {
            *colon = '\0';
            out->username = xstrdup(pair.s);
            out->password = xstrdup(colon + 1);
        }
    }
    if (pair.s != NULL)
        explicit_bzero(pair.s, pair.cap);
    str_release(&pair);
    return out->username != NULL || out->token != NULL;
}

bool auth_read(struct auth *out, char **helper, const char *config_dir,
               const char *server)
{
    cJSON *json = read_config(config_dir);
    const char *name;
    bool found = false;

    *out = (struct auth){ 0 };
    *helper = NULL;
    name =
        cJSON_GetStringValue(find_entry(json_map(json, "credHelpers"), server));
    if (name == NULL || *name == '\0')
        name = json_text(json, "credsStore");
    /* The name becomes part of a program's name, and a '/' in it would run any
     * program. */
    if (*name != '\0' && strchr(name, '/') == NULL)
        *helper = xstrdup(name);
    else
        found = read_entry(out, find_entry(json_map(json, "auths"), server));
    cJSON_Delete(json);
    return found;
}

void auth_release(struct auth *a)
{
    char *const secrets[] = { a->username, a->password, a->token };

    for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++) {
        if (secrets[i] != NULL)
            explicit_bzero(secrets[i], strlen(secrets[i]));
        free(secrets[i]);
    }
    *a = (struct auth){ 0 };
}

static cJSON *auth_json(const struct auth *a, const char *server)
{
    cJSON *json = cJSON_CreateObject();

    if (a->token != NULL) {
        json_add_text(json, "identitytoken", a->token);
    } else {
        json_add_text(json, "username", a->username);
        json_add_text(json, "password", a->password);
    }
    json_add_text(json, "serveraddress", server);
    return json;
}

static char *encode(cJSON *json)
{
    char *text = json_take_text(json);
    char *value = base64_url(text, strlen(text));

    explicit_bzero(text, strlen(text));
    free(text);
    return value;
}

char *auth_header(const struct auth *a, const char *server)
{
    return encode(auth_json(a, server));
}

char *auth_config(const char *config_dir)
{
    cJSON *json = read_config(config_dir), *out = cJSON_CreateObject();
    const cJSON *entry;

    cJSON_ArrayForEach(entry, json_map(json, "auths"))
    {
        struct auth a = { 0 };

        if (read_entry(&a, entry))
            cJSON_AddItemToObject(out, entry->string,
                                  auth_json(&a, entry->string));
        auth_release(&a);
    }
    cJSON_Delete(json);
    if (cJSON_GetArraySize(out) == 0) {
        cJSON_Delete(out);
        return NULL;
    }
    return encode(out);
}
