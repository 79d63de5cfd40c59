#include <cjson/cJSON.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/env.h"
#include "base/err.h"
#include "base/label.h"
#include "base/mem.h"
#include "base/str.h"
#include "rack.h"
#include "web/web.h"

/* Less than this free where the engine keeps its images is a warning. */
#define DISK_LOW_MB 2048

/* The engine's default pools make this many networks. */
#define DEFAULT_NETWORKS 31

/* Stand-ins are called cvx/TYPE:VERSION. */
#define STANDIN "cvx/"

/* One `cvx doctor`. */
struct visit {
    struct rack *rack;
    struct web_req *req; /* NULL: the client went away */
    struct env env;
    struct link *link;
    struct engine_call *call; /* under way */
    uv_getaddrinfo_t look;
    bool failed;
};

/*
 * In order of time: our own files, the engine, its machine, its networks.
 */
static void check_rackd(struct visit *v);
static void check_sockets(struct visit *v);
static void on_link(struct link *link, const struct err *err, void *user);
static void on_host(const struct engine_host *host, const struct err *err,
                    void *user);
static void on_networks(const struct engine_object *list, size_t count,
                        const struct err *err, void *user);
static void on_standins(const struct engine_object *list, size_t count,
                        const struct err *err, void *user);
static void check_names(struct visit *v);
static void on_names(uv_getaddrinfo_t *look, int status,
                     struct addrinfo *found);
static void finish(struct visit *v);

