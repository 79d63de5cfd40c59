/* item_network -- a running container that somebody took off the session's
 * network is connected again. */
#ifndef RUN_ITEM_NETWORK_H
#define RUN_ITEM_NETWORK_H

struct engine_call;
struct item;

struct item_network {
    struct engine_call *call; /* looked at, or being connected */
};

/* Is it on the session's network? If not, connect it. */
void item_check_network(struct item *it);
void item_network_stop(struct item *it);

#endif /* RUN_ITEM_NETWORK_H */
