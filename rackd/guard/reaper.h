/*
 * reaper -- the reaper (images/reaper) as a container on the engine: removes
 * what carries our labels once we are dead, even where every process on this
 * machine is killed with us, or the engine is restarted.
 *
 *     r = reaper_new(&spec);
 *     reaper_want(r, true);      there are sessions: bring it up, keep it up
 *     reaper_want(r, false);     there are none: remove it
 *     reaper_close(r, on_closed, user);
 *
 * We keep its stdin open over the engine's socket: that is the lease. When the
 * stream ends while we live (the engine went away, somebody removed the
 * container) it is attached again, or another container is made. Where no such
 * container can be had, why() says so and the session is guarded by
 * reaper_process alone.
 */
#ifndef GUARD_REAPER_H
#define GUARD_REAPER_H

#include <stdbool.h>
#include <uv.h>

struct engine;
struct reaper;
struct strv;

typedef void (*reaper_cb)(void *user);

/* All borrowed for the call, the engine until after reaper_close(). */
struct reaper_spec {
    uv_loop_t *loop;
    struct engine *engine;
    const char *socket_path;   /* of the engine, as the engine's host sees it */
    const struct strv *labels; /* "key=value"; the first is the rack's */
    unsigned patience_ms;      /* a broken stream may be mended so late: for
                                  engines across a network */
    reaper_cb on_change;       /* ask settled(), up(), why(); from the loop,
                                  never from inside a call */
    void *user;
};

/* Its image, imported when a reaper is first wanted and not there, and its
 * program in it, which with --pause only keeps a container there; the caller
 * frees. */
char *reaper_image(void);
#define REAPER_PROGRAM "/cvx-reaper"

struct reaper *reaper_new(const struct reaper_spec *spec);
void reaper_want(struct reaper *r, bool wanted);

/* It is as wanted, or cannot be had: nothing to wait for. */
bool reaper_is_settled(const struct reaper *r);
bool reaper_is_up(const struct reaper *r);
bool reaper_is_gone(const struct reaper *r);

/* Why it is not up; "" where that is a matter of time. */
const char *reaper_why(const struct reaper *r);

/* Leaves the container as it is, which then acts as if we were dead. */
void reaper_close(struct reaper *r, reaper_cb cb, void *user);

#endif /* GUARD_REAPER_H */
