/* An ordered set of variables with a hash table from key to place. Used for the
 * environment of apps and of callers, and for .env files. */
#include "base/env.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <uthash.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"

struct env_slot {
    char *key; /* owned here; the pair borrows it */
    size_t place;
    UT_hash_handle hh;
};

static struct env_slot *find(const struct env *env, const char *key)
{
    struct env_slot *slot = NULL;

    HASH_FIND_STR(env->index, key, slot);
    return slot;
}

void env_set(struct env *env, const char *key, const char *value,
             const char *source)
{
    struct env_slot *slot = find(env, key);
    char *copy = xstrdup(value);

    if (slot == NULL) {
        if (env->len == env->cap) {
            env->cap = env->cap == 0 ? 16 : env->cap * 2;
            env->v = xrealloc(env->v, env->cap * sizeof(*env->v));
        }
        slot = xcalloc(1, sizeof(*slot));
        slot->key = xstrdup(key);
        slot->place = env->len++;
        env->v[slot->place] = (struct env_var){ .key = slot->key };
        HASH_ADD_KEYPTR(hh, env->index, slot->key, strlen(slot->key), slot);
    }
    free(env->v[slot->place].value);
    env->v[slot->place].value = copy;
    env->v[slot->place].source = source;
}

void env_unset(struct env *env, const char *key)
{
    struct env_slot *slot = find(env, key), *other;
    size_t place;

    if (slot == NULL)
        return;
    place = slot->place;
    free(env->v[place].value);
    memmove(env->v + place, env->v + place + 1,
            (env->len - place - 1) * sizeof(*env->v));
    env->len--;
    HASH_DEL(env->index, slot);
    free(slot->key);
    free(slot);
    for (other = env->index; other != NULL; other = other->hh.next)
        if (other->place > place)
            other->place--;
}

const char *env_get(const struct env *env, const char *key)
{
    struct env_slot *slot = find(env, key);

    return slot == NULL ? NULL : env->v[slot->place].value;
}

void env_merge(struct env *env, const struct env *from)
{
    for (size_t i = 0; i < from->len; i++)
        env_set(env, from->v[i].key, from->v[i].value, from->v[i].source);
}

/* Removes matching quotes around the `*len` bytes at `*at`. */
static void strip_quotes(const char **at, size_t *len)
{
    const char *s = *at;

    if (*len < 2 || (s[0] != '"' && s[0] != '\'') || s[*len - 1] != s[0])
        return;
    *at += 1;
    *len -= 2;
}

static void parse_line(struct env *env, const char *line, size_t len,
                       bool unquote, const char *source)
{
    const char *eq, *value;
    size_t value_len;
    cleanup_free char *key = NULL, *copy = NULL;

    while (len > 0 && isspace((unsigned char)line[len - 1]) &&
           (line[len - 1] == '\r' || unquote))
        len--;
    while (len > 0 && isspace((unsigned char)*line)) {
        line++;
        len--;
    }
    if (len > 7 && memcmp(line, "export ", 7) == 0) {
        line += 7;
        len -= 7;
    }
    eq = memchr(line, '=', len);
    if (len == 0 || *line == '#' || eq == NULL)
        return;

    value = eq + 1;
    value_len = len - (size_t)(value - line);
    while (eq > line && isspace((unsigned char)eq[-1]))
        eq--;
    if (eq == line)
        return;
    if (unquote)
        strip_quotes(&value, &value_len);
    key = str_dup_len(line, (size_t)(eq - line));
    copy = str_dup_len(value, value_len);
    env_set(env, key, copy, source);
}

void env_parse(struct env *env, const char *text, size_t len, bool unquote,
               const char *source)
{
    const char *end = text + len;

    while (text < end) {
        const char *nl = memchr(text, '\n', (size_t)(end - text));
        const char *stop = nl == NULL ? end : nl;

        parse_line(env, text, (size_t)(stop - text), unquote, source);
        text = stop + 1;
    }
}

bool env_parse_pair(struct env *env, const char *pair, const char *source)
{
    const char *eq = strchr(pair, '=');
    cleanup_free char *key = NULL;

    if (eq == NULL || eq == pair)
        return false;
    key = str_dup_len(pair, (size_t)(eq - pair));
    env_set(env, key, eq + 1, source);
    return true;
}

void env_print(const struct env *env, struct str *out)
{
    cleanup_strv struct strv keys = { 0 };

    for (size_t i = 0; i < env->len; i++)
        strv_add(&keys, env->v[i].key);
    strv_sort(&keys);
    for (size_t i = 0; i < keys.len; i++)
        str_printf(out, "%s=%s\n", keys.v[i], env_get(env, keys.v[i]));
}

void env_release(struct env *env)
{
    struct env_slot *slot = env->index, *next;

    HASH_CLEAR(hh, env->index); /* frees the table, not what is in it */
    for (; slot != NULL; slot = next) {
        next = slot->hh.next;
        free(slot->key);
        free(slot);
    }
    for (size_t i = 0; i < env->len; i++)
        free(env->v[i].value);
    free(env->v);
    *env = (struct env){ 0 };
}
