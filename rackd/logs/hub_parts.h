/*
 * hub_parts -- a hub's insides, for hub.c and hub_last.c: a ring of blocks of
 * lines, and the subscribers that read it.
 */
#ifndef LOGS_HUB_PARTS_H
#define LOGS_HUB_PARTS_H

#include <uthash.h>

#include "logs/hub.h"

/* A tag or source, stored once per hub: there are few, and many lines share
 * them. */
struct name {
    UT_hash_handle hh;
    struct name *next; /* next in the list of all names of the hub */
    char text[];
};

/* Lines of one source and of about one moment. It is linked while in the ring;
 * after that a subscriber may still read it. It never moves, and only the
 * newest one grows. */
struct block {
    struct hub_text text;
    struct block *prev, *next; /* older, newer */
    uint64_t seq;              /* number of the block in its hub, from 1 */
    uint64_t at;               /* number of bytes that were put before it */
    size_t used, cap;
    unsigned readers; /* number of subscribers whose `lent` it is */
    bool in_ring;
    char bytes[]; /* whole lines, each with its '\n'; or a piece of one line */
};

/* A place within the ring: the lines of `block` from byte `skip` on. */
struct place {
    struct block *block;
    size_t skip, skip_lines;
};

struct hub_sub {
    struct hub *hub;
    struct hub_sub *prev, *next;
    hub_wake_cb on_wake;
    hub_end_cb on_end;
    void *user;
    const char *tag; /* one of the hub's names; NULL: all lines */
    int64_t since_ms;
    /* Number of the first block that came after it subscribed; since_ms does
     * not apply from there on. */
    uint64_t live_from;
    struct place pending; /* what hub_next() hands out next */
    /* The block it handed out last: not to be freed yet. */
    struct block *lent;
    struct hub_text lent_text; /* the lines it handed out last */
    uint64_t lost;             /* number of lines dropped before `pending` */
    bool woken; /* on_wake was called, and it has not yet taken all */
    /* It unsubscribed while callbacks run: removed after them. */
    bool gone;
    bool patient; /* it wants all lines: see hub.h */
    bool stuck;   /* it is patient, but has taken nothing for too long */
    bool took;    /* it took something since the last tick */
    unsigned idle_ticks;
};

struct hub {
    struct block *oldest, *newest;
    size_t bytes;
    uint64_t seq, put;  /* number of blocks and bytes so far */
    struct name *names; /* by text */
    struct name *all_names;
    struct hub_sub *subs;
    hub_full_cb on_full;
    void *full_user;
    /* Number of callbacks on the stack: the list of subscribers then only
     * grows. */
    unsigned calling;
    unsigned batches; /* number of hub_begin() without their hub_commit() */
    bool ended;       /* hub_free() was called */
    /* The newest block grows no more, since a subscriber began after it. */
    bool sealed;
    bool full;
};

/* hub.c: the place of the last `count` lines of a block (of all, where it has
 * fewer); the lines of a block from a place on, borrowed. */
struct place hub_last_lines(struct block *b, size_t count);
struct hub_text hub_lines_from(const struct place *p);

#endif /* LOGS_HUB_PARTS_H */
