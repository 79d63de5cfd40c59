/*
 * flags -- the words behind a command, by a table of the flags it takes.
 *
 * Flags and arguments may come in any order; "--" ends the flags. Long ones
 * as --name VALUE or --name=VALUE, short ones as -n VALUE or -nVALUE.
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
    const char *value; /* what its value is called; NULL: it takes none */
    const char *help;
};

struct flag_value {
    const struct flag *flag;
    char *text; /* NULL where the flag takes none */
};

struct flags {
    struct flag_value *v;
    size_t len, cap;
    struct strv args; /* the rest */
};

/* The flags every command takes: --help, --color. */
extern const struct flag flags_common[];

int flags_parse(struct flags *f, const struct flag *table, char **argv,
                struct err *err);

bool flags_has(const struct flags *f, const char *name);

/* The last value given; NULL: none. */
const char *flags_get(const struct flags *f, const char *name);

/* All values of a flag that may be repeated, in order. */
void flags_all(const struct flags *f, const char *name, struct strv *out);

/* A duration in milliseconds; `fallback` when it was not given. */
int flags_duration(const struct flags *f, const char *name, long long fallback,
                   long long *ms, struct err *err);

/*
 * Every user of the machine may read a process's command line: the values of
 * KEY=VALUE words, also behind -e and --env=, become asterisks there. After
 * flags_parse(), which has copied them.
 */
void flags_hide(char **argv);

void flags_release(struct flags *f);

#endif /* CLI_FLAGS_H */
