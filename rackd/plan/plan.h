/*
 * plan -- exactly what must exist for an app to run, in order, complete.
 *
 * Pure: manifest and environment in, a printable tree out. `cvx plan` prints
 * it, and it is all that run/ ever looks at. Start reading the program here.
 *
 *     struct plan *p = plan_make(m, &opts, &diags);
 *     if (diags.errors > 0) ...
 *     plan_free(p);
 *
 * Two images of one name, two builds of one Dockerfile, two mounts of one
 * volume are one thing here: containers refer to builds, volumes and
 * resources by their index in the plan.
 */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "base/strv.h"

struct env;
struct manifest;
struct str;

enum plan_protocol { PLAN_TCP, PLAN_UDP };

/* How to ask a server whether it is ready (probe/ready.c speaks these). */
enum plan_probe {
    PROBE_NONE,
    PROBE_POSTGRES,
    PROBE_MYSQL, /* and mariadb */
    PROBE_REDIS, /* and valkey */
    PROBE_MEMCACHED,
};

struct plan_port {
    int container; /* the port inside */
    enum plan_protocol protocol;
    bool published;  /* on 127.0.0.1 */
    int host;        /* wanted there; 0: any free one */
    bool host_fixed; /* taken is an error; else another free one will do */
};

struct plan_mount {
    int volume;   /* index in plan->volumes, or -1 */
    char *host;   /* a path of the host (allow-list), or NULL */
    char *target; /* absolute path inside */
    bool read_only;
    bool memory; /* tmpfs: volume is -1, host NULL */
};

/* A small file put into the container before it starts (configMounts). */
struct plan_file {
    char *path, *text;
};

/* What one container is made of, whatever it is for. */
struct plan_container {
    char *image;      /* reference to use or pull; NULL: built */
    int build;        /* index in plan->builds, or -1 */
    struct strv argv; /* replaces CMD, never ENTRYPOINT; empty: the image's */
    struct strv env;  /* KEY=VALUE, sorted by key */
    struct {
        struct plan_port *v;
        size_t len, cap;
    } ports;
    struct {
        struct plan_mount *v;
        size_t len, cap;
    } mounts;
    struct {
        struct plan_file *v;
        size_t len, cap;
    } files;
    struct strv aliases; /* its names on the session's network */
    bool init, privileged, read_only_root, no_new_privileges;
    char *user; /* "UID[:GID]", or NULL */
    struct strv cap_add, cap_drop;
    unsigned stop_grace_s; /* SIGTERM to SIGKILL; 0: killed at once */
};

struct plan_build {
    char *path;           /* relative to the manifest's directory */
    char *dockerfile;     /* relative to path */
    struct strv services; /* who uses it: for messages */
};

struct plan_volume {
    char *name; /* within the app, e.g. "data", "web-var-lib-x" */
    enum {
        PLAN_VOLUME_SHARED, /* `volumes`, volumeOptions */
        PLAN_VOLUME_EFS,
        PLAN_VOLUME_DATA, /* a database's data directory (--keep-data) */
    } kind;
    char *resource; /* efs, data: whose it is; else NULL */
    bool keep;      /* survives the session */
    long uid, gid;  /* efs: owner of its root; else -1 */
    unsigned mode;  /* efs: its mode, e.g. 0777 */
    char *subpath;  /* efs: `path` option without leading '/', or NULL */
};

/* The six variables; NULL where the type has none (efs). */
struct plan_vars {
    char *url, *user, *pass, *host, *port, *name;
};

struct plan_resource {
    char *name;
    char *type;         /* as in the manifest: "rds-postgres" */
    char *kind;         /* the container type: "postgres" */
    bool external;      /* *_URL is in the app's environment: no container */
    bool has_container; /* false: external, or efs */
    struct plan_container container;
    enum plan_probe probe;
    int port;
    char *standin; /* image to use when no registry answers: "postgres" is
                      images/postgres; NULL: none */
    struct plan_vars vars;
    int volume; /* efs: index in plan->volumes; else -1 */

