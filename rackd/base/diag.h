/*
 * diag -- what is wrong with the user's input, all of it at once.
 *
 * The manifest and the plan add to one list; whoever shows it prints it:
 *
 *     convox.yml:12:5: service web references a resource that does not
 *     exist: db                                     (on one line)
 *        12 |   - db
 *           |     ^
 */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

#include <stddef.h>

struct str;

/* Further ones are counted and not kept. */
#define DIAGS_MAX 200

enum diag_level {
    DIAG_ERROR,   /* nothing is started */
    DIAG_WARNING, /* shown; an error with --strict */
    DIAG_NOTE,    /* shown with -v: a key that means nothing locally */
};

/* A place in the file as the user wrote it. Lines and columns count from 1,
 * columns in bytes. Line 0 means that there is no place. */
struct diag_pos {
    unsigned line, col;
};

struct diag {
    enum diag_level level;
    struct diag_pos pos;
    char *text;
};

struct diags {
    struct diag *v;
    size_t len, cap;
    size_t errors, warnings, notes; /* counted also past DIAGS_MAX */
};

/* Adds one; the text is copied. */
void diags_add(struct diags *d, enum diag_level level, struct diag_pos pos,
               const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Sorts by place in the file, and keeps the order of those at one place. What
 * has no place comes last. */
void diags_sort(struct diags *d);

/* Turn warnings into errors (--strict). */
void diags_strict(struct diags *d);

/*
 * Prints the entries of `level` to `out`. `file` is the file's name, `source`
 * its text; with NULL no source lines are shown. Of a long line the part around
 * the place is shown. Control characters and invalid UTF-8 are printed as '?'.
 * Warnings have "warning: " before the text.
 */
void diags_print(const struct diags *d, enum diag_level level, const char *file,
                 const char *source, size_t source_len, struct str *out);

void diags_release(struct diags *d);

#define cleanup_diags __attribute__((cleanup(diags_release)))

#endif /* BASE_DIAG_H */
