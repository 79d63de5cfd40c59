/*
 * handshake -- what to say to a server to learn whether it is ready, and what
 * its answer means. Pure: no I/O; ready.c does that.
 *
 *     text = handshake_question(probe, &len);           send it, if len > 0
 *     verdict = handshake_answer(probe, in, in_len, why, sizeof(why));
 *
 * An answer is judged once enough of it is there. "Ready" is an answer of the
 * real server; asking never needs a password:
 *
 *   postgres   `R` (which asks for one), or an error that is no sign of
 *              starting or stopping (SQLSTATE 57P01, 57P02, 57P03): a server
 *              that says "no such database" is up
 *   mysql      a greeting of protocol 10; an error instead (too many
 *              connections, host not allowed) is not yet. Leaving after the
 *              greeting counts as one aborted connect in the server, and a
 *              host is blocked after max_connect_errors (100) of them in a
 *              row: ask once more only after an answer that was "not yet"
 *   redis      +PONG, or what says that it would answer who logs in; -LOADING
 *              and -DENIED (protected mode: no service could use it) are not
 *              yet
 *   memcached  its version, or that it wants a login
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

/* An answer that says nothing within so many bytes never will. */
#define HANDSHAKE_MAX ((size_t)1024)

/* What the client says first; *len is 0 where the server speaks first, and for
 * PROBE_NONE, where a connection is all there is to know. */
const char *handshake_question(enum plan_probe probe, size_t *len);

/* `data` is all that came so far. `why` is one line of printable text. */
enum handshake handshake_answer(enum plan_probe probe, const char *data,
                                size_t len, char *why, size_t why_size);

#endif /* PROBE_HANDSHAKE_H */
