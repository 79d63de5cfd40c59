/*
 * tls_probe -- the client's side of one TLS connection in memory: bytes in,
 * bytes out, no I/O. It checks no certificate: it is for asking a service on
 * this machine whether it lives, never for a secret.
 *
 *     t = tls_probe_new("GET / HTTP/1.1\r\n...");
 *     tls_probe_feed(t, "", 0, &plain, &err);      begins the handshake
 *     tls_probe_take(t, &out);                     send these
 *     on every read: feed, take, and look at what is plain
 */
#ifndef PROBE_TLS_PROBE_H
#define PROBE_TLS_PROBE_H

#include <stddef.h>

struct err;
struct str;
struct tls_probe;

/* `request` is sent as soon as the handshake is done; copied. */
struct tls_probe *tls_probe_new(const char *request);

/* Take what was received; what it says is added to `plain`. */
int tls_probe_feed(struct tls_probe *t, const char *data, size_t len,
                   struct str *plain, struct err *err);

/* Add what is to be sent to `out`. */
void tls_probe_take(struct tls_probe *t, struct str *out);

void tls_probe_free(struct tls_probe *t);

#endif /* PROBE_TLS_PROBE_H */
