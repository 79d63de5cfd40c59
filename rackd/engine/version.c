/* engine_hello() and engine_ping(): which engine answers, and in which API
 * version to talk to it. rack/link.c says hello when it connects;
 * run/heartbeat.c pings, to notice an engine that hangs. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/client.h"
#include "engine/json.h"
#include "net/httpc.h"

struct hello {
    struct engine_call call; /* first: see call_new() */
    int theirs;              /* the newest API it speaks: 1.theirs */
    struct engine_info info;
};

/* In the order in which they run. The head of the ping says nearly everything.
 * The version is asked for only when the ping does not name the engine, and an
 * engine that is newer than this code is asked whether it still speaks our
 * version. */
static void on_ping(struct engine_call *call, const struct answer *a,
                    const struct err *err);
static void on_version(struct engine_call *call, const struct answer *a,
                       const struct err *err);
static void check_newer(struct engine_call *call);
static void on_spoken(struct engine_call *call, const struct answer *a,
                      const struct err *err);
static void finish(struct engine_call *call, const struct err *err);

static void hello_release(struct engine_call *call)
{
    struct hello *h = container_of(call, struct hello, call);

    free(h->info.name);
    free(h->info.version);
    free(h->info.api);
    free(h->info.os);
}

static void ask(struct engine_call *call, const char *path, bool is_text,
                bool unversioned, call_step_cb step)
{
    call_send(call, &(struct request){ .method = "GET",
                                       .path = path,
                                       .unversioned = unversioned,
                                       .is_text = is_text,
                                       .step = step });
}

struct engine_call *engine_hello(struct engine *e, engine_hello_cb cb,
                                 void *user)
{
    struct hello *h = call_new(e, sizeof(*h));

    h->call.release = hello_release;
    h->call.cb.hello = cb;
    h->call.user = user;
    ask(&h->call, "/_ping", true, true, on_ping);
    return &h->call;
}

static void on_pong(struct engine_call *call, const struct answer *a,
                    const struct err *err)
{
    (void)a;
    call_end(call);
    call->cb.done(err, call->user);
}

/* Sent as a stream, with a connection of its own: calls that hang must not keep
 * the ping in their queue. */
struct engine_call *engine_ping(struct engine *e, unsigned timeout_ms,
                                engine_done_cb cb, void *user)
{
    struct engine_call *call = call_new(e, sizeof(*call));

    call->cb.done = cb;
    call->user = user;
    call_send(call, &(struct request){ .method = "GET",
                                       .path = "/_ping",
                                       .timeout_ms = timeout_ms,
                                       .unversioned = true,
                                       .stream = true,
                                       .is_text = true,
                                       .step = on_pong });
    return call;
}

/* "1.41" gives 41; anything else gives -1. */
static int api_minor(const char *text)
{
    long minor;

    if (text == NULL || !str_starts(text, "1.") ||
        !str_to_long(text + 2, 0, 9999, &minor))
        return -1;
    return (int)minor;
}

static void fail(struct engine_call *call, const char *why)
{
    struct err err;

    err_set(&err, ERR_PROTOCOL, "the engine at %s: %s", call->engine->endpoint,
            why);
    finish(call, &err);
}

/* Reads a Server header: "Docker/20.10.24 (linux)", "Libpod/4.3.1 (linux)". */
static void read_server(struct hello *h, const char *server)
{
    const char *version;

    if (server == NULL)
        return;
    h->info.podman = str_starts(server, "Libpod/");
    if (!h->info.podman && !str_starts(server, "Docker/"))
        return;
    version = strchr(server, '/') + 1;
    h->info.name = xstrdup(h->info.podman ? "Podman" : "Docker");
    h->info.version = str_dup_len(version, strcspn(version, " "));
}

static void on_ping(struct engine_call *call, const struct answer *a,
                    const struct err *err)
{
    struct hello *h = container_of(call, struct hello, call);
    const char *builder, *os;

    if (err != NULL) {
        finish(call, err);
        return;
    }
    h->theirs = api_minor(httpc_res_header(a->req, "Api-Version"));
    if (h->theirs < 0) {
        fail(call, "its answer is not that of a container engine");
        return;
    }
    read_server(h, httpc_res_header(a->req, "Server"));
    builder = httpc_res_header(a->req, "Builder-Version");
    h->info.buildkit =
        builder != NULL && strcmp(builder, "2") == 0 && !h->info.podman;
    os = httpc_res_header(a->req, "Ostype");
    h->info.os = xstrdup(os == NULL ? "linux" : os);

    if (h->info.name == NULL)
        ask(call, "/version", false, true, on_version);
    else
        check_newer(call);
}

static void on_version(struct engine_call *call, const struct answer *a,
                       const struct err *err)
{
    struct hello *h = container_of(call, struct hello, call);
    const cJSON *part;

    if (err != NULL) {
        finish(call, err);
        return;
    }
    cJSON_ArrayForEach(part, json_get(a->json, "Components"))
    {
        if (strstr(json_text(part, "Name"), "Podman") != NULL)
            h->info.podman = true;
    }
    h->info.name = xstrdup(h->info.podman ? "Podman" : "Docker");
    h->info.version = xstrdup(json_text(a->json, "Version"));
    if (h->info.podman)
        h->info.buildkit = false;
    check_newer(call);
}

static void check_newer(struct engine_call *call)
{
    struct hello *h = container_of(call, struct hello, call);
    struct engine *e = call->engine;
    cleanup_free char *why = NULL;

    if (h->theirs < API_LEAST) {
        why = xasprintf("%s %s is too old: it speaks API 1.%d, and Docker "
                        "20.10 (API 1.%d) or newer is needed",
                        h->info.name, h->info.version, h->theirs, API_LEAST);
        fail(call, why);
        return;
    }
    e->minor = h->theirs < API_OURS ? h->theirs : API_OURS;
    if (h->theirs > API_OURS)
        ask(call, "/_ping", true, false, on_spoken);
    else
        finish(call, NULL);
}

/* A newer engine may have dropped our version; its text then says so. */
static void on_spoken(struct engine_call *call, const struct answer *a,
                      const struct err *err)
{
    (void)a;
    if (err != NULL && err->code == ERR_INVALID) {
        fail(call, err->msg);
        return;
    }
    finish(call, err);
}

static void finish(struct engine_call *call, const struct err *err)
{
    struct hello *h = container_of(call, struct hello, call);
    struct engine *e = call->engine;

    if (err == NULL) {
        h->info.api = xasprintf("1.%d", e->minor);
        e->podman = h->info.podman;
        e->buildkit = h->info.buildkit;
        log_info("engine", "%s: %s %s, API %s%s", e->endpoint, h->info.name,
                 h->info.version, h->info.api,
                 h->info.buildkit ? ", BuildKit" : "");
    }
    call_end(call);
    call->cb.hello(err == NULL ? &h->info : NULL, err, call->user);
}
