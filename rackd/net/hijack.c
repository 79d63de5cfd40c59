/*
 * Two-way streams to the engine: a request by hand, one answer by httphead,
 * then bytes both ways, all of it through tls.c where the endpoint wants that.
 * libcurl makes the other requests; it cannot half-close.
 */
#include "net/hijack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/endpoint.h"
#include "net/hijack_http.h"
#include "net/httphead.h"
#include "net/sendq.h"
#include "net/tls.h"

#define HEAD_MAX ((size_t)64 << 10)

/* Bounds the body of an error answer; a message shows less of it anyway. */
#define BODY_MAX ((size_t)64 << 10)

enum hijack_state {
    HIJACK_CONNECTING, /* up to the end of the answer's head */
    HIJACK_REFUSED,    /* an HTTP error: its body is read */
    HIJACK_OPEN,       /* raw bytes both ways */
    HIJACK_ENDED,      /* uv_close() was called; on_end is to come */
};

struct hijack {
    uv_loop_t *loop;
    struct endpoint endpoint;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tcp_t tcp;
    } u;
    uv_timer_t soon; /* what must not be done from inside our functions */
    uv_connect_t connect;
    uv_getaddrinfo_t lookup;
    uv_shutdown_t shutdown;
    unsigned open; /* handles, and a lookup under way */
    enum hijack_state state;
    bool connected, looking_up;
    bool paused, closed;            /* by the owner */
    bool want_shutdown, write_dead; /* no more bytes from us */
    bool has_err;
    struct err err;
    struct tls *tls; /* NULL: none */
    struct httphead head;
    struct str request; /* sent before anything else, then empty */
    struct str early;   /* written before the stream was open */
    struct str held;    /* came behind the head, or while paused */
    struct sendq out;
    void (*on_open)(struct hijack *h, void *user);
    void (*on_data)(struct hijack *h, const char *data, size_t len, void *user);
    void (*on_end)(struct hijack *h, long status, const struct err *err,
                   void *user);
    void *user;
};

/* In order of time. */
static void on_soon(uv_timer_t *timer);
static void on_looked_up(uv_getaddrinfo_t *req, int status,
                         struct addrinfo *found);
static void on_connected(uv_connect_t *req, int status);
static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);
static void take(struct hijack *h, const char *data, size_t len);
static void take_tls(struct hijack *h, const char *data, size_t len);
static void maybe_end_tls(struct hijack *h);
static void on_idle(struct sendq *q, int status);
static void on_shutdown(uv_shutdown_t *req, int status);
static void one_gone(struct hijack *h);
static void on_stream_closed(uv_handle_t *handle);
static void on_timer_closed(uv_handle_t *handle);

/* The stream is over, with h->err when has_err. on_end follows from the loop.
 */
static void finish(struct hijack *h)
{
    if (h->state == HIJACK_ENDED)
        return;
    h->state = HIJACK_ENDED;
    if (h->looking_up)
        uv_cancel((uv_req_t *)&h->lookup);
    uv_close(&h->u.handle, on_stream_closed);
    uv_close((uv_handle_t *)&h->soon, on_timer_closed);
}

static void fail(struct hijack *h, enum err_code code, const char *what)
{
    h->has_err = true;
    err_set(&h->err, code, "%s: %s", what, h->endpoint.shown);
    finish(h);
}

/* `rc` is libuv's. */
static void fail_connect(struct hijack *h, int rc)
{
    h->has_err = true;
    endpoint_refused(&h->endpoint, -rc, &h->err);
    finish(h);
}

static void connect_tcp(struct hijack *h, const struct sockaddr *addr)
{
    int rc = uv_tcp_connect(&h->connect, &h->u.tcp, addr, on_connected);

    if (rc < 0)
        fail_connect(h, rc);
}

