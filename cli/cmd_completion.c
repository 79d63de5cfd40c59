/* `cvx completion SHELL`: writes a completion script from the table of commands
 * and their flags. zsh runs the one for bash. */
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"
#include "cli/command.h"

/* Adds the first word of each command, each once. */
static void add_first_words(const struct command *all, struct strv *out)
{
    for (; all->name != NULL; all++) {
        cleanup_strv struct strv one = { 0 };

        strv_add_len(&one, all->name, strcspn(all->name, " "));
        if (!strv_has(out, one.v[0]))
            strv_add(out, one.v[0]);
    }
}

/* Adds what may follow a first word: second words and flags. */
static void add_after(const struct command *all, const char *first,
                      struct strv *out)
{
    size_t len = strlen(first);

    for (; all->name != NULL; all++) {
        const struct flag *f = all->flags;

        if (!str_starts(all->name, first) ||
            (all->name[len] != '\0' && all->name[len] != ' '))
            continue;
        if (all->name[len] == ' ')
            strv_add(out, all->name + len + 1);
        for (; f != NULL && f->name != NULL; f++) {
            cleanup_free char *word = xasprintf("--%s", f->name);

            if (!strv_has(out, word))
                strv_add(out, word);
        }
    }
    strv_add(out, "--help");
}

/* Writes a function with one `case`, in a syntax that bash and zsh share. */
static void print_bash(const struct command *all, struct str *out)
{
    cleanup_strv struct strv words = { 0 };
    cleanup_free char *list = NULL;

    add_first_words(all, &words);
    list = strv_join(&words, " ");
    str_add(out, "_cvx() {\n"
                 "    local words\n"
                 "    case $COMP_CWORD:${COMP_WORDS[1]} in\n");
    str_printf(out, "    1:*) words='%s' ;;\n", list);
    for (size_t i = 0; i < words.len; i++) {
        cleanup_strv struct strv after = { 0 };
        cleanup_free char *joined = NULL;

        add_after(all, words.v[i], &after);
        joined = strv_join(&after, " ");
        str_printf(out, "    *:%s) words='%s' ;;\n", words.v[i], joined);
    }
    str_add(out, "    esac\n"
                 "    COMPREPLY=($(compgen -W \"$words\" -- "
                 "\"${COMP_WORDS[COMP_CWORD]}\"))\n"
                 "}\n"
                 "complete -o default -F _cvx cvx\n");
}

static void print_fish(const struct command *all, struct str *out)
{
    cleanup_strv struct strv words = { 0 };

    add_first_words(all, &words);
    for (size_t i = 0; i < words.len; i++) {
        cleanup_strv struct strv after = { 0 };
        cleanup_free char *joined = NULL;

        str_printf(out, "complete -c cvx -n __fish_use_subcommand -a %s\n",
                   words.v[i]);
        add_after(all, words.v[i], &after);
        joined = strv_join(&after, " ");
        str_printf(out,
                   "complete -c cvx -n '__fish_seen_subcommand_from %s' "
                   "-a '%s'\n",
                   words.v[i], joined);
    }
}

int cmd_completion(struct cli *cli, struct err *err)
{
    const char *shell = cli->flags.args.v[0];
    cleanup_str struct str out = { 0 };

    if (strcmp(shell, "fish") == 0) {
        print_fish(cli->all, &out);
    } else if (strcmp(shell, "zsh") == 0) {
        str_add(&out, "autoload -U +X bashcompinit && bashcompinit\n");
        print_bash(cli->all, &out);
    } else if (strcmp(shell, "bash") == 0) {
        print_bash(cli->all, &out);
    } else {
        return err_set(err, ERR_INVALID,
                       "unknown shell: %s (bash, zsh or fish)", shell);
    }
    term_put(&cli->out, &out);
    return CLI_OK;
}
