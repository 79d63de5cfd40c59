/* Finds the engine: DOCKER_HOST, docker contexts, the usual sockets, and the
 * certificates that go with them. rack/ asks when a start needs an engine, and
 * `cvx doctor` does. */
#include "engine/find.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/env.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/engine.h"
#include "engine/json.h"

/* Bytes. No config file of the docker CLI is nearly as large. */
#define CONFIG_MAX ((size_t)1 << 20)

static const char *get(const struct env *env, const char *key)
{
    const char *value = env_get(env, key);

    return value == NULL || *value == '\0' ? NULL : value;
}

char *find_read(const char *path)
{
    struct str text = { 0 };
    struct err err;

    if (file_read(&text, path, path, CONFIG_MAX, &err) < 0) {
        str_release(&text);
        return NULL;
    }
    return str_take(&text);
}

char *find_config_dir(const struct env *env)
{
    const char *dir = get(env, "DOCKER_CONFIG"), *home = get(env, "HOME");

    if (dir != NULL)
        return xstrdup(dir);
    return home == NULL ? NULL : xasprintf("%s/.docker", home);
}

int find_check(const char *endpoint, struct err *err)
{
    static const char *const good[] = { "unix://", "tcp://", "http://",
                                        "https://" };

    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        if (str_starts(endpoint, good[i]) && endpoint[strlen(good[i])] != '\0')
            return 0;
    }
    if (str_starts(endpoint, "ssh://"))
        return err_set(err, ERR_INVALID,
                       "%s: an engine behind ssh cannot be used directly; "
                       "forward its socket (ssh -nNT -L "
                       "/tmp/engine.sock:/var/run/docker.sock %s) and set "
                       "DOCKER_HOST=unix:///tmp/engine.sock",
                       endpoint, endpoint + strlen("ssh://"));
    return err_set(err, ERR_INVALID,
                   "%s: not an engine's address; it is unix:///PATH or "
                   "tcp://HOST:PORT",
                   endpoint);
}

/* ---- contexts ------------------------------------------------------------ */

/* The name of the current context; NULL for the default one. */
static char *context_name(const struct env *env, const char *config_dir)
{
    const char *set = get(env, "DOCKER_CONTEXT");
    char *name = NULL;

    if (set != NULL) {
        name = xstrdup(set);
    } else {
        cleanup_free char *path = xasprintf("%s/config.json", config_dir);
        cleanup_free char *text = find_read(path);
        cJSON *json = text == NULL ? NULL : cJSON_Parse(text);

        name = xstrdup(json_text(json, "currentContext"));
        cJSON_Delete(json);
    }
    if (*name == '\0' || strcmp(name, "default") == 0) {
        free(name);
        return NULL;
    }
    return name;
}

static int context_host(char **out, const char *config_dir, const char *name,
                        struct err *err)
{
    char id[SHA256_HEX_LEN + 1];
    cleanup_free char *path = NULL, *text = NULL;
    cJSON *json;
    const char *host;
    int rc = 0;

    sha256_hex(name, strlen(name), id, SHA256_HEX_LEN);
    path = xasprintf("%s/contexts/meta/%s/meta.json", config_dir, id);
    text = find_read(path);
    if (text == NULL)
        return err_set(err, ERR_INVALID,
                       "docker context \"%s\" does not exist (docker context "
                       "ls): %s cannot be read",
                       name, path);
    json = cJSON_Parse(text);
    host = json_text(json_get(json_get(json, "Endpoints"), "docker"), "Host");
    if (*host == '\0')
        rc = err_set(err, ERR_INVALID,
                     "docker context \"%s\": %s names no docker endpoint", name,
                     path);
    else
        *out = xstrdup(host);
    cJSON_Delete(json);
    return rc;
}

/* 1: the current context names an endpoint; 0: there is no such context; -1: it
 * cannot be read. */
static int find_context(char **out, char **name, const struct env *env,
                        struct err *err)
{
    cleanup_free char *dir = find_config_dir(env);

    if (dir == NULL)
        return 0;
    *name = context_name(env, dir);
    if (*name == NULL)
        return 0;
    if (context_host(out, dir, *name, err) < 0) {
        free(*name);
        *name = NULL;
        return -1;
    }
    return 1;
}

/* ---- TLS ----------------------------------------------------------------- */

static bool tls_dir(struct find_tls *out, const char *dir)
{
    cleanup_free char *key = xasprintf("%s/key.pem", dir);

    if (access(key, R_OK) < 0)
        return false;
    out->ca = xasprintf("%s/ca.pem", dir);
    out->cert = xasprintf("%s/cert.pem", dir);
    out->key = xstrdup(key);
    return true;
}