static void connect_host(struct hijack *h)
{
    cleanup_free char *port = xasprintf("%d", h->endpoint.port);
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct sockaddr_storage addr;
    int rc;

    if (uv_ip4_addr(h->endpoint.host, h->endpoint.port,
                    (struct sockaddr_in *)&addr) == 0 ||
        uv_ip6_addr(h->endpoint.host, h->endpoint.port,
                    (struct sockaddr_in6 *)&addr) == 0) {
        connect_tcp(h, (struct sockaddr *)&addr);
        return;
    }
    rc = uv_getaddrinfo(h->loop, &h->lookup, on_looked_up, h->endpoint.host,
                        port, &hints);
    if (rc < 0) {
        fail(h, ERR_UNAVAILABLE, "no such host");
        return;
    }
    h->looking_up = true;
    h->open++;
}

static void on_looked_up(uv_getaddrinfo_t *req, int status,
                         struct addrinfo *found)
{
    struct hijack *h = container_of(req, struct hijack, lookup);
    const struct addrinfo *best = found;

    /* IPv4 first: "localhost" has both, engines listen on 127.0.0.1. */
    while (best != NULL && best->ai_family != AF_INET)
        best = best->ai_next;
    if (best == NULL)
        best = found;
    h->looking_up = false;
    if (h->state == HIJACK_CONNECTING && status == 0 && best != NULL)
        connect_tcp(h, best->ai_addr);
    else if (h->state == HIJACK_CONNECTING)
        fail(h, ERR_UNAVAILABLE, "no such host");
    uv_freeaddrinfo(found);
    one_gone(h);
}

struct hijack *hijack_start(uv_loop_t *loop, const struct hijack_spec *spec)
{
    struct hijack *h = xcalloc(1, sizeof(*h));

    h->loop = loop;
    h->on_open = spec->on_open;
    h->on_data = spec->on_data;
    h->on_end = spec->on_end;
    h->user = spec->user;
    httphead_init(&h->head, HTTPHEAD_RESPONSE, HEAD_MAX, BODY_MAX);
    h->has_err = endpoint_parse(&h->endpoint, spec->endpoint, spec->tls != NULL,
                                &h->err) < 0;
    if (!h->has_err && h->endpoint.tls)
        h->has_err = tls_new(&h->tls, h->endpoint.host, spec->tls, &h->err) < 0;
    if (h->endpoint.host != NULL)
        uv_tcp_init(loop, &h->u.tcp);
    else
        uv_pipe_init(loop, &h->u.pipe, 0);
    uv_timer_init(loop, &h->soon);
    h->open = 2;
    sendq_init(&h->out, &h->u.stream, on_idle);
    if (!h->has_err)
        hijack_request(&h->request, &h->endpoint, spec);
    uv_timer_start(&h->soon, on_soon, 0, 0);
    return h;
}

static size_t queued(const struct hijack *h)
{
    return sendq_len(&h->out) + h->early.len;
}

/* When the peer reads no more it may still have something to say: only the
 * reading side ends the stream. */
static void send_bytes(struct hijack *h, const char *data, size_t len)
{
    if (!h->write_dead && sendq_write(&h->out, data, len) < 0)
        h->write_dead = true;
}

static void send_out(struct hijack *h, const char *data, size_t len)
{
    cleanup_str struct str sealed = { 0 };

    if (h->tls == NULL) {
        send_bytes(h, data, len);
        return;
    }
    tls_put(h->tls, data, len, &sealed);
    send_bytes(h, str_c(&sealed), sealed.len);
}

/*
 * Over TLS a close_notify ends our side. The connection below stays open both
 * ways: a forwarder on the path may take a half-closed one for the end.
 */
static void maybe_shutdown(struct hijack *h)
{
    cleanup_str struct str sealed = { 0 };

    if (h->state != HIJACK_OPEN || !h->want_shutdown || h->write_dead ||
        sendq_len(&h->out) > 0)
        return;
    if (h->tls != NULL) {
        tls_end(h->tls, &sealed);
        send_bytes(h, str_c(&sealed), sealed.len);
    } else {
        uv_shutdown(&h->shutdown, &h->u.stream, on_shutdown);
    }
    h->write_dead = true;
}

