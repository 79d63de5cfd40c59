/*
 * ready -- wait until a server answers in its own protocol
 * (probe/handshake.h).
 *
 * It is too early when the container runs, and also when its port takes a
 * connection: docker-proxy does that before the server listens. The temporary
 * server with which the official images initialise their data listens on a unix
 * socket only. So this connects over TCP, shakes hands, and tries again until
 * there is an answer.
 *
 *     r = ready_start(loop, &(struct ready_spec){
 *         .probe = PROBE_POSTGRES,
 *         .targets = { { "172.18.0.2", 5432 }, { "127.0.0.1", 49153 } },
 *         .on_ready = on_ready, .user = item });
 *
 * Targets are tried independently, and the first answer counts: with an engine
 * that is rootless or in a virtual machine only the published port can be
 * reached. After a failed attempt the next follows in 2 ms, doubling up to 10
 * ms when it was refused and to 50 ms else. This goes on for ever: the caller
 * has the deadline and calls ready_cancel(). After the answer no further
 * connection is made.
 */
#ifndef PROBE_READY_H
#define PROBE_READY_H

#include <stdint.h>
#include <uv.h>

#include "plan/plan.h"

#define READY_TARGETS 2

/* How long one attempt may take when the spec does not say. It is long because
 * a server that has accepted a connection answers it when it can; mysqld may
 * look up our name before. */
#define READY_ATTEMPT_MS 3000U

struct ready;

struct ready_target {
    const char *host; /* an IP address, or "localhost"; NULL: no target */
    int port;
};

/* The server is ready. Runs once, from the loop, never from inside
 * ready_start() and never after ready_cancel(). The struct ready must not be
 * used after it has returned. */
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

/* Allowed until on_ready has returned. NULL is ignored. */
void ready_cancel(struct ready *r);

/*
 * Why it is not ready, such as "connection refused": of the target that tells
 * the most about the server. Valid until the next turn of the loop.
 */
const char *ready_last_error(const struct ready *r);

/* When the server took its first connection, by uv_hrtime(). Through a
 * published port alone this is the connection that was answered, because
 * docker-proxy takes the earlier ones. 0: none yet. Allowed until on_ready has
 * returned. */
uint64_t ready_connected_ns(const struct ready *r);

#endif /* PROBE_READY_H */
