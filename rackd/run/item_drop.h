/* item_drop -- the engine refused a step of an item: another container is
 * made, or the session fails. */
#ifndef RUN_ITEM_DROP_H
#define RUN_ITEM_DROP_H

#include <stdbool.h>

struct err;
struct item;

struct item_drop {
    bool dropping; /* its container is being removed, to make another */
};

/* Remove its container and make another. */
void item_drop(struct item *it);

/* Fails the session with the engine's words; a sandbox is done without. */
void item_fail_step(struct item *it, const char *step, const struct err *err);

#endif /* RUN_ITEM_DROP_H */
