/*
 * command -- the commands of cvx, and what each gets.
 *
 * command_list.h has one row per command. Matching (the longest name wins, as
 * in Convox: "env set" before "env"), argument checks, help and completion read
 * it. A new command is a row there and a function in cmd_NAME.c; flags of its
 * own are a table in main.c.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/flags.h"
#include "cli/term.h"

struct err;
struct str;

/* Exit statuses of the process. */
#define CLI_OK          0
#define CLI_FAILED      1
#define CLI_USAGE       64
#define CLI_INTERRUPTED 130

struct command;

/* What a command gets; flags, out and err are set up before it runs. */
struct cli {
    const struct command *command, *all;
    struct flags flags;
    struct term out, err; /* stdout, stderr */
};

struct command {
    const char *name; /* "env set"; NULL ends the table */
    const char *args; /* for the usage line: "KEY=VALUE..."; "" for none */
    const char *summary;
    const struct flag *flags; /* NULL: only the common ones */
    int min, max;             /* number of arguments; max -1: any number */
    int (*run)(struct cli *cli, struct err *err);
    const char *details; /* last paragraph of the help; may be NULL */
};

/* Runs the command that argv names, and returns the exit status. A command
 * returns its status, or -1 with *err set, which is printed as "ERROR: ..." and
 * becomes 1. */
int cli_main(const struct command *all, char **argv);

/* The command whose name takes most of the leading words, and in *used how
 * many; NULL when there is none. */
const struct command *command_match(const struct command *all, char **words,
                                    size_t *used);

/* Append the help of one command, and the list of all. */
void command_help(const struct command *c, struct str *out);
void command_list(const struct command *all, struct str *out);

/* One function for each row of command_list.h, in the file cmd_NAME.c. */
#define COMMAND(name, args, summary, flags, min, max, run, details)            \
    int run(struct cli *cli, struct err *err);
#include "cli/command_list.h"
#undef COMMAND

/* Flags that several commands share. */
#define FLAG_APP                                                               \
    {                                                                          \
        'a', "app", "APP",                                                     \
            "name of the app (default: .convox/app, or the directory)"         \
    }
#define FLAG_JSON                                                              \
    {                                                                          \
        0, "json", NULL, "print JSON, for programs"                            \
    }
#define FLAG_MANIFEST                                                          \
    {                                                                          \
        'm', "manifest", "FILE", "read this file instead of convox.yml"        \
    }
#define FLAG_ENV                                                               \
    {                                                                          \
        'e', "env", "KEY=VALUE", "set a variable of the app; may be repeated"  \
    }
#define FLAG_ENV_FILE                                                          \
    {                                                                          \
        0, "env-file", "FILE", "read variables from a file; may be repeated"   \
    }
#define FLAG_STRICT                                                            \
    {                                                                          \
        0, "strict", NULL, "treat warnings as errors"                          \
    }
#define FLAG_END                                                               \
    {                                                                          \
        0, NULL, NULL, NULL                                                    \
    }

#endif /* CLI_COMMAND_H */
