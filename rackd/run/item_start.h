/* item_start -- what an item waits for, and its start once all of it is
 * there. */
#ifndef RUN_ITEM_START_H
#define RUN_ITEM_START_H

struct item;

/* Go on if what it waits for is there. */
void item_poke(struct item *it);

/* It is created: say what it waits for, then go on. */
void item_wait(struct item *it);

#endif /* RUN_ITEM_START_H */