    /* Its data is not kept and may come from a template: an image made of an
     * initialised data directory (run/template.c). `server` then takes the
     * entrypoint's place, as `server_user` (NULL: the image's). Empty: no
     * template. */
    struct strv server;
    char *server_user;
    bool template_tls; /* the template has PLAN_TEMPLATE_TLS, for `server` */
};

/* A key and its certificate, in PEM. */
#define PLAN_TEMPLATE_TLS "/cvx/tls.pem"

/* HTTP health check of a service. path NULL: ready once it has started. */
struct plan_health {
    char *path;
    char *scheme; /* "http" or "https" */
    int port;
    unsigned grace_s, interval_s, timeout_s;
};

struct plan_service {
    char *name;
    int count; /* replicas; 0: none runs, `run` would work */
    struct plan_container container; /* every replica's */
    struct {
        int *v; /* indexes in plan->resources: ready before it starts */
        size_t len, cap;
    } resources;
    bool has_init; /* initContainer */
    struct plan_container init_container;
    struct strv pre_stop, post_start; /* argv; empty: none */
    struct plan_health health;
    char *scheme; /* of its routed port: "http", "https", "tcp"; or NULL */
    int port;     /* routed port; 0: none */
    bool internal;
    struct strv domains;
    char *test;
};

struct plan_registry_auth {
    char *registry, *username, *password;
};

struct plan {
    char *app;
    struct {
        struct plan_build *v;
        size_t len, cap;
    } builds;
    struct {
        struct plan_volume *v;
        size_t len, cap;
    } volumes;
    struct {
        struct plan_resource *v;
        size_t len, cap;
    } resources;
    struct {
        struct plan_service *v;
        size_t len, cap;
    } services;
    struct {
        struct plan_registry_auth *v; /* imagePullSecrets */
        size_t len, cap;
    } auths;
    struct strv build_env; /* KEY=VALUE: offered to ARGs of those names */
    unsigned holders;      /* plan_ref() */
};

/* Everything that is not in the manifest. All borrowed for the call. */
struct plan_opts {
    const char *app;       /* valid name, see plan_app_name() */
    const char *rack;      /* rack's name: "local" */
    const char *release;   /* "RABCDEFGHIJ" */
    const char *build_id;  /* "BABCDEFGHIJ" */
    const char *rack_url;  /* "" where there is none */
    const char *password;  /* of every database of this rack */
    const struct env *env; /* the app's environment, merged */
    bool keep_data;
};

/*
 * Adds to diags: `required env: A, B` and what to do, unknown resource types
 * with the nearest known one, undeclared keys of .env (one warning), port
 * clashes. NULL only when diags has errors.
 */
struct plan *plan_make(const struct manifest *m, const struct plan_opts *opts,
                       struct diags *diags);

/*
 * The tree as text, the same for the same input. Secrets (passwords of
 * resources, also inside URLs, and every value that came from the app's
 * environment under a key that looks secret) are printed as ****.
 */
void plan_print(const struct plan *p, struct str *out);

/* Are they of one app, and would the containers of their resources be the
 * same? Not when a resource keeps its data. */
bool plan_same_resources(const struct plan *a, const struct plan *b);

/* A plan (zeroed) of some of another's resources and nothing else. All of it is
 * borrowed but out->resources.v, which the caller frees. */
void plan_pick(struct plan *out, const struct plan *p,
               bool (*wanted)(const struct plan_resource *r));

/* One more who needs it: plan_free() by the last one frees it. */
struct plan *plan_ref(struct plan *p);
void plan_free(struct plan *p);

/* "My_App" -> "my-app": what an app may be called. The caller frees it; NULL
 * when nothing usable is left. */
char *plan_app_name(const char *raw);

#endif /* PLAN_PLAN_H */
