#include "plan/mask.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "plan/plan.h"
#include "plan/url.h"

#define MASK "****"

/* A shorter text is found in too many words that are no secret. */
#define KNOWN_MIN 6

static bool is_any(const char *word, size_t len, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strlen(*list) == len && strncasecmp(word, *list, len) == 0)
            return true;
    return false;
}

static bool contains(const char *text, size_t len, const char *word)
{
    size_t word_len = strlen(word);

    for (size_t i = 0; i + word_len <= len; i++)
        if (strncasecmp(text + i, word, word_len) == 0)
            return true;
    return false;
}

bool mask_is_secret(const char *key, size_t len)
{
    static const char *const anywhere[] = { "passw",   "passphrase", "secret",
                                            "token",   "credential", "apikey",
                                            "private", NULL };
    static const char *const words[] = { "pass", "pwd",    "key",
                                         "keys", "auth",   "salt",
                                         "jwt",  "pepper", NULL };

    for (size_t i = 0; anywhere[i] != NULL; i++)
        if (contains(key, len, anywhere[i]))
            return true;
    for (size_t start = 0; start < len;) {
        size_t end = start;

        while (end < len && isalnum((unsigned char)key[end]))
            end++;
        if (is_any(key + start, end - start, words))
            return true;
        start = end + 1;
    }
    return false;
}

/* ---- what is secret in a plan ------------------------------------------ */

static void collect(struct strv *out, const char *text)
{
    if (text != NULL && strlen(text) >= KNOWN_MIN && !strv_has(out, text))
        strv_add(out, text);
}

/* Longest first, so that one that holds another goes as a whole. */
static void sort_by_length(struct strv *list)
{
    for (size_t i = 1; i < list->len; i++)
        for (size_t j = i; j > 0 && strlen(list->v[j - 1]) < strlen(list->v[j]);
             j--) {
            char *other = list->v[j];

            list->v[j] = list->v[j - 1];
            list->v[j - 1] = other;
        }
}

void mask_collect(const struct plan *p, struct strv *out)
{
    for (size_t i = 0; i < p->resources.len; i++)
        collect(out, p->resources.v[i].vars.pass);
    for (size_t i = 0; i < p->auths.len; i++)
        collect(out, p->auths.v[i].password);
    for (size_t i = 0; i < p->build_env.len; i++) {
        const char *pair = p->build_env.v[i], *eq = strchr(pair, '=');

        if (eq != NULL && mask_is_secret(pair, (size_t)(eq - pair)))
            collect(out, eq + 1);
    }
    sort_by_length(out);
}

/* ---- masking ----------------------------------------------------------- */

static void add_shown(struct str *out, char c)
{
    if (c == '\n')
        str_add(out, "\\n");
    else if (c == '\t')
        str_add(out, "\\t");
    else if ((unsigned char)c < 0x20 || c == 0x7f)
        str_printf(out, "\\x%02x", (unsigned char)c);
    else
        str_add_char(out, c);
}

/* How long the known secret is that `text` begins with; 0: it does not. */
static size_t known_len(const char *text, const struct strv *known)
{
    for (size_t i = 0; i < known->len; i++)
        if (*text == *known->v[i] && str_starts(text, known->v[i]))
            return strlen(known->v[i]);
    return 0;
}

/*
 * `text` begins just after "://". Shows the user, hides the password, and
 * says how many bytes that took. A login without a colon may be a token.
 */
static size_t mask_login(const char *text, struct str *out)
{
    size_t len = url_login_len(text);
    const char *colon = memchr(text, ':', len);

    if (len == 0)
        return 0;
    for (const char *c = text; colon != NULL && c <= colon; c++)
        add_shown(out, *c);
    if (colon == NULL || (size_t)(colon + 1 - text) < len)
        str_add(out, MASK);
    return len;
}

/* "?password=x", "&token=x", "PASSWORD=x": how many bytes of `text` are the
 * key and its '=', when a secret follows; else 0. */
static size_t parameter_len(const char *text)
{
    size_t len = 0;

    while (isalnum((unsigned char)text[len]) || text[len] == '_' ||
           text[len] == '-')
        len++;
    return text[len] == '=' && mask_is_secret(text, len) ? len + 1 : 0;
}

static size_t mask_parameter(const char *text, struct str *out)
{
    size_t key = parameter_len(text), value;

    if (key == 0)
        return 0;
    value = strcspn(text + key, "& \t\r\n\"'#;");
    str_add_len(out, text, key);
    if (value > 0)
        str_add(out, MASK);
    return key + value;
}

/* What at `at` is secret: shown as it may be; how many bytes it was. */
static size_t mask_one(const char *text, const char *at,
                       const struct strv *known, struct str *out)
{
    size_t len = known_len(at, known);
    bool starts_word = at == text || strchr("?& \t\n\"';", at[-1]) != NULL;

    if (len > 0) {
        str_add(out, MASK);
        return len;
    }
    if (at - text >= 3 && memcmp(at - 3, "://", 3) == 0)
        len = mask_login(at, out);
    return len == 0 && starts_word ? mask_parameter(at, out) : len;
}

void mask_add(const char *text, const struct strv *known, struct str *out)
{
    const char *at = text;

    while (*at != '\0') {
        size_t len = mask_one(text, at, known, out);

        if (len == 0)
            add_shown(out, *at++);
        at += len;
    }
}
