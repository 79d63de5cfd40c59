/*
 * plan -- everything that must exist for an app to run. Start reading the
 * program here.
 *
 * Pure: manifest and environment go in, a tree that can be printed comes out.
 * `cvx plan` prints it, and run/ looks at nothing else.
 *
 *     struct plan *p = plan_make(m, &opts, &diags);
 *     if (diags.errors > 0) ...
 *     plan_free(p);
 *
 * Containers refer to builds, volumes and resources by their index in the plan,
 * so that two services built from one Dockerfile share one build, and two
 * mounts of one volume share the volume.
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

/* The protocol in which a server is asked whether it is ready; probe/ready.c
 * speaks them. */
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
    bool published; /* on 127.0.0.1 */
    int host;       /* the number it should have there; 0: any free one */
    /* When that number is taken: an error; else another free one is used. */
    bool host_fixed;
};

struct plan_mount {
    int volume; /* index in plan->volumes, or -1 */
    /* A path of this machine (only those of an allow-list), or NULL. */
    char *host;
    char *target; /* absolute path inside */
    bool read_only;
    bool memory; /* tmpfs: volume is -1, host NULL */
};

/* A small file put into the container before it starts (configMounts). */
struct plan_file {
    char *path, *text;
};

/* What one container is made of, be it of a resource, a service or an
 * initContainer. */
struct plan_container {
    char *image; /* reference to use or pull; NULL: built */
    int build;   /* index in plan->builds, or -1 */
    /* Replaces CMD, never ENTRYPOINT; empty: the CMD of the image. */
    struct strv argv;
    struct strv env; /* KEY=VALUE, sorted by key */
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
    struct strv aliases; /* its names on the network of the session */
    bool init, privileged, read_only_root, no_new_privileges;
    char *user; /* "UID[:GID]", or NULL */
    struct strv cap_add, cap_drop;
    unsigned stop_grace_s; /* SIGTERM to SIGKILL; 0: killed at once */
};

struct plan_build {
    char *path;           /* relative to the manifest's directory */
    char *dockerfile;     /* relative to path */
    struct strv services; /* services that use it, for messages */
};

struct plan_volume {
    char *name; /* within the app, e.g. "data", "web-var-lib-x" */
    enum {
        PLAN_VOLUME_SHARED, /* `volumes`, volumeOptions */
        PLAN_VOLUME_EFS,
        PLAN_VOLUME_DATA, /* a database's data directory (--keep-data) */
    } kind;
    char *resource; /* efs, data: name of the resource; else NULL */
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

    /* The server may start from a template: an image with an initialised data
     * directory (run/template.c). `server` then replaces the entrypoint, and
     * runs as `server_user` (NULL: the user of the image). Empty when data is
     * kept, or when the type has no templates. */
    struct strv server;
    char *server_user;
    /* The template contains the file PLAN_TEMPLATE_TLS, which `server` uses. */
    bool template_tls;
};

/* Path of a key with its certificate, in PEM, within a template. */
#define PLAN_TEMPLATE_TLS "/cvx/tls.pem"

/* The HTTP health check of a service. path NULL: the service is ready once it
 * has started. */
struct plan_health {
    char *path;
    char *scheme; /* "http" or "https" */
    int port;
    unsigned grace_s, interval_s, timeout_s;
};

struct plan_service {
    char *name;
    int count; /* number of replicas; 0: none runs, but `cvx run` could */
    struct plan_container container; /* of every replica */
    struct {
        /* Indexes in plan->resources: these must be ready before it starts. */
        int *v;
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
    /* KEY=VALUE: for the ARGs of a Dockerfile that have these names. */
    struct strv build_env;
    /* Number of references beyond the first: see plan_ref(). */
    unsigned holders;
};

/* What a plan depends on besides the manifest. All borrowed for the call. */
struct plan_opts {
    const char *app;       /* valid name, see plan_app_name() */
    const char *rack;      /* rack's name: "local" */
    const char *release;   /* "RABCDEFGHIJ" */
    const char *build_id;  /* "BABCDEFGHIJ" */
    const char *rack_url;  /* "" where there is none */
    const char *password;  /* password of every database of this rack */
    const struct env *env; /* the app's environment, merged */
    bool keep_data;
};

/* Makes a plan. Errors and warnings are added to diags: required variables that
 * are missing, unknown resource types with the nearest known one, keys of .env
 * that nobody uses, port clashes. NULL only when errors were added. */
struct plan *plan_make(const struct manifest *m, const struct plan_opts *opts,
                       struct diags *diags);

/* Appends the plan as text; the same input gives the same text. Secrets
 * (passwords of resources, also inside URLs, and values under keys that look
 * secret) are printed as ****. */
void plan_print(const struct plan *p, struct str *out);

/* True when both plans are of one app and the containers of their resources
 * would be the same, so that one can take over the resources of the other.
 * Never true when a resource keeps its data. */
bool plan_same_resources(const struct plan *a, const struct plan *b);

/* Fills `out` (zeroed) with those resources of `p` that are wanted, and
 * nothing else. It borrows from `p`, except out->resources.v, which the
 * caller frees. */
void plan_pick(struct plan *out, const struct plan *p,
               bool (*wanted)(const struct plan_resource *r));

/* Adds a reference. plan_free() drops one, and frees the plan with the last. */
struct plan *plan_ref(struct plan *p);
void plan_free(struct plan *p);

/* Makes an app name of any text: "My_App" becomes "my-app". The caller frees
 * it; NULL when nothing usable is left. */
char *plan_app_name(const char *raw);

#endif /* PLAN_PLAN_H */
