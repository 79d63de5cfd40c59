/*
 * fake_tls -- an HTTPS server on 127.0.0.1 with a certificate of its own
 * making, in a thread. It answers every request with the same bytes.
 */
#ifndef TESTS_FAKE_TLS_H
#define TESTS_FAKE_TLS_H

#include <stdbool.h>

struct fake_tls;

struct fake_tls *fake_tls_new(const char *answer);
int fake_tls_port(const struct fake_tls *f);

/* Ends the thread. False when a client did not ask for "localhost" by name
 * (SNI), as servers with several certificates require. */
bool fake_tls_close(struct fake_tls *f);

#endif /* TESTS_FAKE_TLS_H */
