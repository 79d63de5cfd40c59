/*
 * POST /doctor: looks at rackd's own files, the engine and its machine, one
 * check after the other, and says what is wrong and what to do.
 */
#include <cjson/cJSON.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "api/api.h"
#include "api/input.h"
#include "api/routes.h"
#include "base/env.h"
#include "base/err.h"
#include "base/label.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "guard/guard.h"
#include "rack/link.h"
#include "store/store.h"
#include "web/web.h"

/* Less than this free where the engine keeps its images is a warning. */
#define DISK_LOW_MB 2048

/* The engine's default pools make this many networks. */
#define DEFAULT_NETWORKS 31

/* Stand-ins are called cvx/TYPE:VERSION. */
#define STANDIN "cvx/"

/* One `cvx doctor`. */
struct doctor {
    struct api *api;
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
static void check_rackd(struct doctor *d);
static void check_sockets(struct doctor *d);
static void on_link(struct link *link, const struct err *err, void *user);
static void on_host(const struct engine_host *host, const struct err *err,
                    void *user);
static void on_networks(const struct engine_object *list, size_t count,
                        const struct err *err, void *user);
static void on_standins(const struct engine_object *list, size_t count,
                        const struct err *err, void *user);
static void check_names(struct doctor *d);
static void on_names(uv_getaddrinfo_t *look, int status,
                     struct addrinfo *found);
static void finish(struct doctor *d);

static void tell(struct doctor *d, const char *name, const char *level,
                 const char *todo, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

static void tell(struct doctor *d, const char *name, const char *level,
                 const char *todo, const char *fmt, ...)
{
    cleanup_str struct str text = { 0 };
    struct cJSON *e;
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    d->failed |= strcmp(level, "fail") == 0;
    if (d->req == NULL)
        return;
    e = cJSON_CreateObject();
    cJSON_AddStringToObject(e, "type", "check");
    cJSON_AddStringToObject(e, "name", name);
    cJSON_AddBoolToObject(e, "ok", strcmp(level, "ok") == 0);
    cJSON_AddStringToObject(e, "level", level);
    web_put(e, "text", str_c(&text));
    web_put(e, "todo", todo);
    web_event(d->req, e);
}

static void on_gone(struct web_req *req, void *user)
{
    struct doctor *d = user;

    (void)req;
    d->req = NULL;
    if (d->call == NULL)
        return; /* its callback ends the request */
    engine_cancel(d->call);
    finish(d);
}

void on_doctor(struct web_req *req, void *user)
{
    struct doctor *d = xcalloc(1, sizeof(*d));

    d->api = user;
    d->req = req;
    input_client_env(&d->env, web_body(req));
    web_stream(req, on_gone, d);
    check_rackd(d);
    check_sockets(d);
    links_find(d->api->links, &d->env, on_link, d);
}

/* ---- our own ------------------------------------------------------------ */

static void check_private(struct doctor *d, const char *name, const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        tell(d, name, "fail", "is it removed while rackd runs?",
             "%s is not there", path);
    else if ((st.st_mode & 077) != 0)
        tell(d, name, "warn", "chmod go-rwx it", "%s: others may read it",
             path);
    else
        tell(d, name, "ok", NULL, "%s", path);
}

static void check_rackd(struct doctor *d)
{
    check_private(d, "rackd socket", d->api->socket_path);
    check_private(d, "state", d->api->store->dir);
}

static void check_sockets(struct doctor *d)
{
    cleanup_strv struct strv sockets = { 0 };
    struct stat st;

    engine_candidates(&sockets, &d->env);
    for (size_t i = 0; i < sockets.len; i++) {
        if (stat(sockets.v[i], &st) < 0)
            continue;
        if (access(sockets.v[i], R_OK | W_OK) == 0)
            tell(d, "engine socket", "ok", NULL, "%s", sockets.v[i]);
        else
            tell(d, "engine socket", "warn",
                 "usermod -aG docker YOU, and log in again",
                 "%s: permission denied", sockets.v[i]);
    }
}

/* ---- the engine --------------------------------------------------------- */

static void on_link(struct link *link, const struct err *err, void *user)
{
    struct doctor *d = user;

    if (err != NULL) {
        tell(d, "engine", "fail",
             "start Docker (systemctl start docker) or Podman (systemctl "
             "--user start podman.socket), or set DOCKER_HOST",
             "%s", err->msg);
        check_names(d);
        return;
    }
    if (d->req == NULL) { /* the client went away meanwhile */
        finish(d);
        return;
    }
    d->link = link;
    tell(d, "engine", "ok", NULL, "%s %s, API %s, at %s", link->name,
         link->version, link->api, link->endpoint);
    d->call = engine_host_info(link->engine, on_host, d);
}

static void check_disk(struct doctor *d, const char *dir)
{
    struct statvfs fs;
    unsigned long long mb;

    if (dir == NULL || *dir == '\0' || statvfs(dir, &fs) < 0)
        return; /* another machine's, or not ours to look at */
    mb = (unsigned long long)fs.f_bavail * fs.f_frsize >> 20;
    if (mb < DISK_LOW_MB)
        tell(d, "disk", "warn", "docker system df; docker image prune",
             "%s: only %llu MB free", dir, mb);
    else
        tell(d, "disk", "ok", NULL, "%s: %llu GB free", dir, mb >> 10);
}

static void on_host(const struct engine_host *host, const struct err *err,
                    void *user)
{
    struct doctor *d = user;

    d->call = NULL;
    if (err != NULL) {
        tell(d, "engine host", "fail", NULL, "%s", err->msg);
    } else {
        tell(d, "engine host", "ok", NULL,
             "%s, %s, %d CPUs, %.1f GB, storage %s%s", host->os_name,
             host->architecture, host->cpus, (double)host->memory / 1e9,
             host->storage_driver, host->rootless ? ", rootless" : "");
        check_disk(d, host->root_dir);
    }
    d->call = engine_network_list(d->link->engine, NULL, on_networks, d);
}

static void check_guard(struct doctor *d)
{
    cleanup_free char *text = NULL;
    const char *level = guard_words(d->link->guard, &text);

    tell(d, "reaper", level,
         strcmp(level, "ok") == 0 ? NULL
                                  : "what a killed rackd left: cvx sweep",
         "%s", text);
}

static void on_networks(const struct engine_object *list, size_t count,
                        const struct err *err, void *user)
{
    struct doctor *d = user;

    (void)list;
    d->call = NULL;
    check_guard(d);
    if (err != NULL)
        tell(d, "networks", "fail", NULL, "%s", err->msg);
    else
        tell(d, "networks", count + 4 > DEFAULT_NETWORKS ? "warn" : "ok",
             count + 4 > DEFAULT_NETWORKS ? "docker network prune" : NULL,
             "%zu in use; the engine's default pools make %d", count,
             DEFAULT_NETWORKS);
    d->call = engine_image_list(d->link->engine, LABEL_KIND "=standin",
                                on_standins, d);
}

static void on_standins(const struct engine_object *list, size_t count,
                        const struct err *err, void *user)
{
    struct doctor *d = user;
    cleanup_str struct str names = { 0 };

    d->call = NULL;

    for (size_t i = 0; err == NULL && i < count; i++)
        if (str_starts(list[i].name,
                       STANDIN)) /* builds on them inherit labels */
            str_printf(&names, "%s%s", names.len == 0 ? "" : ", ",
                       list[i].name);
    tell(d, "stand-ins", "ok", NULL, "%s",
         names.len == 0 ? "none built (only needed without a registry)"
                        : str_c(&names));
    check_names(d);
}

/* Off the loop: it may ask a server that does not answer. */
static void check_names(struct doctor *d)
{
    static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };

    if (uv_getaddrinfo(d->api->loop, &d->look, on_names, "web.localhost", NULL,
                       &hints) < 0)
        finish(d);
}

static void on_names(uv_getaddrinfo_t *look, int status, struct addrinfo *found)
{
    struct doctor *d = container_of(look, struct doctor, look);

    uv_freeaddrinfo(found);
    if (status == 0)
        tell(d, "names", "ok", NULL, "*.localhost resolves");
    else
        tell(d, "names", "warn",
             "browsers resolve it themselves; for other programs install "
             "libnss-myhostname, or use 127.0.0.1:PORT",
             "*.localhost does not resolve");
    finish(d);
}

static void finish(struct doctor *d)
{
    struct cJSON *e = cJSON_CreateObject();

    cJSON_AddStringToObject(e, "type", "end");
    cJSON_AddNumberToObject(e, "status", d->failed ? 1 : 0);
    if (d->req != NULL) {
        web_event(d->req, e);
        web_end(d->req);
    } else {
        cJSON_Delete(e);
    }
    env_release(&d->env);
    free(d);
}
