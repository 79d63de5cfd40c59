/*
 * health -- ask a service over HTTP, again and again, whether it is well.
 *
 *     h = health_start(loop, &(struct health_spec){
 *         .host = "172.18.0.3", .port = 3000, .scheme = "http",
 *         .path = "/check", .grace_ms = 5000, .interval_ms = 5000,
 *         .timeout_ms = 4000, .on_change = on_health, .user = item });
 *
 * Any answer of 200 to 399 is well. Redirects are not followed, certificates
 * are not checked. Until the first success it asks after 20 ms, doubling up to
 * 250 ms, so that a service need not wait an interval to be found ready; from
 * then on it asks once per interval. The service is unwell after three failures
 * in a row, each at least an interval after the other; failures within the
 * grace do not count.
 */
#ifndef PROBE_HEALTH_H
#define PROBE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* The number of failures in a row that makes a service unwell. */
#define HEALTH_FAILURES 3

/* The first and the longest wait between requests, until the first success. */
#define HEALTH_FAST_MS      20U
#define HEALTH_FAST_LAST_MS 250U

struct health;

/*
 * Called at the first verdict and at every change of it, from the loop, never
 * from inside health_start() nor after health_cancel(). `why` ("HTTP 503",
 * "connection refused") is valid during the call.
 */
typedef void (*health_cb)(bool healthy, const char *why, void *user);

/* Everything it points to is copied. */
struct health_spec {
    const char *host; /* an IP address */
    int port;
    const char *scheme; /* "https" speaks TLS, anything else does not */
    const char *path;
    unsigned grace_ms, interval_ms, timeout_ms;
    unsigned fast_ms;    /* 0: HEALTH_FAST_MS */
    health_cb on_change; /* required */
    void *user;
};

struct health *health_start(uv_loop_t *loop, const struct health_spec *spec);

/* Allowed at any time, also from on_change. NULL is ignored. */
void health_cancel(struct health *h);

/* Why the last request failed; "" when it did not. Valid until the next turn of
 * the loop. */
const char *health_last_error(const struct health *h);

/* When it took the first connection that it answered on, by uv_hrtime(); 0:
 * none yet. docker-proxy takes connections before the service does, and closes
 * them without an answer. */
uint64_t health_connected_ns(const struct health *h);

#endif /* PROBE_HEALTH_H */
