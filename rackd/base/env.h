/*
 * env -- an ordered set of KEY=VALUE pairs: an app's environment.
 *
 * Setting a key that is there replaces its value and keeps its place. Values
 * are kept verbatim: no quotes are taken off, nothing is trimmed, as Convox
 * does it.
 */
#ifndef BASE_ENV_H
#define BASE_ENV_H

#include <stdbool.h>
#include <stddef.h>

struct str;

struct env_var {
    char *key, *value;
    const char *source; /* where it was set, for messages: ".env", "-e", ...;
                           borrowed, static */
};

struct env {
    struct env_var *v;
    size_t len, cap;
    struct env_slot *index; /* private: key -> place */
};

/* `key` and `value` are copied; `source` is borrowed for the set's life. */
void env_set(struct env *env, const char *key, const char *value,
             const char *source);
void env_unset(struct env *env, const char *key);

/* The value, borrowed; NULL when the key is not set. */
const char *env_get(const struct env *env, const char *key);

/* Sets every pair of `from`, also where the key is there already. */
void env_merge(struct env *env, const struct env *from);

/*
 * Reads lines of KEY=VALUE, split at the first '='. Blank lines, lines whose
 * first character is '#' and lines without '=' are ignored. A leading "export "
 * and a CR at the end are removed, and the key is trimmed. A value in matching
 * quotes loses them only when `unquote` is set: it is for .env files, and not
 * for what Convox stores.
 */
void env_parse(struct env *env, const char *text, size_t len, bool unquote,
               const char *source);

/* Sets one pair from "KEY=VALUE"; false when there is no '=' or no key. */
bool env_parse_pair(struct env *env, const char *pair, const char *source);

/* Adds KEY=VALUE lines to `out`, sorted by key. */
void env_print(const struct env *env, struct str *out);

void env_release(struct env *env);

#define cleanup_env __attribute__((cleanup(env_release)))

#endif /* BASE_ENV_H */
