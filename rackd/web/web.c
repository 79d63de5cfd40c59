#include "web/web.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"
#include "net/httpd.h"

struct web {
    struct httpd *httpd;
    const struct web_route *routes;
    void *user;
    web_closed_cb on_closed;
    void *closed_user;
};

struct web_req {
    struct httpd_req *http; /* NULL once the client has gone */
    struct cJSON *body;
    char *arg;
    web_gone_cb on_gone;
    void *gone_user;
    web_drain_cb on_drain;
    void *drain_user;
};

static void on_request(struct httpd_req *http, void *user);
static void on_http_gone(struct httpd_req *http, void *user);
static void on_http_drain(struct httpd_req *http, void *user);
static void on_http_closed(void *user);

int web_new(struct web **out, uv_loop_t *loop, const struct web_route *routes,
            void *user, struct err *err)
{
    struct web *c = xcalloc(1, sizeof(*c));

    c->routes = routes;
    c->user = user;
    if (httpd_new(&c->httpd, loop, on_request, c, err) < 0) {
        free(c);
        return -1;
    }
    *out = c;
    return 0;
}

int web_listen(struct web *c, const char *path, struct err *err)
{
    return httpd_listen_unix(c->httpd, path, err);
}

size_t web_clients(const struct web *c)
{
    return httpd_conns(c->httpd);
}

void web_close(struct web *c, web_closed_cb cb, void *user)
{
    c->on_closed = cb;
    c->closed_user = user;
    httpd_close(c->httpd, on_http_closed, c);
}

static void on_http_closed(void *user)
{
    struct web *c = user;

    c->on_closed(c->closed_user);
    free(c);
}

/* ---- routes ----------------------------------------------------------------
 */

/* "/apps/%/stop" against "/apps/demo/stop"; *arg is what % stood for. */
static bool matches(const char *pattern, const char *path, char **arg)
{
    const char *hole = strchr(pattern, '%');
    size_t head, len;

    if (hole == NULL)
        return strcmp(pattern, path) == 0;
    head = (size_t)(hole - pattern);
    if (strncmp(pattern, path, head) != 0)
        return false;
    len = strcspn(path + head, "/");
    if (len == 0 || strcmp(path + head + len, hole + 1) != 0)
        return false;
    *arg = str_dup_len(path + head, len);
    return true;
}

static const struct web_route *
find_route(const struct web *c, const struct httpd_req *http, char **arg)
{
    for (const struct web_route *r = c->routes; r->method != NULL; r++)
        if (strcmp(r->method, httpd_method(http)) == 0 &&
            matches(r->path, httpd_path(http), arg))
            return r;
    return NULL;
}

static struct cJSON *parse_body(const struct httpd_req *http)
{
    size_t len;
    const char *text = httpd_body(http, &len);
    struct cJSON *json;

    if (len == 0)
        return cJSON_CreateObject();
    json = cJSON_ParseWithLengthOpts(text, len + 1, NULL, 1);
    if (json == NULL || cJSON_IsObject(json))
        return json;
    cJSON_Delete(json);
    return NULL;
}

static void req_free(struct web_req *req)
{
    cJSON_Delete(req->body);
    free(req->arg);
    free(req);
}

static void on_request(struct httpd_req *http, void *user)
{
    struct web *c = user;
    struct web_req *req = xcalloc(1, sizeof(*req));
    const struct web_route *route;

    req->http = http;
    httpd_on_gone(http, on_http_gone, req);
    route = find_route(c, http, &req->arg);
    req->body = parse_body(http);
    if (route == NULL)
        web_error(req, 404, "no such request: %s %s", httpd_method(http),
                  httpd_path(http));
    else if (req->body == NULL)
        web_error(req, 400, "the body is not a JSON object");
    else
        route->handler(req, c->user);
}

/* Without a stream the request waits for its late answer. */
static void on_http_gone(struct httpd_req *http, void *user)
{
    struct web_req *req = user;

    (void)http;
    req->http = NULL;
    if (req->on_gone == NULL)
        return;
    req->on_gone(req, req->gone_user);
    req_free(req);
}

static void on_http_drain(struct httpd_req *http, void *user)
{
    struct web_req *req = user;

    (void)http;
    if (req->on_drain != NULL)
        req->on_drain(req, req->drain_user);
}

/* ---- reading ----------------------------------------------------------------
 */

const char *web_arg(const struct web_req *req)
{
    return req->arg == NULL ? "" : req->arg;
}

