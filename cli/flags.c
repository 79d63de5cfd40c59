/* Parses the flags and arguments behind a command. command.c calls
 * flags_parse() before the command runs; commands then ask for values. */
#include "cli/flags.h"

#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "cli/when.h"

const struct flag flags_common[] = {
    { 0, "color", "WHEN", "colours: auto, always or never" },
    { 'h', "help", NULL, "print this help" },
    { 0, NULL, NULL, NULL },
};

/* Finds a flag by name (`len` bytes) or by letter. */
static const struct flag *in_table(const struct flag *table, const char *name,
                                   size_t len, char letter)
{
    for (; table != NULL && table->name != NULL; table++) {
        if (letter != '\0' && table->letter == letter)
            return table;
        if (len > 0 && strlen(table->name) == len &&
            memcmp(table->name, name, len) == 0)
            return table;
    }
    return NULL;
}

static const struct flag *lookup(const struct flag *table, const char *name,
                                 size_t len, char letter)
{
    const struct flag *flag = in_table(table, name, len, letter);

    return flag != NULL ? flag : in_table(flags_common, name, len, letter);
}

static void add(struct flags *f, const struct flag *flag, const char *text)
{
    struct flag_value *v = vec_add(f);

    v->flag = flag;
    v->text = text == NULL ? NULL : xstrdup(text);
}

/* Parses "--name" or "--name=value"; takes the next word as value when the flag
 * needs one. */
static int parse_long(struct flags *f, const struct flag *table, char ***at,
                      struct err *err)
{
    const char *word = **at + 2, *eq = strchr(word, '=');
    size_t len = eq == NULL ? strlen(word) : (size_t)(eq - word);
    const struct flag *flag = lookup(table, word, len, '\0');

    if (flag == NULL)
        return err_set(err, ERR_INVALID, "unknown flag: --%.*s", (int)len,
                       word);
    if (flag->value == NULL && eq != NULL)
        return err_set(err, ERR_INVALID, "flag takes no value: --%s",
                       flag->name);
    if (flag->value == NULL || eq != NULL) {
        add(f, flag, eq == NULL ? NULL : eq + 1);
        return 0;
    }
    if ((*at)[1] == NULL)
        return err_set(err, ERR_INVALID, "flag needs a value: --%s %s",
                       flag->name, flag->value);
    ++*at;
    add(f, flag, **at);
    return 0;
}

/* Parses "-f", "-fs web" or "-sweb": letters, up to one that takes a value. */
static int parse_letters(struct flags *f, const struct flag *table, char ***at,
                         struct err *err)
{
    for (const char *s = **at + 1; *s != '\0'; s++) {
        const struct flag *flag = lookup(table, "", 0, *s);

        if (flag == NULL)
            return err_set(err, ERR_INVALID, "unknown flag: -%c", *s);
        if (flag->value == NULL) {
            add(f, flag, NULL);
            continue;
        }
        if (s[1] != '\0') {
            add(f, flag, s[1] == '=' ? s + 2 : s + 1);
            return 0;
        }
        if ((*at)[1] == NULL)
            return err_set(err, ERR_INVALID, "flag needs a value: -%c %s", *s,
                           flag->value);
        ++*at;
        add(f, flag, **at);
        return 0;
    }
    return 0;
}

int flags_parse(struct flags *f, const struct flag *table, char **argv,
                struct err *err)
{
    bool only_args = false;
    int bad = 0;

    for (char **at = argv; *at != NULL && bad == 0; at++) {
        if (only_args || **at != '-' || (*at)[1] == '\0')
            strv_add(&f->args, *at);
        else if (strcmp(*at, "--") == 0)
            only_args = true;
        else if ((*at)[1] == '-')
            bad = parse_long(f, table, &at, err);
        else
            bad = parse_letters(f, table, &at, err);
    }
    return bad;
}

bool flags_has(const struct flags *f, const char *name)
{
    for (size_t i = 0; i < f->len; i++)
        if (strcmp(f->v[i].flag->name, name) == 0)
            return true;
    return false;
}

const char *flags_get(const struct flags *f, const char *name)
{
    const char *text = NULL;

    for (size_t i = 0; i < f->len; i++)
        if (strcmp(f->v[i].flag->name, name) == 0)
            text = f->v[i].text;
    return text;
}

void flags_all(const struct flags *f, const char *name, struct strv *out)
{
    for (size_t i = 0; i < f->len; i++)
        if (strcmp(f->v[i].flag->name, name) == 0)
            strv_add(out, f->v[i].text);
}

int flags_duration(const struct flags *f, const char *name, long long fallback,
                   long long *ms, struct err *err)
{
    const char *text = flags_get(f, name);
    int64_t parsed;

    *ms = fallback;
    if (text == NULL)
        return 0;
    if (!when_parse(text, &parsed))
        return err_set(err, ERR_INVALID,
                       "not a duration: --%s %s (try 90, 90s, 5m, 1h30m)", name,
                       text);
    *ms = parsed;
    return 0;
}

/* The KEY=VALUE of a word, behind "-e" or "--env=" when these are in the same
 * word; NULL for another flag. */
static char *pair_in(char *word)
{
    if (*word != '-')
        return word;
    if (str_starts(word, "--env="))
        return word + strlen("--env=");
    if (word[1] == 'e' && word[2] != '\0')
        return word + (word[2] == '=' ? 3 : 2);
    return NULL;
}

void flags_hide(char **argv)
{
    for (; *argv != NULL; argv++) {
        char *pair = pair_in(*argv);
        char *value = pair == NULL ? NULL : strchr(pair, '=');

        if (value != NULL)
            memset(value + 1, '*', strlen(value + 1));
    }
}

void flags_release(struct flags *f)
{
    for (size_t i = 0; i < f->len; i++)
        free(f->v[i].text);
    free(f->v);
    strv_release(&f->args);
    *f = (struct flags){ 0 };
}
