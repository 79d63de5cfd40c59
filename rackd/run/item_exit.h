/*
 * item_exit -- a container that ran has ended, or somebody has removed it: its
 * last output is waited for, then it is started again after a back-off, or the
 * session ends.
 */
#ifndef RUN_ITEM_EXIT_H
#define RUN_ITEM_EXIT_H

#include <stdbool.h>
#include <stdint.h>

#include "run/session_timer.h"

struct err;
struct item;

struct item_exit {
    bool died;    /* an exit is being dealt with */
    bool removed; /* and its container is not there any more */
    bool oom;     /* and memory ran out */
    bool waited;  /* and it was waited to hear of either */
    int status;
    uint64_t oom_at; /* loop clock; 0: never */
    unsigned count;  /* exits in a row, for the back-off */
    struct session_timer last_words;
    struct session_timer backoff;
};

/* It is about to be started: what happened to the last run is over. */
void item_exit_begin(struct item *it);

/* The engine would not start it, so it has not ended either. */
void item_never_ran(struct item *it);

/* The engine says that it ended; that something in it ran out of memory; that
 * its container is gone. */
void item_died(struct item *it, int status, bool oom);
void item_oom(struct item *it);
void item_removed(struct item *it);

/* Deal with its end once the rest of its output has come. */
void item_await_last_words(struct item *it);

/* Its output has ended. */
void item_output_ended(struct item *it);

/* Somebody removed its container: make another, or end the session. */
void item_make_again(struct item *it);

/* Start it again, later each time. */
void item_backoff(struct item *it);
void item_exit_stop(struct item *it);

#endif /* RUN_ITEM_EXIT_H */
