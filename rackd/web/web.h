/*
 * web -- an HTTP API with JSON: routes, JSON in, JSON out, streams
 * of events. It knows requests and answers, not racks: rack.c gives it a
 * table of routes.
 *
 *     static const struct web_route routes[] = {
 *         { "GET", "/version", on_version },
 *         { "POST", "/apps/%/stop", on_stop },     % is one path segment
 *         { NULL, NULL, NULL } };
 *     web_new(&c, loop, routes, user, &err);
 *     web_listen(c, "/run/user/1000/cvx/rackd.sock", &err);
 *
 * A handler answers exactly once: web_answer(), web_error(), or
 * web_stream() with any number of web_event() and one web_end().
 * A request stays valid until then. When the client goes away first, on_gone
 * (if set by web_stream()) runs once, and the request is dead after it
 * returns; without a stream a late answer to a lost client is harmless.
 */
#ifndef WEB_WEB_H
#define WEB_WEB_H

#include <stddef.h>
#include <uv.h>

struct cJSON;
struct web;
struct web_req;
struct err;
struct str;

/* Events a client has not read yet: above the first hold log lines back, above
 * the second leave out what a later event makes up for. */
#define WEB_HIGH_WATER ((size_t)1 << 20)
#define WEB_FULL       ((size_t)4 << 20)

typedef void (*web_handler)(struct web_req *req, void *user);
typedef void (*web_gone_cb)(struct web_req *req, void *user);
typedef void (*web_drain_cb)(struct web_req *req, void *user);
typedef void (*web_closed_cb)(void *user);

struct web_route {
    const char *method, *path; /* one "%" in it matches one segment */
    web_handler handler;
};

/* `routes` ends with a NULL method and is borrowed. */
int web_new(struct web **out, uv_loop_t *loop, const struct web_route *routes,
            void *user, struct err *err);
int web_listen(struct web *c, const char *path, struct err *err);
size_t web_clients(const struct web *c);
void web_close(struct web *c, web_closed_cb cb, void *user);

const char *web_arg(const struct web_req *req); /* what % matched */
const char *web_query(const struct web_req *req, const char *name);

/* The body: a JSON object, empty when there was none. Borrowed. */
const struct cJSON *web_body(const struct web_req *req);

/* Members of an object: "" or false or `otherwise` when absent or of another
 * type. */
const char *web_text(const struct cJSON *object, const char *name);
int web_bool(const struct cJSON *object, const char *name);
double web_number(const struct cJSON *object, const char *name,
                  double otherwise);

/* Add a string member; NULL is "". Bytes that are no UTF-8 become U+FFFD. */
void web_put(struct cJSON *object, const char *name, const char *text);

/* Takes `json`. */
void web_answer(struct web_req *req, struct cJSON *json);
void web_error(struct web_req *req, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

void web_stream(struct web_req *req, web_gone_cb on_gone, void *user);
/* The stream has another owner from here on. */
void web_on_gone(struct web_req *req, web_gone_cb on_gone, void *user);
/* Takes `event`. */
void web_event(struct web_req *req, struct cJSON *event);
/* Lines that are JSON already, each with its '\n'. */
void web_event_text(struct web_req *req, const char *text, size_t len);
/* Such a line, and bytes that it says the number of. */
void web_event_bytes(struct web_req *req, const char *text, size_t len,
                     const char *bytes, size_t count);
void web_end(struct web_req *req);
size_t web_queued(const struct web_req *req);
void web_on_drain(struct web_req *req, web_drain_cb cb, void *user);

/* Append `text` as a JSON string, quotes included; bytes that are no UTF-8
 * become U+FFFD. cJSON would let them through. */
void web_quote(struct str *out, const char *text, size_t len);

#endif /* WEB_WEB_H */
