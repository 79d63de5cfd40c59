/* The life of a call: from its request to its callback, with the deadline, the
 * cancelling, and the meaning of an HTTP answer. Every other file of engine/
 * that talks to the engine does so through here. */
#include "engine/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utlist.h>

#include "base/env.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/find.h"
#include "engine/json.h"
#include "engine/reason.h"
#include "net/httpc.h"

/* Further calls wait. An engine does not get faster with more of them at
 * once. */
#define CALLS_MAX 16

struct call_timer {
    uv_timer_t timer;
    struct engine *engine;
    struct engine_call *call; /* NULL once it is no longer wanted */
    call_cb cb;
    struct err err; /* for call_fail_later() */
};

/* In the order in which they run: a request's head, its bytes, its end; the
 * timer; the end of the engine. */
static void on_head(struct httpc_req *req, long status, void *user);
static void on_data(struct httpc_req *req, const char *data, size_t len,
                    void *user);
static void on_done(const struct httpc_res *res, const struct err *err,
                    void *user);
static void on_timer(uv_timer_t *timer);
static void on_timer_closed(uv_handle_t *handle);
static void on_client_closed(void *user);

/* ---- the engine ---------------------------------------------------------- */

int engine_new(struct engine **out, uv_loop_t *loop, const char *endpoint,
               const struct env *env, struct err *err)
{
    struct httpc *calls = NULL, *streams = NULL;
    struct find_tls tls = { 0 };
    struct httpc_tls paths;
    const struct httpc_tls *use;
    struct engine *e;
    int rc;

    use = find_tls(&tls, endpoint, env) ? &paths : NULL;
    paths =
        (struct httpc_tls){ .ca = tls.ca, .cert = tls.cert, .key = tls.key };
    rc = find_check(endpoint, err);
    if (rc == 0)
        rc = httpc_new(&calls, loop, endpoint, use, err);
    if (rc == 0)
        rc = httpc_new(&streams, loop, endpoint, use, err);
    if (rc < 0) {
        find_tls_release(&tls);
        return -1;
    }

    e = xcalloc(1, sizeof(*e));
    e->certs = tls;
    e->has_tls = use != NULL;
    e->loop = loop;
    e->endpoint = xstrdup(endpoint);
    e->config_dir = env == NULL ? NULL : find_config_dir(env);
    e->calls = calls;
    e->streams = streams;
    e->minor = API_LEAST;
    httpc_max_connections(calls, CALLS_MAX);
    *out = e;
    return 0;
}

const char *engine_endpoint(const struct engine *e)
{
    return e->endpoint;
}

unsigned long engine_calls(const struct engine *e)
{
    return e->made;
}

void engine_add_handle(struct engine *e)
{
    e->open++;
}

void engine_drop_handle(struct engine *e)
{
    if (--e->open > 0 || !e->closing)
        return;
    if (e->on_closed != NULL)
        e->on_closed(e->closed_user);
    find_tls_release(&e->certs);
    free(e->endpoint);
    free(e->config_dir);
    free(e);
}

void engine_close(struct engine *e, engine_closed_cb cb, void *user)
{
    struct engine_call *call, *next;

    e->closing = true;
    e->on_closed = cb;
    e->closed_user = user;
    DL_FOREACH_SAFE (e->inflight, call, next)
        engine_cancel(call);
    engine_add_handle(e);
    engine_add_handle(e);
    httpc_close(e->calls, on_client_closed, e);
    httpc_close(e->streams, on_client_closed, e);
}

static void on_client_closed(void *user)
{
    engine_drop_handle(user);
}

/* ---- a call's life ------------------------------------------------------- */

void *call_new(struct engine *e, size_t size)
{
    struct engine_call *call = xcalloc(1, size);

    call->engine = e;
    DL_APPEND(e->inflight, call);
    return call;
}

void call_enter(struct engine_call *call)
{
    call->entered++;
}

void call_leave(struct engine_call *call)
{
    if (--call->entered > 0 || !call->over)
        return;
    if (call->release != NULL)
        call->release(call);
    free(call);
}

bool call_wanted(const struct engine_call *call)
{
    return !call->over;
}

void call_end(struct engine_call *call)
{
    call->over = true;
    DL_DELETE(call->engine->inflight, call);
    call_timer_stop(call);
    if (call->req != NULL)
        httpc_cancel(call->req);
    call->req = NULL;
}

