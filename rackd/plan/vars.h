/* vars -- the six variables of a resource: NAME_URL, NAME_USER, NAME_PASS,
 * NAME_HOST, NAME_PORT and NAME_NAME. The URL of a database is made here;
 * api/list.c only replaces its host and port, for this machine. */
#ifndef PLAN_VARS_H
#define PLAN_VARS_H

#include "plan/plan.h"
#include "plan/resource_type.h"

#define VARS_COUNT 6

/* "URL", "USER", ...; NULL past the last. */
const char *vars_suffix(size_t n);

/* The name of a variable: "my-db" and "URL" give "MY_DB_URL"; the caller frees
 * it. */
char *vars_key(const char *resource, const char *suffix);

/* Fills in the variables of a container of ours. */
void vars_make(struct plan_vars *vars, const struct resource_type *type,
               const char *resource, const char *password);

/* Fills in the variables of somebody else's server from its URL: the port of
 * the type when the URL has none, and empty texts for what else it lacks. */
void vars_from_url(struct plan_vars *vars, const struct resource_type *type,
                   const char *url);

/* The value for "URL", "USER", ...; any other suffix means the URL. */
const char *vars_get(const struct plan_vars *vars, const char *suffix);

/* `template` with {user} and so on replaced; the caller frees it. In a URL the
 * user and the password are percent-encoded. */
char *vars_fill(const struct plan_vars *vars, const char *template,
                bool is_url);

void vars_release(struct plan_vars *vars);

#endif /* PLAN_VARS_H */
