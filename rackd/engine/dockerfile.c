/* Reads Dockerfiles: which images, ARGs and stages one refers to, and rewrites
 * the images. run/ reads it to pull base images and to find the target;
 * context.c rewrites it for stand-ins. */
#include "engine/dockerfile.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/env.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/context.h"

/* Reads instructions one by one: continued lines are joined, comments and the
 * text of here-documents are left out. */
struct reader {
    const char *at, *end;
    const char *raw; /* where the text of the instruction begins */
    char escape;
    bool started;    /* the first line that is no directive has been read */
    struct str line; /* the instruction */
};

/* What has been seen before the current instruction. */
struct scope {
    struct env args; /* ARGs before the first FROM */
    const struct strv *given;
    struct strv stages;
    size_t froms;
};

static const char *skip_space(const char *text)
{
    return text + strspn(text, " \t");
}

/* ---- lines --------------------------------------------------------------- */

/* Reads one line, without its end. */
static bool next_line(struct reader *r, const char **line, size_t *len)
{
    const char *nl;

    if (r->at == r->end)
        return false;
    nl = memchr(r->at, '\n', (size_t)(r->end - r->at));
    *line = r->at;
    *len = (size_t)((nl == NULL ? r->end : nl) - r->at);
    r->at = nl == NULL ? r->end : nl + 1;
    if (*len > 0 && (*line)[*len - 1] == '\r')
        (*len)--;
    return true;
}

/* Reads a parser directive such as "# escape=`"; they count only above
 * everything else. */
static void read_directive(struct reader *r, const char *line, size_t len)
{
    cleanup_free char *text = str_dup_len(line, len);
    const char *at = skip_space(text + 1);
    size_t name = strcspn(at, " \t=");
    const char *value = skip_space(at + name);

    if (*value != '=') {
        r->started = true;
        return;
    }
    value = skip_space(value + 1);
    if (name == strlen("escape") && strncasecmp(at, "escape", name) == 0 &&
        *value == '`')
        r->escape = '`';
}

static bool is_comment(const char *line, size_t len)
{
    while (len > 0 && (*line == ' ' || *line == '\t')) {
        line++;
        len--;
    }
    return len > 0 && *line == '#';
}

static bool is_blank(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!isspace((unsigned char)line[i]))
            return false;
    }
    return true;
}

/* Appends a line to the instruction; true when it ends with the escape
 * character, so that it goes on. */
static bool add_part(struct reader *r, const char *line, size_t len)
{
    size_t n = len;

    while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t'))
        n--;
    if (n > 0 && line[n - 1] == r->escape) {
        str_add_len(&r->line, line, n - 1);
        return true;
    }
    str_add_len(&r->line, line, len);
    return false;
}

/* True when the "<<" at `at` begins a here-document: it must begin a word,
 * perhaps after the number of a descriptor. "$((1<<2))" and "<<<" do not. */
static bool is_heredoc(const char *line, const char *at)
{
    while (at > line && isdigit((unsigned char)at[-1]))
        at--;
    return at > line && (at[-1] == ' ' || at[-1] == '\t');
}

/* The end word of the next here-document; NULL when there is none. */
static char *heredoc_word(const char *line, const char **at, bool *tabs)
{
    size_t len;

    while ((*at = strstr(*at, "<<")) != NULL) {
        bool good = is_heredoc(line, *at);

        *at += 2;
        *tabs = **at == '-';
        *at += *tabs;
        *at += **at == '"' || **at == '\'';
        len = strcspn(*at, " \t<>;|&\"'()");
        *at += len;
        if (good && len > 0 && **at != '<')
            return str_dup_len(*at - len, len);
        *at += strspn(*at, "<");
    }
    return NULL;
}

/* Skips the text of each here-document of an instruction such as "RUN <<EOF cat
 * <<-'X'". */
static void skip_heredocs(struct reader *r)
{
    const char *start = str_c(&r->line), *at = start, *line;
    char *word;
    size_t len;
    bool tabs;

    if (strncasecmp(start, "RUN", 3) != 0 &&
        strncasecmp(start, "COPY", 4) != 0 && strncasecmp(start, "ADD", 3) != 0)
        return;
    while ((word = heredoc_word(start, &at, &tabs)) != NULL) {
        while (next_line(r, &line, &len)) {
            while (tabs && len > 0 && *line == '\t') {
                line++;
                len--;
            }
            if (len == strlen(word) && memcmp(line, word, len) == 0)
                break;
        }
        free(word);
    }
}

