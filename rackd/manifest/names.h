/*
 * names -- a set of names, each with a number of the caller's, so that no
 * check of ours is quadratic in what a file may hold.
 */
#ifndef MANIFEST_NAMES_H
#define MANIFEST_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct names {
    struct names_slot *slots; /* private; zeroed: empty */
};

#define NAMES_NEW ((size_t)-1)

/* NAMES_NEW when `name` was not there; else the number it came with. */
size_t names_add(struct names *set, const char *name, size_t number);

bool names_has(const struct names *set, const char *name);

void names_release(struct names *set);

#endif /* MANIFEST_NAMES_H */
