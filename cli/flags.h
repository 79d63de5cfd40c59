/*
 * flags -- the words behind a command, by a table of the flags that it takes.
 *
 * Flags and arguments may come in any order; "--" ends the flags. A long flag
 * is --name VALUE or --name=VALUE, a short one -n VALUE or -nVALUE.
 */
#ifndef CLI_FLAGS_H
#define CLI_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strv.h"

struct err;

struct flag {
    char letter;       /* 0: none */
    const char *name;  /* NULL ends a table */
    const char *value; /* name of its value in the help; NULL: it takes none */
    const char *help;
};

struct flag_value {
    const struct flag *flag;
    char *text; /* NULL when the flag takes no value */
};

struct flags {
    struct flag_value *v;
    size_t len, cap;
    struct strv args; /* the words that are not flags */
};

/* The flags that every command takes: --help, --color. */
extern const struct flag flags_common[];

/* Parses argv, up to its NULL. -1 with *err set for a flag that is not in the
 * table, or that lacks its value. */
int flags_parse(struct flags *f, const struct flag *table, char **argv,
                struct err *err);

bool flags_has(const struct flags *f, const char *name);

/* The last value that was given; NULL: none. */
const char *flags_get(const struct flags *f, const char *name);

/* Appends all values of a flag that may be repeated, in order. */
void flags_all(const struct flags *f, const char *name, struct strv *out);

/* A duration in milliseconds; `fallback` when the flag was not given. */
int flags_duration(const struct flags *f, const char *name, long long fallback,
                   long long *ms, struct err *err);

/* Overwrites the values of KEY=VALUE words in argv with asterisks, also behind
 * -e and --env=, since every user of the machine can read the command line of a
 * process. Call it after flags_parse(), which copies them. */
void flags_hide(char **argv);

void flags_release(struct flags *f);

#endif /* CLI_FLAGS_H */
