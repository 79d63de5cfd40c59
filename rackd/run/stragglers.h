/*
 * stragglers -- containers of the session that are on the engine but not in our
 * books (a create whose answer was lost), or that could not be removed. One
 * question at the session's end finds them, and they are removed.
 */
#ifndef RUN_STRAGGLERS_H
#define RUN_STRAGGLERS_H

#include <stdbool.h>
#include <stddef.h>

struct engine_call;
struct err;
struct session;

struct straggler {
    struct session *s;
    char *name;
    struct engine_call *call; /* its removal */
};

struct session_stragglers {
    struct engine_call *question;
    struct straggler *v;
    size_t count, left; /* left: whose removal has not been answered */
    bool gone;          /* there are none (any more) */
};

/* Ask and remove, unless that is under way. Pokes when they are gone. */
void stragglers_remove(struct session *s);
void stragglers_give_up(struct session *s, const struct err *err);
void stragglers_release(struct session *s);

#endif /* RUN_STRAGGLERS_H */
