/*
 * Requests on their way from httpd to the handlers of a table of routes, and
 * the answers back. A handler holds a struct web_req, which outlives a client
 * that goes away.
 */
#include "web/web.h"

#include <cjson/cJSON.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/httpd.h"
#include "net/httphead.h"
#include "web/route.h"

#define FORM_TYPE "application/x-www-form-urlencoded"

struct web {
    struct httpd *httpd;
    const struct web_route *routes, *uploads;
    void *user;
    web_closed_cb on_closed;
    void *closed_user;
};

struct web_req {
    struct httpd_req *http; /* NULL once the client has gone */
    struct cJSON *body;
    struct httphead_fields args; /* what the names of the route stand for */
    struct httphead_fields form;
    web_gone_cb on_gone;
    void *gone_user;
    web_drain_cb on_drain;
    void *drain_user;
    web_bytes_cb on_body;
    void *body_user;
    struct web_upgrade upgrade;
};

/* In order of time. */
static void on_head(struct httpd_req *http, void *user);
static void on_request(struct httpd_req *http, void *user);
static void on_http_body(struct httpd_req *http, const char *data, size_t len,
                         void *user);
static void on_http_raw(struct httpd_req *http, const char *data, size_t len,
                        void *user);
static void on_http_raw_end(struct httpd_req *http, bool clean, void *user);
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
    httpd_on_head(c->httpd, on_head);
    *out = c;
    return 0;
}

