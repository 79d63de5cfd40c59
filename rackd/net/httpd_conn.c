/*
 * A connection of the server, from accept() to its last close callback: what
 * it reads goes to httpd_in.c or, after a 101, to httpd_upgrade.c; what it
 * sends waits in a queue of bounded length.
 */
#include "net/httpd_conn.h"

#include "base/mem.h"

/* A client that reads so slowly that this much waits for it is dropped:
 * writers that look at httpd_queued() stop long before. */
#define QUEUE_MAX ((size_t)64 << 20)

/* How long a client may take to hang up after the last answer. */
#define LINGER_MS 2000

#define READ_SIZE 16384

#define TEXT_OF(number)     TEXT_OF_RAW(number)
#define TEXT_OF_RAW(number) #number

/* In order of time. */
static void turn_away(struct conn *c, int status, const char *text);
static void on_deadline(uv_timer_t *timer);
static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);
static void on_soon(uv_timer_t *timer);
static void on_idle(struct sendq *q, int status);
static void on_all_sent(struct conn *c);
static void linger(struct conn *c);
static void on_closed(uv_handle_t *handle);
static void on_deadline_closed(uv_handle_t *handle);
static void on_soon_closed(uv_handle_t *handle);
static void handle_gone(struct conn *c);

void conn_progress(struct conn *c)
{
    uv_timer_start(&c->deadline, on_deadline, httpd_idle_ms(c->server), 0);
}

void conn_set_state(struct conn *c, enum conn_state state)
{
    c->state = state;
    switch (state) {
    case CONN_READING:
    case CONN_RECEIVING:
        conn_progress(c);
        break;
    case CONN_ANSWERING:
    case CONN_UPGRADED:
        uv_timer_stop(&c->deadline);
        break;
    case CONN_LINGERING:
        uv_timer_start(&c->deadline, on_deadline, LINGER_MS, 0);
        break;
    case CONN_CLOSING:
        break;
    }
}

void conn_accept(struct httpd *server, uv_stream_t *listener, bool is_tcp)
{
    struct conn *c = xcalloc(1, sizeof(*c));

    c->server = server;
    c->open_handles = 3;
    if (is_tcp)
        uv_tcp_init(listener->loop, &c->u.tcp);
    else
        uv_pipe_init(listener->loop, &c->u.pipe, 0);
    uv_timer_init(listener->loop, &c->deadline);
    uv_timer_init(listener->loop, &c->soon);
    sendq_init(&c->out, &c->u.stream, on_idle);
    httphead_init(&c->head, HTTPHEAD_REQUEST, HTTPD_HEAD_MAX, HTTPD_BODY_MAX);
    httpd_add(server, c);
    if (uv_accept(listener, &c->u.stream) < 0) {
        conn_drop(c);
        return;
    }
    if (is_tcp)
        uv_tcp_nodelay(&c->u.tcp, 1);
    conn_set_state(c, CONN_READING);
    conn_read(c, true);
    if (!httpd_may_enter(c, is_tcp))
        turn_away(c, 403, "this rackd belongs to another user");
    else if (httpd_is_full(server))
        turn_away(c, 503,
                  "too many clients: " TEXT_OF(
                      HTTPD_CONNS_MAX) " are connected; close some (cvx logs "
                                       "-f?), then try again");
}

/* The answer goes out before the request is read: it does not matter. */
static void turn_away(struct conn *c, int status, const char *text)
{
    if (httpd_turn_away(c))
        conn_refuse(c, status, text);
    else
        conn_drop(c);
}

static void on_deadline(uv_timer_t *timer)
{
    conn_drop(container_of(timer, struct conn, deadline));
}

/* ---- reading ------------------------------------------------------------- */

void conn_read(struct conn *c, bool on)
{
    if (c->state == CONN_CLOSING || c->got_eof)
        return;
    if (on)
        uv_read_start(&c->u.stream, on_alloc, on_read); /* twice is harmless */
    else
        uv_read_stop(&c->u.stream);
}

/* One buffer for every connection would do, but then it would be a global. */
static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    (void)handle;
    (void)hint;
    *buf = uv_buf_init(xrealloc(NULL, READ_SIZE), READ_SIZE);
}

/* A complete answer is still sent to a client that has closed its sending side
 * only; one that waits for an answer has gone. */
