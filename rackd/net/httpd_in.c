/*
 * The receiving half of a connection: bytes become requests, and bodies are
 * collected or handed on as they come. Runs whenever a client has sent
 * something, and when a handler goes on after a pause.
 */
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "net/httpd_conn.h"

/* A client that asks first waits for this line before it sends a long body. */
static void say_continue(struct conn *c)
{
    const char *expect = httphead_header(&c->head, "Expect");

    if (c->said_continue || c->req->streaming || expect == NULL ||
        strcasecmp(expect, "100-continue") != 0)
        return;
    c->said_continue = true;
    conn_write(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}

/* No request is read behind one that is the connection's last. */
static bool is_last(const struct conn *c)
{
    bool has_request = c->state == CONN_ANSWERING || c->state == CONN_RECEIVING;

    return c->close_after || (has_request && !c->head.keep_alive);
}

/*
 * Keep what came before its turn: the next request, or the first bytes of
 * another protocol. Nobody sends much of the first in good faith; of the
 * second the client may send as much as it likes, so it is held back.
 */
static void keep(struct conn *c, const char *data, size_t len)
{
    if (is_last(c))
        return;
    if (c->ahead.len + len <= HTTPD_HEAD_MAX) {
        str_add_len(&c->ahead, data, len);
    } else if (c->head.asks_upgrade) {
        str_add_len(&c->ahead, data, len);
        conn_read(c, false);
    } else {
        conn_drop(c);
    }
}

/* The head is here: the owner may answer, or take the body as it comes. */
static void begin(struct conn *c)
{
    struct httpd_req *req = xcalloc(1, sizeof(*req));

    req->conn = c;
    req->head_only = strcmp(c->head.method, "HEAD") == 0;
    req->chunked = !c->head.is_1_0;
    c->req = req;
    if (httphead_target(str_c(&c->head.target), &req->raw_path, &req->path,
                        &req->query))
        httpd_deliver_head(c->server, req);
    else
        conn_refuse(c, 400, "malformed path");
}

void httpd_receive(struct httpd_req *req, httpd_bytes_cb on_body, void *user)
{
    if (req->conn == NULL || req->handed)
        return;
    req->handed = true;
    req->on_body = on_body;
    req->body_user = user;
    httphead_stream(&req->conn->head);
    conn_set_state(req->conn, CONN_RECEIVING);
}

static void deliver(struct conn *c)
{
    c->req->handed = true;
    conn_set_state(c, CONN_ANSWERING);
    httpd_deliver(c->server, c->req);
}

/* The handler has had the whole body. */
static void end_body(struct conn *c)
{
    struct httpd_req *req = c->req;

    conn_set_state(c, CONN_ANSWERING);
    req->on_body(req, NULL, 0, req->body_user);
}

void conn_pump_body(struct conn *c)
{
    struct str piece = c->head.body;

    if (c->paused)
        return;
    if (piece.len == 0 && !c->whole)
        say_continue(c);
    if (piece.len > 0) {
        c->head.body = (struct str){ 0 };
        conn_progress(c);
        c->req->on_body(c->req, piece.s, piece.len, c->req->body_user);
        str_release(&piece);
    }
    if (c->state == CONN_RECEIVING && c->whole && !c->paused)
        end_body(c);
}

void httpd_pause(struct httpd_req *req, bool pause)
{
    struct conn *c = req->conn;

    if (c == NULL || (c->state != CONN_RECEIVING && c->state != CONN_UPGRADED))
        return;
    c->paused = pause;
    if (pause)
        conn_read(c, false);
    else
        conn_want_soon(c);
    if (c->state == CONN_RECEIVING && pause)
        uv_timer_stop(&c->deadline);
    else if (c->state == CONN_RECEIVING)
        conn_progress(c);
}

void conn_refuse(struct conn *c, int status, const char *text)
{
    cleanup_free char *body = xasprintf("{\"error\":\"%s\"}\n", text);
    struct httpd_req *req;

    if (c->req != NULL && c->req->streaming) { /* nothing fits in there */
        conn_drop(c);
        return;
    }
    if (c->req != NULL)
        req_gone(c->req);
    req = xcalloc(1, sizeof(*req));
    req->conn = c;
    c->req = req;
    c->close_after = true;
    httpd_answer(req, status, "application/json", body, strlen(body));
}

static void take_step(struct conn *c, enum httphead_step step)
{
    switch (step) {
    case HTTPHEAD_HEAD:
        begin(c);
        break;
    case HTTPHEAD_MORE:
        if (c->state == CONN_RECEIVING)
            conn_pump_body(c);
        else if (c->head.head_done)
            say_continue(c);
        break;
    case HTTPHEAD_DONE:
        c->whole = true;
        if (c->state == CONN_RECEIVING)
            conn_pump_body(c);
        else
            deliver(c);
        break;
    case HTTPHEAD_HEAD_TOO_LARGE:
        conn_refuse(c, 431, "request head too large");
        break;
    case HTTPHEAD_BODY_TOO_LARGE:
        conn_refuse(c, 413, "request body too large");
        break;
    case HTTPHEAD_BAD:
        conn_refuse(c, 400, "malformed request");
        break;
    }
}

static bool wants_bytes(const struct conn *c)
{
    if (c->state == CONN_READING)
        return c->ahead.len == 0 && !c->close_after;
    return c->state == CONN_RECEIVING && !c->whole;
}

void conn_feed(struct conn *c, const char *data, size_t len)
{
    enum httphead_step step = HTTPHEAD_MORE;
    size_t used;

    /* Once more behind a head without bytes: the message may end there. */
    while (wants_bytes(c) && (len > 0 || c->head.head_done)) {
        step = httphead_feed(&c->head, data, len, &used);
        data += used;
        len -= used;
        take_step(c, step);
        if (step == HTTPHEAD_MORE)
            break;
    }
    if (len > 0 && c->state != CONN_LINGERING && c->state != CONN_CLOSING)
        keep(c, data, len);
}
