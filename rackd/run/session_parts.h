/*
 * session_parts -- a session's insides, for the files of run/ alone.
 *
 * Every part of a session (its network, its images, one container, ...) has a
 * file and a header of its own, which includes this one. Parts do not call each
 * other back: whoever made progress calls session_poke(), which walks
 * everything that may go on now. That keeps the order of things in one place
 * and the steps free of each other.
 *
 * A struct that is embedded here is written by the file of its header alone;
 * the others read it and call that file's functions.
 */
#ifndef RUN_SESSION_PARTS_H
#define RUN_SESSION_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan/plan.h"
#include "run/backpressure.h"
#include "run/engine_events.h"
#include "run/heartbeat.h"
#include "run/network.h"
#include "run/removal.h"
#include "run/session.h"
#include "run/session_timer.h"
#include "run/stragglers.h"
#include "run/teardown.h"
#include "run/volume.h"
#include "timing/marks.h"

struct build;
struct env;
struct image;
struct item;

enum session_state {
    SESSION_STARTING,
    SESSION_READY,
    SESSION_STOPPING,
    SESSION_GONE,
};

/* What the parts reach of what is above them, through session_core.c. */
struct session_hooks {
    void (*go_on)(struct session *s); /* everything that can, once */
    void (*on_failed)(struct session *s, const char *text, int status);
    void (*on_gone)(struct session *s);   /* nothing is left on the engine */
    void (*on_closed)(struct session *s); /* nor on the loop: free it */
};

struct session {
    struct session_spec spec;
    const struct session_hooks *hooks;
    struct env *client_env;
    char *id, *rack_id, *owner, *release, *dir;
    enum session_state state; /* session_set_state() */
    uint64_t started;         /* loop clock */
    unsigned long calls_before;
    struct marks marks;
    struct session_timer too_late; /* it had to be ready by then */
    unsigned open_handles;
    bool in_poke, poke_again; /* session_core.c */
    bool closing;             /* session.c */
    bool no_init; /* the engine has no init program (item_remake.c) */

    struct image **images; /* image.c */
    size_t image_count, image_cap;
    struct build **builds;              /* one per plan build */
    struct item *items;                 /* utlist */
    struct plan_container sandbox_plan; /* sandbox.c */

    struct session_network network;
    struct session_volumes volumes;
    struct session_engine_events events;
    struct session_heartbeat heartbeat;
    struct session_backpressure backpressure;
    struct session_teardown teardown;
    struct session_stragglers stragglers;
    struct session_removal removal;
};

/* ---- session_core.c ------------------------------------------------------ */

/* Changes the state and logs it. */
void session_set_state(struct session *s, enum session_state state);

/* Let everything go on that can. May be called from anywhere. */
void session_poke(struct session *s);

/* Something failed for good: say it, then take everything down. `why` and
 * `todo` may be NULL. */
void session_fail(struct session *s, int status, const char *text,
                  const char *why, const char *todo);

/* A timer has been closed; the last one frees the session. */
void session_handle_closed(struct session *s);

/* ---- session.c, for take_over.c ------------------------------------------ */

/* The clocks of a start begin: its marks, and its time limit if it has one. */
void session_time_start(struct session *s);

/* ---- session_layout.c: what the plan's parts become ---------------------- */

/* A start's marks begin, with the images and items that are there already. */
void session_mark_start(struct session *s);

void session_add_resources(struct session *s);

/* Builds and services, with their init containers. */
void session_add_services(struct session *s);

/* Resources without a container are as they will be: tell the watcher. */
void session_tell_resources(struct session *s);

/* ---- session_report.c: what a session says ------------------------------- */

/* Milliseconds since it was started. */
uint64_t session_ms(const struct session *s);
void session_emit(struct session *s, struct session_event *event);
void session_warn(struct session *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A line of our own in the log. */
void session_say(struct session *s, const char *tag, const char *source,
                 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Labels every object of the session carries; `kind` and `name` differ. */
void session_labels(const struct session *s, struct strv *out, const char *kind,
                    const char *name);

#endif /* RUN_SESSION_PARTS_H */
