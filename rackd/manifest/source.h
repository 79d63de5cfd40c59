/*
 * source -- the manifest's text with every ${NAME} replaced, and the way back
 * from a place in that text to the file as the user wrote it.
 *
 * Convox replaces before it parses: a name is whatever stands between `${`
 * and `}`, it is looked up in the app's environment only, and what is not set
 * becomes blank. Nothing is escaped, so a value may hold YAML.
 */
#ifndef MANIFEST_SOURCE_H
#define MANIFEST_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "base/str.h"
#include "base/strv.h"

struct env;

/* A longer text after replacing is refused. */
#define SOURCE_MAX ((size_t)16 << 20)

struct source_piece {
    size_t at;     /* where it begins in the new text */
    size_t from;   /* where it comes from in the file */
    bool is_value; /* of a name: all of it comes from `from` */
};

struct source {
    const char *file; /* as given; borrowed */
    size_t file_len;
    struct str text;
    struct {
        struct source_piece *v;
        size_t len, cap;
    } pieces;
    struct {
        size_t *v;
        size_t len, cap;
    } lines;          /* where each line of the file begins */
    struct strv used; /* names whose value was put in, once each */
};

/*
 * Refuses what no parser should see (too much, NUL bytes, control characters,
 * invalid UTF-8) with one located error and -1. Unset names are warned of,
 * once each, unless they stand in a comment.
 */
int source_init(struct source *src, const char *file, size_t len,
                const struct env *env, struct diags *errors,
                struct diags *warnings);

/* The place in the file of byte `at` of the new text. */
struct diag_pos source_pos(const struct source *src, size_t at);

/* As written in the file: what made bytes [from, to) of the new text, NULL
 * when no ${NAME} had a part in it. The caller frees it. */
char *source_written(const struct source *src, size_t from, size_t to);

void source_release(struct source *src);

#endif /* MANIFEST_SOURCE_H */
