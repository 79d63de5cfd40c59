/* item_create -- an item's container is created from its image, its build's
 * image or a template. */
#ifndef RUN_ITEM_CREATE_H
#define RUN_ITEM_CREATE_H

#include <stdbool.h>
#include <stddef.h>

struct item;

struct item_create {
    unsigned image_tries; /* creates in a row that missed the image */
    size_t subnets;       /* tried when it was created: its address is of the
                             last of them */
    bool before_network;  /* the network was not there yet */
};

/* All that it is made of is there: create it. */
void item_create(struct item *it);

/* What to create it from where that is not a template; NULL: not there yet. */
const char *item_image(const struct item *it);

/* The network was made anew since: its address is of a subnet that is not
 * ours. */
bool item_has_stale_address(const struct item *it);

#endif /* RUN_ITEM_CREATE_H */
