/* item_depend -- what an item waits for before it is created and started. */
#ifndef RUN_ITEM_DEPEND_H
#define RUN_ITEM_DEPEND_H

#include <stdbool.h>

struct item;

/* Before its create: every volume that it mounts. */
bool item_volumes_are_made(const struct item *it);

/* Before its start: its resources and its init container are ready, and the
 * engine's events are heard. */
bool item_dependencies_are_ready(const struct item *it);

/* Its container is complete: say what it waits for, then go on. */
void item_wait(struct item *it);

#endif /* RUN_ITEM_DEPEND_H */
