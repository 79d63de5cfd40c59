/*
 * control -- the HTTP API that cvx speaks: routes, JSON in, JSON out, streams
 * of events. It knows requests and answers, not racks: rack.c gives it a
 * table of routes.
 *
 *     static const struct control_route routes[] = {
 *         { "GET", "/version", on_version },
 *         { "POST", "/apps/%/stop", on_stop },     % is one path segment
 *         { NULL, NULL, NULL } };
 *     control_new(&c, loop, routes, user, &err);
 *     control_listen(c, "/run/user/1000/cvx/rackd.sock", &err);
 *
 * A handler answers exactly once: control_answer(), control_error(), or
 * control_stream() with any number of control_event() and one control_end().
 * A request stays valid until then. When the client goes away first, on_gone
 * (if set by control_stream()) runs once, and the request is dead after it
 * returns; without a stream a late answer to a lost client is harmless.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <stddef.h>
#include <uv.h>

struct cJSON;
struct control;
struct control_req;
struct err;
struct str;

/* Events a client has not read yet: above the first hold log lines back, above
 * the second leave out what a later event makes up for. */
#define CONTROL_HIGH_WATER ((size_t)1 << 20)
#define CONTROL_FULL       ((size_t)4 << 20)

typedef void (*control_handler)(struct control_req *req, void *user);
typedef void (*control_gone_cb)(struct control_req *req, void *user);
typedef void (*control_drain_cb)(struct control_req *req, void *user);
typedef void (*control_closed_cb)(void *user);

struct control_route {
    const char *method, *path; /* one "%" in it matches one segment */
    control_handler handler;
};

/* `routes` ends with a NULL method and is borrowed. */
int control_new(struct control **out, uv_loop_t *loop,
                const struct control_route *routes, void *user,
                struct err *err);
int control_listen(struct control *c, const char *path, struct err *err);
size_t control_clients(const struct control *c);
void control_close(struct control *c, control_closed_cb cb, void *user);

const char *control_arg(const struct control_req *req); /* what % matched */
const char *control_query(const struct control_req *req, const char *name);

/* The body: a JSON object, empty when there was none. Borrowed. */
const struct cJSON *control_body(const struct control_req *req);

/* Members of an object: "" or false or `otherwise` when absent or of another
 * type. */
const char *control_text(const struct cJSON *object, const char *name);
int control_bool(const struct cJSON *object, const char *name);
double control_number(const struct cJSON *object, const char *name,
                      double otherwise);

/* Add a string member; NULL is "". Bytes that are no UTF-8 become U+FFFD. */
void control_put(struct cJSON *object, const char *name, const char *text);

/* Takes `json`. */
void control_answer(struct control_req *req, struct cJSON *json);
void control_error(struct control_req *req, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

void control_stream(struct control_req *req, control_gone_cb on_gone,
                    void *user);
/* The stream has another owner from here on. */
void control_on_gone(struct control_req *req, control_gone_cb on_gone,
                     void *user);
/* Takes `event`. */
void control_event(struct control_req *req, struct cJSON *event);
/* Lines that are JSON already, each with its '\n'. */
void control_event_text(struct control_req *req, const char *text, size_t len);
/* Such a line, and bytes that it says the number of. */
void control_event_bytes(struct control_req *req, const char *text, size_t len,
                         const char *bytes, size_t count);
void control_end(struct control_req *req);
size_t control_queued(const struct control_req *req);
void control_on_drain(struct control_req *req, control_drain_cb cb, void *user);

/* Append `text` as a JSON string, quotes included; bytes that are no UTF-8
 * become U+FFFD. cJSON would let them through. */
void control_quote(struct str *out, const char *text, size_t len);

#endif /* CONTROL_CONTROL_H */
