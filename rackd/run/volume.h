/*
 * volume -- the volumes of a session: created beside its network, removed after
 * its containers unless they are kept.
 *
 *     volumes_create(s);
 *     volume_is_made(s, index)     by index in the plan
 *     volumes_remove(s);           pokes the session when one is gone
 */
#ifndef RUN_VOLUME_H
#define RUN_VOLUME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strv.h"

struct engine_call;
struct err;
struct session;

struct volume {
    struct session *s;
    char *name; /* on the engine */
    struct strv labels;
    bool keep, made, gone;
    bool owning, owned; /* its root is being given, has its owner and mode */
    struct engine_call *call;
};

struct session_volumes {
    struct volume *v; /* one per plan volume, once they are being created */
    size_t count;
    size_t mark; /* the first of theirs in the session's marks */
};

void volumes_release(struct session *s);
void volumes_mark(struct session *s);
void volumes_create(struct session *s);

/* An efs volume's root is given its owner and mode by the first container that
 * mounts it: begun; done; not done after all, so the next one does it. */
void volume_own(struct volume *v);
void volume_is_owned(struct volume *v);
void volume_disown(struct volume *v);

void volumes_remove(struct session *s);

/* Each is gone, or the engine has been asked and has not answered yet. */
bool volumes_are_going(const struct session *s);
bool volumes_are_gone(const struct session *s);

/* The engine does not let them go in time: say so and forget them. */
void volumes_give_up(struct session *s, const struct err *err);

#endif /* RUN_VOLUME_H */
