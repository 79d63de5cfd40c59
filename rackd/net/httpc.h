/*
 * httpc -- asynchronous HTTP/1.1 requests to one server: a unix socket, or
 * tcp with or without TLS.
 *
 * A client belongs to one event loop; call every function from that loop's
 * thread. Connections are kept open and reused.
 *
 *     struct httpc *c;
 *     if (httpc_new(&c, loop, "unix:///var/run/docker.sock", NULL, &err) < 0)
 *         return err_wrap(&err, "engine");
 *     httpc_start(c, &(struct httpc_spec){
 *         .method = "GET", .path = "/version",
 *         .on_done = on_version, .user = app });
 *     ...
 *     httpc_close(c, on_closed, app);
 *
 * Callbacks run from the loop, never from inside httpc_start(). on_done runs
 * exactly once per request, unless the request is cancelled: then no callback
 * of that request ever runs again. Every function may be called from inside
 * any callback.
 */
#ifndef NET_HTTPC_H
#define NET_HTTPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct err;

struct httpc;     /* a client */
struct httpc_req; /* one request in flight; valid until on_done returns */

struct httpc_res {
    long status;      /* 200, 404, ... */
    const char *body; /* collected body, NUL terminated; "" with on_data
                         and a status below 400 */
    size_t body_len;
    struct httpc_req *req; /* for httpc_res_header() */
};

/* A response header's value, any case of `name`; NULL when absent. */
const char *httpc_res_header(const struct httpc_req *req, const char *name);

/* The response's head is here, before any of its body. */
typedef void (*httpc_head_cb)(struct httpc_req *req, long status, void *user);

/* Bytes of the body, as they arrive, of an answer below 400; the body of an
 * error answer is collected for on_done instead. `data` is valid during the
 * call only. */
typedef void (*httpc_data_cb)(struct httpc_req *req, const char *data,
                              size_t len, void *user);

/*
 * The request ended. On success err is NULL, whatever the HTTP status; on a
 * transport failure res is NULL. Both are valid during the call only.
 */
typedef void (*httpc_done_cb)(const struct httpc_res *res,
                              const struct err *err, void *user);

typedef void (*httpc_closed_cb)(void *user);

/* What to ask. Everything it points to is copied by httpc_start(). */
struct httpc_spec {
    const char *method; /* "GET", "POST", "DELETE", ... */
    const char *path;   /* starts with '/', already escaped */
    const char *json;   /* request body, or NULL */
    const char *data;   /* a body that is no text: data_len bytes */
    size_t data_len;
    int upload_fd;    /* > 0: the body is this file, from offset 0 to its
                         end, not closed here */
    const char *type; /* Content-Type of data and upload_fd */
    const char *const *headers; /* "Name: value", NULL terminated, or NULL */
    unsigned timeout_ms;        /* for the whole exchange; 0: none (streams) */
    size_t discard_max;    /* > 0: no body is wanted. So much of it is read and
                              thrown away, then the request ends well */
    httpc_head_cb on_head; /* may be NULL */
    httpc_data_cb on_data; /* NULL: collect the body for on_done */
    httpc_done_cb on_done; /* required */
    void *user;            /* passed to both callbacks */
};

/* TLS material of a tcp endpoint: paths, all or none. */
struct httpc_tls {
    const char *ca, *cert, *key;
    /* Instead of them: any certificate will do, and the server is asked for
     * the one of this name. Never for a secret. */
    const char *unverified;
};

/* What went wrong, for an owner with words of its own. */
enum httpc_failure {
    HTTPC_NOT_CONNECTED, /* os_errno says why, 0 when unknown */
    HTTPC_NO_TLS,        /* text is OpenSSL's reason */
    HTTPC_NO_ANSWER,     /* closed before a byte of it */
    HTTPC_CUT_SHORT,     /* closed in the middle of it */
    HTTPC_NOT_HTTP,
    HTTPC_HEAD_TOO_LARGE,
    HTTPC_TOO_LATE,
    HTTPC_FAILED, /* text is libcurl's */
};

struct httpc_why {
    enum httpc_failure what;
    int os_errno;
    const char *text;
};

/* From inside an on_done that was given an error. `text` is borrowed. */
struct httpc_why httpc_why(const struct httpc_req *req);

/* From inside on_head: when the request's connection was made, by uv_hrtime().
 * On a connection kept from an earlier request: when this one began. */
uint64_t httpc_connected_ns(const struct httpc_req *req);

/*
 * `endpoint` is unix://PATH, tcp://HOST:PORT (TLS when `tls` is given),
 * http://HOST:PORT or https://HOST:PORT. ERR_INVALID for anything else.
 */
int httpc_new(struct httpc **out, uv_loop_t *loop, const char *endpoint,
              const struct httpc_tls *tls, struct err *err);

/* At most `max` connections; further requests wait for one. 0: no limit. */
void httpc_max_connections(struct httpc *c, long max);

struct httpc_req *httpc_start(struct httpc *c, const struct httpc_spec *spec);

/* Allowed at any time before on_done runs. */
void httpc_cancel(struct httpc_req *req);

/* Stop and resume on_data: back-pressure. Allowed from any callback. */
void httpc_pause(struct httpc_req *req, bool pause);

/*
 * Cancel every request and free the client. `cb` runs from the loop once
 * nothing is left; `c` must not be used after this call.
 */
void httpc_close(struct httpc *c, httpc_closed_cb cb, void *user);

#endif /* NET_HTTPC_H */