void engine_cancel(struct engine_call *call)
{
    if (call->over)
        return;
    call_enter(call);
    call_end(call);
    call_leave(call);
}

void engine_pause(struct engine_call *call, bool pause)
{
    if (call->req != NULL)
        httpc_pause(call->req, pause);
}

void call_timer_start(struct engine_call *call, unsigned ms, call_cb cb)
{
    struct call_timer *t = xcalloc(1, sizeof(*t));

    call_timer_stop(call);
    t->engine = call->engine;
    t->call = call;
    t->cb = cb;
    call->timer = t;
    engine_add_handle(t->engine);
    uv_timer_init(t->engine->loop, &t->timer);
    uv_timer_start(&t->timer, on_timer, ms, 0);
}

void call_timer_stop(struct engine_call *call)
{
    struct call_timer *t = call->timer;

    if (t == NULL)
        return;
    call->timer = NULL;
    t->call = NULL;
    uv_close((uv_handle_t *)&t->timer, on_timer_closed);
}

static void on_timer(uv_timer_t *timer)
{
    struct call_timer *t = container_of(timer, struct call_timer, timer);
    struct engine_call *call = t->call;

    call_enter(call);
    t->cb(call);
    call_leave(call);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct call_timer *t = container_of(handle, struct call_timer, timer);

    engine_drop_handle(t->engine);
    free(t);
}

static void fail_now(struct engine_call *call)
{
    struct err err = call->timer->err;

    call_timer_stop(call);
    call->step(call, NULL, &err);
}

void call_fail_later(struct engine_call *call, const struct err *err,
                     call_step_cb step)
{
    call->step = step;
    call_timer_start(call, 0, fail_now);
    call->timer->err = *err;
}

/* ---- a request ----------------------------------------------------------- */

void call_send(struct engine_call *call, const struct request *r)
{
    struct engine *e = call->engine;
    cleanup_free char *path = r->unversioned
                                  ? xstrdup(r->path)
                                  : xasprintf("/v1.%d%s", e->minor, r->path);
    unsigned deadline = r->stream ? 0 : ENGINE_CALL_MS;

    call->step = r->step;
    call->on_head = r->on_head;
    call->on_data = r->on_data;
    call->gone_ok = r->gone_ok;
    call->is_text = r->is_text;
    e->made++;
    call->req = httpc_start(
        r->stream ? e->streams : e->calls,
        &(struct httpc_spec){ .method = r->method,
                              .path = path,
                              .json = r->json,
                              .data = r->data,
                              .data_len = r->data_len,
                              .upload_fd = r->upload_fd,
                              .type = r->type,
                              .headers = r->headers,
                              .timeout_ms =
                                  r->timeout_ms > 0 ? r->timeout_ms : deadline,
                              .on_head = r->on_head != NULL ? on_head : NULL,
                              .on_data = r->stream ? on_data : NULL,
                              .on_done = on_done,
                              .user = call });
}

static void on_head(struct httpc_req *req, long status, void *user)
{
    struct engine_call *call = user;

    (void)req;
    if (status >= 400)
        return;
    call_enter(call);
    call->on_head(call);
    call_leave(call);
}

static void on_data(struct httpc_req *req, const char *data, size_t len,
                    void *user)
{
    struct engine_call *call = user;

    (void)req;
    call_enter(call);
    if (call->on_data != NULL)
        call->on_data(call, data, len);
    call_leave(call);
}

/* Tells apart the three reasons why a socket does not answer, with what to do
 * about each. */
static void explain_socket(struct err *err, const char *endpoint)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    const char *path = endpoint + strlen("unix://");
    int fd;

    if (!str_starts(endpoint, "unix://") ||
        strlen(path) >= sizeof(addr.sun_path))
        return;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    memcpy(addr.sun_path, path, strlen(path) + 1);
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            err_set(err, ERR_UNAVAILABLE,
                    "no container engine at %s: there is no such socket", path);
        else if (errno == EACCES || errno == EPERM)
            err_set(err, ERR_UNAVAILABLE,
                    "permission denied on %s: add yourself to its group "
                    "(sudo usermod -aG docker \"$USER\") and log in again, or "
                    "use a rootless engine",
                    path);
        else if (errno == ECONNREFUSED)
            err_set(err, ERR_UNAVAILABLE,
                    "nobody listens on %s: the container engine is not "
                    "running (sudo systemctl start docker)",
                    path);
    }
    close(fd);
}

