/* template_make -- a resource's initialised data becomes a template. */
#ifndef RUN_TEMPLATE_MAKE_H
#define RUN_TEMPLATE_MAKE_H

#include <stdbool.h>

struct item;

struct item_making {
    char *image_id;  /* of a template being made, without a name yet */
    bool committing; /* the engine reads the container: do not disturb it */
};

/* The resource answers, in a session that makes templates: make it one. */
void template_make(struct item *it);

#endif /* RUN_TEMPLATE_MAKE_H */
