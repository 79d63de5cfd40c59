/* item_start -- an item goes on: it is created, and started. */
#ifndef RUN_ITEM_START_H
#define RUN_ITEM_START_H

struct item;

/* Go on if what it waits for is there. */
void item_poke(struct item *it);

#endif /* RUN_ITEM_START_H */
