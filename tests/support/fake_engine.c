#include "support/fake_engine.h"

#include <ctype.h>
#include <llhttp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "support/golden.h"

struct rule {
    char *method, *path;
    struct fake_answer a;
    char *head; /* status line and headers, without the empty line */
    char *body;
    size_t body_len, used;
    struct rule *next;
};

struct conn {
    uv_pipe_t pipe;
    uv_timer_t delay;
    uv_shutdown_t shutdown;
    llhttp_t parser;
    struct fake_engine *fake;
    char in[16384];
    struct str method, path, headers, body;
    const struct rule *rule; /* being answered */
    bool open;               /* an answer more can be pushed onto */
    bool chunked, raw;
    unsigned handles;
    struct conn *prev, *next;
};

struct fake_engine {
    uv_pipe_t listener;
    uv_loop_t *loop;
    llhttp_settings_t settings;
    struct rule *rules;
    struct conn *conns;
    struct {
        struct fake_request *v;
        size_t len, cap;
    } seen;
    struct str input; /* of held containers */
    unsigned handles;
};

struct out {
    uv_write_t req;
    char *data;
};

/* In order of time. */
static void on_connection(uv_stream_t *server, int status);
static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);
static int on_method(llhttp_t *p, const char *at, size_t len);
static int on_url(llhttp_t *p, const char *at, size_t len);
static int on_name(llhttp_t *p, const char *at, size_t len);
static int on_name_end(llhttp_t *p);
static int on_value(llhttp_t *p, const char *at, size_t len);
static int on_value_end(llhttp_t *p);
static int on_body(llhttp_t *p, const char *at, size_t len);
static int on_complete(llhttp_t *p);
static void on_delay(uv_timer_t *t);
static void answer(struct conn *c);
static void on_written(uv_write_t *req, int status);
static void conn_end(struct conn *c);
static void on_sent(uv_shutdown_t *req, int status);
static void conn_close(struct conn *c);
static void on_conn_closed(uv_handle_t *h);
static void on_timer_closed(uv_handle_t *h);
static void on_listener_closed(uv_handle_t *h);

struct fake_engine *fake_engine_new(uv_loop_t *loop, const char *socket_path)
{
    struct fake_engine *f = xcalloc(1, sizeof(*f));

    signal(SIGPIPE, SIG_IGN); /* as rackd does: libuv writes with writev */
    f->loop = loop;
    f->handles = 2; /* the listener, and the test that holds it */
    llhttp_settings_init(&f->settings);
    f->settings.on_method = on_method;
    f->settings.on_url = on_url;
    f->settings.on_header_field = on_name;
    f->settings.on_header_field_complete = on_name_end;
    f->settings.on_header_value = on_value;
    f->settings.on_header_value_complete = on_value_end;
    f->settings.on_body = on_body;
    f->settings.on_message_complete = on_complete;
    unlink(socket_path);
    uv_pipe_init(loop, &f->listener, 0);
    if (uv_pipe_bind(&f->listener, socket_path) < 0 ||
        uv_listen((uv_stream_t *)&f->listener, 64, on_connection) < 0)
        abort();
    return f;
}

/* ---- rules --------------------------------------------------------------- */

static void read_file(struct rule *r, const char *name)
{
    cleanup_free char *path = xasprintf("fixtures/engine/%s", name);
    size_t len;
    char *text = golden_read(path, &len), *line = text;
    struct str head = { 0 };

    while (*line != '\0' && *line != '\n' && *line != '\r') {
        size_t n = strcspn(line, "\r\n");

        str_add_len(&head, line, n);
        str_add(&head, "\r\n");
        line += n;
        line += *line == '\r';
        line += *line == '\n';
    }
    line += *line == '\r';
    line += *line == '\n';
    r->head = str_take(&head);
    r->body_len = len - (size_t)(line - text);
    r->body = str_dup_len(line, r->body_len);
    free(text);
}

