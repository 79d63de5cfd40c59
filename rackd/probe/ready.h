/*
 * ready -- wait until a server answers in its own protocol (run/handshake.h).
 *
 * "The container runs" and "the port accepts" are both too early: docker-proxy
 * accepts before the server listens, and the official images' temporary server
 * listens on a unix socket only. So: connect over TCP, shake hands, and try
 * again until there is an answer.
 *
 *     r = ready_start(loop, &(struct ready_spec){
 *         .probe = PROBE_POSTGRES,
 *         .targets = { { "172.18.0.2", 5432 }, { "127.0.0.1", 49153 } },
 *         .on_ready = on_ready, .user = item });
 *
 * Targets are tried independently, the first answer counts: where the engine
 * runs in a virtual machine or rootless, only the published port is in reach.
 * A refused or failed attempt is followed by the next after 2 ms, doubling up
 * to 10 or 50 ms, without end: deadlines are the caller's, with ready_cancel().
 * After the answer no further connection is made.
 */
#ifndef PROBE_READY_H
#define PROBE_READY_H

#include <stdint.h>
#include <uv.h>

#include "plan/plan.h"

#define READY_TARGETS 2

/* How long one attempt may take where the spec does not say. Long, because a
 * server that accepted will answer that connection when it can; mysqld may look
 * up our name first. */
#define READY_ATTEMPT_MS 3000U

struct ready;

struct ready_target {
    const char *host; /* an IP address, or "localhost"; NULL: no target */
    int port;
};

/* Runs once, from the loop, never from inside ready_start() and never after
 * ready_cancel(). The struct ready is gone when it returns. */
typedef void (*ready_cb)(void *user);

/* Everything it points to is copied. */
struct ready_spec {
    enum plan_probe probe;
    struct ready_target targets[READY_TARGETS];
    unsigned attempt_timeout_ms; /* 0: READY_ATTEMPT_MS */
    ready_cb on_ready;           /* required */
    void *user;
};

struct ready *ready_start(uv_loop_t *loop, const struct ready_spec *spec);

/* Allowed until on_ready has returned. NULL is nothing to cancel. */
void ready_cancel(struct ready *r);

/*
 * Why it is not ready, for "postgres did not become ready: connection
 * refused": what the nearest target said last. Valid until the next turn of
 * the loop.
 */
const char *ready_last_error(const struct ready *r);

/* When it took the first connection, by uv_hrtime(): that to the server itself
 * where it could be made, else that which answered. 0: none did. Valid until
 * on_ready has returned. */
uint64_t ready_connected_ns(const struct ready *r);

#endif /* PROBE_READY_H */