void web_uploads(struct web *c, const struct web_route *uploads)
{
    c->uploads = uploads;
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

/* ---- routes -------------------------------------------------------------- */

static void forget(struct httphead_fields *args)
{
    httphead_fields_release(args);
    *args = (struct httphead_fields){ 0 };
}

/*
 * The row of a table for this request; methods of rows that fit but for their
 * method are added to `allowed`.
 */
static const struct web_route *search(const struct web_route *table,
                                      const struct httpd_req *http,
                                      struct httphead_fields *args,
                                      struct str *allowed)
{
    for (const struct web_route *r = table; r != NULL && r->method != NULL;
         r++) {
        bool fits = route_fits(r->path, httpd_raw_path(http), args);

        if (fits && strcmp(r->method, httpd_method(http)) == 0)
            return r;
        if (fits)
            str_printf(allowed, "%s%s", allowed->len > 0 ? ", " : "",
                       r->method);
        forget(args);
    }
    return NULL;
}

static void refuse(struct web_req *req, const char *allowed)
{
    if (*allowed == '\0') {
        web_error(req, 404, "no such request: %s %s", httpd_method(req->http),
                  httpd_path(req->http));
        return;
    }
    httpd_add_header(req->http, "Allow", allowed);
    web_error(req, 405, "%s is not allowed on %s, but %s",
              httpd_method(req->http), httpd_path(req->http), allowed);
}

static struct web_req *req_new(struct httpd_req *http)
{
    struct web_req *req = xcalloc(1, sizeof(*req));

    req->http = http;
    httpd_on_gone(http, on_http_gone, req);
    return req;
}

/* What nobody wants is refused before its body comes; what is an upload is
 * handed over; all else waits for its body. */
static void on_head(struct httpd_req *http, void *user)
{
    struct web *c = user;
    cleanup_str struct str allowed = { 0 };
    struct httphead_fields args = { 0 };
    const struct web_route *route = search(c->uploads, http, &args, &allowed);
    struct web_req *req;

    if (route != NULL) {
        req = req_new(http);
        req->args = args;
        req->body = cJSON_CreateObject();
        httpd_receive(http, on_http_body, req);
        httpd_pause(http, true); /* until web_receive() */
        route->handler(req, c->user);
    } else if (search(c->routes, http, &args, &allowed) == NULL) {
        refuse(req_new(http), str_c(&allowed));
    } else {
        forget(&args);
    }
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
    httphead_fields_release(&req->args);
    httphead_fields_release(&req->form);
    free(req);
}

/* "application/x-www-form-urlencoded; charset=utf-8" is one too. */
static bool is_form(const struct httpd_req *http)
{
    const char *type = httpd_header(http, "Content-Type");
    size_t len = strlen(FORM_TYPE);

    return type != NULL && strncasecmp(type, FORM_TYPE, len) == 0 &&
           strchr("; \t", type[len]) != NULL;
}

static void on_request(struct httpd_req *http, void *user)
{
    struct web *c = user;
    struct web_req *req = req_new(http);
    cleanup_str struct str allowed = { 0 };
    const struct web_route *route =
        search(c->routes, http, &req->args, &allowed);
    const char *text;
    size_t len;

    text = httpd_body(http, &len);
    if (is_form(http)) {
        req->body = cJSON_CreateObject();
        if (!httphead_form(&req->form, text, len)) {
            web_error(req, 400, "the body is not a form");
            return;
        }
    } else {
        req->body = parse_body(http);
        if (req->body == NULL) {
            web_error(req, 400, "the body is not a JSON object");
            return;
        }
    }
    route->handler(req, c->user);
}

void web_receive(struct web_req *req, web_bytes_cb on_body, void *user)
{
    req->on_body = on_body;
    req->body_user = user;
    if (req->http != NULL)
        httpd_pause(req->http, false);
}

static void on_http_body(struct httpd_req *http, const char *data, size_t len,
                         void *user)
{
    struct web_req *req = user;

    (void)http;
    req->on_body(req, data, len, req->body_user);
}

/* Without on_gone the request waits for its late answer. */
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

/* ---- reading ------------------------------------------------------------- */

const char *web_arg(const struct web_req *req, const char *name)
{
    const char *value = httphead_field(&req->args, name, false);

    return value == NULL ? "" : value;
}

const char *web_query(const struct web_req *req, const char *name)
{
    const char *value = req->http == NULL ? NULL : httpd_query(req->http, name);

    return value == NULL ? "" : value;
}

const char *web_header(const struct web_req *req, const char *name)
{
    const char *value =
        req->http == NULL ? NULL : httpd_header(req->http, name);

    return value == NULL ? "" : value;
}

const char *web_form(const struct web_req *req, const char *name)
{
    return web_form_nth(req, name, 0);
}

const char *web_form_nth(const struct web_req *req, const char *name, size_t n)
{
    const struct httphead_fields *form = &req->form;

    for (size_t i = 0; i < form->len; i++)
        if (strcmp(form->text.s + form->v[i].name, name) == 0 && n-- == 0)
            return form->text.s + form->v[i].value;
    return NULL;
}

const struct cJSON *web_body(const struct web_req *req)
{
    return req->body;
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

/* ---- raw bytes ----------------------------------------------------------- */

void web_add_header(struct web_req *req, const char *name, const char *value)
{
    if (req->http != NULL)
        httpd_add_header(req->http, name, value);
}

bool web_asks_upgrade(const struct web_req *req, const char *protocol)
{
    return req->http != NULL && httpd_asks_upgrade(req->http, protocol);
}

bool web_upgrade(struct web_req *req, const char *protocol,
                 const struct web_upgrade *spec)
{
    struct httpd_upgrade raw = { .on_data = on_http_raw,
                                 .on_end = on_http_raw_end,
                                 .user = req };

    req->upgrade = *spec;
    if (req->http != NULL && httpd_upgrade(req->http, protocol, &raw))
        return true;
    req_free(req);
    return false;
}

static void on_http_raw(struct httpd_req *http, const char *data, size_t len,
                        void *user)
{
    struct web_req *req = user;

    (void)http;
    req->upgrade.on_data(req, data, len, req->upgrade.user);
}

static void on_http_raw_end(struct httpd_req *http, bool clean, void *user)
{
    struct web_req *req = user;

    (void)http;
    req->http = NULL;
    req->upgrade.on_end(req, clean, req->upgrade.user);
    req_free(req);
}

void web_shutdown(struct web_req *req)
{
    if (req->http != NULL)
        httpd_shutdown(req->http);
}

void web_pause(struct web_req *req, bool pause)
{
    if (req->http != NULL)
        httpd_pause(req->http, pause);
}

void web_drop(struct web_req *req)
{
    if (req->http != NULL)
        httpd_drop(req->http);
    req_free(req);
}
