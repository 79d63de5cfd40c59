/*
 * tags -- the "web    | " in front of a line: how wide, and in which colour.
 *
 * The width is that of the longest name seen, at least "convox". A name keeps
 * its colour from one start to the next (it is chosen by hash), and no two of
 * the first TAGS_COLOURS names share one.
 */
#ifndef CLI_TAGS_H
#define CLI_TAGS_H

#include <stdbool.h>
#include <stddef.h>

struct str;

#define TAGS_COLOURS 12

struct tag {
    char *name;
    int colour; /* of 256; 0: bold only (cvx's own tags) */
};

struct tags {
    struct tag *v;
    size_t len, cap;
    size_t width;
    bool colour;
};

void tags_init(struct tags *t, bool colour);
void tags_release(struct tags *t);

/* Make room and choose a colour; names of the manifest first, in order. */
void tags_know(struct tags *t, const char *name);

/* Append "web    | ". */
void tags_prefix(struct tags *t, const char *name, struct str *out);

/* Append `text` in the colour of `name`. */
void tags_paint(struct tags *t, const char *name, const char *text,
                struct str *out);

#endif /* CLI_TAGS_H */
