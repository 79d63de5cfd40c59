/*
 * reaper_parts -- what the files of the reaper's container share.
 *
 *   reaper.c         the whole: wanted or not, tried again, given up, closed
 *   reaper_create.c  the container, its image imported where it is missing
 *   reaper_lease.c   its stdin held, its start, what it answers, their end
 *   reaper_remove.c  its removal, for another or for good
 *
 * In order of time: it is created, its stdin attached, it is started and asked
 * whether it can do its work; some day the stream ends; it is removed. One call
 * at a time is under way (`call`), with the stream (`lease`) beside it. Each
 * answer goes on to the next step, or to reaper_go_on() when that step is not
 * wanted any more.
 */
#ifndef GUARD_REAPER_PARTS_H
#define GUARD_REAPER_PARTS_H

#include "base/strv.h"
#include "guard/reaper.h"

struct demux;
struct engine_call;
struct err;

enum reaper_state {
    REAPER_OFF,
    REAPER_CREATING,
    REAPER_IMPORTING, /* the engine does not have its image yet */
    REAPER_ATTACHING,
    REAPER_STARTING,
    REAPER_ASKING, /* can it do its work? */
    REAPER_UP,
    REAPER_AWAY,      /* the stream has ended; the timer tries again */
    REAPER_REPLACING, /* what does not answer is removed, then another */
    REAPER_REMOVING,
    REAPER_FAILED,
};

struct reaper {
    struct reaper_spec spec;
    struct strv labels;
    char *socket_path, *image;
    enum reaper_state state;
    bool wanted, started, imported, closing;
    bool worked;     /* it has been up since it was wanted */
    unsigned tries;  /* containers that ended before they answered */
    unsigned again;  /* retries since the engine answered last */
    char *name, *id; /* NULL: there is no container */
    char *tar;
    char *why;  /* it failed, or NULL */
    char *last; /* the last line that it printed, or NULL */
    struct engine_call *call, *lease;
    struct demux *demux;
    uv_timer_t again_timer;  /* what failed is tried again */
    uv_timer_t answer_timer; /* it has not answered in time */
    unsigned open_handles;   /* while it closes */
    reaper_cb on_closed;
    void *closed_user;
};

void reaper_set_state(struct reaper *r, enum reaper_state state);

/* No call is under way: take the next step towards what is wanted. */
void reaper_go_on(struct reaper *r);

/* The engine does not answer, or not in time. */
bool reaper_is_away(const struct err *err);

/* May the engine answer otherwise in a while? Where the container has been up
 * before, an engine that goes down or comes up answers anything for some
 * time. */
bool reaper_may_pass(const struct reaper *r, const struct err *err);

/* After this time: on from the state it is in. */
void reaper_wait(struct reaper *r, unsigned ms);

/* It is replaced unless it answers within this time. */
void reaper_wait_for_answer(struct reaper *r, unsigned limit_ms);
void reaper_stop_timers(struct reaper *r);

/* reaper_wait() in `state`, long enough for an engine to come back. */
void reaper_try_again(struct reaper *r, enum reaper_state state);

/* Gives up for good; reaper_why() tells why. */
void reaper_fail(struct reaper *r, const char *what, const char *why);

/* A step failed: when the engine is away it is asked again, else we give up. */
void reaper_fail_step(struct reaper *r, const char *what,
                      const struct err *err);

/* Counts a container that ended before it answered. True: that was the last
 * one to try. */
bool reaper_give_up(struct reaper *r);

/* reaper_create.c */
void reaper_create(struct reaper *r);

/* reaper_lease.c: attach its stdin and start it unless it was started before;
 * start it alone; close the stream. */
void reaper_lease(struct reaper *r);
void reaper_start(struct reaper *r);
void reaper_let_go(struct reaper *r);

/* reaper_remove.c: removed to make another, unless that was tried often enough;
 * to make another in any case; for good, or until one is wanted again. */
void reaper_replace(struct reaper *r);
void reaper_remove_old(struct reaper *r);
void reaper_remove(struct reaper *r);

#endif /* GUARD_REAPER_PARTS_H */
