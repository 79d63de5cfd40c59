/* item_marks -- notes when an item went through what (timing/marks.h), for
 * `cvx timings`. */
#ifndef RUN_ITEM_MARKS_H
#define RUN_ITEM_MARKS_H

#include <stdint.h>

struct item;

/* The item is noted from here on, with what it will wait for. */
void item_mark(struct item *it);

/* It waits for its sandbox; both are noted already. */
void item_mark_sandbox(struct item *it);

/* Its state is another. */
void item_mark_state(struct item *it);

/* "image", "template", "ahead": where its container comes from; static. */
void item_mark_from(struct item *it, const char *from);

/* Its server took a connection at `ns`; 0: nobody knows. */
void item_mark_connected(struct item *it, uint64_t ns);

#endif /* RUN_ITEM_MARKS_H */
