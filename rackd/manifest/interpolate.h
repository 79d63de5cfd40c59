/*
 * interpolate -- the manifest's text with every ${NAME} replaced, and the way
 * back from a place in that text to the file as the user wrote it.
 *
 * Convox replaces before it parses: a name is whatever stands between `${` and
 * `}`, it is looked up in the app's environment only, and an unset name becomes
 * blank. Values are not escaped, so a value may contain YAML.
 *
 * The new text is a sequence of pieces, each copied from the file or from a
 * value. Errors about a value are shown at its ${NAME}.
 */
#ifndef MANIFEST_INTERPOLATE_H
#define MANIFEST_INTERPOLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "base/str.h"
#include "base/strv.h"

struct env;

/* Bytes. A text that is longer after replacing is refused. */
#define INTERPOLATED_MAX ((size_t)16 << 20)

struct interpolated_piece {
    size_t at;     /* offset in the new text */
    size_t from;   /* offset in the file: of the copied text, or of the `$` */
    bool is_value; /* the piece is the value of a ${NAME} */
};

struct interpolated {
    const char *file; /* as given; borrowed */
    size_t file_len;
    struct str text;
    struct {
        struct interpolated_piece *v;
        size_t len, cap;
    } pieces;
    struct {
        size_t *v;
        size_t len, cap;
    } lines;          /* offset of each line in the file */
    struct strv used; /* names that were set and used, once each */
};

/* Replaces and checks. A text that is too large, or has NUL bytes, control
 * characters or invalid UTF-8, is refused with one error and -1. Each unset
 * name gets one warning, unless it is in a comment. `file` is borrowed until
 * interpolated_release(). */
int interpolate(struct interpolated *src, const char *file, size_t len,
                const struct env *env, struct diags *errors,
                struct diags *warnings);

/* Line and column in the file of byte `at` of the new text. */
struct diag_pos interpolated_pos(const struct interpolated *src, size_t at);

/* The text of the file that bytes [from, to) of the new text were made from;
 * NULL when no ${NAME} is involved. The caller frees it. */
char *interpolated_written(const struct interpolated *src, size_t from,
                           size_t to);

void interpolated_release(struct interpolated *src);

#endif /* MANIFEST_INTERPOLATE_H */
