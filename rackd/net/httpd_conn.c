#include "net/httpd_conn.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

/* A client that reads so slowly that this much waits for it is dropped:
 * writers that look at httpd_queued() stop long before. */
#define QUEUE_MAX ((size_t)64 << 20)

/* How long a client may take to hang up after the last answer. */
#define LINGER_MS 2000

#define TEXT_OF(number)     TEXT_OF_RAW(number)
#define TEXT_OF_RAW(number) #number

/* In order of time. */
static void turn_away(struct conn *c, int status, const char *text);
static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);
static void on_timer(uv_timer_t *timer);
static void feed(struct conn *c, const char *data, size_t len);
static void deliver(struct conn *c);
static void refuse(struct conn *c, int status, const char *text);
static void on_idle(struct sendq *q, int status);
static void on_all_sent(struct conn *c);
static void linger(struct conn *c);
static void on_shutdown(uv_shutdown_t *req, int status);
static void on_closed(uv_handle_t *handle);
static void on_timer_closed(uv_handle_t *handle);
static void handle_gone(struct conn *c);

static void set_timer(struct conn *c, uint64_t ms)
{
    uv_timer_start(&c->timer, on_timer, ms, 0);
}

void conn_accept(struct httpd *server, uv_stream_t *listener, bool is_tcp)
{
    struct conn *c = xcalloc(1, sizeof(*c));

    c->server = server;
    c->open_handles = 2;
    if (is_tcp)
        uv_tcp_init(listener->loop, &c->u.tcp);
    else
        uv_pipe_init(listener->loop, &c->u.pipe, 0);
    uv_timer_init(listener->loop, &c->timer);
    sendq_init(&c->out, &c->u.stream, on_idle);
    httphead_init(&c->head, HTTPHEAD_REQUEST, HTTPD_HEAD_MAX, HTTPD_BODY_MAX);
    httpd_add(server, c);
    if (uv_accept(listener, &c->u.stream) < 0) {
        conn_drop(c);
        return;
    }
    if (is_tcp)
        uv_tcp_nodelay(&c->u.tcp, 1);
    set_timer(c, httpd_idle_ms(c->server));
    uv_read_start(&c->u.stream, on_alloc, on_read);
    if (!httpd_may_enter(c, is_tcp))
        turn_away(c, 403, "this rackd belongs to another user");
    else if (httpd_is_full(server))
        turn_away(c, 503,
                  "too many clients: " TEXT_OF(
                      HTTPD_CONNS_MAX) " are connected; close some (cvx logs "
                                       "-f?), then try again");
}

/* What it asks does not matter: the answer goes out first. */
static void turn_away(struct conn *c, int status, const char *text)
{
    if (httpd_turn_away(c))
        refuse(c, status, text);
    else
        conn_drop(c);
}

/* One buffer for every connection would do, but then it would be a global. */
static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    size_t len = 16384;

    (void)handle;
    (void)hint;
    *buf = uv_buf_init(xrealloc(NULL, len), (unsigned)len);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct conn *c = container_of(stream, struct conn, u.stream);

    if (nread < 0) {
        /* An answer that is complete is still sent: the client may have
         * closed its sending side only. */
        c->got_eof = c->close_after = true;
        if (c->state != CONN_READING || conn_queued(c) == 0)
            conn_drop(c);
        else
            uv_read_stop(stream);
    } else if (nread > 0) {
        feed(c, buf->base, (size_t)nread);
    }
    free(buf->base);
}

static void on_timer(uv_timer_t *timer)
{
    struct conn *c = container_of(timer, struct conn, timer);
    struct str ahead = c->ahead;

    if (c->state == CONN_ANSWERING) {
        if (conn_queued(c) == 0)
            on_all_sent(c);
    } else if (c->state == CONN_READING && ahead.len > 0 && !c->close_after) {
        c->ahead = (struct str){ 0 };
        set_timer(c, httpd_idle_ms(c->server));
        feed(c, ahead.s, ahead.len);
        str_release(&ahead);
    } else {
        conn_drop(c);
    }
}