void fake_engine_on(struct fake_engine *f, const char *method, const char *path,
                    const struct fake_answer *a)
{
    struct rule *r = xcalloc(1, sizeof(*r));

    r->method = method == NULL ? NULL : xstrdup(method);
    r->path = xstrdup(path);
    r->a = *a;
    if (a->file != NULL) {
        read_file(r, a->file);
    } else {
        r->head =
            xasprintf("HTTP/1.1 %d X\r\n%s", a->status == 0 ? 200 : a->status,
                      a->headers == NULL ? "" : a->headers);
        r->body_len =
            a->body_len > 0 || a->body == NULL ? a->body_len : strlen(a->body);
        r->body = str_dup_len(a->body, r->body_len);
    }
    LL_PREPEND(f->rules, r);
}

/* "/v1.41/containers" -> "/containers" */
static const char *plain(const char *path)
{
    const char *at = path;

    if (!str_starts(at, "/v1."))
        return path;
    at += 4 + strspn(at + 4, "0123456789");
    return *at == '/' ? at : path;
}

static const struct rule *find_rule(struct fake_engine *f,
                                    const struct fake_request *q)
{
    struct rule *r;

    LL_FOREACH(f->rules, r)
    {
        if ((r->method != NULL && strcmp(r->method, q->method) != 0) ||
            !str_starts(plain(q->path), r->path))
            continue;
        if (r->a.times > 0 && r->used == r->a.times)
            continue;
        r->used++;
        return r;
    }
    return NULL;
}

/* ---- a connection -------------------------------------------------------- */

static void on_connection(uv_stream_t *server, int status)
{
    struct fake_engine *f = container_of(server, struct fake_engine, listener);
    struct conn *c = xcalloc(1, sizeof(*c));

    if (status < 0)
        abort();
    c->fake = f;
    c->handles = 2;
    f->handles += 2;
    DL_APPEND(f->conns, c);
    uv_pipe_init(f->loop, &c->pipe, 0);
    uv_timer_init(f->loop, &c->delay);
    llhttp_init(&c->parser, HTTP_REQUEST, &f->settings);
    if (uv_accept(server, (uv_stream_t *)&c->pipe) < 0)
        abort();
    uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read);
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
    struct conn *c = container_of(h, struct conn, pipe);

    (void)hint;
    *buf = uv_buf_init(c->in, sizeof(c->in));
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct conn *c = container_of(stream, struct conn, pipe);
    llhttp_errno_t rc = HPE_OK;

    if (nread > 0 && c->open && c->raw)
        str_add_len(&c->fake->input, buf->base, (size_t)nread);
    else if (nread >= 0)
        rc = llhttp_execute(&c->parser, buf->base, (size_t)nread);
    if (nread < 0 || (rc != HPE_OK && rc != HPE_PAUSED_UPGRADE))
        conn_close(c);
}

static struct conn *conn_of(llhttp_t *p)
{
    return container_of(p, struct conn, parser);
}

static int on_method(llhttp_t *p, const char *at, size_t len)
{
    str_add_len(&conn_of(p)->method, at, len);
    return 0;
}

static int on_url(llhttp_t *p, const char *at, size_t len)
{
    str_add_len(&conn_of(p)->path, at, len);
    return 0;
}

static int on_name(llhttp_t *p, const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        str_add_char(&conn_of(p)->headers, (char)tolower((unsigned char)at[i]));
    return 0;
}

static int on_name_end(llhttp_t *p)
{
    str_add(&conn_of(p)->headers, ": ");
    return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t len)
{
    str_add_len(&conn_of(p)->headers, at, len);
    return 0;
}

static int on_value_end(llhttp_t *p)
{
    str_add_char(&conn_of(p)->headers, '\n');
    return 0;
}

static int on_body(llhttp_t *p, const char *at, size_t len)
{
    str_add_len(&conn_of(p)->body, at, len);
    return 0;
}

static int on_complete(llhttp_t *p)
{
    struct conn *c = conn_of(p);
    struct fake_request *q = vec_add(&c->fake->seen);

    q->method = str_take(&c->method);
    q->path = str_take(&c->path);
    q->headers = str_take(&c->headers);
    q->body_len = c->body.len;
    q->body = str_take(&c->body);
    c->open = false;
    c->rule = find_rule(c->fake, q);
    /* Never from here: answering may close the connection being parsed. */
    uv_timer_start(&c->delay, on_delay,
                   c->rule == NULL ? 0 : c->rule->a.delay_ms, 0);
    return 0;
}

