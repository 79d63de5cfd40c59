/*
 * template_list -- which templates an engine has, how large they are, when each
 * was used last; and their removal.
 *
 *     l = template_list_new(&store, 4096);
 *     template_list_ask(l, link, false, on_list, user);
 *     template_list_close(l);     before the links are closed
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
struct store;
struct template_list;

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

/* The store is borrowed. max_mb: what all templates of this rack may take on an
 * engine's disk. */
struct template_list *template_list_new(const struct store *store,
                                        unsigned long max_mb);

/* `all`: other racks' too. In the order in which they would be removed: what
 * was never finished, the stale, then the one that was not used for longest.
 * `err`: the engine's; the list is then empty. Runs once, from the loop, unless
 * the list is closed before; borrowed for the call. */
typedef void (*template_list_cb)(const struct template_info *list, size_t count,
                                 const struct err *err, void *user);
void template_list_ask(struct template_list *l, struct link *link, bool all,
                       template_list_cb cb, void *user);

/* It has been used just now. */
void template_touch(struct template_list *l, const char *name);

/* What the engine refuses (a container uses it) stays, and is logged. */
void template_remove(struct template_list *l, struct link *link,
                     const char *name);

/* The same, for who wants to know. */
void template_remove_told(struct template_list *l, struct link *link,
                          const char *name, engine_done_cb cb, void *user);

/* Those that were never finished go (unless one is `making`, and about to get
 * its name), and the oldest while all take more than max_mb. */
void template_trim(struct template_list *l, struct link *link, bool making);

/* Frees it; questions under way are never answered. */
void template_list_close(struct template_list *l);

#endif /* PREPARED_TEMPLATE_LIST_H */
