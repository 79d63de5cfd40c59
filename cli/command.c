/* From argv to the function of a command: matching, flags, argument checks,
 * help, and how errors are printed. main() calls cli_main(). */
#include "cli/command.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/text.h"

/* Number of `words` that the name of a command takes; 0 when it is not this
 * one. */
static size_t words_taken(const char *name, char **words)
{
    size_t taken = 0;

    while (*name != '\0') {
        size_t len = strcspn(name, " ");

        if (words[taken] == NULL || strlen(words[taken]) != len ||
            memcmp(words[taken], name, len) != 0)
            return 0;
        taken++;
        name += len + (name[len] == ' ' ? 1 : 0);
    }
    return taken;
}

const struct command *command_match(const struct command *all, char **words,
                                    size_t *used)
{
    const struct command *best = NULL;

    *used = 0;
    for (; all->name != NULL; all++) {
        size_t taken = words_taken(all->name, words);

        if (taken <= *used)
            continue;
        *used = taken;
        best = all;
    }
    return best;
}

static void add_flags(const struct flag *flag, struct table *t)
{
    for (; flag != NULL && flag->name != NULL; flag++) {
        cleanup_str struct str s = { 0 };

        str_printf(&s, flag->letter == '\0' ? "  " : "  -%c, ", flag->letter);
        str_printf(&s, "--%s", flag->name);
        if (flag->value != NULL)
            str_printf(&s, " %s", flag->value);
        table_row(t, str_c(&s), flag->help);
    }
}

void command_help(const struct command *c, struct str *out)
{
    cleanup_table struct table t = { .columns = 2 };

    str_printf(out, "usage: cvx %s%s%s%s\n\n%s\n\n", c->name,
               c->flags == NULL ? "" : " [flags]", *c->args == '\0' ? "" : " ",
               c->args, c->summary);
    add_flags(c->flags, &t);
    add_flags(flags_common, &t);
    table_print(&t, out);
    if (c->details != NULL)
        str_printf(out, "\n%s\n", c->details);
}

void command_list(const struct command *all, struct str *out)
{
    cleanup_table struct table t = { .columns = 2 };

    str_add(out, "usage: cvx COMMAND [flags]\n\n"
                 "A Convox rack on this machine: databases and services of "
                 "convox.yml,\nup with one command, gone with Ctrl-C.\n\n");
    for (; all->name != NULL; all++) {
        cleanup_free char *left = xasprintf(
            "  %s%s%s", all->name, *all->args == '\0' ? "" : " ", all->args);

        table_row(&t, left, all->summary);
    }
    table_print(&t, out);
    str_add(out, "\ncvx help COMMAND says more.\n");
}

int cmd_help(struct cli *cli, struct err *err)
{
    cleanup_str struct str s = { 0 };
    const struct command *c;
    size_t used;

    if (cli->flags.args.len == 0) {
        command_list(cli->all, &s);
    } else {
        c = command_match(cli->all, cli->flags.args.v, &used);
        if (c == NULL)
            return err_set(err, ERR_INVALID, "unknown command: %s",
                           cli->flags.args.v[0]);
        command_help(c, &s);
    }
    term_put(&cli->out, &s);
    return CLI_OK;
}

static int check_args(const struct command *c, size_t given, struct err *err)
{
    int n = (int)given;

    if (c->max >= 0 && n > c->max) {
        if (c->max == 0)
            return err_set(err, ERR_INVALID, "no args expected");
        if (c->min < c->max)
            return err_set(err, ERR_INVALID, "no more than %d arg%s expected",
                           c->max, c->max == 1 ? "" : "s");
    }
    if (c->max == c->min && n != c->min)
        return err_set(err, ERR_INVALID, "%d arg%s required", c->min,
                       c->min == 1 ? "" : "s");
    if (n < c->min)
        return err_set(err, ERR_INVALID, "at least %d arg%s required", c->min,
                       c->min == 1 ? "" : "s");
    return 0;
}

static void print_error(struct cli *cli, const char *text)
{
    cleanup_str struct str s = { 0 };

    term_paint(&cli->err, &s, "1;31", "ERROR:");
    str_printf(&s, " %s\n", text);
    term_put(&cli->err, &s);
}

/* Prints the error of a command line that makes no sense, and how to get
 * help. */
static int usage(struct cli *cli, const struct err *err)
{
    print_error(cli, err->msg);
    if (cli->command != NULL)
        term_printf(&cli->err, "usage: cvx %s%s%s%s (more: cvx help %s)\n",
                    cli->command->name,
                    cli->command->flags == NULL ? "" : " [flags]",
                    *cli->command->args == '\0' ? "" : " ", cli->command->args,
                    cli->command->name);
    else
        term_puts(&cli->err, "the commands: cvx help\n");
    return CLI_USAGE;
}

static int run(struct cli *cli)
{
    struct err err = { 0 };
    int status;

    if (flags_has(&cli->flags, "help")) {
        cleanup_str struct str s = { 0 };

        command_help(cli->command, &s);
        term_put(&cli->out, &s);
        return CLI_OK;
    }
    if (check_args(cli->command, cli->flags.args.len, &err) < 0)
        return usage(cli, &err);
    status = cli->command->run(cli, &err);
    if (status >= 0)
        return status;
    print_error(cli, err.msg);
    return CLI_FAILED;
}

/* A program may start cvx with a standard descriptor closed. The next file that
 * is opened would take its number, and output would go into that file. */
static void fill_std_fds(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* The command that "-h", "--version" or an empty command line stands for; NULL
 * for any other word. */
static const char *alias_of(const char *word)
{
    if (word == NULL || strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
        return "help";
    if (strcmp(word, "-v") == 0 || strcmp(word, "--version") == 0)
        return "version";
    return NULL;
}

static int parse_and_run(struct cli *cli, char **rest)
{
    struct err err = { 0 };
    enum term_colour colour;
    bool bad =
        flags_parse(&cli->flags, cli->command->flags, rest, &err) < 0 ||
        term_colour_parse(flags_get(&cli->flags, "color"), &colour, &err) < 0;

    flags_hide(rest);
    if (bad)
        return usage(cli, &err);
    term_init(&cli->out, STDOUT_FILENO, colour);
    term_init(&cli->err, STDERR_FILENO, colour);
    return run(cli);
}

int cli_main(const struct command *all, char **argv)
{
    struct cli cli = { .all = all };
    char *word = argv[0] == NULL ? NULL : argv[1];
    char *alias[] = { (char *)alias_of(word), NULL };
    char **words = alias[0] != NULL ? alias : argv + 1;
    struct err err = { 0 };
    size_t used;
    int status;

    fill_std_fds();
    term_init(&cli.out, STDOUT_FILENO, TERM_AUTO);
    term_init(&cli.err, STDERR_FILENO, TERM_AUTO);
    cli.command = command_match(all, words, &used);
    if (cli.command == NULL) {
        word = words[0];
        err_set(&err, ERR_INVALID, "unknown %s: %s",
                *word == '-' ? "flag" : "command", word);
        return usage(&cli, &err);
    }
    status = parse_and_run(&cli, words + used);
    flags_release(&cli.flags);
    return status;
}
