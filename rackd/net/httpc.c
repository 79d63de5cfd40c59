/*
 * The HTTP client: libcurl's multi interface on a libuv loop. The engine's
 * calls and its plain streams go through it; libcurl says which sockets and
 * which timer to watch, and is told what happened to them.
 */
#include "net/httpc.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <utlist.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/endpoint.h"
#include "net/httpc_req.h"

struct timer {
    uv_timer_t uv;
    struct httpc *client;
};

struct httpc {
    uv_loop_t *loop;
    CURLM *multi;
    struct endpoint endpoint;
    bool has_tls;
    char *ca, *cert, *key, *unverified;
    long max_connections;
    struct timer timer;     /* libcurl's */
    struct timer expiry;    /* the first request's deadline */
    struct timer resume;    /* paused requests to wake */
    struct httpc_req *reqs; /* in flight */
    unsigned open_handles;  /* uv handles whose close callback is to come */
    bool in_curl;           /* libcurl may be calling us */
    bool has_pending;       /* something was asked for meanwhile */
    bool closing;
    httpc_closed_cb on_closed;
    void *closed_user;
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
static void on_resume(uv_timer_t *timer);
static void on_expiry(uv_timer_t *timer);
static void drive(struct httpc *c, curl_socket_t fd, int flags);
static bool after_curl(struct httpc *c);
static void do_pending(struct httpc *c);
static void finish(struct httpc_req *req, CURLcode rc);
static void req_detach(struct httpc_req *req);
static void close_now(struct httpc *c);
static void on_watch_closed(uv_handle_t *handle);
static void on_timer_closed(uv_handle_t *handle);
static void handle_gone(struct httpc *c);

static void timer_init(struct httpc *c, struct timer *t)
{
    uv_timer_init(c->loop, &t->uv);
    t->client = c;
    c->open_handles++;
}

static void timer_close(struct timer *t)
{
    uv_close((uv_handle_t *)&t->uv, on_timer_closed);
}

static void set_multi(struct httpc *c)
{
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, want_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, want_watch);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
}

static char *copy(const char *text)
{
    return text == NULL ? NULL : xstrdup(text);
}

int httpc_new(struct httpc **out, uv_loop_t *loop, const char *endpoint,
              const struct httpc_tls *tls, struct err *err)
{
    struct endpoint where;
    struct httpc *c;
    CURLM *multi;

    if (tls != NULL && tls->unverified == NULL &&
        (tls->ca == NULL || tls->cert == NULL || tls->key == NULL))
        return err_set(err, ERR_INVALID,
                       "TLS needs a CA, a certificate and "
                       "a key");
    if (endpoint_parse(&where, endpoint, tls != NULL, err) < 0)
        return -1;
    multi = curl_multi_init();
    if (multi == NULL) {
        endpoint_release(&where);
        return err_set(err, ERR_SYSTEM, "cannot initialise libcurl");
    }

    c = xcalloc(1, sizeof(*c));
    c->loop = loop;
    c->multi = multi;
    c->endpoint = where;
    if (tls != NULL) {
        c->has_tls = true;
        c->ca = copy(tls->ca);
        c->cert = copy(tls->cert);
        c->key = copy(tls->key);
        c->unverified = copy(tls->unverified);
    }
    timer_init(c, &c->timer);
    timer_init(c, &c->expiry);
    timer_init(c, &c->resume);
    set_multi(c);

    *out = c;
    return 0;
}

/* Something changed that libcurl must hear of; not from its own callbacks. */
static void want_pending(struct httpc *c)
{
    c->has_pending = true;
    if (!c->in_curl)
        do_pending(c);
}

void httpc_max_connections(struct httpc *c, long max)
{
    c->max_connections = max;
    want_pending(c);
}

static uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000;
}

/*
 * Set the timer for the request whose time is up first. libcurl 7.88 has
 * timeouts of its own, but a request that waits for one of `max_connections`
 * never reaches them.
 */
static void want_expiry(struct httpc *c)
{
    uint64_t now = now_ms(), first = UINT64_MAX;
    struct httpc_req *req;

    DL_FOREACH (c->reqs, req)
        if (req->deadline_ms != 0 && req->deadline_ms < first)
            first = req->deadline_ms;
    if (first != UINT64_MAX)
        uv_timer_start(&c->expiry.uv, on_expiry, first > now ? first - now : 0,
                       0);
}

struct httpc_req *httpc_start(struct httpc *c, const struct httpc_spec *spec)
{
    struct httpc_tls tls = {
        .ca = c->ca, .cert = c->cert, .key = c->key, .unverified = c->unverified
    };
    struct httpc_req *req =
        httpc_req_new(c, &c->endpoint, c->has_tls ? &tls : NULL, spec);

    DL_APPEND(c->reqs, req);
    if (spec->timeout_ms > 0) {
        req->deadline_ms = now_ms() + spec->timeout_ms;
        want_expiry(c);
    }
    want_pending(c);
    return req;
}

void httpc_cancel(struct httpc_req *req)
{
    req->cancelled = true;
    want_pending(req->client);
}