void answer_text(struct err *err, enum err_code code, const char *text)
{
    size_t len = strlen(text);

    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    err_set(err, code, "%.*s", len > 0xffff ? 0xffff : (int)len, text);
}

void answer_error(struct err *err, long status, const char *body)
{
    enum err_code code = status >= 500 ? ERR_SYSTEM : ERR_INVALID;
    cJSON *json = cJSON_Parse(body);
    const char *text = json_text(json, "message");

    if (*text == '\0')
        text = json_text(json, "cause"); /* Podman */
    if (*text == '\0' && json == NULL)
        text = body;
    if (status == 404)
        code = ERR_NOT_FOUND;
    if (status == 409 || status == 403) /* 403: in use, address range taken */
        code = ERR_CONFLICT;
    if (*text == '\0')
        err_set(err, code, "the engine answered with HTTP status %ld", status);
    else
        answer_text(err, code, text);
    cJSON_Delete(json);
}

static bool is_gone(const struct err *err)
{
    return err->code == ERR_NOT_FOUND ||
           (err->code == ERR_CONFLICT &&
            engine_says(err->msg, REASON_REMOVAL_UNDER_WAY));
}

/* Hands an answer with its status and body to `step`, or the error that it
 * amounts to. */
static void take_answer(struct engine_call *call, const struct httpc_res *res)
{
    struct answer a = { .status = res->status, .req = res->req };
    struct err err = { 0 };
    cJSON *json = NULL;

    if (res->status >= 300 && res->status < 400 && res->status != 304) {
        err_set(&err, ERR_PROTOCOL,
                "the engine answered with HTTP status %ld, which is a "
                "redirect",
                res->status);
    } else if (res->status >= 400) {
        answer_error(&err, res->status, res->body);
        if (call->gone_ok && is_gone(&err))
            err.code = ERR_NONE;
    } else if (res->body_len > 0 && !call->is_text) {
        json = cJSON_ParseWithOpts(res->body, NULL, 1);
        if (json == NULL)
            err_set(&err, ERR_PROTOCOL,
                    "the answer of the engine is not JSON: %.80s", res->body);
        a.json = json;
    }
    call->step(call, err.code == ERR_NONE ? &a : NULL,
               err.code == ERR_NONE ? NULL : &err);
    cJSON_Delete(json);
}

static void on_done(const struct httpc_res *res, const struct err *err,
                    void *user)
{
    struct engine_call *call = user;
    struct err mine;

    call->req = NULL;
    call_enter(call);
    if (res != NULL) {
        take_answer(call, res);
    } else {
        mine = *err;
        if (mine.code == ERR_UNAVAILABLE)
            explain_socket(&mine, call->engine->endpoint);
        call->step(call, NULL, &mine);
    }
    call_leave(call);
}

/* ---- calls of one request ------------------------------------------------ */

static void on_done_step(struct engine_call *call, const struct answer *a,
                         const struct err *err)
{
    (void)a;
    call_end(call);
    call->cb.done(err, call->user);
}

struct engine_call *call_done(struct engine *e, struct request *r,
                              engine_done_cb cb, void *user)
{
    struct engine_call *call = call_new(e, sizeof(*call));

    call->cb.done = cb;
    call->user = user;
    /* Nobody reads the body, and Podman sends an empty line. */
    r->is_text = true;
    r->step = on_done_step;
    call_send(call, r);
    return call;
}

static void on_id_step(struct engine_call *call, const struct answer *a,
                       const struct err *err)
{
    struct err none = { 0 };
    const char *id = a == NULL ? "" : json_text(a->json, "Id");

    call_end(call);
    if (err == NULL && *id == '\0') {
        err_set(&none, ERR_PROTOCOL, "the engine's answer has no Id");
        err = &none;
    }
    call->cb.id(err == NULL ? id : NULL, err, call->user);
}

struct engine_call *call_id(struct engine *e, struct request *r,
                            engine_id_cb cb, void *user)
{
    struct engine_call *call = call_new(e, sizeof(*call));

    call->cb.id = cb;
    call->user = user;
    r->step = on_id_step;
    call_send(call, r);
    return call;
}
