/* item_teardown -- one container's way back: stopped if it is a service, and
 * removed. */
#ifndef RUN_ITEM_TEARDOWN_H
#define RUN_ITEM_TEARDOWN_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct item;
struct session;

struct item_teardown {
    bool ended;     /* while it was being stopped */
    bool unplugged; /* it has left the network */
    bool left;      /* its removal failed; the stragglers try again */
};

/* Take it down, or go on with that. `now`: kill it, do not ask it to end. It is
 * called at every poke: a resource that a service still uses waits for the next
 * one, and so does an item whose step has not been answered. */
void item_take_down(struct item *it, bool now);

/* Resources and sandboxes: they go after those who use them. */
bool item_is_used(const struct item *it);

/* How long its end may take, its preStop included. */
uint64_t item_end_ms(const struct item *it);

/* The engine says, while stopping, that it ended; that it left the network. */
void item_ended(struct item *it);
void item_unplugged(struct item *it);

/* Of all items: none is on the network; the engine has been asked to remove
 * each and none runs. */
bool items_are_unplugged(const struct session *s);
bool items_are_going(const struct session *s);

/* It is taking too long: forget it. Name those that are left. */
void item_give_up(struct item *it);
void items_name_left(struct session *s, const struct err *err);

#endif /* RUN_ITEM_TEARDOWN_H */
