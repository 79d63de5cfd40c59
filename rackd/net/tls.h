/*
 * tls -- the client's side of one TLS connection, as a filter between bytes
 * from the network and bytes for the owner. It does no I/O but for reading the
 * certificates' files; hijack.c moves the bytes. Private to net/.
 *
 *     tls_new(&t, host, paths, &err)
 *     tls_take(t, "", 0, &plain, &out, &err)    and send `out`: the first words
 *     tls_take(t, data, len, &plain, &out, &err)    for all that arrives
 *     tls_put(t, data, len, &out)        once tls_is_open(): send `out`
 *     tls_end(t, &out)                   half-close: nothing follows from us
 *
 * The server must show a certificate for `host` (a name or an address) that the
 * CA has signed; the system's CAs count when no paths are given.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct httpc_tls;
struct str;
struct tls;

/* ERR_UNAVAILABLE when a file cannot be used. */
int tls_new(struct tls **out, const char *host, const struct httpc_tls *paths,
            struct err *err);
void tls_free(struct tls *t);

/* Bytes from the server: what they say is added to `plain`, what is to be sent
 * for it to `out`. -1: the connection is of no use any more; `plain` may hold
 * what came before, and `out` still says goodbye. */
int tls_take(struct tls *t, const char *data, size_t len, struct str *plain,
             struct str *out, struct err *err);

/* The handshake is over, as far as we can tell: a server that wants another
 * certificate than ours may say so later (TLS 1.3). */
bool tls_is_open(const struct tls *t);

/* The server has said that nothing follows. An end of the connection without
 * that is a cut. */
bool tls_has_ended(const struct tls *t);

void tls_put(struct tls *t, const char *data, size_t len, struct str *out);
void tls_end(struct tls *t, struct str *out);

#endif /* NET_TLS_H */
