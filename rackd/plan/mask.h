/*
 * mask -- what must not be shown: plan_print(), rackd's events and its listings
 * pass every text that may hold one through here. What a service prints itself
 * is not touched.
 */
#ifndef PLAN_MASK_H
#define PLAN_MASK_H

#include <stdbool.h>

#include "base/strv.h"

struct env;
struct plan;
struct str;

/* DB_PASSWORD, API_KEY, GITHUB_TOKEN, ...: by the words in it. */
bool mask_is_secret(const char *key, size_t len);

/* The secret texts of a plan, longest first, added to `out`: passwords, also
 * those in URLs, and values of the environment under such keys. Ones too short
 * to be looked for in other texts are left out. */
void mask_collect(const struct plan *p, struct strv *out);

/* The same of an environment. Values of `source` are secret whatever their key
 * when they look as if nobody had thought of them: letters and digits, neither
 * a URL nor a path. "production" and "3000" must stay readable. */
void mask_collect_env(const struct env *env, const char *source,
                      struct strv *out);

/* `text` with every secret of `known`, the passwords in URLs and in query
 * parameters as ****; control characters are escaped. */
void mask_add(const char *text, const struct strv *known, struct str *out);

/* A text for people: the secrets of `known` and the logins in URLs only ("set
 * API_KEY=value" is advice), control characters as they are. The caller frees
 * it; NULL for NULL. */
char *mask_text(const char *text, const struct strv *known);

#endif /* PLAN_MASK_H */
