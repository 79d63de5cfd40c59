/*
 * template_list -- which templates of this rack an engine has, how large they
 * are, when each was used last; and their removal.
 *
 * The engine has the images; when one was used is the time of a file of its
 * name in the rack's state directory.
 */
#ifndef PREPARED_TEMPLATE_LIST_H
#define PREPARED_TEMPLATE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

struct err;
struct link;
struct rack;

struct template_info {
    const char *name;   /* "cvx-template/mysql:0123456789abcdef"; "" when it
                           was never finished */
    const char *id;     /* the image's */
    const char *kind;   /* "mysql" */
    const char *image;  /* it was made from: "mysql:8.4" */
    long long size;     /* bytes it has on top of that image */
    int64_t made, used; /* unix seconds */
    bool stale;         /* that image has been replaced since */
    bool foreign;       /* another rack made it */
};

/* `all`: other racks' too. In the order in which they would be removed: what
 * was never finished, the stale, then the one that was not used for longest.
 * `err`: the engine's; the list is then empty. Runs once, from the loop;
 * borrowed for the call. */
typedef void (*template_list_cb)(const struct template_info *list, size_t count,
                                 const struct err *err, void *user);
void template_list(struct link *link, bool all, template_list_cb cb,
                   void *user);

/* The link closes: no list any more. */
void template_list_drop(struct link *link);

/* It has been used just now. */
void template_touch(const struct rack *r, const char *name);

/* What the engine refuses (a container uses it) stays, and is logged. */
void template_remove(struct link *link, const char *name);

/* The same, for who wants to know. */
void template_remove_told(struct link *link, const char *name,
                          engine_done_cb cb, void *user);

/* Unfinished ones go, and the oldest while all take more than the rack's
 * templates_mb. */
void template_trim(struct link *link);

#endif /* PREPARED_TEMPLATE_LIST_H */
