/*
 * sweep -- what dead racks left on an engine: found once, and removed.
 *
 *     sweep_start(&(struct sweep_spec){ .scope = &scope, .on_object = ...,
 *                                       .on_done = ..., .user = ... });
 *
 * Left behind is what carries a rack's labels and belongs to
 *   - this rack, of a session that does not live, or of an earlier rackd (the
 *     rack's id is locked by the one that lives);
 *   - a rackd that ran on this machine as this user and is dead (owner.h).
 * Kept data (cvx.keep=true) is never left behind, nor is what another rack's
 * living rackd made, or one of which nobody here can say whether it lives.
 *
 * `cvx sweep` starts one by hand; sweeper.h starts them by itself.
 */
#ifndef GUARD_SWEEP_H
#define GUARD_SWEEP_H

#include <stdbool.h>
#include <stddef.h>

struct engine;
struct err;
struct sweep;

/* On which engine, and on whose behalf. All borrowed; it must stay where it is
 * while a sweep of it runs. */
struct sweep_scope {
    struct engine *engine;
    bool podman;
    const char *rack_id; /* our label cvx.rack */
    const char *owner;   /* our label cvx.owner: owner_self() */
    /* Is the session one of this rackd's, now? */
    bool (*lives)(const char *session, void *user);
    void *user;
    struct sweep *running; /* written by sweep.c alone; NULL at first */
};

struct sweep_object {
    const char *kind; /* "container", "network", "volume" */
    const char *id, *name, *app;
    const char *why;       /* "of rackd 123, which is gone" */
    const struct err *err; /* why it could not be removed, or NULL */
};

struct sweep_spec {
    struct sweep_scope *scope;
    bool dry; /* only say what there is */
    /* Each object, once it is removed or not. May be NULL. */
    void (*on_object)(const struct sweep_object *object, void *user);
    /* Exactly once, from the loop. err: the engine did not say what it has;
     * left: what could not be removed. */
    void (*on_done)(size_t left, const struct err *err, void *user);
    void *user;
};

void sweep_start(const struct sweep_spec *spec);

/* The engine is about to be closed: its sweeps end now, with an error. */
void sweep_drop_all(struct sweep_scope *scope);

#endif /* GUARD_SWEEP_H */
