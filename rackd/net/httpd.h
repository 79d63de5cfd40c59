/*
 * httpd -- a small HTTP/1.1 server on a unix socket (or 127.0.0.1), in the
 * loop's own thread. Knows nothing of racks: control/ routes.
 *
 *     httpd_new(&d, loop, on_request, user)
 *     httpd_listen_unix(d, path, &err)       socket mode 0600
 *     on_request(req): read it, then answer once:
 *         httpd_answer(req, 200, "application/json", body, len), or
 *         httpd_stream(req, 200, "application/x-ndjson") and then any number
 *         of httpd_write(), then httpd_end().
 *     httpd_close(d, on_closed, user)
 *
 * A request is handed over once its whole body is here (at most
 * HTTPD_BODY_MAX; head at most HTTPD_HEAD_MAX: 431/413). It stays valid until
 * httpd_answer() or httpd_end(), or, when the client goes away first, until
 * on_gone has returned. on_gone is how a lease ends: it runs exactly once if
 * the connection closes before the answer is complete, and never otherwise.
 * Malformed requests are answered 400 and closed. Peers of another uid are
 * answered 403 whatever they ask (SO_PEERCRED; unix sockets only), and a client
 * that comes when HTTPD_CONNS_MAX are there 503. A client that sends no whole
 * request for HTTPD_IDLE_MS is dropped (not while an answer of ours is open). A
 * client counts as gone when it ends its sending side, and when 64 MiB wait for
 * it. All callbacks run from the loop, never from inside a function of this
 * header. A process that uses this ignores SIGPIPE.
 */
#ifndef NET_HTTPD_H
#define NET_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct err;

#define HTTPD_HEAD_MAX  ((size_t)64 << 10)
#define HTTPD_BODY_MAX  ((size_t)8 << 20)
#define HTTPD_CONNS_MAX 256
#define HTTPD_IDLE_MS   30000

struct httpd;
struct httpd_req;

typedef void (*httpd_request_cb)(struct httpd_req *req, void *user);
typedef void (*httpd_gone_cb)(struct httpd_req *req, void *user);
typedef void (*httpd_drain_cb)(struct httpd_req *req, void *user);
typedef void (*httpd_closed_cb)(void *user);

int httpd_new(struct httpd **out, uv_loop_t *loop, httpd_request_cb cb,
              void *user, struct err *err);

/* The socket is 0600 from its first moment. One that a dead server left is
 * replaced; ERR_CONFLICT when somebody answers on it. */
int httpd_listen_unix(struct httpd *d, const char *path, struct err *err);

/* Listens on 127.0.0.1; *port 0: any, written back. */
int httpd_listen_tcp(struct httpd *d, int *port, struct err *err);

/* Connections open now: rackd stays while there are some. */
size_t httpd_conns(const struct httpd *d);

/* Drops every connection (on_gone runs for open requests), frees. */
void httpd_close(struct httpd *d, httpd_closed_cb cb, void *user);

/* The request. All borrowed. */
const char *httpd_method(const struct httpd_req *req); /* "GET" */
const char *httpd_path(const struct httpd_req *req);   /* decoded, no query */
/* The decoded value of a query parameter; NULL when absent. */
const char *httpd_query(const struct httpd_req *req, const char *name);
const char *httpd_header(const struct httpd_req *req, const char *name);
const char *httpd_body(const struct httpd_req *req, size_t *len);

/* Call before returning from on_request when the answer comes later. */
void httpd_on_gone(struct httpd_req *req, httpd_gone_cb cb, void *user);

void httpd_answer(struct httpd_req *req, int status, const char *type,
                  const char *body, size_t len);

void httpd_stream(struct httpd_req *req, int status, const char *type);
void httpd_write(struct httpd_req *req, const char *data, size_t len);
/* Both, one behind the other; what can be sent at once is not copied. */
void httpd_write2(struct httpd_req *req, const char *data, size_t len,
                  const char *more, size_t more_len);
void httpd_end(struct httpd_req *req);

/* Bytes written but not yet taken by the client; and be told, once, when all
 * are gone. A writer stops above its high-water mark. */
size_t httpd_queued(const struct httpd_req *req);
void httpd_on_drain(struct httpd_req *req, httpd_drain_cb cb, void *user);

#endif /* NET_HTTPD_H */
