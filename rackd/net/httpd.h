/*
 * httpd -- a small HTTP/1.1 server on a unix socket (or 127.0.0.1), in the
 * loop's own thread. Knows nothing of racks: web/ routes.
 *
 *     httpd_new(&d, loop, on_request, user)
 *     httpd_listen_unix(d, path, &err)       socket mode 0600
 *     on_request(req): read it, then answer once:
 *         httpd_answer(req, 200, "application/json", body, len), or
 *         httpd_stream(req, 200, "application/x-ndjson") and then any number
 *         of httpd_write(), then httpd_end(), or
 *         httpd_upgrade(req, &spec): raw bytes both ways, see below.
 *     httpd_close(d, on_closed, user)
 *
 * A request is handed over once its whole body is here (at most
 * HTTPD_BODY_MAX; head at most HTTPD_HEAD_MAX: 431/413), unless on_head takes
 * its body as it comes. It stays valid until httpd_answer() or httpd_end(), or,
 * when the client goes away first, until on_gone has returned. on_gone is how a
 * lease ends: it runs exactly once if the connection closes before the answer
 * is complete, and never otherwise. Malformed requests are answered 400 and
 * closed. Peers of another uid are answered 403 whatever they ask (SO_PEERCRED;
 * unix sockets only), and a client that comes when HTTPD_CONNS_MAX are there
 * 503. A client that sends no whole request for HTTPD_IDLE_MS is dropped (not
 * while an answer of ours is open). A client counts as gone when it ends its
 * sending side, and when 64 MiB wait for it. All callbacks run from the loop,
 * never from inside a function of this header. A process that uses this
 * ignores SIGPIPE.
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

/* Bytes from the client, valid during the call; len 0: no more will come. */
typedef void (*httpd_bytes_cb)(struct httpd_req *req, const char *data,
                               size_t len, void *user);

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
/* As it was sent: "%2F" and "/" are two things to whoever splits it. */
const char *httpd_raw_path(const struct httpd_req *req);
/* The decoded value of a query parameter; NULL when absent. */
const char *httpd_query(const struct httpd_req *req, const char *name);
const char *httpd_header(const struct httpd_req *req, const char *name);
const char *httpd_body(const struct httpd_req *req, size_t *len);

/* Call before returning from on_request when the answer comes later. */
void httpd_on_gone(struct httpd_req *req, httpd_gone_cb cb, void *user);

/* A header line of the answer, before it is given. Control characters in the
 * value become blanks. */
void httpd_add_header(struct httpd_req *req, const char *name,
                      const char *value);

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

/*
 * Bodies of any length. `cb` sees every request when its head is here and may
 * either leave it (on_request gets it, body collected), or answer at once, or
 * call httpd_receive(): then on_body gets the body piece by piece (16 KiB at
 * most, 64 KiB the first time), and the request never goes to on_request. The
 * answer may come at any time; when it comes before the body's end, the rest
 * is thrown away and the connection closed behind the answer. A handler that
 * receives sets httpd_on_gone(). The client must get on, HTTPD_IDLE_MS for
 * each piece; while paused it has all the time in the world.
 */
void httpd_on_head(struct httpd *d, httpd_request_cb cb);
void httpd_receive(struct httpd_req *req, httpd_bytes_cb on_body, void *user);

/* Back-pressure, for a body that is received and for raw bytes: no callback
 * comes while paused, and the client is held back. That a client has gone is
 * not noticed meanwhile either. */
void httpd_pause(struct httpd_req *req, bool pause);

/*
 * Raw bytes both ways, behind a 101. httpd_write() sends, httpd_queued() and
 * httpd_on_drain() tell how it goes, httpd_pause() holds the client back.
 * Either side may end first: on_data with len 0 says that the client has ended
 * its own, httpd_shutdown() ends ours once all is sent. The request is valid
 * until on_end has returned, which replaces on_gone: exactly once, `clean` when
 * both sides were ended in order.
 */
struct httpd_upgrade {
    httpd_bytes_cb on_data;
    void (*on_end)(struct httpd_req *req, bool clean, void *user);
    void *user;
};

/* Does the client ask for this protocol ("websocket", "tcp")? */
bool httpd_asks_upgrade(const struct httpd_req *req, const char *protocol);

/* The answer of a whole request. False: it did not ask for `protocol` and was
 * told so (426), or the client has gone; no callback comes, the request is
 * over. */
bool httpd_upgrade(struct httpd_req *req, const char *protocol,
                   const struct httpd_upgrade *spec);
void httpd_shutdown(struct httpd_req *req);

/* Close at once, whatever is queued. No callback comes, the request is over. */
void httpd_drop(struct httpd_req *req);

#endif /* NET_HTTPD_H */
