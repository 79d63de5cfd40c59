/* Finds secrets and writes **** in their place. plan_print(), the events of a
 * start and all listings go through here, before any text leaves rackd. */
#include "plan/mask.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/env.h"
#include "base/mem.h"
#include "base/str.h"
#include "plan/plan.h"
#include "plan/url.h"

#define MASK "****"

/* Characters. A shorter secret would be found in too many words that are not
 * secret. */
#define KNOWN_MIN 6

/* The same limit for a value that is taken for a secret by its looks only. */
#define LOOKS_MIN 8

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

/* True for keys like AUTH_URL or KEY_HOST. They name a place; a password within
 * that URL is found by collect_login(). */
static bool is_place(const char *key, size_t len)
{
    static const char *const words[] = { "url", "uri", "host", "port", NULL };
    size_t start = len;

    while (start > 0 && isalnum((unsigned char)key[start - 1]))
        start--;
    return is_any(key + start, len - start, words);
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
    if (is_place(key, len))
        return false;
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

/* Longest first, so that a secret that contains another is replaced as a
 * whole. */
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

/* Collects the password of a URL, as it is written there (percent-encoded). */
static void collect_login(struct strv *out, const char *text)
{
    const char *login = strstr(text, "://");
    cleanup_free char *password = NULL;
    const char *colon;
    size_t len;

    if (login == NULL)
        return;
    login += 3;
    len = url_login_len(login);
    colon = memchr(login, ':', len);
    if (colon == NULL)
        return;
    password = str_dup_len(colon + 1, len - (size_t)(colon + 1 - login));
    collect(out, password);
}

static void collect_pairs(struct strv *out, const struct strv *pairs)
{
    for (size_t i = 0; i < pairs->len; i++) {
        const char *pair = pairs->v[i], *eq = strchr(pair, '=');

        if (eq == NULL)
            continue;
        if (mask_is_secret(pair, (size_t)(eq - pair)))
            collect(out, eq + 1);
        collect_login(out, eq + 1);
    }
}

void mask_collect(const struct plan *p, struct strv *out)
{
    for (size_t i = 0; i < p->resources.len; i++)
        collect(out, p->resources.v[i].vars.pass);
    for (size_t i = 0; i < p->auths.len; i++)
        collect(out, p->auths.v[i].password);
    for (size_t i = 0; i < p->services.len; i++) {
        collect_pairs(out, &p->services.v[i].container.env);
        collect_pairs(out, &p->services.v[i].init_container.env);
    }
    collect_pairs(out, &p->build_env);
    sort_by_length(out);
}

/* True for eight characters or more with both letters and digits, such as a
 * generated password. Paths and URLs are not. */
static bool looks_secret(const char *value)
{
    bool letter = false, digit = false;

    if (strlen(value) < LOOKS_MIN || *value == '/' ||
        strstr(value, "://") != NULL)
        return false;
    for (const char *c = value; *c != '\0'; c++) {
        letter |= isalpha((unsigned char)*c) != 0;
        digit |= isdigit((unsigned char)*c) != 0;
    }
    return letter && digit;
}

void mask_collect_env(const struct env *env, const char *source,
                      struct strv *out)
{
    for (size_t i = 0; i < env->len; i++) {
        const struct env_var *var = &env->v[i];

        if (mask_is_secret(var->key, strlen(var->key)) ||
            (strcmp(var->source, source) == 0 && looks_secret(var->value)))
            collect(out, var->value);
        collect_login(out, var->value);
    }
    sort_by_length(out);
}

/* ---- masking ----------------------------------------------------------- */

/* The state of one pass over a text. [hide, hide_end) is the next stretch to be
 * replaced; it is empty when none is known yet. */
struct masking {
    const char *text, *at;
    const char *hide, *hide_end;
    bool prose; /* the text is for people: see mask_text() */
};

static void add_escaped(struct str *out, char c)
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

/* Length of the known secret that `text` begins with; 0 when it begins with
 * none. */
static size_t known_len(const char *text, const struct strv *known)
{
    for (size_t i = 0; i < known->len; i++)
        if (*text == *known->v[i] && str_starts(text, known->v[i]))
            return strlen(known->v[i]);
    return 0;
}

/* Called just after "://": the password of a login is to be hidden. A login
 * without a colon may be a token, so it is hidden as a whole. */
static void expect_login(struct masking *m)
{
    size_t len = url_login_len(m->at);
    const char *colon = memchr(m->at, ':', len);

    if (len == 0)
        return;
    m->hide = colon == NULL ? m->at : colon + 1;
    m->hide_end = m->at + len;
}

static bool is_key_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* Called just after a "=": the value is to be hidden when the key before it
 * ("password", "token") is that of a secret. */
static void expect_value(struct masking *m)
{
    const char *end = m->at - 1, *key = end;

    while (key > m->text && is_key_char(key[-1]))
        key--;
    if (!mask_is_secret(key, (size_t)(end - key)))
        return;
    m->hide = m->at;
    m->hide_end = m->at + strcspn(m->at, "& \t\r\n\"'#;");
}

static void look_ahead(struct masking *m)
{
    size_t done = (size_t)(m->at - m->text);

    if (m->at < m->hide_end)
        return;
    if (done >= 3 && memcmp(m->at - 3, "://", 3) == 0)
        expect_login(m);
    else if (done >= 1 && m->at[-1] == '=' && !m->prose)
        expect_value(m);
}

static void mask(struct masking *m, const struct strv *known, struct str *out)
{
    m->at = m->hide = m->hide_end = m->text;
    while (*m->at != '\0') {
        size_t len = known_len(m->at, known);

        look_ahead(m);
        if (m->hide <= m->at && m->at + len < m->hide_end)
            len = (size_t)(m->hide_end - m->at);
        if (len > 0) {
            str_add(out, MASK);
            m->at += len;
        } else if (m->prose) {
            str_add_char(out, *m->at++);
        } else {
            add_escaped(out, *m->at++);
        }
    }
}

void mask_add(const char *text, const struct strv *known, struct str *out)
{
    struct masking m = { .text = text };

    mask(&m, known, out);
}

char *mask_text(const char *text, const struct strv *known)
{
    struct masking m = { .text = text, .prose = true };
    struct str out = { 0 };

    if (text == NULL)
        return NULL;
    mask(&m, known, &out);
    return str_take(&out);
}
