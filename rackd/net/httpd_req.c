/*
 * A request as its handler sees it: what it reads of it, and its answer.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/httpd_conn.h"

const char *httpd_method(const struct httpd_req *req)
{
    return req->conn == NULL ? "" : req->conn->head.method;
}

const char *httpd_path(const struct httpd_req *req)
{
    return str_c(&req->path);
}

const char *httpd_raw_path(const struct httpd_req *req)
{
    return str_c(&req->raw_path);
}

const char *httpd_query(const struct httpd_req *req, const char *name)
{
    return httphead_field(&req->query, name, false);
}

const char *httpd_header(const struct httpd_req *req, const char *name)
{
    return req->conn == NULL ? NULL : httphead_header(&req->conn->head, name);
}

const char *httpd_body(const struct httpd_req *req, size_t *len)
{
    static const struct str nothing;
    const struct str *body =
        req->conn == NULL ? &nothing : &req->conn->head.body;

    if (len != NULL)
        *len = body->len;
    return str_c(body);
}

void httpd_on_gone(struct httpd_req *req, httpd_gone_cb cb, void *user)
{
    req->on_gone = cb;
    req->gone_user = user;
}

void httpd_on_drain(struct httpd_req *req, httpd_drain_cb cb, void *user)
{
    req->on_drain = cb;
    req->drain_user = user;
    if (req->conn != NULL && cb != NULL && conn_queued(req->conn) == 0)
        conn_want_soon(req->conn);
}

size_t httpd_queued(const struct httpd_req *req)
{
    return req->conn == NULL ? 0 : conn_queued(req->conn);
}

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } reasons[] = {
        { 200, "OK" },
        { 201, "Created" },
        { 202, "Accepted" },
        { 204, "No Content" },
        { 304, "Not Modified" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 409, "Conflict" },
        { 413, "Content Too Large" },
        { 426, "Upgrade Required" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 502, "Bad Gateway" },
        { 503, "Service Unavailable" },
    };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "Unknown";
}

void httpd_add_header(struct httpd_req *req, const char *name,
                      const char *value)
{
    str_printf(&req->extra, "%s: ", name);
    for (; *value != '\0'; value++) {
        bool is_control = (unsigned char)*value < 0x20 || *value == 0x7f;

        if (is_control)
            str_add_char(&req->extra, ' ');
        else
            str_add_char(&req->extra, *value);
    }
    str_add(&req->extra, "\r\n");
}

/*
 * The head's first lines; the caller adds what says how long the body is. The
 * connection ends behind an answer that comes before the request is whole: the
 * rest may be long, and nobody wants it.
 */
static void begin(const struct httpd_req *req, int status, const char *type,
                  struct str *out)
{
    struct conn *c = req->conn;

    if (!c->head.keep_alive || (c->head.has_body && !c->whole))
        c->close_after = true;
    str_printf(out, "HTTP/1.1 %d %s\r\n", status, reason(status));
    str_add(out, str_c(&req->extra));
    if (type != NULL)
        str_printf(out, "Content-Type: %s\r\n", type);
    if (c->close_after)
        str_add(out, "Connection: close\r\n");
    else if (c->head.is_1_0)
        str_add(out, "Connection: keep-alive\r\n");
}

void httpd_answer(struct httpd_req *req, int status, const char *type,
                  const char *body, size_t len)
{
    bool has_body = status != 204 && status != 304;
    cleanup_str struct str out = { 0 };

    if (req->conn == NULL) {
        req_free(req);
        return;
    }
    begin(req, status, type, &out);
    if (has_body)
        str_printf(&out, "Content-Length: %zu\r\n", len);
    str_add(&out, "\r\n");
    if (has_body && !req->head_only)
        str_add_len(&out, body, len);
    conn_write(req->conn, str_c(&out), out.len);
    conn_answered(req->conn);
}

void httpd_stream(struct httpd_req *req, int status, const char *type)
{
    cleanup_str struct str out = { 0 };

    if (req->conn == NULL)
        return;
    req->streaming = true;
    if (!req->chunked) /* only its end says how long it was */
        req->conn->close_after = true;
    begin(req, status, type, &out);
    if (req->chunked)
        str_add(&out, "Transfer-Encoding: chunked\r\n");
    str_add(&out, "\r\n");
    conn_write(req->conn, str_c(&out), out.len);
}

void httpd_write(struct httpd_req *req, const char *data, size_t len)
{
    httpd_write2(req, data, len, "", 0);
}

void httpd_write2(struct httpd_req *req, const char *data, size_t len,
                  const char *more, size_t more_len)
{
    char head[32];
    uv_buf_t bufs[] = { { .base = head },
                        { .base = (char *)data, .len = len },
                        { .base = (char *)more, .len = more_len },
                        { .base = (char *)"\r\n", .len = 2 } };

    if (req->conn == NULL || req->head_only || len + more_len == 0)
        return; /* an empty chunk would end the stream */
    if (req->conn->want_shutdown)
        return;
    if (req->chunked) {
        bufs[0].len =
            (size_t)snprintf(head, sizeof(head), "%zx\r\n", len + more_len);
        conn_writev(req->conn, bufs, 4);
    } else {
        conn_writev(req->conn, bufs + 1, 2);
    }
}

void httpd_end(struct httpd_req *req)
{
    if (req->conn == NULL) {
        req_free(req);
        return;
    }
    if (req->chunked && !req->head_only)
        conn_write(req->conn, "0\r\n\r\n", 5);
    conn_answered(req->conn);
}

void req_free(struct httpd_req *req)
{
    if (req->going) /* req_gone() is using it still */
        return;
    str_release(&req->raw_path);
    str_release(&req->path);
    str_release(&req->extra);
    httphead_fields_release(&req->query);
    free(req);
}

void req_gone(struct httpd_req *req)
{
    struct conn *c = req->conn;
    bool clean = c->got_eof && c->out_ended;

    c->req = NULL;
    req->conn = NULL;
    if (req->handed && !req->dropped && req->upgrade.on_end == NULL &&
        req->on_gone == NULL)
        return; /* its handler frees it by answering, to nobody */
    req->going = true;
    if (req->handed && !req->dropped && req->upgrade.on_end != NULL)
        req->upgrade.on_end(req, clean, req->upgrade.user);
    else if (req->handed && !req->dropped)
        req->on_gone(req, req->gone_user);
    req->going = false;
    req_free(req);
}
