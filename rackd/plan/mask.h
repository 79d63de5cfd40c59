/*
 * mask -- replaces secrets by ****. Every text that may contain one goes
 * through here before it is shown: plan_print(), rackd's events, its listings
 * and its log. What a service prints itself is not touched.
 *
 * Callers collect the secrets of a plan or an environment once, and then mask
 * each text with that list.
 */
#ifndef PLAN_MASK_H
#define PLAN_MASK_H

#include <stdbool.h>

#include "base/strv.h"

struct env;
struct plan;
struct str;

/* True when the key of a variable says that its value is secret: DB_PASSWORD,
 * API_KEY, GITHUB_TOKEN, ... */
bool mask_is_secret(const char *key, size_t len);

/* Adds the secret texts of a plan to `out`, longest first: passwords (also
 * those in URLs) and values of variables under secret keys. Texts too short to
 * be searched for are left out. */
void mask_collect(const struct plan *p, struct strv *out);

/* Adds the secret texts of an environment. Variables whose source is `source`
 * (those of `cvx env set`) are secret under any key when they look generated:
 * letters and digits, neither a URL nor a path. "production" and "3000" must
 * stay readable. */
void mask_collect_env(const struct env *env, const char *source,
                      struct strv *out);

/* Appends `text`, with every secret of `known` and the passwords in URLs and
 * query parameters replaced by ****, and with control characters escaped. */
void mask_add(const char *text, const struct strv *known, struct str *out);

/* Masks a text for people: only the secrets of `known` and logins in URLs are
 * replaced (an advice such as "set API_KEY=value" must survive), and control
 * characters stay. The caller frees it; NULL for NULL. */
char *mask_text(const char *text, const struct strv *known);

#endif /* PLAN_MASK_H */