static void on_delay(uv_timer_t *t)
{
    answer(container_of(t, struct conn, delay));
}

/* ---- the answer ---------------------------------------------------------- */

static void send_bytes(struct conn *c, const char *data, size_t len)
{
    struct out *o = xcalloc(1, sizeof(*o));
    uv_buf_t buf;

    o->data = str_dup_len(data, len);
    buf = uv_buf_init(o->data, (unsigned)len);
    if (uv_write(&o->req, (uv_stream_t *)&c->pipe, &buf, 1, on_written) < 0)
        abort();
}

static void on_written(uv_write_t *req, int status)
{
    struct out *o = container_of(req, struct out, req);

    (void)status;
    free(o->data);
    free(o);
}

static void send_body(struct conn *c, const char *data, size_t len)
{
    struct str s = { 0 };

    if (len == 0)
        return;
    if (c->chunked) {
        str_printf(&s, "%zx\r\n", len);
        str_add_len(&s, data, len);
        str_add(&s, "\r\n");
        send_bytes(c, str_c(&s), s.len);
        str_release(&s);
    } else {
        send_bytes(c, data, len);
    }
}

/* One chunk a line, as the engine flushes them. */
static void send_lines(struct conn *c, const char *data, size_t len)
{
    while (c->chunked && len > 0) {
        const char *nl = memchr(data, '\n', len);
        size_t n = nl == NULL ? len : (size_t)(nl - data) + 1;

        send_body(c, data, n);
        data += n;
        len -= n;
    }
    send_body(c, data, len);
}

