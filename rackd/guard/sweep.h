/*
 * sweep -- what dead racks left on an engine: found, and removed.
 *
 *     sweep_start(&(struct sweep_spec){ .link = link, .on_object = ...,
 *                                       .on_done = ..., .user = ... });
 *
 * Left behind is what carries a rack's labels and belongs to
 *   - this rack, of a session that does not live, or of an earlier rackd (the
 *     rack's id is locked by the one that lives);
 *   - a rackd that ran on this machine as this user and is dead (owner.h).
 * Kept data (cvx.keep=true) is never left behind, nor is what another rack's
 * living rackd made, or one of which nobody here can say.
 */
#ifndef GUARD_SWEEP_H
#define GUARD_SWEEP_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct link;

struct sweep_object {
    const char *kind; /* "container", "network", "volume" */
    const char *id, *name, *app;
    const char *why;       /* "of rackd 123, which is gone" */
    const struct err *err; /* why it could not be removed, or NULL */
};

struct sweep_spec {
    struct link *link;
    bool dry; /* only say what there is */
    /* Each object, once it is removed or not. May be NULL. */
    void (*on_object)(const struct sweep_object *object, void *user);
    /* Exactly once, from the loop. err: the engine did not say what it has;
     * left: what could not be removed. */
    void (*on_done)(size_t left, const struct err *err, void *user);
    void *user;
};

void sweep_start(const struct sweep_spec *spec);

/* The link is closed: its sweeps end, with an error. */
void sweep_drop_all(struct link *link);

#endif /* GUARD_SWEEP_H */