/* Pausing happens where the next bytes arrive. Resuming hands out what was
 * held back, so it waits for the loop: no callback runs from in here. */
void httpc_pause(struct httpc_req *req, bool pause)
{
    req->want_pause = pause;
    if (!pause && req->paused && !req->client->closing)
        uv_timer_start(&req->client->resume.uv, on_resume, 0, 0);
}

void httpc_close(struct httpc *c, httpc_closed_cb cb, void *user)
{
    struct httpc_req *req;

    c->closing = true;
    c->on_closed = cb;
    c->closed_user = user;
    DL_FOREACH (c->reqs, req)
        req->cancelled = true;
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
        uv_timer_stop(&c->timer.uv);
    else
        uv_timer_start(&c->timer.uv, on_timer, (uint64_t)timeout_ms, 0);
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
    struct httpc *c = container_of(timer, struct timer, uv)->client;

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

static void on_resume(uv_timer_t *timer)
{
    struct httpc *c = container_of(timer, struct timer, uv)->client;
    struct httpc_req *req;

    c->in_curl = true; /* libcurl calls on_data from in here */
    DL_FOREACH (c->reqs, req) {
        if (!req->paused || req->want_pause || req->cancelled)
            continue;
        req->paused = false;
        curl_easy_pause(req->easy, CURLPAUSE_CONT);
    }
    c->in_curl = false;
    after_curl(c);
}

static void on_expiry(uv_timer_t *timer)
{
    struct httpc *c = container_of(timer, struct timer, uv)->client;
    struct httpc_req *req;

    /* From the front each time: on_done may start, cancel, close. */
    do {
        uint64_t now = now_ms();

        DL_FOREACH (c->reqs, req)
            if (req->deadline_ms != 0 && req->deadline_ms <= now)
                break;
        if (req != NULL)
            finish(req, CURLE_OPERATION_TIMEDOUT);
    } while (req != NULL && !c->closing);
    if (!c->closing)
        want_expiry(c);
}

static void drive(struct httpc *c, curl_socket_t fd, int flags)
{
    int running, left;
    CURLMsg *msg;
    struct httpc_req *req;

    c->in_curl = true;
    curl_multi_socket_action(c->multi, fd, flags, &running);
    c->in_curl = false;
    if (!after_curl(c))
        return;

    /* on_done may close the client; it is freed only later, by the loop. */
    while (!c->closing &&
           (msg = curl_multi_info_read(c->multi, &left)) != NULL) {
        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &req);
        finish(req, msg->data.result);
    }
}

/* Do what was asked for in libcurl's callbacks; false: the client is gone. */
static bool after_curl(struct httpc *c)
{
    if (c->closing) {
        close_now(c);
        return false;
    }
    if (c->has_pending)
        do_pending(c);
    return true;
}

/*
 * Hand started requests to libcurl and take cancelled ones back. libcurl
 * forbids both from inside its own callbacks, so there httpc_start() and
 * httpc_cancel() only leave a mark, and after_curl() comes here.
 */
static void do_pending(struct httpc *c)
{
    struct httpc_req *req, *next;

    c->has_pending = false;
    curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                      c->max_connections);
    DL_FOREACH_SAFE (c->reqs, req, next) {
        if (req->cancelled) {
            req_detach(req);
            httpc_req_free(req);
        } else if (!req->added) {
            req->added = true;
            curl_multi_add_handle(c->multi, req->easy);
        }
    }
}

/* Report a finished request to its owner and free it. */
static void finish(struct httpc_req *req, CURLcode rc)
{
    struct httpc_res res;
    struct err err = { 0 };

    req_detach(req); /* first: on_done may close the client */
    if (httpc_req_result(req, rc, &res, &err) == 0)
        req->on_done(&res, NULL, req->user);
    else
        req->on_done(NULL, &err, req->user);
    httpc_req_free(req);
}

/* Take the request away from its client and from libcurl. */
static void req_detach(struct httpc_req *req)
{
    struct httpc *c = req->client;

    DL_DELETE(c->reqs, req);
    curl_multi_remove_handle(c->multi, req->easy);
}

static void close_now(struct httpc *c)
{
    struct httpc_req *req, *next;

    DL_FOREACH_SAFE (c->reqs, req, next) {
        req_detach(req);
        httpc_req_free(req);
    }
    curl_multi_cleanup(c->multi); /* ends idle connections and their watches */
    timer_close(&c->timer);
    timer_close(&c->expiry);
    timer_close(&c->resume);
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
    uv_timer_t *timer = (uv_timer_t *)handle;

    handle_gone(container_of(timer, struct timer, uv)->client);
}

/* The last handle's close callback is the only place that frees a client. */
static void handle_gone(struct httpc *c)
{
    if (--c->open_handles > 0)
        return;
    if (c->on_closed != NULL)
        c->on_closed(c->closed_user);
    endpoint_release(&c->endpoint);
    free(c->ca);
    free(c->cert);
    free(c->key);
    free(c->unverified);
    free(c);
}