static void on_eof(struct conn *c)
{
    conn_read(c, false);
    c->got_eof = c->close_after = true;
    if (c->state != CONN_READING || conn_queued(c) == 0)
        conn_drop(c);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct conn *c = container_of(stream, struct conn, u.stream);

    if (nread == UV_EOF && c->state == CONN_UPGRADED)
        conn_raw_eof(c);
    else if (nread < 0 && c->state == CONN_UPGRADED)
        conn_drop(c);
    else if (nread < 0)
        on_eof(c);
    else if (nread > 0 && c->state == CONN_UPGRADED)
        conn_raw(c, buf->base, (size_t)nread);
    else if (nread > 0)
        conn_feed(c, buf->base, (size_t)nread);
    free(buf->base);
}

/* ---- what waits for the loop --------------------------------------------- */

void conn_want_soon(struct conn *c)
{
    if (c->state != CONN_CLOSING)
        uv_timer_start(&c->soon, on_soon, 0, 0);
}

static void feed_ahead(struct conn *c)
{
    struct str ahead = c->ahead;

    c->ahead = (struct str){ 0 };
    if (ahead.len > 0 && !c->close_after)
        conn_feed(c, ahead.s, ahead.len);
    str_release(&ahead);
}

/* Each step looks at the state anew: the one before may have changed it. */
static void on_soon(uv_timer_t *timer)
{
    struct conn *c = container_of(timer, struct conn, soon);

    if (conn_queued(c) == 0)
        on_all_sent(c);
    if (c->state == CONN_READING)
        feed_ahead(c);
    if (c->state == CONN_RECEIVING)
        conn_pump_body(c);
    if (c->state == CONN_UPGRADED)
        conn_raw_ahead(c);
    if (!c->paused)
        conn_read(c, true);
}

/* ---- sending ------------------------------------------------------------- */

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

static void tell_drained(struct httpd_req *req)
{
    httpd_drain_cb on_drain = req->on_drain;

    req->on_drain = NULL;
    if (on_drain != NULL)
        on_drain(req, req->drain_user);
}

static void on_all_sent(struct conn *c)
{
    switch (c->state) {
    case CONN_READING:
        if (c->close_after)
            linger(c);
        break;
    case CONN_UPGRADED:
        conn_maybe_shutdown(c);
        tell_drained(c->req);
        break;
    case CONN_RECEIVING:
    case CONN_ANSWERING:
        tell_drained(c->req);
        break;
    case CONN_LINGERING:
    case CONN_CLOSING:
        break;
    }
}

/* ---- the end ------------------------------------------------------------- */

void conn_answered(struct conn *c)
{
    req_free(c->req);
    c->req = NULL;
    c->whole = c->paused = c->said_continue = false;
    if (c->state == CONN_CLOSING)
        return;
    httphead_reset(&c->head);
    conn_set_state(c, CONN_READING);
    conn_read(c, true);
    /* What was sent ahead waits for the loop: on_request must not run from
     * inside httpd_answer(). */
    if (c->ahead.len > 0)
        conn_want_soon(c);
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
    if (c->got_eof) {
        conn_drop(c);
        return;
    }
    conn_set_state(c, CONN_LINGERING);
    if (uv_shutdown(&c->shutdown, &c->u.stream, conn_on_shutdown) < 0)
        conn_drop(c);
}

void conn_drop(struct conn *c)
{
    if (c->state == CONN_CLOSING)
        return;
    conn_set_state(c, CONN_CLOSING);
    uv_close((uv_handle_t *)&c->deadline, on_deadline_closed);
    uv_close((uv_handle_t *)&c->soon, on_soon_closed);
    uv_close(&c->u.handle, on_closed);
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = container_of(handle, struct conn, u.handle);

    if (c->req != NULL)
        req_gone(c->req);
    handle_gone(c);
}

static void on_deadline_closed(uv_handle_t *handle)
{
    uv_timer_t *timer = (uv_timer_t *)handle;

    handle_gone(container_of(timer, struct conn, deadline));
}

static void on_soon_closed(uv_handle_t *handle)
{
    uv_timer_t *timer = (uv_timer_t *)handle;

    handle_gone(container_of(timer, struct conn, soon));
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
