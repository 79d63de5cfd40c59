/* item_ports -- the host ports that an item's ports are published on. */
#ifndef RUN_ITEM_PORTS_H
#define RUN_ITEM_PORTS_H

#include <stdbool.h>
#include <stddef.h>

struct engine_port;
struct item;

struct item_ports {
    int *host;      /* by index in plan->ports; 0: none */
    unsigned tries; /* containers in a row whose ports were taken */
};

void item_ports_init(struct item *it);
void item_ports_release(struct item *it);

/* A host port for every published one, as the engine wants them in `out`, one
 * each. -1: the session has failed. */
int item_choose_ports(struct item *it, struct engine_port *out);

/* The engine says that one is taken: the next choice is others. False: they
 * are fixed, or it has been tried often enough. */
bool item_may_choose_others(struct item *it);

/* It runs on those that were chosen. */
void item_ports_are_good(struct item *it);

/* Its ports are published by `sandbox`, as those from index `first` on. */
void item_share_ports(struct item *it, const struct item *sandbox,
                      size_t first);

#endif /* RUN_ITEM_PORTS_H */
