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

void env_set(struct env *env, const char *key, const char *value,
             const char *source);
void env_unset(struct env *env, const char *key);

/* The value, borrowed; NULL when the key is not set. */
const char *env_get(const struct env *env, const char *key);

/* Every pair of `from`, over what is there. */
void env_merge(struct env *env, const struct env *from);

/*
 * Lines of KEY=VALUE, split at the first '='. Blank lines, lines whose first
 * character is '#' and lines without '=' say nothing; a leading "export " and
 * a CR at the end are taken off; the key is trimmed; a value in matching
 * quotes loses them only when `unquote` (true for .env files, false for what
 * Convox stores).
 */
void env_parse(struct env *env, const char *text, size_t len, bool unquote,
               const char *source);

/* "KEY=VALUE" to a pair; false when there is no '=' or no key. */
bool env_parse_pair(struct env *env, const char *pair, const char *source);

/* KEY=VALUE lines, sorted by key. */
void env_print(const struct env *env, struct str *out);

void env_release(struct env *env);

#define cleanup_env __attribute__((cleanup(env_release)))

#endif /* BASE_ENV_H */
