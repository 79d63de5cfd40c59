/*
 * item_remake -- the engine refused a step of an item: it is tried otherwise
 * where that is possible, and else the session fails.
 */
#ifndef RUN_ITEM_REMAKE_H
#define RUN_ITEM_REMAKE_H

#include <stdbool.h>

struct err;
struct item;

struct item_remake {
    bool without_init; /* made again without an init program */
    bool dropping;     /* its container is being removed, to make another */
};

/* Other ports, no init program, or no template: true when the container is
 * being made again with one of them. */
bool item_remake(struct item *it, const struct err *err);

/* Remove its container and make another. */
void item_drop(struct item *it);

/* Fails the session with the engine's words; a sandbox is done without. */
void item_fail_step(struct item *it, const char *step, const struct err *err);

#endif /* RUN_ITEM_REMAKE_H */