static bool next_instruction(struct reader *r)
{
    const char *line;
    size_t len;
    bool more = false;

    str_cut(&r->line, 0);
    r->raw = r->at;
    while (next_line(r, &line, &len)) {
        if (is_comment(line, len)) {
            if (!r->started && *line == '#')
                read_directive(r, line, len);
        } else if (is_blank(line, len)) {
            r->started = true;
        } else {
            r->started = true;
            if (r->line.len == 0) {
                while (*line == ' ' || *line == '\t') {
                    line++;
                    len--;
                }
            }
            more = add_part(r, line, len);
            if (!more)
                break;
        }
        if (!more && r->line.len == 0)
            r->raw = r->at;
    }
    if (r->line.len == 0)
        return false;
    skip_heredocs(r);
    return true;
}

static struct reader reader_of(const char *text, size_t len)
{
    struct reader r = { .at = text, .end = text + len, .escape = '\\' };

    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        r.at += 3;
    return r;
}

/* ---- words --------------------------------------------------------------- */

/* The next word, with its quotes; NULL at the end. */
static char *next_word(const char **at)
{
    const char *start = skip_space(*at);
    size_t len = strcspn(start, " \t");

    *at = start + len;
    return len == 0 ? NULL : str_dup_len(start, len);
}

static bool is_word(const char *line, const char *word)
{
    size_t len = strlen(word);

    return strncasecmp(line, word, len) == 0 &&
           (line[len] == ' ' || line[len] == '\t');
}

static char *unquoted(const char *text)
{
    size_t len = strlen(text);

    if (len >= 2 && (*text == '"' || *text == '\'') && text[len - 1] == *text)
        return str_dup_len(text + 1, len - 2);
    return xstrdup(text);
}

static size_t name_len(const char *text)
{
    size_t len = 0;

    while (isalnum((unsigned char)text[len]) || text[len] == '_')
        len++;
    return len;
}

/* Appends the value of the name after a '$' without a brace, and returns where
 * the name ends. */
static const char *add_named(struct str *out, const char *text,
                             const struct env *args)
{
    size_t len = name_len(text);
    cleanup_free char *name = str_dup_len(text, len);

    if (len == 0)
        str_add_char(out, '$');
    else if (env_get(args, name) != NULL)
        str_add(out, env_get(args, name));
    return text + len;
}

/* Appends the word of ${NAME:-word}, which may contain $NAME but no braces. */
static void add_word(struct str *out, const char *word, const struct env *args)
{
    while (*word != '\0') {
        size_t plain = strcspn(word, "$");

        str_add_len(out, word, plain);
        word += plain;
        if (*word == '$')
            word = add_named(out, word + 1, args);
    }
}

/* Appends the value of what follows "${", and returns where it ends. */
static const char *add_braced(struct str *out, const char *text,
                              const struct env *args)
{
    size_t len = strcspn(text, "}"), n;
    cleanup_free char *inner = str_dup_len(text, len);
    const char *value, *rest;
    cleanup_free char *name = NULL;
    bool set;

    n = strcspn(inner, ":");
    rest = inner + n;
    name = str_dup_len(inner, n);
    value = env_get(args, name);
    set = value != NULL && *value != '\0';
    if (str_starts(rest, set ? ":+" : ":-"))
        add_word(out, rest + 2, args);
    else if (set && !str_starts(rest, ":+"))
        str_add(out, value);
    return text + len + (text[len] == '}');
}

/* Replaces $NAME, ${NAME}, ${NAME:-word} and ${NAME:+word}. */
static char *expand(const char *text, const struct env *args)
{
    struct str out = { 0 };

    while (*text != '\0') {
        size_t plain = strcspn(text, "$");

        str_add_len(&out, text, plain);
        text += plain;
        if (text[0] == '$' && text[1] == '{')
            text = add_braced(&out, text + 2, args);
        else if (text[0] == '$')
            text = add_named(&out, text + 1, args);
    }
    return str_take(&out);
}

/* ---- instructions -------------------------------------------------------- */

/* Reads ARG NAME[=VALUE]...; a value that was given to the build wins over the
 * default. */
static void read_arg(struct scope *s, const char *at, struct strv *names)
{
    char *word;

    while ((word = next_word(&at)) != NULL) {
        size_t len = strcspn(word, "=");
        cleanup_free char *name = str_dup_len(word, len);
        cleanup_free char *plain =
            word[len] == '=' ? unquoted(word + len + 1) : xstrdup("");
        cleanup_free char *value = expand(plain, &s->args);

        free(word);
        if (names != NULL && !strv_has(names, name))
            strv_add(names, name);
        if (s->froms > 0)
            continue;
        env_set(&s->args, name, value, "ARG");
        for (size_t i = 0; s->given != NULL && i < s->given->len; i++) {
            if (strncmp(s->given->v[i], name, len) == 0 &&
                s->given->v[i][len] == '=')
                env_set(&s->args, name, s->given->v[i] + len + 1, "given");
        }
    }
}

