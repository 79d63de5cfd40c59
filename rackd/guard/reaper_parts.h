/*
 * reaper_parts -- what the files of the reaper's container share.
 *
 *   reaper.c         the whole: wanted or not, tried again, given up, closed
 *   reaper_create.c  the container, its image imported where it is missing
 *   reaper_lease.c    its stdin held, its start, what it answers, their end
 *   reaper_remove.c  its removal, for another or for good
 *
 * In order of time: it is created, held, started and asked; the stream ends
 * some day; it is removed. One call at a time is under way (`call`), the stream
 * beside it (`lease`). Each answer goes on to the next step, or, when that is
 * not what is wanted any more, to reaper_go_on().
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
    bool worked; /* it has been up since it was wanted */
    unsigned tries, again;
    char *name, *id; /* NULL: there is no container */
    char *tar;
    char *why;  /* of REAPER_FAILED */
    char *last; /* line it printed */
    struct engine_call *call, *lease;
    struct demux *demux;
    uv_timer_t timer;
    reaper_cb on_closed;
    void *closed_user;
};

void reaper_set_state(struct reaper *r, enum reaper_state state);

/* Nothing is under way: go where we are wanted. */
void reaper_go_on(struct reaper *r);

/* The engine does not answer, or not in time. */
bool reaper_is_away(const struct err *err);

/* Another answer may come in a while. Where it has been up an engine that goes
 * down or comes up may say anything for some time. */
bool reaper_may_pass(const struct reaper *r, const struct err *err);

/* So long, then on from the state it is in. */
void reaper_wait(struct reaper *r, unsigned ms);

/* The same from `state`, the engine given some time. */
void reaper_try_again(struct reaper *r, enum reaper_state state);

/* For good: why() says so. */
void reaper_fail(struct reaper *r, const char *what, const char *why);

/* The engine is away: it is asked again; anything else is for good. */
void reaper_fail_step(struct reaper *r, const char *what,
                      const struct err *err);

/* True: another is not worth a try. */
bool reaper_give_up(struct reaper *r);

/* reaper_create.c */
void reaper_create(struct reaper *r);

/* reaper_lease.c: hold and, unless it was started before, start; start alone;
 * let go of the stream. */
void reaper_lease(struct reaper *r);
void reaper_start(struct reaper *r);
void reaper_let_go(struct reaper *r);

/* reaper_remove.c: for another, unless it was tried often enough; for another
 * in any case; for good, or until somebody wants it again. */
void reaper_replace(struct reaper *r);
void reaper_remove_old(struct reaper *r);
void reaper_remove(struct reaper *r);

#endif /* GUARD_REAPER_PARTS_H */
