/*
 * command -- one row per command: its words, what it takes, what it does.
 *
 * The table in main.c lists them; matching (the longest run of words wins, as
 * in Convox: "env set" before "env"), argument checks, help and completion
 * read it. A new command is a file cmd_NAME.c and a line in that table.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/flags.h"
#include "cli/term.h"

struct err;
struct str;

/* What the process ends with. */
#define CLI_OK          0
#define CLI_FAILED      1
#define CLI_USAGE       64
#define CLI_INTERRUPTED 130

struct command;

/* What a command gets. */
struct cli {
    const struct command *command, *all;
    struct flags flags;
    struct term out, err; /* stdout, stderr */
};

struct command {
    const char *words; /* "env set"; NULL ends the table */
    const char *args;  /* "KEY=VALUE..." for the usage line; "" for none */
    const char *summary;
    const struct flag *flags; /* NULL: only the common ones */
    int min, max;             /* arguments; max -1: any number */
    int (*run)(struct cli *cli, struct err *err);
    const char *more; /* help's last paragraph; may be NULL */
};

/*
 * Run what argv asks for; the exit status. A command returns its status, or
 * -1 with *err set, which is printed as "ERROR: ..." and becomes 1.
 */
int cli_main(const struct command *all, char **argv);

/* The command of the longest run of leading words; how many in *used. */
const struct command *command_match(const struct command *all, char **words,
                                    size_t *used);

void command_help(const struct command *c, struct str *out);
void command_list(const struct command *all, struct str *out);

int cmd_completion(struct cli *cli, struct err *err);
int cmd_down(struct cli *cli, struct err *err);
int cmd_doctor(struct cli *cli, struct err *err);
int cmd_env(struct cli *cli, struct err *err);
int cmd_env_get(struct cli *cli, struct err *err);
int cmd_env_set(struct cli *cli, struct err *err);
int cmd_env_unset(struct cli *cli, struct err *err);
int cmd_help(struct cli *cli, struct err *err);
int cmd_logs(struct cli *cli, struct err *err);
int cmd_plan(struct cli *cli, struct err *err);
int cmd_ps(struct cli *cli, struct err *err);
int cmd_rackd_status(struct cli *cli, struct err *err);
int cmd_rackd_stop(struct cli *cli, struct err *err);
int cmd_resources(struct cli *cli, struct err *err);
int cmd_resources_info(struct cli *cli, struct err *err);
int cmd_resources_url(struct cli *cli, struct err *err);
int cmd_resources_reset(struct cli *cli, struct err *err);
int cmd_services(struct cli *cli, struct err *err);
int cmd_start(struct cli *cli, struct err *err);
int cmd_stop(struct cli *cli, struct err *err);
int cmd_sweep(struct cli *cli, struct err *err);
int cmd_templates(struct cli *cli, struct err *err);
int cmd_templates_build(struct cli *cli, struct err *err);
int cmd_templates_prune(struct cli *cli, struct err *err);
int cmd_timings(struct cli *cli, struct err *err);
int cmd_validate(struct cli *cli, struct err *err);
int cmd_version(struct cli *cli, struct err *err);

/* Flags that several commands share. */
#define FLAG_APP                                                               \
    {                                                                          \
        'a', "app", "APP", "the app; else .convox/app, else the directory"     \
    }
#define FLAG_JSON                                                              \
    {                                                                          \
        0, "json", NULL, "for programs"                                        \
    }
#define FLAG_MANIFEST                                                          \
    {                                                                          \
        'm', "manifest", "FILE", "instead of convox.yml"                       \
    }
#define FLAG_ENV                                                               \
    {                                                                          \
        'e', "env", "KEY=VALUE", "set for the app; may be repeated"            \
    }
#define FLAG_ENV_FILE                                                          \
    {                                                                          \
        0, "env-file", "FILE", "read KEY=VALUE lines; may be repeated"         \
    }
#define FLAG_STRICT                                                            \
    {                                                                          \
        0, "strict", NULL, "warnings are errors"                               \
    }
#define FLAG_END                                                               \
    {                                                                          \
        0, NULL, NULL, NULL                                                    \
    }

#endif /* CLI_COMMAND_H */
