/*
 * Matches paths against .dockerignore. context.c asks for every file and
 * directory of a context.
 *
 * A pattern is compiled to a row of tokens, and a path is matched by following
 * every token that may be reached at once. Moby makes a regular expression of a
 * pattern instead. This needs no library and no locale, and takes at most the
 * length of the pattern times that of the path, whatever the pattern.
 */
#include "engine/ignore.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/vec.h"
#include "engine/path_clean.h"

/* No .dockerignore has longer patterns, or more of them. */
#define PATTERN_MAX  1024
#define PATTERNS_MAX 10000

enum kind {
    LITERAL,
    ANY,      /* ? : one character, except a '/' */
    STAR,     /* * : any number of those */
    GLOBSTAR, /* ** : nothing, or any text that ends with a '/' */
    TAIL,     /* ** at the end: any text */
    CLASS,    /* [a-z] */
};

struct range {
    uint32_t low, high;
};

struct token {
    enum kind kind;
    uint32_t ch;
    bool negated;
    struct range *ranges;
    size_t range_count;
};

struct pattern {
    bool exclusion; /* "!..." */
    char *text;
    /* Number of bytes at its start without a wildcard: compared first, since
     * most paths fail there. */
    size_t fixed;
    struct token *v;
    size_t len, cap;
};

struct ignore {
    struct pattern *v;
    size_t len, cap;
    size_t bad;
};

/* ---- characters ---------------------------------------------------------- */

/* Reads one character; a byte that is not UTF-8 counts as a character of its
 * own. */
static uint32_t next_char(const char **at, const char *end)
{
    const uint8_t *p = (const uint8_t *)*at;
    size_t more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : *p >= 0xc0 ? 1 : 0;
    uint32_t c = *p < 0x80 ? *p : *p & (0x3fu >> more);

    if (*p < 0x80 || more == 0 || (size_t)(end - *at) <= more) {
        (*at)++;
        return *p < 0x80 ? *p : 0x110000u + *p;
    }
    for (size_t i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            (*at)++;
            return 0x110000u + *p;
        }
        c = c << 6 | (p[i] & 0x3f);
    }
    *at += more + 1;
    return c;
}

/* ---- reading a pattern --------------------------------------------------- */

static struct token *add_token(struct pattern *p, enum kind kind)
{
    struct token *t = vec_add(p);

    t->kind = kind;
    return t;
}

/* Reads one character of a class; false where Go's filepath.Match reports a bad
 * pattern. */
static bool class_char(const char **at, const char *end, uint32_t *out)
{
    if (*at == end || **at == '-' || **at == ']')
        return false;
    if (**at == '\\' && ++*at == end)
        return false;
    *out = next_char(at, end);
    return true;
}

static bool add_class(struct pattern *p, const char **at, const char *end)
{
    struct token *t = add_token(p, CLASS);
    struct range r;

    if (*at < end && **at == '^') {
        t->negated = true;
        (*at)++;
    }
    do {
        if (!class_char(at, end, &r.low))
            return false;
        r.high = r.low;
        if (*at < end && **at == '-') {
            (*at)++;
            if (!class_char(at, end, &r.high))
                return false;
        }
        t->ranges =
            xrealloc(t->ranges, (t->range_count + 1) * sizeof(*t->ranges));
        t->ranges[t->range_count++] = r;
    } while (*at < end && **at != ']');
    if (*at == end)
        return false;
    (*at)++;
    return true;
}

/* Adds the token for "**"; `at` is behind the second star. */
static void add_stars(struct pattern *p, const char **at, const char *end)
{
    bool slash = *at < end && **at == '/';
    bool tail;

    if (slash)
        (*at)++;
    /* Moby compares "**.log" with the end of the path, which is what its author
     * meant; but not when another wildcard follows. */
    tail =
        *at == end || (p->len == 0 && !slash && strpbrk(*at, "*?[]\\") == NULL);
    add_token(p, tail ? TAIL : GLOBSTAR);
}

static bool compile(struct pattern *p)
{
    const char *at = p->text, *end = at + strlen(at);

    p->fixed = strcspn(at, "*?[\\");
    while (at < end) {
        char c = *at;

        if (c == '*' || c == '?' || c == '[')
            at++;
        if (c == '*' && at < end && *at == '*') {
            at++;
            add_stars(p, &at, end);
        } else if (c == '*') {
            add_token(p, STAR);
        } else if (c == '?') {
            add_token(p, ANY);
        } else if (c == '[') {
            if (!add_class(p, &at, end))
                return false;
        } else {
            if (c == '\\' && ++at == end)
                return false;
            add_token(p, LITERAL)->ch = next_char(&at, end);
        }
    }
    return true;
}

static void pattern_release(struct pattern *p)
{
    for (size_t i = 0; i < p->len; i++)
        free(p->v[i].ranges);
    free(p->v);
    free(p->text);
}

