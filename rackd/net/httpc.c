#include "net/httpc.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <string.h>
#include <utlist.h>

#include "base/err.h"
#include "base/mem.h"

/* A collected body larger than this is an error, not an allocation. */
#define BODY_MAX ((size_t)8 << 20)

struct httpc {
    uv_loop_t *loop;
    CURLM *multi;
    char *socket_path;
    uv_timer_t timer;
    struct httpc_req *reqs; /* in flight */
    unsigned open_handles;  /* uv handles whose close callback is to come */
    bool in_curl;           /* inside curl_multi_socket_action() */
    bool sweep;             /* some request was started or cancelled there */
    bool closing;
    httpc_closed_cb on_closed;
    void *closed_user;
};

struct httpc_req {
    struct httpc *client;
    CURL *easy;
    struct curl_slist *headers;
    char *json;
    char *body;
    size_t body_len;
    char curl_msg[CURL_ERROR_SIZE];
    bool added; /* libcurl has it */
    bool cancelled;
    httpc_data_cb on_data;
    httpc_done_cb on_done;
    void *user;
    struct httpc_req *prev, *next; /* in client->reqs */
};

/* One per socket that libcurl asks us to watch. */
struct watch {
    uv_poll_t poll;
    struct httpc *client;
    curl_socket_t fd;
    int events;
};

/*
 * In order of time: libcurl asks for a timer or a socket watch, the loop
 * reports one of them, libcurl does its work, finished requests are reported.
 */
static int want_timer(CURLM *multi, long timeout_ms, void *user);
static int want_watch(CURL *easy, curl_socket_t fd, int what, void *user,
                      void *socket_user);
static void on_timer(uv_timer_t *timer);
static void on_ready(uv_poll_t *poll, int status, int events);
static void drive(struct httpc *c, curl_socket_t fd, int flags);
static size_t on_bytes(char *data, size_t size, size_t count, void *user);
static void sweep(struct httpc *c);
static void finish(struct httpc_req *req, CURLcode rc);
static void req_detach(struct httpc_req *req);
static void req_free(struct httpc_req *req);
static void close_now(struct httpc *c);
static void on_watch_closed(uv_handle_t *handle);
static void on_timer_closed(uv_handle_t *handle);
static void handle_gone(struct httpc *c);

int httpc_new(struct httpc **out, uv_loop_t *loop, const char *endpoint,
              const struct httpc_tls *tls, struct err *err)
{
    struct httpc *c;
    CURLM *multi;

    (void)tls;
    if (strncmp(endpoint, "unix://", 7) != 0)
        return err_set(err, ERR_INVALID, "not an endpoint: %s", endpoint);

    multi = curl_multi_init();
    if (multi == NULL)
        return err_set(err, ERR_SYSTEM, "cannot initialise libcurl");

    c = xcalloc(1, sizeof(*c));
    c->loop = loop;
    c->multi = multi;
    c->socket_path = xstrdup(endpoint + 7);
    uv_timer_init(loop, &c->timer);
    c->open_handles = 1;

    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, want_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, want_watch);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, c);

    *out = c;
    return 0;
}

struct httpc_req *httpc_start(struct httpc *c, const struct httpc_spec *spec)
{
    struct httpc_req *req = xcalloc(1, sizeof(*req));
    cleanup_free char *url = xasprintf("http://engine%s", spec->path);

    req->client = c;
    req->on_data = spec->on_data;
    req->on_done = spec->on_done;
    req->user = spec->user;