size_t hijack_write(struct hijack *h, const char *data, size_t len)
{
    if (h->state == HIJACK_ENDED || h->want_shutdown || h->write_dead)
        return 0;
    if (h->state == HIJACK_OPEN)
        send_out(h, data, len);
    else
        str_add_len(&h->early, data, len);
    return queued(h);
}

void hijack_shutdown(struct hijack *h)
{
    h->want_shutdown = true;
    maybe_shutdown(h);
}

void hijack_pause(struct hijack *h, bool pause)
{
    h->paused = pause;
    if (h->state != HIJACK_OPEN)
        return;
    if (pause)
        uv_read_stop(&h->u.stream);
    else
        uv_timer_start(&h->soon, on_soon, 0, 0);
}

void hijack_close(struct hijack *h)
{
    h->closed = true;
    finish(h);
}

/* The first step, and every resuming. */
static void on_soon(uv_timer_t *timer)
{
    struct hijack *h = container_of(timer, struct hijack, soon);
    struct str held = h->held;

    if (h->has_err) {
        finish(h);
    } else if (h->state == HIJACK_CONNECTING && !h->connected) {
        if (h->endpoint.path != NULL)
            uv_pipe_connect(&h->connect, &h->u.pipe, h->endpoint.path,
                            on_connected);
        else
            connect_host(h);
    } else if (h->state == HIJACK_OPEN && !h->paused) {
        h->held = (struct str){ 0 };
        if (held.len > 0)
            h->on_data(h, held.s, held.len, h->user);
        str_release(&held);
        if (h->state == HIJACK_OPEN && !h->paused)
            uv_read_start(&h->u.stream, on_alloc, on_read);
        maybe_end_tls(h);
    }
}

static void send_request(struct hijack *h)
{
    send_out(h, str_c(&h->request), h->request.len);
    str_release(&h->request);
}

static void on_connected(uv_connect_t *req, int status)
{
    struct hijack *h = container_of(req, struct hijack, connect);

    if (h->state == HIJACK_ENDED)
        return;
    if (status < 0) {
        fail_connect(h, status);
        return;
    }
    h->connected = true;
    if (h->endpoint.host != NULL)
        uv_tcp_keepalive(&h->u.tcp, 1, 60);
    uv_read_start(&h->u.stream, on_alloc, on_read);
    if (h->tls != NULL)
        take_tls(h, "", 0); /* makes the first words of the handshake */
    else
        send_request(h);
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    (void)handle;
    *buf = uv_buf_init(xrealloc(NULL, hint), (unsigned)hint);
}

/* Bytes are raw from here on. on_soon() hands out those behind the head. */
static void open_stream(struct hijack *h, const char *rest, size_t len)
{
    h->state = HIJACK_OPEN;
    str_add_len(&h->held, rest, len);
    uv_read_stop(&h->u.stream);
    if (h->early.len > 0)
        send_out(h, h->early.s, h->early.len);
    str_release(&h->early);
    maybe_shutdown(h);
    uv_timer_start(&h->soon, on_soon, 0, 0);
    if (h->on_open != NULL)
        h->on_open(h, h->user);
}

static void fail_http(struct hijack *h)
{
    h->has_err = true;
    hijack_refusal(&h->head, &h->endpoint, &h->err);
    finish(h);
}