/* ---- reading the file ---------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void trim(const char **text, size_t *len)
{
    while (*len > 0 && is_space(**text)) {
        (*text)++;
        (*len)--;
    }
    while (*len > 0 && is_space((*text)[*len - 1]))
        (*len)--;
}

static void add_line(struct ignore *ig, const char *line, size_t len)
{
    struct pattern p = { 0 };
    cleanup_free char *raw = NULL;
    const char *clean;

    if (len > 0 && *line == '#')
        return;
    trim(&line, &len);
    if (len == 0)
        return;
    p.exclusion = *line == '!';
    if (p.exclusion) {
        line++;
        len--;
        trim(&line, &len);
    }
    if (len == 0 || len > PATTERN_MAX || ig->len == PATTERNS_MAX ||
        memchr(line, '\0', len) != NULL) {
        ig->bad++;
        return;
    }
    raw = str_dup_len(line, len);
    p.text = path_clean(raw);
    clean = p.text;
    if (clean[0] == '/' && clean[1] != '\0')
        memmove(p.text, clean + 1, strlen(clean));
    if (!compile(&p)) {
        pattern_release(&p);
        ig->bad++;
        return;
    }
    *(struct pattern *)vec_add(ig) = p;
}

struct ignore *ignore_new(const char *text, size_t len)
{
    struct ignore *ig = xcalloc(1, sizeof(*ig));

    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        len -= 3;
    }
    while (len > 0) {
        const char *nl = memchr(text, '\n', len);
        size_t n = nl == NULL ? len : (size_t)(nl - text);

        add_line(ig, text, n);
        n += nl != NULL;
        text += n;
        len -= n;
    }
    return ig;
}

void ignore_free(struct ignore *ig)
{
    if (ig == NULL)
        return;
    for (size_t i = 0; i < ig->len; i++)
        pattern_release(&ig->v[i]);
    free(ig->v);
    free(ig);
}

size_t ignore_bad_patterns(const struct ignore *ig)
{
    return ig->bad;
}

/* ---- matching ------------------------------------------------------------ */

/* Marks token `i` as reachable, and the one after it when `i` may match
 * nothing. */
static void reach(const struct pattern *p, bool *set, size_t i)
{
    while (true) {
        set[i] = true;
        if (i == p->len || (p->v[i].kind != STAR && p->v[i].kind != GLOBSTAR &&
                            p->v[i].kind != TAIL))
            return;
        i++;
    }
}

static bool in_class(const struct token *t, uint32_t c)
{
    for (size_t i = 0; i < t->range_count; i++) {
        if (c >= t->ranges[i].low && c <= t->ranges[i].high)
            return !t->negated;
    }
    return t->negated;
}

/* Marks the tokens that are reachable after token `i` has met the character
 * `c`. */
static void step(const struct pattern *p, bool *next, size_t i, uint32_t c)
{
    const struct token *t = &p->v[i];

    switch (t->kind) {
    case LITERAL:
        if (c == t->ch)
            reach(p, next, i + 1);
        break;
    case ANY:
        if (c != '/')
            reach(p, next, i + 1);
        break;
    case STAR:
        if (c != '/')
            reach(p, next, i);
        break;
    case GLOBSTAR:
        /* Still inside of it: the next token must wait for a '/'. */
        next[i] = true;
        if (c == '/')
            reach(p, next, i + 1);
        break;
    case TAIL:
        reach(p, next, i);
        break;
    case CLASS:
        if (in_class(t, c))
            reach(p, next, i + 1);
        break;
    }
}

static bool matches(const struct pattern *p, const char *path, size_t len)
{
    bool sets[2][PATTERN_MAX + 1];
    bool *now = sets[0], *next = sets[1], *swap;
    const char *at = path, *end = path + len;

    if (len < p->fixed || memcmp(path, p->text, p->fixed) != 0)
        return false;
    memset(now, 0, p->len + 1);
    reach(p, now, 0);
    while (at < end) {
        uint32_t c = next_char(&at, end);
        bool any = false;

        memset(next, 0, p->len + 1);
        for (size_t i = 0; i < p->len; i++) {
            if (now[i]) {
                step(p, next, i, c);
                any = true;
            }
        }
        if (!any)
            return false;
        swap = now;
        now = next;
        next = swap;
    }
    return now[p->len];
}

/* True when the pattern matches the path, or a directory that contains it. */
static bool matches_or_parent(const struct pattern *p, const char *path)
{
    size_t len = strlen(path);

    for (size_t i = 1; i < len; i++) {
        if (path[i] == '/' && matches(p, path, i))
            return true;
    }
    return matches(p, path, len);
}

bool ignore_match(const struct ignore *ig, const char *path)
{
    bool ignored = false;

    for (size_t i = 0; i < ig->len; i++) {
        const struct pattern *p = &ig->v[i];

        if (p->exclusion == ignored && matches_or_parent(p, path))
            ignored = !p->exclusion;
    }
    return ignored;
}

/* True when `pattern` may match something below `dir`. It is compared part by
 * part; a part with a wildcard may match any. */
static bool may_match_below(const char *pattern, const char *dir)
{
    while (*pattern != '\0' && *dir != '\0') {
        size_t n = strcspn(pattern, "/"), m = strcspn(dir, "/");
        size_t plain = strcspn(pattern, "*?[\\");

        if (str_starts(pattern + plain, "**") && plain < n)
            return true;
        if (plain >= n && (n != m || memcmp(pattern, dir, n) != 0))
            return false;
        pattern += n + (pattern[n] == '/');
        dir += m + (dir[m] == '/');
    }
    return true;
}

bool ignore_can_skip(const struct ignore *ig, const char *dir)
{
    for (size_t i = 0; i < ig->len; i++) {
        if (ig->v[i].exclusion && may_match_below(ig->v[i].text, dir))
            return false;
    }
    return true;
}