/* curl waits for this line before it sends a long body. */
static void say_continue(struct conn *c)
{
    const char *expect = httphead_header(&c->head, "Expect");

    if (c->said_continue || expect == NULL ||
        strcasecmp(expect, "100-continue") != 0)
        return;
    c->said_continue = true;
    conn_write(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}

/* Kept until the request before is answered. */
static void keep(struct conn *c, const char *data, size_t len)
{
    if (c->ahead.len + len > HTTPD_HEAD_MAX)
        conn_drop(c); /* nobody pipelines that much in good faith */
    else
        str_add_len(&c->ahead, data, len);
}

static void feed(struct conn *c, const char *data, size_t len)
{
    size_t used;

    while (len > 0 && c->state == CONN_READING && c->ahead.len == 0 &&
           !c->close_after) {
        enum httphead_step step = httphead_feed(&c->head, data, len, &used);

        data += used;
        len -= used;
        if (step == HTTPHEAD_DONE)
            deliver(c);
        else if (step == HTTPHEAD_MORE && c->head.head_done)
            say_continue(c);
        else if (step == HTTPHEAD_HEAD_TOO_LARGE)
            refuse(c, 431, "request head too large");
        else if (step == HTTPHEAD_BODY_TOO_LARGE)
            refuse(c, 413, "request body too large");
        else if (step != HTTPHEAD_MORE)
            refuse(c, 400, "malformed request");
    }
    if (len > 0 && (c->state == CONN_ANSWERING || c->ahead.len > 0) &&
        !c->close_after)
        keep(c, data, len);
}

static void deliver(struct conn *c)
{
    struct httpd_req *req = xcalloc(1, sizeof(*req));

    if (!httphead_target(str_c(&c->head.target), &req->path, &req->query)) {
        req_free(req);
        refuse(c, 400, "malformed path");
        return;
    }
    req->conn = c;
    req->head_only = strcmp(c->head.method, "HEAD") == 0;
    req->chunked = !c->head.is_1_0;
    c->req = req;
    c->close_after = !c->head.keep_alive;
    c->state = CONN_ANSWERING;
    uv_timer_stop(&c->timer);
    httpd_deliver(c->server, req);
}

static void refuse(struct conn *c, int status, const char *text)
{
    cleanup_free char *body = xasprintf("{\"error\":\"%s\"}\n", text);
    struct httpd_req *req = xcalloc(1, sizeof(*req));

    req->conn = c;
    c->req = req;
    c->close_after = true;
    c->state = CONN_ANSWERING;
    httpd_answer(req, status, "application/json", body, strlen(body));
}

size_t conn_queued(const struct conn *c)
{
    return sendq_len(&c->out);
}

void conn_writev(struct conn *c, const uv_buf_t *bufs, unsigned count)
{
    size_t len = sendq_len(&c->out);

    if (c->state == CONN_CLOSING)
        return;
    for (unsigned i = 0; i < count; i++)
        len += bufs[i].len;
    if (len > QUEUE_MAX || sendq_writev(&c->out, bufs, count) < 0)
        conn_drop(c);
}

void conn_write(struct conn *c, const char *data, size_t len)
{
    uv_buf_t buf = { .base = (char *)data, .len = len };

    conn_writev(c, &buf, 1);
}

static void on_idle(struct sendq *q, int status)
{
    struct conn *c = container_of(q, struct conn, out);

    if (status < 0)
        conn_drop(c);
    on_all_sent(c);
}

static void on_all_sent(struct conn *c)
{
    httpd_drain_cb on_drain;

    if (c->state == CONN_ANSWERING && c->req->on_drain != NULL) {
        on_drain = c->req->on_drain;
        c->req->on_drain = NULL;
        on_drain(c->req, c->req->drain_user);
    } else if (c->state == CONN_READING && c->close_after) {
        linger(c);
    }
}

void conn_want_drain(struct conn *c)
{
    if (c->state == CONN_ANSWERING && conn_queued(c) == 0)
        set_timer(c, 0);
}

void conn_answered(struct conn *c)
{
    req_free(c->req);
    c->req = NULL;
    if (c->state == CONN_CLOSING)
        return;
    httphead_reset(&c->head);
    c->said_continue = false;
    c->state = CONN_READING;
    /* What was sent ahead waits for the loop: on_request must not run from
     * inside httpd_answer(). */
    set_timer(
        c, c->ahead.len > 0 && !c->close_after ? 0 : httpd_idle_ms(c->server));
    if (c->close_after && conn_queued(c) == 0)
        linger(c);
}

/*
 * Closed with bytes unread, a socket makes the kernel tell the client of a
 * reset, which may come before the answer: so end our side, read on, and let
 * the client close first.
 */
static void linger(struct conn *c)
{
    uv_shutdown_t *req;

    if (c->got_eof) {
        conn_drop(c);
        return;
    }
    c->state = CONN_LINGERING;
    set_timer(c, LINGER_MS);
    req = xcalloc(1, sizeof(*req));
    if (uv_shutdown(req, &c->u.stream, on_shutdown) < 0) {
        free(req);
        conn_drop(c);
    }
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    (void)status;
    free(req);
}

void conn_drop(struct conn *c)
{
    if (c->state == CONN_CLOSING)
        return;
    c->state = CONN_CLOSING;
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
    uv_close(&c->u.handle, on_closed);
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = container_of(handle, struct conn, u.handle);
    struct httpd_req *req = c->req;

    if (req != NULL && req->on_gone != NULL) {
        req->on_gone(req, req->gone_user);
        if (c->req != NULL) /* not answered in there */
            req_free(req);
    } else if (req != NULL) {
        req->conn = NULL; /* somebody may hold it still, and answer later */
    }
    c->req = NULL;
    handle_gone(c);
}

static void on_timer_closed(uv_handle_t *handle)
{
    uv_timer_t *timer = (uv_timer_t *)handle;

    handle_gone(container_of(timer, struct conn, timer));
}

static void handle_gone(struct conn *c)
{
    if (--c->open_handles > 0)
        return;
    httphead_release(&c->head);
    str_release(&c->ahead);
    sendq_release(&c->out);
    httpd_remove(c->server, c);
    free(c);
}