static void parse(struct hijack *h, const char *data, size_t len)
{
    enum httphead_step step;
    size_t used;

    do { /* once more without bytes: an empty body may end there */
        step = httphead_feed(&h->head, data, len, &used);
        data += used;
        len -= used;
        if (step == HTTPHEAD_HEAD &&
            (h->head.status == 101 || h->head.status == 200)) {
            open_stream(h, data, len);
            return;
        }
        if (step == HTTPHEAD_HEAD && h->head.status >= 200)
            h->state = HIJACK_REFUSED;
        if (step == HTTPHEAD_DONE && h->state != HIJACK_REFUSED)
            httphead_reset(&h->head); /* 100 Continue, or the like */
    } while (step == HTTPHEAD_HEAD ||
             (step == HTTPHEAD_DONE && h->state != HIJACK_REFUSED && len > 0));

    if (h->state == HIJACK_REFUSED && step != HTTPHEAD_MORE)
        fail_http(h);
    else if (step != HTTPHEAD_MORE && step != HTTPHEAD_DONE)
        fail(h, ERR_PROTOCOL, "not an HTTP answer");
}

static void on_read_end(struct hijack *h, ssize_t nread)
{
    if (h->state == HIJACK_REFUSED) {
        httphead_eof(&h->head); /* also a body cut short says something */
        fail_http(h);
    } else if (h->state == HIJACK_OPEN && nread == UV_EOF) {
        finish(h);
    } else {
        fail(h, ERR_UNAVAILABLE, "connection lost");
    }
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct hijack *h = container_of(stream, struct hijack, u.stream);

    if (nread < 0 && h->tls != NULL)
        on_read_end(h, UV_ECONNRESET); /* without TLS's own word it is a cut */
    else if (nread < 0)
        on_read_end(h, nread);
    else if (nread > 0 && h->tls != NULL)
        take_tls(h, buf->base, (size_t)nread);
    else if (nread > 0)
        take(h, buf->base, (size_t)nread);
    free(buf->base);
}

/* Bytes of the answer, or of the stream behind it. */
static void take(struct hijack *h, const char *data, size_t len)
{
    if (h->state == HIJACK_OPEN)
        h->on_data(h, data, len, h->user);
    else
        parse(h, data, len);
}

static void take_tls(struct hijack *h, const char *data, size_t len)
{
    cleanup_str struct str plain = { 0 }, sealed = { 0 };
    struct err err;
    bool is_bad = tls_take(h->tls, data, len, &plain, &sealed, &err) < 0;

    send_bytes(h, str_c(&sealed), sealed.len);
    if (tls_is_open(h->tls) && h->request.len > 0 && !is_bad)
        send_request(h);
    if (plain.len > 0)
        take(h, plain.s, plain.len);
    if (h->state == HIJACK_ENDED)
        return;
    if (is_bad) {
        h->has_err = true;
        err_set(&h->err, err.code, "no TLS with %s: %s", h->endpoint.shown,
                err.msg);
        finish(h);
    } else {
        maybe_end_tls(h);
    }
}

/* The server's last word counts once all before it is handed out. */
static void maybe_end_tls(struct hijack *h)
{
    if (h->tls != NULL && h->state != HIJACK_ENDED && tls_has_ended(h->tls) &&
        h->held.len == 0 && !h->paused)
        on_read_end(h, UV_EOF);
}

static void on_idle(struct sendq *q, int status)
{
    struct hijack *h = container_of(q, struct hijack, out);

    if (status < 0)
        h->write_dead = true;
    maybe_shutdown(h);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    (void)req;
    (void)status;
}

static void one_gone(struct hijack *h)
{
    if (--h->open > 0)
        return;
    if (!h->closed)
        h->on_end(h, h->head.head_done ? h->head.status : 0,
                  h->has_err ? &h->err : NULL, h->user);
    endpoint_release(&h->endpoint);
    tls_free(h->tls);
    httphead_release(&h->head);
    str_release(&h->request);
    str_release(&h->early);
    str_release(&h->held);
    sendq_release(&h->out);
    free(h);
}

static void on_stream_closed(uv_handle_t *handle)
{
    one_gone(container_of(handle, struct hijack, u.handle));
}

static void on_timer_closed(uv_handle_t *handle)
{
    uv_timer_t *timer = (uv_timer_t *)handle;

    one_gone(container_of(timer, struct hijack, soon));
}