static char *lower(const char *text)
{
    char *copy = xstrdup(text);

    for (char *p = copy; *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

static bool is_stage(const struct scope *s, const char *name)
{
    cleanup_free char *small = lower(name);

    return strv_has(&s->stages, small);
}

/* The image that a FROM names, with its place in the line; NULL when it names a
 * stage or "scratch". The name of this stage ("AS name") is remembered. */
static char *read_from(struct scope *s, const char *line, size_t *at,
                       size_t *len)
{
    const char *p = line + strlen("FROM");
    char *word = next_word(&p), *image;
    cleanup_free char *as = NULL, *name = NULL;

    while (word != NULL && str_starts(word, "--")) {
        free(word);
        word = next_word(&p);
    }
    s->froms++;
    if (word == NULL)
        return NULL;
    *len = strlen(word);
    *at = (size_t)(p - line) - *len;
    image = unquoted(word);
    free(word);
    word = image;
    image = expand(word, &s->args);
    free(word);
    as = next_word(&p);
    name = next_word(&p);
    if (*image == '\0' || strcmp(image, "scratch") == 0 || is_stage(s, image)) {
        free(image);
        image = NULL;
    }
    if (as != NULL && name != NULL && strcasecmp(as, "as") == 0) {
        cleanup_free char *small = lower(name);

        strv_add(&s->stages, small);
    }
    return image;
}

static char *read_copy(struct scope *s, const char *line, size_t *at,
                       size_t *len)
{
    const char *p = line + strlen("COPY");
    char *word;
    long number;

    while ((word = next_word(&p)) != NULL && str_starts(word, "--")) {
        cleanup_free char *flag = word;
        const char *image = flag + strlen("--from=");

        if (!str_starts(flag, "--from="))
            continue;
        if (*image == '\0' || strchr(image, '$') != NULL ||
            is_stage(s, image) || str_to_long(image, 0, 9999, &number))
            return NULL;
        *len = strlen(image);
        *at = (size_t)(p - line) - *len;
        return xstrdup(image);
    }
    free(word);
    return NULL;
}

static char *read_image(struct scope *s, const char *line, size_t *at,
                        size_t *len)
{
    if (is_word(line, "FROM"))
        return read_from(s, line, at, len);
    if (is_word(line, "COPY"))
        return read_copy(s, line, at, len);
    return NULL;
}

static void scope_release(struct scope *s)
{
    env_release(&s->args);
    strv_release(&s->stages);
}

/* ---- for others ---------------------------------------------------------- */

void dockerfile_parse(struct dockerfile *out, const char *text, size_t len,
                      const struct strv *args)
{
    struct reader r = reader_of(text, len);
    struct scope s = { .given = args };
    size_t at, n;

    *out = (struct dockerfile){ 0 };
    while (next_instruction(&r)) {
        const char *line = str_c(&r.line);
        cleanup_free char *image = read_image(&s, line, &at, &n);

        if (image != NULL && !strv_has(&out->bases, image))
            strv_add(&out->bases, image);
        if (is_word(line, "ARG"))
            read_arg(&s, line + strlen("ARG"), &out->args);
    }
    out->stages = s.stages;
    s.stages = (struct strv){ 0 };
    scope_release(&s);
    str_release(&r.line);
}

void dockerfile_release(struct dockerfile *d)
{
    strv_release(&d->bases);
    strv_release(&d->args);
    strv_release(&d->stages);
}

static const char *replacement(const struct strv *pairs, const char *image)
{
    size_t len = strlen(image);

    for (size_t i = 0; i < pairs->len; i++) {
        if (strncmp(pairs->v[i], image, len) == 0 && pairs->v[i][len] == '=')
            return pairs->v[i] + len + 1;
    }
    return NULL;
}

void dockerfile_rewrite(struct str *out, const char *text, size_t len,
                        const struct strv *replace)
{
    struct reader r = reader_of(text, len);
    struct scope s = { 0 };
    const char *copied = text;
    size_t at = 0, n = 0;

    while (next_instruction(&r)) {
        const char *line = str_c(&r.line);
        cleanup_free char *image = read_image(&s, line, &at, &n);
        const char *other = image == NULL ? NULL : replacement(replace, image);

        if (is_word(line, "ARG"))
            read_arg(&s, line + strlen("ARG"), NULL);
        if (other == NULL)
            continue;
        str_add_len(out, copied, (size_t)(r.raw - copied));
        str_add_len(out, line, at);
        str_add(out, other);
        str_add(out, line + at + n);
        str_add_char(out, '\n');
        copied = r.at;
    }
    str_add_len(out, copied, (size_t)(text + len - copied));
    scope_release(&s);
    str_release(&r.line);
}