const char *web_query(const struct web_req *req, const char *name)
{
    const char *value = req->http == NULL ? NULL : httpd_query(req->http, name);

    return value == NULL ? "" : value;
}

const struct cJSON *web_body(const struct web_req *req)
{
    return req->body;
}

const char *web_text(const struct cJSON *object, const char *name)
{
    const char *text =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

    return text == NULL ? "" : text;
}

int web_bool(const struct cJSON *object, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, name));
}

double web_number(const struct cJSON *object, const char *name,
                  double otherwise)
{
    const struct cJSON *n = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsNumber(n) ? n->valuedouble : otherwise;
}

void web_put(struct cJSON *object, const char *name, const char *text)
{
    cleanup_str struct str clean = { 0 };
    size_t left = text == NULL ? 0 : strlen(text);

    for (const char *at = text; left > 0;) {
        size_t n = utf8_len(at, left);

        str_add_len(&clean, n == 0 ? "\xef\xbf\xbd" : at, n == 0 ? 3 : n);
        at += n == 0 ? 1 : n;
        left -= n == 0 ? 1 : n;
    }
    cJSON_AddStringToObject(object, name, str_c(&clean));
}

/* ---- answering ---------------------------------------------------------- */

static void send_json(struct web_req *req, int status, struct cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);

    if (req->http != NULL)
        httpd_answer(req->http, status, "application/json", text, strlen(text));
    cJSON_free(text);
    cJSON_Delete(json);
    req_free(req);
}

void web_answer(struct web_req *req, struct cJSON *json)
{
    send_json(req, 200, json);
}

void web_error(struct web_req *req, int status, const char *fmt, ...)
{
    cleanup_str struct str text = { 0 };
    struct cJSON *json = cJSON_CreateObject();
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    web_put(json, "error", str_c(&text));
    send_json(req, status, json);
}

void web_on_gone(struct web_req *req, web_gone_cb on_gone, void *user)
{
    req->on_gone = on_gone;
    req->gone_user = user;
}

void web_stream(struct web_req *req, web_gone_cb on_gone, void *user)
{
    web_on_gone(req, on_gone, user);
    if (req->http != NULL)
        httpd_stream(req->http, 200, "application/x-ndjson");
}

void web_event(struct web_req *req, struct cJSON *event)
{
    cleanup_str struct str line = { 0 };
    char *text = cJSON_PrintUnformatted(event);

    str_add(&line, text);
    str_add_char(&line, '\n');
    web_event_text(req, str_c(&line), line.len);
    cJSON_free(text);
    cJSON_Delete(event);
}

void web_event_text(struct web_req *req, const char *text, size_t len)
{
    if (req->http != NULL)
        httpd_write(req->http, text, len);
}

void web_event_bytes(struct web_req *req, const char *text, size_t len,
                     const char *bytes, size_t count)
{
    if (req->http != NULL)
        httpd_write2(req->http, text, len, bytes, count);
}

void web_end(struct web_req *req)
{
    if (req->http != NULL)
        httpd_end(req->http);
    req_free(req);
}

size_t web_queued(const struct web_req *req)
{
    return req->http == NULL ? 0 : httpd_queued(req->http);
}

void web_on_drain(struct web_req *req, web_drain_cb cb, void *user)
{
    req->on_drain = cb;
    req->drain_user = user;
    if (req->http != NULL)
        httpd_on_drain(req->http, on_http_drain, req);
}

static void quote_char(struct str *out, const char *at, size_t len)
{
    unsigned char c = (unsigned char)*at;

    if (len == 0)
        str_add(out, "\xef\xbf\xbd");
    else if (c == '"' || c == '\\')
        str_printf(out, "\\%c", c);
    else if (c < 0x20 || c == 0x7f)
        str_printf(out, "\\u%04x", c);
    else
        str_add_len(out, at, len);
}

void web_quote(struct str *out, const char *text, size_t len)
{
    size_t plain = 0; /* start of what can be copied as it is */
    size_t i = 0;

    str_add_char(out, '"');
    while (i < len) {
        unsigned char c = (unsigned char)text[i];
        size_t n;

        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            i++;
            continue;
        }
        str_add_len(out, text + plain, i - plain);
        n = utf8_len(text + i, len - i);
        quote_char(out, text + i, n);
        i += n == 0 ? 1 : n;
        plain = i;
    }
    str_add_len(out, text + plain, len - plain);
    str_add_char(out, '"');
}
