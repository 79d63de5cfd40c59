/*
 * item_ready -- watches a container that runs: a resource until it answers its
 * protocol, a service by its health check, which goes on.
 */
#ifndef RUN_ITEM_READY_H
#define RUN_ITEM_READY_H

#include <stdbool.h>

#include "run/session_timer.h"

struct health;
struct item;
struct ready;

struct item_ready {
    struct ready *probe;           /* a resource's, until it answers */
    struct health *health;         /* a service's */
    struct session_timer deadline; /* a resource must be ready by then */
    bool was_ready;                /* it has been ready at least once */
    bool warned_unhealthy;
};

/* It runs: watch it. */
void item_await_ready(struct item *it);

/* It has ended, or is about to: nothing is watched and nothing mended. */
void item_unwatch(struct item *it);

/* It is what others wait for. */
void item_become_ready(struct item *it);

/* It was started from a template that does not work: from its image, then. */
void item_start_without_template(struct item *it, const char *why);

#endif /* RUN_ITEM_READY_H */