static void tell(struct visit *v, const char *name, const char *level,
                 const char *todo, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

static void tell(struct visit *v, const char *name, const char *level,
                 const char *todo, const char *fmt, ...)
{
    cleanup_str struct str text = { 0 };
    struct cJSON *e;
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    v->failed |= strcmp(level, "fail") == 0;
    if (v->req == NULL)
        return;
    e = cJSON_CreateObject();
    cJSON_AddStringToObject(e, "type", "check");
    cJSON_AddStringToObject(e, "name", name);
    cJSON_AddBoolToObject(e, "ok", strcmp(level, "ok") == 0);
    cJSON_AddStringToObject(e, "level", level);
    web_put(e, "text", str_c(&text));
    web_put(e, "todo", todo);
    web_event(v->req, e);
}

static void on_gone(struct web_req *req, void *user)
{
    struct visit *v = user;

    (void)req;
    v->req = NULL;
    if (v->call == NULL)
        return; /* its callback ends the visit */
    engine_cancel(v->call);
    finish(v);
}

void on_doctor(struct web_req *req, void *user)
{
    struct visit *v = xcalloc(1, sizeof(*v));

    v->rack = user;
    v->req = req;
    input_client_env(&v->env, web_body(req));
    web_stream(req, on_gone, v);
    check_rackd(v);
    check_sockets(v);
    rack_link(v->rack, &v->env, on_link, v);
}

/* ---- our own ------------------------------------------------------------ */

static void check_private(struct visit *v, const char *name, const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        tell(v, name, "fail", "is it removed while rackd runs?",
             "%s is not there", path);
    else if ((st.st_mode & 077) != 0)
        tell(v, name, "warn", "chmod go-rwx it", "%s: others may read it",
             path);
    else
        tell(v, name, "ok", NULL, "%s", path);
}

static void check_rackd(struct visit *v)
{
    check_private(v, "rackd socket", v->rack->socket_path);
    check_private(v, "state", v->rack->store.dir);
}

static void check_sockets(struct visit *v)
{
    cleanup_strv struct strv sockets = { 0 };
    struct stat st;

    engine_candidates(&sockets, &v->env);
    for (size_t i = 0; i < sockets.len; i++) {
        if (stat(sockets.v[i], &st) < 0)
            continue;
        if (access(sockets.v[i], R_OK | W_OK) == 0)
            tell(v, "engine socket", "ok", NULL, "%s", sockets.v[i]);
        else
            tell(v, "engine socket", "warn",
                 "usermod -aG docker YOU, and log in again",
                 "%s: permission denied", sockets.v[i]);
    }
}

/* ---- the engine --------------------------------------------------------- */

static void on_link(struct link *link, const struct err *err, void *user)
{
    struct visit *v = user;

    if (err != NULL) {
        tell(v, "engine", "fail",
             "start Docker (systemctl start docker) or Podman (systemctl "
             "--user start podman.socket), or set DOCKER_HOST",
             "%s", err->msg);
        check_names(v);
        return;
    }
    if (v->req == NULL) { /* the client went away meanwhile */
        finish(v);
        return;
    }
    v->link = link;
    tell(v, "engine", "ok", NULL, "%s %s, API %s, at %s", link->name,
         link->version, link->api, link->endpoint);
    v->call = engine_host_info(link->engine, on_host, v);
}

static void check_disk(struct visit *v, const char *dir)
{
    struct statvfs fs;
    unsigned long long mb;

    if (dir == NULL || *dir == '\0' || statvfs(dir, &fs) < 0)
        return; /* another machine's, or not ours to look at */
    mb = (unsigned long long)fs.f_bavail * fs.f_frsize >> 20;
    if (mb < DISK_LOW_MB)
        tell(v, "disk", "warn", "docker system df; docker image prune",
             "%s: only %llu MB free", dir, mb);
    else
        tell(v, "disk", "ok", NULL, "%s: %llu GB free", dir, mb >> 10);
}

static void on_host(const struct engine_host *host, const struct err *err,
                    void *user)
{
    struct visit *v = user;

    v->call = NULL;
    if (err != NULL) {
        tell(v, "engine host", "fail", NULL, "%s", err->msg);
    } else {
        tell(v, "engine host", "ok", NULL,
             "%s, %s, %d CPUs, %.1f GB, storage %s%s", host->os_name,
             host->architecture, host->cpus, (double)host->memory / 1e9,
             host->storage_driver, host->rootless ? ", rootless" : "");
        check_disk(v, host->root_dir);
    }
    v->call = engine_network_list(v->link->engine, NULL, on_networks, v);
}

static void check_guard(struct visit *v)
{
    cleanup_free char *text = NULL;
    const char *level = guard_words(v->link, &text);

    tell(v, "reaper", level,
         strcmp(level, "ok") == 0 ? NULL
                                  : "what a killed rackd left: cvx sweep",
         "%s", text);
}

static void on_networks(const struct engine_object *list, size_t count,
                        const struct err *err, void *user)
{
    struct visit *v = user;

    (void)list;
    v->call = NULL;
    check_guard(v);
    if (err != NULL)
        tell(v, "networks", "fail", NULL, "%s", err->msg);
    else
        tell(v, "networks", count + 4 > DEFAULT_NETWORKS ? "warn" : "ok",
             count + 4 > DEFAULT_NETWORKS ? "docker network prune" : NULL,
             "%zu in use; the engine's default pools make %d", count,
             DEFAULT_NETWORKS);
    v->call = engine_image_list(v->link->engine, LABEL_KIND "=standin",
                                on_standins, v);
}

static void on_standins(const struct engine_object *list, size_t count,
                        const struct err *err, void *user)
{
    struct visit *v = user;
    cleanup_str struct str names = { 0 };

    v->call = NULL;

    for (size_t i = 0; err == NULL && i < count; i++)
        if (str_starts(list[i].name,
                       STANDIN)) /* builds on them inherit labels */
            str_printf(&names, "%s%s", names.len == 0 ? "" : ", ",
                       list[i].name);
    tell(v, "stand-ins", "ok", NULL, "%s",
         names.len == 0 ? "none built (only needed without a registry)"
                        : str_c(&names));
    check_names(v);
}

/* Off the loop: it may ask a server that does not answer. */
static void check_names(struct visit *v)
{
    static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };

    if (uv_getaddrinfo(v->rack->loop, &v->look, on_names, "web.localhost", NULL,
                       &hints) < 0)
        finish(v);
}

static void on_names(uv_getaddrinfo_t *look, int status, struct addrinfo *found)
{
    struct visit *v = container_of(look, struct visit, look);

    uv_freeaddrinfo(found);
    if (status == 0)
        tell(v, "names", "ok", NULL, "*.localhost resolves");
    else
        tell(v, "names", "warn",
             "browsers resolve it themselves; for other programs install "
             "libnss-myhostname, or use 127.0.0.1:PORT",
             "*.localhost does not resolve");
    finish(v);
}

static void finish(struct visit *v)
{
    struct cJSON *e = cJSON_CreateObject();

    cJSON_AddStringToObject(e, "type", "end");
    cJSON_AddNumberToObject(e, "status", v->failed ? 1 : 0);
    if (v->req != NULL) {
        web_event(v->req, e);
        web_end(v->req);
    } else {
        cJSON_Delete(e);
    }
    env_release(&v->env);
    free(v);
}
