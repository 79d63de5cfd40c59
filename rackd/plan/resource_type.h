/*
 * resource_type -- the table of resource types, one row per type.
 * plan/resources.c reads it. To add a type: a row in resource_type.c, a file
 * fixtures/golden/plan/type-NAME.yml, and a stand-in image in images/NAME if
 * there may be no registry. A server that speaks none of the protocols of enum
 * plan_probe also needs one there, and its handshake in probe/.
 *
 * In `url` and `env`, {user} {pass} {host} {port} {name} are replaced by the
 * variables of the resource.
 */
#ifndef PLAN_RESOURCE_TYPE_H
#define PLAN_RESOURCE_TYPE_H

#include <stdbool.h>

#include "plan/plan.h"

struct resource_type {
    const char *kind;       /* "postgres" */
    const char *aliases[3]; /* "rds-postgres", ... NULL terminated */
    const char *image;      /* repository: "postgis/postgis" */
    const char *version;    /* default tag */
    /* Folder in images/ that builds a stand-in; NULL: none. */
    const char *standin;
    int port; /* 0: no container (efs) */
    enum plan_probe probe;
    const char *url; /* "postgres://{user}:{pass}@{host}:{port}/{name}" */
    bool has_login;  /* it has a login: USER, PASS and NAME are not empty */
    /* A template brings a TLS key along, since the server would make one at
     * every start. */
    bool template_tls;
    bool data_by_major; /* a newer major version refuses an older one's data */
    /* Variables of the container: "POSTGRES_USER={user}\n...". */
    const char *env;
    /* Data directory in the container, for --keep-data; or NULL. */
    const char *data;

    /* More variables and server arguments, one a line; NULL: none. */
    const char *kept_env, *kept_args; /* with --keep-data */
    /* Without --keep-data: fast, not crash-safe. */
    const char *scratch_env, *scratch_args;
    /* SQL that the entrypoint of the image runs once; or NULL. */
    const char *init_sql;

    /* For data that may come from a template (plan.h), one word or variable a
     * line: where the data then lies, outside the VOLUME of the image, and the
     * command that starts the server on data that exists already, past the
     * checks of the entrypoint. */
    const char *template_env, *template_args;
    /* NULL: no templates; NULL: the image's user. */
    const char *server, *server_user;
};

/* The type of that name or alias; NULL when there is none. *nearest (may be
 * NULL) then is the most similar name, or stays as it was when none is
 * similar. */
const struct resource_type *resource_type_find(const char *type,
                                               const char **nearest);

/* All types and aliases, separated by commas, for messages; the caller frees
 * it. */
char *resource_type_names(void);

#endif /* PLAN_RESOURCE_TYPE_H */
