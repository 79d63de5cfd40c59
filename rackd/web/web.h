/*
 * web -- an HTTP API: routes, JSON or forms in, JSON out, streams of events,
 * uploads, and raw bytes both ways. It knows requests and answers, not racks:
 * rack.c gives it a table of routes.
 *
 *     static const struct web_route routes[] = {
 *         { "GET", "/version", on_version },
 *         { "POST", "/apps/{app}/stop", on_stop },     web_arg(req, "app")
 *         { NULL, NULL, NULL } };
 *     web_new(&c, loop, routes, user, &err);
 *     web_listen(c, "/run/user/1000/cvx/rackd.sock", &err);
 *
 * A handler answers exactly once: web_answer(), web_error(), or
 * web_stream() with any number of web_event() and one web_end().
 * A request stays valid until then. When the client goes away first, on_gone
 * (if set by web_stream()) runs once, and the request is dead after it
 * returns; without a stream a late answer to a lost client is harmless. A path
 * that no route knows is answered 404, a method that none of its routes has 405
 * with `Allow`.
 */
#ifndef WEB_WEB_H
#define WEB_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct cJSON;
struct web;
struct web_req;
struct err;
struct str;

/* Bytes of events that a client has not read yet. Above the first number log
 * lines are held back; above the second, events that a later one makes up for
 * are left out. */
#define WEB_HIGH_WATER ((size_t)1 << 20)
#define WEB_FULL       ((size_t)4 << 20)

typedef void (*web_handler)(struct web_req *req, void *user);
typedef void (*web_gone_cb)(struct web_req *req, void *user);
typedef void (*web_drain_cb)(struct web_req *req, void *user);
typedef void (*web_closed_cb)(void *user);

/* Bytes from the client, valid during the call; len 0: no more will come. */
typedef void (*web_bytes_cb)(struct web_req *req, const char *data, size_t len,
                             void *user);

struct web_route {
    const char *method, *path; /* patterns: see web/route.h */
    web_handler handler;
};

/* `routes` ends with a NULL method and is borrowed. */
int web_new(struct web **out, uv_loop_t *loop, const struct web_route *routes,
            void *user, struct err *err);

/*
 * Routes whose bodies are not collected, in a table like the first. Their
 * handler runs when the head is here; the client is held back until it answers
 * or calls web_receive() (with web_on_gone(): it must know when its client
 * leaves), then or later. on_body gets the body as it comes. An answer before
 * the end of the body throws the rest away. web_pause() holds the client back.
 */
void web_uploads(struct web *c, const struct web_route *uploads);
void web_receive(struct web_req *req, web_bytes_cb on_body, void *user);
void web_pause(struct web_req *req, bool pause);

int web_listen(struct web *c, const char *path, struct err *err);
size_t web_clients(const struct web *c);
void web_close(struct web *c, web_closed_cb cb, void *user);

/* What a name of the route stands for, a parameter of the query, a header; ""
 * when absent. */
const char *web_arg(const struct web_req *req, const char *name);
const char *web_query(const struct web_req *req, const char *name);
const char *web_header(const struct web_req *req, const char *name);

/* A value of a form (application/x-www-form-urlencoded); NULL when absent. A
 * name may be there several times: its n-th value, from 0. */
const char *web_form(const struct web_req *req, const char *name);
const char *web_form_nth(const struct web_req *req, const char *name, size_t n);

/* The body: a JSON object, empty when there was none or a form. Borrowed. */
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

/*
 * Raw bytes both ways, behind a 101: see net/httpd.h. web_event_text() sends,
 * web_queued() and web_on_drain() tell how it goes, web_pause() holds the
 * client back. on_data with len 0: the client has ended its side;
 * web_shutdown() ends ours. on_end runs once, and the request is dead after it
 * returns.
 */
struct web_upgrade {
    web_bytes_cb on_data;
    void (*on_end)(struct web_req *req, bool clean, void *user);
    void *user;
};

bool web_asks_upgrade(const struct web_req *req, const char *protocol);
/* A header line of the answer, before it is given. */
void web_add_header(struct web_req *req, const char *name, const char *value);
/* False: not asked for (answered 426), or the client has gone; the request is
 * over. */
bool web_upgrade(struct web_req *req, const char *protocol,
                 const struct web_upgrade *spec);
void web_shutdown(struct web_req *req);
/* Close at once. No callback comes, the request is over. */
void web_drop(struct web_req *req);

/* Append `text` as a JSON string, quotes included; bytes that are no UTF-8
 * become U+FFFD. cJSON would let them through. */
void web_quote(struct str *out, const char *text, size_t len);

#endif /* WEB_WEB_H */