static bool tls_of_context(struct find_tls *out, const char *endpoint,
                           const struct env *env)
{
    struct err err;
    cleanup_free char *host = NULL, *name = NULL;
    cleanup_free char *config = find_config_dir(env);
    cleanup_free char *dir = NULL;
    char id[SHA256_HEX_LEN + 1];

    if (find_context(&host, &name, env, &err) != 1 || host == NULL ||
        strcmp(host, endpoint) != 0)
        return false;
    sha256_hex(name, strlen(name), id, SHA256_HEX_LEN);
    dir = xasprintf("%s/contexts/tls/%s/docker", config, id);
    return tls_dir(out, dir);
}

bool find_tls(struct find_tls *out, const char *endpoint, const struct env *env)
{
    const char *dir;
    cleanup_free char *config = NULL;

    if (env == NULL || str_starts(endpoint, "unix://") ||
        str_starts(endpoint, "http://"))
        return false;
    dir = get(env, "DOCKER_CERT_PATH");
    if (dir != NULL)
        return tls_dir(out, dir);
    config = find_config_dir(env);
    if (get(env, "DOCKER_TLS_VERIFY") != NULL && config != NULL)
        return tls_dir(out, config);
    return get(env, "DOCKER_HOST") == NULL &&
           tls_of_context(out, endpoint, env);
}

void find_tls_release(struct find_tls *tls)
{
    free(tls->ca);
    free(tls->cert);
    free(tls->key);
}

/* ---- sockets ------------------------------------------------------------- */

void engine_candidates(struct strv *out, const struct env *env)
{
    const char *home = get(env, "HOME");
    const char *given = get(env, "XDG_RUNTIME_DIR");
    cleanup_free char *run =
        given != NULL ? xstrdup(given)
                      : xasprintf("/run/user/%u", (unsigned)getuid());

    strv_add(out, "/var/run/docker.sock");
    strv_printf(out, "%s/docker.sock", run);
    if (home != NULL) {
        strv_printf(out, "%s/.docker/run/docker.sock", home);
        strv_printf(out, "%s/.docker/desktop/docker.sock", home);
        strv_printf(out, "%s/.colima/default/docker.sock", home);
        strv_printf(out, "%s/.config/colima/default/docker.sock", home);
        strv_printf(out, "%s/.orbstack/run/docker.sock", home);
        strv_printf(out, "%s/.rd/docker.sock", home);
    }
    strv_printf(out, "%s/podman/podman.sock", run);
    strv_add(out, "/run/podman/podman.sock");
    if (home != NULL)
        strv_printf(
            out, "%s/.local/share/containers/podman/machine/podman.sock", home);
}

static bool is_socket(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static bool accepts(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd;
    bool ok;

    if (!is_socket(path) || strlen(path) >= sizeof(addr.sun_path))
        return false;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    memcpy(addr.sun_path, path, strlen(path) + 1);
    ok = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
    close(fd);
    return ok;
}

/* A socket that an engine left behind, or that we may not use, must not hide
 * one that answers. When none answers, the first that exists is used, since the
 * error then says what is wrong with it. */
int find_socket(char **out, const struct strv *paths, struct err *err)
{
    cleanup_free char *looked = NULL;

    for (size_t i = 0; i < paths->len; i++) {
        if (accepts(paths->v[i])) {
            *out = xasprintf("unix://%s", paths->v[i]);
            return 0;
        }
    }
    for (size_t i = 0; i < paths->len; i++) {
        if (is_socket(paths->v[i])) {
            *out = xasprintf("unix://%s", paths->v[i]);
            return 0;
        }
    }
    looked = strv_join(paths, ", ");
    return err_set(err, ERR_UNAVAILABLE,
                   "no container engine found: start Docker or Podman, or set "
                   "DOCKER_HOST (looked at %s)",
                   looked);
}

int engine_find(char **out, char **why, const struct env *env, struct err *err)
{
    const char *host = get(env, "DOCKER_HOST");
    cleanup_free char *found = NULL, *source = NULL, *name = NULL;
    cleanup_strv struct strv sockets = { 0 };
    int rc;

    if (host != NULL) {
        found = xstrdup(host);
        source = xstrdup("DOCKER_HOST");
    } else {
        rc = find_context(&found, &name, env, err);
        if (rc == 0) {
            engine_candidates(&sockets, env);
            rc = find_socket(&found, &sockets, err);
        }
        if (rc < 0)
            return -1;
        source =
            name != NULL ? xasprintf("context %s", name) : xstrdup("socket");
    }
    if (found == NULL || find_check(found, err) < 0)
        return err_wrap(err, "%s", source);
    *out = found;
    *why = source;
    found = source = NULL;
    return 0;
}
