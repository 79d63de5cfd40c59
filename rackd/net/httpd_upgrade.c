/*
 * What follows a 101: raw bytes both ways on a connection that was HTTP.
 * Handlers begin it with httpd_upgrade(); it ends when both sides have ended
 * theirs, or when the connection breaks.
 */
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "net/httpd_conn.h"

/* Is `word` one of "a, b/1, c"? */
static bool lists(const char *list, const char *word)
{
    size_t len = strlen(word);

    while (*list != '\0') {
        size_t skip = strspn(list, ", \t"), some;

        list += skip;
        some = strcspn(list, ", \t");
        if (some == len && strncasecmp(list, word, len) == 0)
            return true;
        list += some;
    }
    return false;
}

bool httpd_asks_upgrade(const struct httpd_req *req, const char *protocol)
{
    const char *asked = httpd_header(req, "Upgrade");

    return asked != NULL && req->conn->head.asks_upgrade &&
           lists(asked, protocol);
}

static void refuse(struct httpd_req *req, const char *protocol)
{
    cleanup_free char *text =
        xasprintf("{\"error\":\"this needs an upgrade to %s\"}\n", protocol);

    httpd_add_header(req, "Upgrade", protocol);
    httpd_answer(req, 426, "application/json", text, strlen(text));
}

bool httpd_upgrade(struct httpd_req *req, const char *protocol,
                   const struct httpd_upgrade *spec)
{
    struct conn *c = req->conn;
    cleanup_str struct str out = { 0 };

    if (c == NULL || c->state == CONN_CLOSING) {
        httpd_drop(req);
        return false;
    }
    if (c->state != CONN_ANSWERING || req->streaming ||
        !httpd_asks_upgrade(req, protocol)) {
        refuse(req, protocol);
        return false;
    }
    str_printf(&out,
               "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
               "Upgrade: %s\r\n%s\r\n",
               protocol, str_c(&req->extra));
    req->upgrade = *spec;
    req->on_gone = NULL;
    req->streaming = true;
    req->chunked = req->head_only = false;
    conn_set_state(c, CONN_UPGRADED);
    conn_write(c, str_c(&out), out.len);
    conn_want_soon(c); /* for what came behind the request */
    return true;
}

void conn_raw(struct conn *c, const char *data, size_t len)
{
    if (c->ahead.len > 0) /* it waits for on_soon() */
        str_add_len(&c->ahead, data, len);
    else
        c->req->upgrade.on_data(c->req, data, len, c->req->upgrade.user);
}

static void maybe_end(struct conn *c)
{
    if (c->state == CONN_UPGRADED && c->eof_told && c->out_ended)
        conn_drop(c);
}

void conn_raw_ahead(struct conn *c)
{
    struct str ahead = c->ahead;

    if (!c->paused && ahead.len > 0) {
        c->ahead = (struct str){ 0 };
        conn_raw(c, ahead.s, ahead.len);
        str_release(&ahead);
    }
    if (c->state != CONN_UPGRADED || c->paused || !c->got_eof || c->eof_told)
        return;
    c->eof_told = true;
    c->req->upgrade.on_data(c->req, NULL, 0, c->req->upgrade.user);
    maybe_end(c);
}

void conn_raw_eof(struct conn *c)
{
    conn_read(c, false);
    c->got_eof = true;
    conn_raw_ahead(c);
}

void httpd_shutdown(struct httpd_req *req)
{
    if (req->conn == NULL || req->conn->state != CONN_UPGRADED)
        return;
    req->conn->want_shutdown = true;
    conn_maybe_shutdown(req->conn);
}

void conn_maybe_shutdown(struct conn *c)
{
    if (!c->want_shutdown || c->shutting_down || conn_queued(c) > 0)
        return;
    c->shutting_down = true;
    if (uv_shutdown(&c->shutdown, &c->u.stream, conn_on_shutdown) < 0)
        conn_drop(c);
}

void conn_on_shutdown(uv_shutdown_t *req, int status)
{
    struct conn *c = container_of(req, struct conn, shutdown);

    if (c->state != CONN_UPGRADED)
        return;
    c->out_ended = status == 0;
    if (status < 0)
        conn_drop(c);
    else
        maybe_end(c);
}

void httpd_drop(struct httpd_req *req)
{
    if (req->conn == NULL) {
        req_free(req);
        return;
    }
    req->dropped = true;
    conn_drop(req->conn);
}
