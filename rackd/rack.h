/*
 * rack -- one rackd, whole: makes its parts and wires them.
 *
 *     rack_new(&r, &loop, "/run/user/1000/cvx/rackd.sock", 300, &err);
 *     uv_run(&loop, UV_RUN_DEFAULT);     until it has quit
 *     rack_free(r);
 *
 * main.c runs it. README.md beside this file says what lives where.
 */
#ifndef RACKD_RACK_H
#define RACKD_RACK_H

#include <uv.h>

struct api;
struct err;
struct rack;

/* Listens on the socket; without sessions and clients for idle_s seconds it
 * quits by itself. */
int rack_new(struct rack **out, uv_loop_t *loop, const char *socket_path,
             unsigned idle_s, struct err *err);

/* Tears every session down, then closes; the loop then ends by itself. Again:
 * services are killed, not asked. */
void rack_quit(struct rack *r);

/* After the loop has ended. */
void rack_free(struct rack *r);

/* Its parts, as the handlers of requests have them; for tests. */
struct api *rack_api(struct rack *r);

#endif /* RACKD_RACK_H */
