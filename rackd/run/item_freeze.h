/* item_freeze -- a resource that was started before anybody asked for it is
 * frozen until a start takes it over (take_over.c). */
#ifndef RUN_ITEM_FREEZE_H
#define RUN_ITEM_FREEZE_H

#include <stdbool.h>

struct item;

struct item_freeze {
    long long memory; /* bytes, when it was frozen */
};

/* It answers: freeze it. */
void item_freeze(struct item *it);
bool item_is_frozen(const struct item *it);

/* It has ended, is gone, or is off its network: the session that nobody has
 * taken ends; one that has been taken over makes it again. */
void item_lose_frozen(struct item *it);

#endif /* RUN_ITEM_FREEZE_H */
