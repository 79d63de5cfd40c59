/* Names -- a set of names, each with a number chosen by the caller. Looking
 * names up here keeps checks linear: a manifest may hold tens of thousands of
 * names, and comparing each with each would take minutes. */
#ifndef MANIFEST_NAMES_H
#define MANIFEST_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct names {
    struct names_slot *slots; /* private; zeroed: empty */
};

#define NAMES_NEW ((size_t)-1)

/* Adds `name` (copied). NAMES_NEW when it was not in the set, else the number
 * it was added with. */
size_t names_add(struct names *set, const char *name, size_t number);

bool names_has(const struct names *set, const char *name);

void names_release(struct names *set);

#endif /* MANIFEST_NAMES_H */
