/*
 * mask -- what must not be shown: plan_print() passes every text that may
 * hold one through here.
 */
#ifndef PLAN_MASK_H
#define PLAN_MASK_H

#include <stdbool.h>

#include "base/strv.h"

struct plan;
struct str;

/* DB_PASSWORD, API_KEY, GITHUB_TOKEN, ...: by the words in it. */
bool mask_is_secret(const char *key, size_t len);

/* The secret texts of a plan, longest first, in `out`: passwords, and values
 * of the app's environment under such keys. Ones too short to be looked for
 * in other texts are left out. */
void mask_collect(const struct plan *p, struct strv *out);

/* `text` with every secret of `known`, the passwords in URLs and in query
 * parameters as ****; control characters are escaped. */
void mask_add(const char *text, const struct strv *known, struct str *out);

#endif /* PLAN_MASK_H */
