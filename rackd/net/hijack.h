/*
 * hijack -- a request whose connection becomes a raw two-way stream
 * (`Upgrade: tcp`): attach and exec with stdin.
 *
 *     struct hijack *h = hijack_start(loop, &spec);
 *     on_open: the engine has answered 101 (or 200); then bytes both ways.
 *     hijack_write(), hijack_shutdown() (half-close: end of stdin),
 *     hijack_close().
 *
 * Callbacks run from the loop, never from inside hijack_start(). on_end runs
 * exactly once: err NULL when the peer closed after on_open, else why
 * (connection refused, no TLS, an HTTP error with the body's text, over TLS
 * also an end that the peer did not announce). After hijack_close() none runs.
 * Memory is freed after on_end or hijack_close().
 */
#ifndef NET_HIJACK_H
#define NET_HIJACK_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct err;
struct hijack;
struct httpc_tls;

struct hijack_spec {
    const char *endpoint;        /* "unix:///path" or "tcp://host:port" */
    const struct httpc_tls *tls; /* certificates: tcp:// is TLS; or NULL */
    const char *path;            /* "/v1.41/containers/ID/attach?..." */
    const char *json;            /* request body, or NULL */
    void (*on_open)(struct hijack *h, void *user);
    void (*on_data)(struct hijack *h, const char *data, size_t len, void *user);
    void (*on_end)(struct hijack *h, long status, const struct err *err,
                   void *user);
    void *user;
};

struct hijack *hijack_start(uv_loop_t *loop, const struct hijack_spec *spec);

/* Copies. Bytes queued and not yet sent are returned: stop above your own
 * high-water mark. */
size_t hijack_write(struct hijack *h, const char *data, size_t len);
void hijack_shutdown(struct hijack *h);
void hijack_pause(struct hijack *h, bool pause);
void hijack_close(struct hijack *h);

#endif /* NET_HIJACK_H */
