/*
 * removal -- the account of what a session's end has removed and what it could
 * not, and its patience with an engine that does not answer meanwhile.
 */
#ifndef RUN_REMOVAL_H
#define RUN_REMOVAL_H

#include <stdbool.h>
#include <stdint.h>

#include "run/session_timer.h"

struct err;

struct session_removal {
    unsigned containers, networks, volumes;
    unsigned left;              /* objects that could not be removed */
    uint64_t unreachable_since; /* loop clock; 0: the engine answers */
    struct session_timer again; /* the next try to reach the engine */
};

enum removal_kind { REMOVAL_CONTAINER, REMOVAL_NETWORK, REMOVAL_VOLUME };

/* Something was removed. */
void removal_done(struct session *s, enum removal_kind kind);

/* Something could not be removed: says so. The session's status is then not
 * 0. */
void removal_failed(struct session *s, enum removal_kind kind, const char *name,
                    const struct err *err);

/* The engine does not answer: is it worth while to ask again? If so, it pokes
 * the session soon. */
bool removal_try_again(struct session *s, const struct err *err);

/* No more tries. */
void removal_give_up(struct session *s);

#endif /* RUN_REMOVAL_H */