    /* A fresh easy handle each time: libcurl 7.88 counts its silent retries
     * per handle and never resets the count, so a reused one runs out. */
    req->easy = curl_easy_init();
    curl_easy_setopt(req->easy, CURLOPT_UNIX_SOCKET_PATH, c->socket_path);
    curl_easy_setopt(req->easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(req->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(req->easy, CURLOPT_URL, url);
    curl_easy_setopt(req->easy, CURLOPT_CUSTOMREQUEST, spec->method);
    curl_easy_setopt(req->easy, CURLOPT_TIMEOUT_MS, (long)spec->timeout_ms);
    curl_easy_setopt(req->easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(req->easy, CURLOPT_WRITEDATA, req);
    curl_easy_setopt(req->easy, CURLOPT_ERRORBUFFER, req->curl_msg);
    curl_easy_setopt(req->easy, CURLOPT_PRIVATE, req);
    if (spec->json != NULL) {
        req->json = xstrdup(spec->json);
        req->headers =
            curl_slist_append(NULL, "Content-Type: application/json");
        curl_easy_setopt(req->easy, CURLOPT_HTTPHEADER, req->headers);
        curl_easy_setopt(req->easy, CURLOPT_POSTFIELDS, req->json);
    }

    DL_APPEND(c->reqs, req);
    c->sweep = true;
    if (!c->in_curl)
        sweep(c);
    return req;
}

void httpc_cancel(struct httpc_req *req)
{
    req->cancelled = true;
    req->client->sweep = true;
    if (!req->client->in_curl)
        sweep(req->client);
}

void httpc_close(struct httpc *c, httpc_closed_cb cb, void *user)
{
    c->closing = true;
    c->on_closed = cb;
    c->closed_user = user;
    if (!c->in_curl)
        close_now(c);
}

static int want_timer(CURLM *multi, long timeout_ms, void *user)
{
    struct httpc *c = user;

    (void)multi;
    if (c->closing)
        return 0;
    /* 0 means "at once, but not from here": a zero uv timer is just that.
     * Rounding it up to 1 ms would add 1 ms to every request. */
    if (timeout_ms < 0)
        uv_timer_stop(&c->timer);
    else
        uv_timer_start(&c->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

static int want_watch(CURL *easy, curl_socket_t fd, int what, void *user,
                      void *socket_user)
{
    struct httpc *c = user;
    struct watch *w = socket_user;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w == NULL)
            return 0;
        curl_multi_assign(c->multi, fd, NULL);
        uv_poll_stop(&w->poll); /* now: libcurl may close fd next */
        uv_close((uv_handle_t *)&w->poll, on_watch_closed);
        return 0;
    }

    if (w == NULL) {
        w = xcalloc(1, sizeof(*w));
        w->client = c;
        w->fd = fd;
        if (uv_poll_init_socket(c->loop, &w->poll, fd) < 0) {
            free(w);
            return -1;
        }
        c->open_handles++;
        curl_multi_assign(c->multi, fd, w);
    }
    w->events = (what & CURL_POLL_IN ? UV_READABLE : 0) |
                (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    uv_poll_start(&w->poll, w->events, on_ready);
    return 0;
}

static void on_timer(uv_timer_t *timer)
{
    struct httpc *c = container_of(timer, struct httpc, timer);

    drive(c, CURL_SOCKET_TIMEOUT, 0);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *w = container_of(poll, struct watch, poll);
    int flags = 0;

    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    /* On an error flags stays 0, "look for yourself": libcurl then reads what
     * is left and can retry a connection that died idle. Told
     * CURL_CSELECT_ERR it would fail the request outright. libuv has stopped
     * the watch, so start it again first. */
    if (status < 0)
        uv_poll_start(&w->poll, w->events, on_ready);
    drive(w->client, w->fd, flags);
}

static void drive(struct httpc *c, curl_socket_t fd, int flags)
{
    int running, left;
    CURLMsg *msg;
    struct httpc_req *req;

    c->in_curl = true;
    curl_multi_socket_action(c->multi, fd, flags, &running);
    c->in_curl = false;

    if (c->closing) {
        close_now(c);
        return;
    }
    if (c->sweep)
        sweep(c);

    /* on_done may close the client; it is freed only later, by the loop. */
    while (!c->closing &&
           (msg = curl_multi_info_read(c->multi, &left)) != NULL) {
        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &req);
        finish(req, msg->data.result);
    }
}

static size_t on_bytes(char *data, size_t size, size_t count, void *user)
{
    struct httpc_req *req = user;
    size_t len = size * count;

    if (req->cancelled || req->client->closing)
        return 0;
    if (req->on_data != NULL) {
        req->on_data(req, data, len, req->user);
        return len;
    }
    if (req->body_len + len > BODY_MAX)
        return 0;
    req->body = xrealloc(req->body, req->body_len + len + 1);
    memcpy(req->body + req->body_len, data, len);
    req->body_len += len;
    req->body[req->body_len] = '\0';
    return len;
}

/*
 * Hand started requests to libcurl and take cancelled ones back. libcurl
 * forbids both from inside its own callbacks, so there httpc_start() and
 * httpc_cancel() only leave a mark, and drive() comes here right after.
 */
static void sweep(struct httpc *c)
{
    struct httpc_req *req, *next;

    c->sweep = false;
    DL_FOREACH_SAFE (c->reqs, req, next) {
        if (req->cancelled) {
            req_detach(req);
            req_free(req);
        } else if (!req->added) {
            req->added = true;
            curl_multi_add_handle(c->multi, req->easy);
        }
    }
}

/* Report a finished request to its owner and free it. */
static void finish(struct httpc_req *req, CURLcode rc)
{
    struct httpc_res res = { .body = "" };
    struct err err = { 0 };

    switch (rc) {
    case CURLE_OK:
        curl_easy_getinfo(req->easy, CURLINFO_RESPONSE_CODE, &res.status);
        if (req->body != NULL)
            res.body = req->body;
        res.body_len = req->body_len;
        break;
    case CURLE_OPERATION_TIMEDOUT:
        err_set(&err, ERR_TIMEOUT, "%s", req->curl_msg);
        break;
    case CURLE_COULDNT_CONNECT:
        err_set(&err, ERR_UNAVAILABLE, "cannot connect to %s",
                req->client->socket_path);
        break;
    default:
        err_set(&err, ERR_PROTOCOL, "%s",
                req->curl_msg[0] ? req->curl_msg : curl_easy_strerror(rc));
    }

    req_detach(req); /* first: on_done may close the client */
    if (err.code == ERR_NONE)
        req->on_done(&res, NULL, req->user);
    else
        req->on_done(NULL, &err, req->user);
    req_free(req);
}

/* Take the request away from its client and from libcurl. */
static void req_detach(struct httpc_req *req)
{
    struct httpc *c = req->client;

    DL_DELETE(c->reqs, req);
    curl_multi_remove_handle(c->multi, req->easy);
}

static void req_free(struct httpc_req *req)
{
    curl_easy_cleanup(req->easy);
    curl_slist_free_all(req->headers);
    free(req->json);
    free(req->body);
    free(req);
}

static void close_now(struct httpc *c)
{
    struct httpc_req *req, *next;

    DL_FOREACH_SAFE (c->reqs, req, next) {
        req_detach(req);
        req_free(req);
    }
    curl_multi_cleanup(c->multi); /* ends idle connections and their watches */
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *w = container_of(handle, struct watch, poll);
    struct httpc *c = w->client;

    free(w);
    handle_gone(c);
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_gone(container_of(handle, struct httpc, timer));
}

/* The last handle's close callback is the only place that frees a client. */
static void handle_gone(struct httpc *c)
{
    if (--c->open_handles > 0)
        return;
    if (c->on_closed != NULL)
        c->on_closed(c->closed_user);
    free(c->socket_path);
    free(c);
}
