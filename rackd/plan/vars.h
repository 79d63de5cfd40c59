/*
 * vars -- the six variables of a resource: NAME_URL, _USER, _PASS, _HOST,
 * _PORT and _NAME.
 */
#ifndef PLAN_VARS_H
#define PLAN_VARS_H

#include "plan/plan.h"
#include "plan/resource.h"

#define VARS_COUNT 6

/* "URL", "USER", ...; NULL past the last. */
const char *vars_suffix(size_t n);

/* "my-db" and "URL" -> "MY_DB_URL"; the caller frees it. */
char *vars_key(const char *resource, const char *suffix);

/* Of a container of ours. */
void vars_make(struct plan_vars *vars, const struct resource_type *type,
               const char *resource, const char *password);

/* Of somebody else's server: what `url` says, the type's port when it says
 * none, and empty where it says nothing. */
void vars_from_url(struct plan_vars *vars, const struct resource_type *type,
                   const char *url);

/* The value that belongs to "URL", "USER", ...; any other word: the URL. */
const char *vars_get(const struct plan_vars *vars, const char *suffix);

/* `template` with {user} and so on filled in; the caller frees it. In a URL
 * the user and the password are percent-encoded where they must be. */
char *vars_fill(const struct plan_vars *vars, const char *template,
                bool is_url);

void vars_release(struct plan_vars *vars);

#endif /* PLAN_VARS_H */
