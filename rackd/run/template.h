/*
 * template -- an image that holds a resource's data directory, initialised, so
 * that its server starts at once. It is used where it exists; template_make.c
 * makes it.
 */
#ifndef RUN_TEMPLATE_H
#define RUN_TEMPLATE_H

#include <stdbool.h>

struct err;
struct item;

enum template_state {
    TEMPLATE_NONE,    /* there can be none, or it is not wanted */
    TEMPLATE_UNKNOWN, /* which one depends on the image, not looked at yet */
    TEMPLATE_ASKING,
    TEMPLATE_ASSUMED, /* the create will tell whether it is there */
    TEMPLATE_USED,
    TEMPLATE_MISSING, /* there is none, or it does not work */
};

struct item_template {
    enum template_state state;
    char *name;           /* "cvx-template/mysql:0123456789abcdef", or NULL */
    char *base_id;        /* of the image it stands for */
    bool direct;          /* its server can do without the image's entrypoint */
    unsigned image_tries; /* questions in a row that missed the image */
};

/* Of a new item: find out which template it may have. Of one that was made
 * ahead and is made anew: find out again. */
void template_expect(struct item *it);
void template_expect_again(struct item *it);

/* True once it is known what to create it from. */
bool template_is_known(struct item *it);
bool template_is_in_use(const struct item *it);

/* The create has answered: the template is there, or not (true: the error said
 * so, and the image itself is next). */
void template_is_there(struct item *it);
bool template_is_missing(struct item *it, const struct err *err);

/* Neither use it nor make it for a while. */
void template_is_bad(struct item *it);

/* It did not work: start from the image. */
void template_give_up(struct item *it, const char *why);

/* Tell the watcher: "used", "missing", "there", "made", "bad". */
void template_emit(struct item *it, const char *state);

#endif /* RUN_TEMPLATE_H */
