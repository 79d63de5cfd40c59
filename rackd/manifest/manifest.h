/*
 * manifest -- convox.yml as a struct.
 *
 * Pure: text and environment go in, and a tree or a list of errors with their
 * places comes out. It reads no files, no clock and no network. It accepts the
 * union of what the Convox v2 and v3 loaders accept.
 *
 *     struct manifest *m = manifest_load(text, len, &env, &diags);
 *     if (m == NULL || diags.errors > 0) ... print diags ...
 *     manifest_free(m);
 *
 * All errors are collected. A manifest with errors is still returned when its
 * shape could be read, so callers must look at diags->errors; NULL is returned
 * only when there is nothing to look at (a YAML syntax error). Every default is
 * filled in: nobody further on asks "was it set?", unless the comment of a
 * field says so. The tree owns all its strings; manifest_free() frees it.
 */
#ifndef MANIFEST_MANIFEST_H
#define MANIFEST_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "base/strv.h"

struct env;

/* Bytes. A larger file is refused before it is parsed. */
#define MANIFEST_MAX ((size_t)4 << 20)

/* One item of an `environment` list. */
struct manifest_env {
    char *key;   /* "*": all of the app's environment */
    char *value; /* the default; NULL: the key is required */
    struct diag_pos pos;
};

struct manifest_envs {
    struct manifest_env *v;
    size_t len, cap;
};

/* `- main` or `- main:OTHER_URL` in a service's `resources`. */
struct manifest_use {
    char *resource;
    char *variable; /* the alias, or NULL */
    struct diag_pos pos;
};

struct manifest_port {
    int port;       /* 0: none */
    char *scheme;   /* `port`: "http", "https", "grpc", ...; else NULL */
    char *protocol; /* `ports`, agent, nlb: "tcp" or "udp"; else NULL */
    int published;  /* nlb: the port of the load balancer; else 0 */
    struct diag_pos pos;
};

struct manifest_ports {
    struct manifest_port *v;
    size_t len, cap;
};

/* An HTTP check. path NULL: there is none. */
struct manifest_check {
    char *path;
    int port;                                 /* 0: the service's port */
    int grace, interval, timeout;             /* seconds */
    int success_threshold, failure_threshold; /* 0: not given */
    bool disabled;
};

/* `- FROM:TO` or `- PATH` (from NULL) in `volumes`. */
struct manifest_volume {
    char *from, *to;
    struct diag_pos pos;
};

/* One entry of `volumeOptions`. */
struct manifest_volume_option {
    enum { VOLUME_EMPTY_DIR, VOLUME_AWS_EFS, VOLUME_AZURE_FILES } kind;
    char *id, *mount_path;
    bool memory;    /* emptyDir with medium: Memory */
    bool read_only; /* accessMode: ReadOnlyMany */
};

struct manifest_volume_options {
    struct manifest_volume_option *v;
    size_t len, cap;
};

struct manifest_config_mount {
    char *id, *dir, *filename;
};

struct manifest_config_mounts {
    struct manifest_config_mount *v;
    size_t len, cap;
};

struct manifest_command {
    bool set;
    /* Given as a string: the plan splits it or runs a shell. */
    char *text;
    struct strv argv; /* given as a list */
};

struct manifest_pull_secret {
    /* passwordEnv has been looked up; password is NULL when that variable is
     * not set, which a warning has said. */
    char *registry, *username, *password;
};

struct manifest_service {
    char *name;
    struct diag_pos pos;

    char *image;          /* NULL: the image is built */
    char *build_path;     /* "." by default; NULL when `image` is given */
    char *build_manifest; /* "Dockerfile" by default, relative to the path */
    struct strv build_args;

    struct manifest_command command;
    char *test; /* or NULL */
    /* Begins with the items of the top-level list. */
    struct manifest_envs environment;

    struct {
        struct manifest_use *v;
        size_t len, cap;
    } resources;
    struct strv links;

    struct manifest_port port;   /* routed; port.port 0: none */
    struct manifest_ports ports; /* `ports`, agent ports: internal only */
    struct manifest_ports nlb;   /* each published at its own number */
    bool internal, internal_router;
    struct strv domains;

    struct manifest_check health;   /* path NULL without a port */
    struct manifest_check liveness; /* path NULL unless given */
    struct manifest_check startup;  /* startupProbe; path NULL unless given */
    bool grpc_health;

    bool agent, singleton, privileged;
    bool init; /* run under an init process; default true */
    struct {
        int count;       /* replicas to run here */
        int cpu, memory; /* millicores, MB; what was asked for, or 0 */
        int cpu_limit, memory_limit; /* 0: none */
    } scale;
    struct {
        struct manifest_volume *v;
        size_t len, cap;
    } volumes;
    struct manifest_volume_options volume_options;
    struct manifest_config_mounts config_mounts;
    struct {
        struct manifest_pull_secret *v;
        size_t len, cap;
    } pull_secrets;
    struct {
        bool set;
        char *image; /* NULL: the service's own */
        struct manifest_command command;
        struct manifest_volume_options volume_options;
        struct manifest_config_mounts config_mounts;
    } init_container;
    struct {
        struct manifest_command pre_stop, post_start;
    } lifecycle;
    struct {
        long run_as_user, run_as_group; /* -1: not given */
        bool read_only_root, no_new_privileges;
        struct strv cap_add, cap_drop;
    } security;
    int termination_grace; /* seconds between SIGTERM and SIGKILL; 30 */
    int timeout;           /* seconds a request may take; 60 */
};

/* `options` of a resource: raw scalar text, so that 10.10 stays 10.10. */
struct manifest_option {
    char *key, *value;
    struct diag_pos pos;
};

struct manifest_resource {
    char *name;
    char *type;  /* as written; the plan knows which types there are */
    char *image; /* or NULL */
    struct {
        struct manifest_option *v;
        size_t len, cap;
    } options;
    struct diag_pos pos, type_pos;
};

struct manifest_timer {
    char *name, *schedule, *service;
    struct manifest_command command;
    struct diag_pos pos;
};

struct manifest_config {
    char *id, *name, *value;
};

struct manifest {
    /* Keys of the app's environment that the file itself uses: in ${NAME}
     * (those that are set) and in passwordEnv. */
    struct strv used;
    struct manifest_envs environment; /* the top-level list */
    struct {
        struct manifest_service *v;
        size_t len, cap;
    } services;
    struct {
        struct manifest_resource *v;
        size_t len, cap;
    } resources;
    struct {
        struct manifest_timer *v;
        size_t len, cap;
    } timers;
    struct {
        struct manifest_config *v;
        size_t len, cap;
    } configs;
};

/* `text` is the file as it is on disk. `env` is the app's environment; it is
 * used for ${NAME} and passwordEnv, and may be NULL. Both are borrowed for the
 * call. Whether a required variable is present is not checked here but by the
 * plan, since a linked resource may provide it. */
struct manifest *manifest_load(const char *text, size_t len,
                               const struct env *env, struct diags *diags);

void manifest_free(struct manifest *m);

#endif /* MANIFEST_MANIFEST_H */
