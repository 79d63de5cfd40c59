/* Splits a command of the manifest into words, as a shell would, or hands it to
 * a shell. services.c calls it for every command of a service while a plan is
 * made; the rules are in command.h. */
#include "plan/command.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "manifest/manifest.h"

/* The state of one split: where it is in the text, and the word so far. */
struct splitter {
    const char *at;
    struct str word;
    bool in_word;
    bool shell; /* true once something is met that needs a shell */
};

/* Reserved words, and builtins that usually exist as no program. Run without a
 * shell they would fail with "no such file". */
static const char *const shell_words[] = {
    "!",       ".",       ":",       "{",        "alias",   "bg",
    "break",   "case",    "cd",      "eval",     "exec",    "exit",
    "export",  "fg",      "for",     "if",       "local",   "read",
    "return",  "select",  "set",     "shift",    "shopt",   "source",
    "trap",    "type",    "ulimit",  "umask",    "unalias", "unset",
    "until",   "wait",    "while",   "function", "declare", "readonly",
    "typeset", "command", "builtin", "let",      "time",
};

static bool is_shell_word(const char *word)
{
    for (size_t i = 0; i < sizeof(shell_words) / sizeof(shell_words[0]); i++)
        if (strcmp(word, shell_words[i]) == 0)
            return true;
    return false;
}

/* True when the text begins with NAME=, without quotes: a variable for this
 * command, which only a shell can set. */
static bool is_assignment(const char *text)
{
    if (!isalpha((unsigned char)*text) && *text != '_')
        return false;
    while (isalnum((unsigned char)*text) || *text == '_')
        text++;
    return *text == '=';
}

static void read_single(struct splitter *s)
{
    const char *end = strchr(s->at, '\'');

    if (end == NULL) {
        s->shell = true;
        return;
    }
    str_add_len(&s->word, s->at, (size_t)(end - s->at));
    s->at = end + 1;
}

/* Within double quotes a backslash quotes only these characters, as POSIX has
 * it; before any other it is an ordinary character. */
static void read_double(struct splitter *s)
{
    while (*s->at != '\0' && *s->at != '"') {
        if (*s->at == '$' || *s->at == '`') {
            s->shell = true;
            return;
        }
        if (*s->at == '\\' && s->at[1] != '\0' &&
            strchr("\\\"$`\n", s->at[1]) != NULL)
            s->at++;
        str_add_char(&s->word, *s->at++);
    }
    if (*s->at == '\0')
        s->shell = true;
    else
        s->at++;
}

static void read_escape(struct splitter *s)
{
    if (*s->at == '\0')
        s->shell = true;
    else if (*s->at == '\n') /* a continued line */
        s->at++;
    else
        str_add_char(&s->word, *s->at++);
}

static bool is_syntax(const struct splitter *s, char c)
{
    if (strchr("|&;<>()$`*?[\n", c) != NULL)
        return true;
    return !s->in_word && (c == '~' || c == '#');
}

/* Reads one character of a word, outside of quotes. */
static void read_char(struct splitter *s)
{
    char c = *s->at++;

    if (is_syntax(s, c))
        s->shell = true;
    else if (c == '\'')
        read_single(s);
    else if (c == '"')
        read_double(s);
    else if (c == '\\')
        read_escape(s);
    else
        str_add_char(&s->word, c);
    /* A backslash at the end of a line continues it; it does not begin a
     * word. */
    s->in_word = s->in_word || c != '\\' || s->word.len > 0;
}

static void end_word(struct splitter *s, struct strv *words)
{
    if (s->in_word)
        strv_add_len(words, str_c(&s->word), s->word.len);
    str_cut(&s->word, 0);
    s->in_word = false;
}

/* Splits `text`, which is trimmed; false when it needs a shell. */
static bool split(const char *text, struct strv *words)
{
    struct splitter s = { .at = text };

    while (*s.at != '\0' && !s.shell) {
        if (*s.at == ' ' || *s.at == '\t' || *s.at == '\r') {
            end_word(&s, words);
            s.at++;
        } else {
            read_char(&s);
        }
    }
    end_word(&s, words);
    str_release(&s.word);
    return !s.shell && !is_assignment(text) &&
           (words->len == 0 || !is_shell_word(words->v[0]));
}

static char *trimmed(const char *text)
{
    size_t len;

    while (isspace((unsigned char)*text))
        text++;
    len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]) &&
           (len < 2 || text[len - 2] != '\\'))
        len--;
    return str_dup_len(text, len);
}

void command_split(const char *text, struct strv *argv)
{
    char *clean = trimmed(text);
    cleanup_strv struct strv words = { 0 };

    if (*clean != '\0') {
        if (split(clean, &words)) {
            strv_add_all(argv, &words);
        } else {
            strv_add(argv, "sh");
            strv_add(argv, "-c");
            strv_add(argv, clean);
        }
    }
    free(clean);
}

void command_argv(const struct manifest_command *command, struct strv *argv)
{
    if (!command->set)
        return;
    if (command->argv.len > 0)
        strv_add_all(argv, &command->argv);
    else if (command->text != NULL)
        command_split(command->text, argv);
}
