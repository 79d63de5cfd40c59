/*
 * handshake -- what to say to a server to learn whether it is ready, and what
 * its answer means. Pure: no I/O; ready.c does that.
 *
 *     text = handshake_question(probe, &len);           send it, if len > 0
 *     verdict = handshake_answer(probe, in, in_len, why, sizeof(why));
 *
 * An answer is judged as soon as enough of it has come. No question needs a
 * password. These answers mean that the server is ready:
 *
 *   postgres   `R`, which asks for a password; also any error but those of a
 *              server that starts or stops (SQLSTATE 57P01, 57P02, 57P03): one
 *              that says "no such database" is up
 *   mysql      a greeting of protocol 10. An error in its place (too many
 *              connections, host not allowed) is "not yet". The server counts
 *              our leaving after the greeting as an aborted connect, and blocks
 *              a host after max_connect_errors (100) of them in a row: so ask
 *              again only after "not yet"
 *   redis      +PONG, or an error that asks for a login. -LOADING is "not yet",
 *              and so is -DENIED: in protected mode no service could use it
 *   memcached  its version, or an error that asks for a login
 */
#ifndef PROBE_HANDSHAKE_H
#define PROBE_HANDSHAKE_H

#include <stddef.h>

#include "plan/plan.h"

enum handshake {
    HANDSHAKE_MORE, /* no verdict yet: read on */
    HANDSHAKE_READY,
    HANDSHAKE_NOT_YET, /* `why` says what it answered */
};

/* An answer that cannot be judged after so many bytes never can. */
#define HANDSHAKE_MAX ((size_t)1024)

/* What the client sends first, static. *len is 0 where the server speaks first,
 * and for PROBE_NONE, where a connection is enough. */
const char *handshake_question(enum plan_probe probe, size_t *len);

/* `data` is all that has come so far. With HANDSHAKE_NOT_YET `why` becomes one
 * line of printable text. */
enum handshake handshake_answer(enum plan_probe probe, const char *data,
                                size_t len, char *why, size_t why_size);

#endif /* PROBE_HANDSHAKE_H */
