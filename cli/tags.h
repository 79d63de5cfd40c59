/*
 * tags -- the "web | " in front of a line: how wide, and in which colour.
 *
 * The width is that of the longest name seen, and at least that of "convox". A
 * name keeps its colour from one start to the next, since a hash chooses it; no
 * two of the first TAGS_COLOURS names have the same.
 */
#ifndef CLI_TAGS_H
#define CLI_TAGS_H

#include <stdbool.h>
#include <stddef.h>

struct str;

#define TAGS_COLOURS 12

struct tag {
    char *name;
    int colour; /* one of 256; 0: bold only, for the tags of cvx itself */
};

struct tags {
    struct tag *v;
    size_t len, cap;
    size_t width;
    bool colour;
};

void tags_init(struct tags *t, bool colour);
void tags_release(struct tags *t);

/* Registers a name: makes room and chooses its colour. Names of the manifest
 * come first, in their order. */
void tags_know(struct tags *t, const char *name);

/* Appends "web | ". */
void tags_prefix(struct tags *t, const char *name, struct str *out);

/* Appends `text` in the colour of `name`. */
void tags_paint(struct tags *t, const char *name, const char *text,
                struct str *out);

#endif /* CLI_TAGS_H */