static void no_rule(struct conn *c)
{
    const struct fake_request *q = &c->fake->seen.v[c->fake->seen.len - 1];
    cleanup_free char *body =
        xasprintf("{\"message\":\"no rule for %s %s\"}", q->method, q->path);
    cleanup_free char *text = xasprintf(
        "HTTP/1.1 404 X\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);

    send_bytes(c, text, strlen(text));
}

static void answer(struct conn *c)
{
    const struct rule *r = c->rule;
    cleanup_free char *head = NULL;
    size_t len;
    bool raw;

    if (r == NULL) {
        no_rule(c);
        return;
    }
    if (r->a.how == FAKE_ENGINE_SILENT)
        return;
    if (r->a.how == FAKE_ENGINE_RESET) {
        conn_close(c);
        return;
    }
    raw = c->raw = strstr(r->head, "raw-stream") != NULL;
    c->chunked = !raw && (r->a.how == FAKE_ENGINE_OPEN ||
                          strstr(r->head, "chunked") != NULL);
    if (raw)
        head = xasprintf("%s\r\n", r->head);
    else if (strstr(r->head, "chunked") != NULL)
        head = xasprintf("%s\r\n", r->head);
    else if (c->chunked)
        head = xasprintf("%sTransfer-Encoding: chunked\r\n\r\n", r->head);
    else
        head = xasprintf("%sContent-Length: %zu\r\n\r\n", r->head, r->body_len);
    send_bytes(c, head, strlen(head));
    len = r->a.cut > 0 && r->a.cut < r->body_len ? r->a.cut : r->body_len;
    send_lines(c, r->body, len);
    if (r->a.how == FAKE_ENGINE_OPEN)
        c->open = true;
    else if (r->a.cut > 0 || raw)
        conn_end(c);
    else if (c->chunked)
        send_bytes(c, "0\r\n\r\n", 5);
}

const char *fake_engine_input(const struct fake_engine *f)
{
    return str_c(&f->input);
}

/* ---- for the test -------------------------------------------------------- */

size_t fake_engine_requests(const struct fake_engine *f)
{
    return f->seen.len;
}

const struct fake_request *fake_engine_request(const struct fake_engine *f,
                                               size_t i)
{
    return i < f->seen.len ? &f->seen.v[i] : NULL;
}

size_t fake_engine_asked(const struct fake_engine *f, const char *path)
{
    size_t count = 0;

    for (size_t i = 0; i < f->seen.len; i++)
        count += str_starts(plain(f->seen.v[i].path), path);
    return count;
}

const struct fake_request *fake_engine_last(const struct fake_engine *f,
                                            const char *path)
{
    for (size_t i = f->seen.len; i > 0; i--) {
        if (str_starts(plain(f->seen.v[i - 1].path), path))
            return &f->seen.v[i - 1];
    }
    return NULL;
}

size_t fake_engine_conns(const struct fake_engine *f)
{
    const struct conn *c;
    size_t count = 0;

    DL_FOREACH (f->conns, c)
        count += !uv_is_closing((const uv_handle_t *)&c->pipe);
    return count;
}

void fake_engine_push(struct fake_engine *f, const char *path, const char *data,
                      size_t len)
{
    struct conn *c;

    DL_FOREACH (f->conns, c) {
        if (c->open && str_starts(c->rule->path, path))
            send_body(c, data, len);
    }
}

void fake_engine_finish(struct fake_engine *f, const char *path)
{
    struct conn *c, *next;

    DL_FOREACH_SAFE (f->conns, c, next) {
        if (!c->open || !str_starts(c->rule->path, path))
            continue;
        c->open = false;
        if (c->chunked)
            send_bytes(c, "0\r\n\r\n", 5);
        else
            conn_end(c);
    }
}

void fake_engine_drop(struct fake_engine *f)
{
    struct conn *c, *next;

    DL_FOREACH_SAFE (f->conns, c, next)
        conn_close(c);
}

void fake_engine_deaf(struct fake_engine *f)
{
    fake_engine_drop(f);
    if (!uv_is_closing((uv_handle_t *)&f->listener))
        uv_close((uv_handle_t *)&f->listener, on_listener_closed);
}

/* ---- the end ------------------------------------------------------------- */

static void rules_free(struct rule *rules)
{
    struct rule *r, *next;

    LL_FOREACH_SAFE(rules, r, next)
    {
        free(r->method);
        free(r->path);
        free(r->head);
        free(r->body);
        free(r);
    }
}

static void handle_gone(struct fake_engine *f)
{
    if (--f->handles > 0)
        return;
    for (size_t i = 0; i < f->seen.len; i++) {
        free(f->seen.v[i].method);
        free(f->seen.v[i].path);
        free(f->seen.v[i].headers);
        free(f->seen.v[i].body);
    }
    free(f->seen.v);
    str_release(&f->input);
    rules_free(f->rules);
    free(f);
}

void fake_engine_close(struct fake_engine *f)
{
    fake_engine_deaf(f);
    handle_gone(f);
}

static void on_listener_closed(uv_handle_t *h)
{
    struct fake_engine *f = container_of(h, struct fake_engine, listener);

    handle_gone(f);
}

/* Close once everything is sent. */
static void conn_end(struct conn *c)
{
    if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->pipe, on_sent) < 0)
        conn_close(c);
}

static void on_sent(uv_shutdown_t *req, int status)
{
    (void)status;
    conn_close(container_of(req, struct conn, shutdown));
}

static void conn_close(struct conn *c)
{
    if (uv_is_closing((uv_handle_t *)&c->pipe))
        return;
    c->open = false;
    uv_close((uv_handle_t *)&c->pipe, on_conn_closed);
    uv_close((uv_handle_t *)&c->delay, on_timer_closed);
}

static void conn_gone(struct conn *c)
{
    struct fake_engine *f = c->fake;

    if (--c->handles == 0) {
        DL_DELETE(f->conns, c);
        str_release(&c->method);
        str_release(&c->path);
        str_release(&c->headers);
        str_release(&c->body);
        free(c);
    }
    handle_gone(f);
}

static void on_conn_closed(uv_handle_t *h)
{
    conn_gone(container_of(h, struct conn, pipe));
}

static void on_timer_closed(uv_handle_t *h)
{
    conn_gone(container_of(h, struct conn, delay));
}
