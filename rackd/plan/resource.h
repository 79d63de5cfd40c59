/*
 * resource -- the table of resource types: what DESIGN calls "one row per
 * type". plan_make() reads it; adding a type is adding a row and a golden
 * file. In `url` and `env`, {user} {pass} {host} {port} {name} are filled in
 * from the resource's variables.
 */
#ifndef PLAN_RESOURCE_H
#define PLAN_RESOURCE_H

#include <stdbool.h>

#include "plan/plan.h"

struct resource_type {
    const char *kind;       /* "postgres" */
    const char *aliases[3]; /* "rds-postgres", ... NULL terminated */
    const char *image;      /* repository: "postgis/postgis" */
    const char *version;    /* default tag */
    const char *standin;    /* images/FOLDER; NULL: none */
    int port;               /* 0: no container (efs) */
    enum plan_probe probe;
    const char *url;    /* "postgres://{user}:{pass}@{host}:{port}/{name}" */
    bool has_login;     /* USER, PASS and NAME are not empty */
    bool template_tls;  /* a key and its certificate come along, in one file:
                           the server would make its own at every start */
    bool data_by_major; /* a newer server refuses an older one's data */
    const char *env;    /* container's own: "POSTGRES_USER={user}\n..." */
    const char *data;   /* data directory inside, for --keep-data; or NULL */

    /* More environment and server arguments, one a line; NULL: none. */
    const char *kept_env, *kept_args;       /* with --keep-data */
    const char *scratch_env, *scratch_args; /* without: speed over safety */
    const char *init_sql; /* run once by the image's entrypoint; or NULL */

    /*
     * Data that may come from a template (plan.h), one word or variable a line:
     * where it lies then, outside the image's VOLUME, and what starts the
     * server on data that is there already, without the entrypoint's questions.
     */
    const char *template_env, *template_args;
    const char *server, *server_user; /* NULL: no templates; the image's */
};

/* NULL when there is no such type; *nearest (may be NULL) then names the
 * most similar one, if any is similar. */
const struct resource_type *resource_find(const char *type,
                                          const char **nearest);

/* Every type and alias, comma separated, for messages; the caller frees. */
char *resource_names(void);

#endif /* PLAN_RESOURCE_H */
