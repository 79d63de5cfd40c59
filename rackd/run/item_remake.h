/* item_remake -- the engine refused a step of an item, which is tried otherwise
 * where that is possible. */
#ifndef RUN_ITEM_REMAKE_H
#define RUN_ITEM_REMAKE_H

#include <stdbool.h>

struct err;
struct item;

struct item_remake {
    bool without_init; /* made again without an init program */
};

/* Other ports, no init program, or no template: true when the container is
 * being made again with one of them. */
bool item_remake(struct item *it, const struct err *err);

#endif /* RUN_ITEM_REMAKE_H */
