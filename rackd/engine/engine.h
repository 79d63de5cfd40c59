/*
 * engine -- the container engine's API, one function per call. The only place
 * that knows Docker's JSON.
 *
 *     struct engine *e = engine_new(loop, "unix:///var/run/docker.sock");
 *     engine_hello(e, on_hello, user);        first: negotiates the version
 *     engine_container_create(e, &spec, on_id, user);
 *     ...
 *     engine_close(e, on_closed, user);
 *
 * Contract of every call: it copies its arguments; its callback runs exactly
 * once, from the loop, never from inside the call; after engine_cancel() or
 * engine_close() it never runs. Any function may be called from any callback.
 * Ordinary calls have a deadline (ENGINE_CALL_MS unless said otherwise).
 *
 * Errors: err->msg holds the engine's own words. Codes: ERR_UNAVAILABLE no
 * engine, ERR_TIMEOUT, ERR_NOT_FOUND (404), ERR_CONFLICT (409), ERR_INVALID
 * (400), ERR_PROTOCOL (an answer we cannot read), ERR_SYSTEM (500: the engine
 * failed). Deleting what is gone (404), starting what runs (304) and removing
 * what is being removed (409 "already in progress") are successes.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/strv.h"

struct env;
struct err;
struct str;

#define ENGINE_CALL_MS 60000

struct engine;
struct engine_call; /* in flight; valid until its callback returns */

/* ---- where is it ------------------------------------------------------- */

/*
 * The endpoint the docker CLI would use, then the usual sockets: DOCKER_HOST;
 * DOCKER_CONTEXT; currentContext of $DOCKER_CONFIG/config.json; then the
 * first socket that answers (else: that exists) of /var/run/docker.sock,
 * rootless, Desktop, Colima, OrbStack, Rancher, Podman. `env` is the user's
 * environment (HOME, XDG_RUNTIME_DIR, DOCKER_*). On success *out is
 * "unix://..." or "tcp://..." and *why says where it came from
 * ("DOCKER_HOST", "context desktop", "socket"); the caller frees both. Reads
 * files.
 */
int engine_find(char **out, char **why, const struct env *env, struct err *err);

/* The sockets looked at, in order, for `cvx doctor`. */
void engine_candidates(struct strv *out, const struct env *env);

/* ---- answers ----------------------------------------------------------- */

/* err NULL: done. */
typedef void (*engine_done_cb)(const struct err *err, void *user);

/* `id` borrowed; NULL on error. */
typedef void (*engine_id_cb)(const char *id, const struct err *err, void *user);

/* ---- life -------------------------------------------------------------- */

/* Fails on an endpoint that is neither unix:// nor tcp:// nor http(s)://.
 * TLS material for tcp:// comes from `env` (DOCKER_CERT_PATH) or NULL. */
int engine_new(struct engine **out, uv_loop_t *loop, const char *endpoint,
               const struct env *env, struct err *err);

const char *engine_endpoint(const struct engine *e);

typedef void (*engine_closed_cb)(void *user);

/* Ends every call without its callback. `cb` runs from the loop. */
void engine_close(struct engine *e, engine_closed_cb cb, void *user);

/* Allowed until the call's callback has run. */
void engine_cancel(struct engine_call *call);

struct engine_info {
    char *name;    /* "Docker" or "Podman" */
    char *version; /* "20.10.24" */
    char *api;     /* negotiated: "1.41" */
    char *os;      /* "linux" */
    bool podman, buildkit;
};

/* `info` is valid during the callback only. */
typedef void (*engine_hello_cb)(const struct engine_info *info,
                                const struct err *err, void *user);

/* Ping and version. Calls made before it has answered use API 1.41. An
 * engine that speaks less than 1.41 (Docker 20.10) is an error that says so.
 * ERR_UNAVAILABLE messages tell apart: nothing at the path, permission
 * denied (and that the user may join group docker), nobody listening. */
struct engine_call *engine_hello(struct engine *e, engine_hello_cb cb,
                                 void *user);

/* Does it answer at all? ERR_TIMEOUT: not within timeout_ms. It waits behind no
 * other call. */
struct engine_call *engine_ping(struct engine *e, unsigned timeout_ms,
                                engine_done_cb cb, void *user);

/* Numbers of GET /calls made so far, for `make bench`. */
unsigned long engine_calls(const struct engine *e);

/* ---- containers -------------------------------------------------------- */

struct engine_port {
    int container;
    bool udp;
    const char *host_ip; /* NULL: exposed, not published */
    int host;            /* 0: the engine chooses */
};

struct engine_mount {
    enum { MOUNT_VOLUME, MOUNT_BIND, MOUNT_TMPFS } kind;
    const char *source; /* volume name or host path; NULL for tmpfs */
    const char *target;
    bool read_only;
    bool no_copy; /* a volume stays empty: image content is not copied */
};

/* All borrowed for the call. Zero means "the engine's default". */
struct engine_container {
    const char *name;
    const char *image;
    const struct strv *argv;       /* CMD; NULL or empty: the image's */
    const struct strv *entrypoint; /* NULL: the image's */
    const struct strv *env;
    const struct strv *labels; /* "key=value" */
    const char *user, *hostname, *working_dir;
    const struct engine_port *ports;
    size_t port_count;
    const struct engine_mount *mounts;
    size_t mount_count;
    const char *network; /* NULL: the default one; "none": none */
    const char *ip;      /* static address on it, or NULL */
    const struct strv *aliases;
    bool init, privileged, read_only_root, no_new_privileges;
    bool auto_remove;
    unsigned cpu_shares; /* 0: an equal one, which is 1024 */
    bool open_stdin, stdin_once, tty;
    bool no_healthcheck; /* switch the image's HEALTHCHECK off */
    const struct strv *cap_add, *cap_drop;
    const char *log_driver; /* NULL: the engine's; "none", "local", ... */
    const char *stop_signal;
    int stop_grace_s;    /* 0: default */
    const char *restart; /* "no" by default */
    bool uses_engine;    /* it talks to the engine's socket, mounted into it:
                            neither SELinux nor a user namespace may be in
                            the way */
};

struct engine_call *engine_container_create(struct engine *e,
                                            const struct engine_container *c,
                                            engine_id_cb cb, void *user);
struct engine_call *engine_container_start(struct engine *e, const char *id,
                                           engine_done_cb cb, void *user);

/* SIGTERM (or the image's stop signal), SIGKILL after grace_s; answers when
 * it has stopped. The deadline is grace_s + ENGINE_CALL_MS. */
struct engine_call *engine_container_stop(struct engine *e, const char *id,
                                          unsigned grace_s, engine_done_cb cb,
                                          void *user);
struct engine_call *engine_container_kill(struct engine *e, const char *id,
                                          const char *signal, engine_done_cb cb,
                                          void *user);

/* Freeze every process of a running container, and let it go on. */
struct engine_call *engine_container_pause(struct engine *e, const char *id,
                                           engine_done_cb cb, void *user);
struct engine_call *engine_container_unpause(struct engine *e, const char *id,
                                             engine_done_cb cb, void *user);

/* A stopped container's files as image repo:tag; what lies in volumes is not
 * in it. `changes`: lines of a Dockerfile for its configuration ("ENV A=b",
 * "LABEL c=d"). The id is the image's. The engine reads every file: no
 * deadline short of ENGINE_COMMIT_MS. */
#define ENGINE_COMMIT_MS 600000
struct engine_call *engine_container_commit(struct engine *e, const char *id,
                                            const char *repo, const char *tag,
                                            const struct strv *changes,
                                            engine_id_cb cb, void *user);

/* Kill and remove, with its anonymous volumes, in one call. */
struct engine_call *engine_container_remove(struct engine *e, const char *id,
                                            engine_done_cb cb, void *user);

/* Put a tar (borrowed for the call) into a created container at `path`. */
struct engine_call *engine_container_put(struct engine *e, const char *id,
                                         const char *path, const char *tar,
                                         size_t len, engine_done_cb cb,
                                         void *user);

struct engine_published {
    int container, host;
    bool udp;
};

struct engine_state {
    char *id, *name, *image;
    struct strv labels;   /* "key=value" */
    char *state;          /* "running", "exited", "created", ... */
    int exit_code;        /* inspect only */
    bool oom_killed;      /* inspect only */
    char *error;          /* inspect only: why it could not start, or "" */
    long long created;    /* unix seconds */
    char *ip;             /* first address found, or "" */
    struct strv networks; /* inspect only: names of those it is on */
    struct engine_published *ports;
    size_t port_count;
};

typedef void (*engine_state_cb)(const struct engine_state *state,
                                const struct err *err, void *user);
typedef void (*engine_list_cb)(const struct engine_state *list, size_t count,
                               const struct err *err, void *user);

struct engine_call *engine_container_inspect(struct engine *e, const char *id,
                                             engine_state_cb cb, void *user);

/* Bytes of memory its processes and files in memory hold now; err NULL: known.
 * Pages of files that could be dropped do not count. */
typedef void (*engine_bytes_cb)(long long bytes, const struct err *err,
                                void *user);
struct engine_call *engine_container_memory(struct engine *e, const char *id,
                                            engine_bytes_cb cb, void *user);

/* All containers, also stopped ones, with label "key=value". */
struct engine_call *engine_container_list(struct engine *e, const char *label,
                                          engine_list_cb cb, void *user);

/* ---- streams out of a container ---------------------------------------- */

/* Raw bytes as the engine sends them: multiplexed frames (logs/demux.h)
 * unless the container has a terminal. */
typedef void (*engine_data_cb)(const char *data, size_t len, void *user);

/* Output from now on; `on_attached` (may be NULL) once the engine has
 * answered: only then start the container, and no first line is lost.
 * `done` at its end. No deadline. */
struct engine_call *engine_container_attach(struct engine *e, const char *id,
                                            engine_data_cb data,
                                            engine_done_cb on_attached,
                                            engine_done_cb done, void *user);

/* The same and, the other way, its stdin (`open_stdin`): attach before the
 * start. The stream's end is the end of its stdin: whatever ends this process,
 * the kernel closes the connection. Not over TLS: ERR_INVALID. */
struct engine_call *
engine_container_attach_stdin(struct engine *e, const char *id,
                              engine_data_cb data, engine_done_cb on_attached,
                              engine_done_cb done, void *user);

/* To the stdin of a container that is held; a few bytes, copied. */
void engine_write(struct engine_call *call, const char *data, size_t len);

/* Stop and resume reading: back-pressure. */
void engine_pause(struct engine_call *call, bool pause);

/* Output so far; tail < 0: all of it. */
struct engine_call *engine_container_logs(struct engine *e, const char *id,
                                          int tail, engine_data_cb data,
                                          engine_done_cb done, void *user);

/* ---- exec -------------------------------------------------------------- */

/* Run argv inside; output to `data` (multiplexed), then `done` with the exit
 * status. timeout_ms 0: none. */
typedef void (*engine_exit_cb)(int status, const struct err *err, void *user);
struct engine_call *engine_exec(struct engine *e, const char *id,
                                const struct strv *argv, unsigned timeout_ms,
                                engine_data_cb data, engine_exit_cb done,
                                void *user);

/* ---- networks, volumes -------------------------------------------------- */

struct engine_network {
    const char *name;
    const char *subnet; /* "10.213.4.0/24", or NULL: the engine chooses */
    const struct strv *labels;
};

struct engine_call *engine_network_create(struct engine *e,
                                          const struct engine_network *n,
                                          engine_id_cb cb, void *user);
struct engine_call *engine_network_remove(struct engine *e, const char *id,
                                          engine_done_cb cb, void *user);

/* A running container on a network, as at its create. */
struct engine_endpoint {
    const char *container; /* id */
    const char *ip;        /* NULL: the engine chooses */
    const struct strv *aliases;
};
struct engine_call *engine_network_connect(struct engine *e,
                                           const char *network,
                                           const struct engine_endpoint *end,
                                           engine_done_cb cb, void *user);

struct engine_object {
    char *id, *name; /* a volume's id is its name */
    struct strv labels;
    char *subnet;            /* networks: first one, or "" */
    long long size, created; /* images: bytes, unix seconds */
};
typedef void (*engine_objects_cb)(const struct engine_object *list,
                                  size_t count, const struct err *err,
                                  void *user);

/* label NULL: all of them. */
struct engine_call *engine_network_list(struct engine *e, const char *label,
                                        engine_objects_cb cb, void *user);
struct engine_call *engine_volume_create(struct engine *e, const char *name,
                                         const struct strv *labels,
                                         engine_done_cb cb, void *user);
struct engine_call *engine_volume_remove(struct engine *e, const char *name,
                                         engine_done_cb cb, void *user);
struct engine_call *engine_volume_list(struct engine *e, const char *label,
                                       engine_objects_cb cb, void *user);

/* ---- images ------------------------------------------------------------- */

struct engine_image {
    char *id;
    struct strv labels, entrypoint, argv, env, volumes, ports;
    char *user, *working_dir, *architecture;
};
typedef void (*engine_image_cb)(const struct engine_image *image,
                                const struct err *err, void *user);
struct engine_call *engine_image_inspect(struct engine *e, const char *ref,
                                         engine_image_cb cb, void *user);

struct engine_progress {
    const char *layer;        /* short layer id, "" for the whole */
    const char *status;       /* "Downloading", "Pull complete", ... */
    long long current, total; /* bytes; 0 where unknown */
};
typedef void (*engine_progress_cb)(const struct engine_progress *p, void *user);

/*
 * Pull `ref` ("postgres:17"; no tag means latest). Login: `auth` ("user",
 * "password" of that registry) or NULL: from ~/.docker/config.json (auths,
 * credHelpers and credsStore, run off the loop). ERR_NOT_FOUND: the registry
 * says that there is no such image; ERR_UNAVAILABLE: no registry answered
 * (unknown host, refused, timed out): a stand-in may be used.
 */
struct engine_auth {
    const char *registry, *username, *password;
};
struct engine_call *engine_image_pull(struct engine *e, const char *ref,
                                      const struct engine_auth *auth,
                                      const struct env *env,
                                      engine_progress_cb progress,
                                      engine_done_cb cb, void *user);
/* Whether that registry ("ghcr.io", "docker.io") is the one a reference names.
 */
bool engine_image_is_from(const char *ref, const char *registry);
/* An image of that name from a tar of its files (borrowed for the call), with
 * these labels: without any registry. */
struct engine_call *engine_image_import(struct engine *e, const char *ref,
                                        const struct strv *labels,
                                        const char *tar, size_t len,
                                        engine_done_cb cb, void *user);
struct engine_call *engine_image_tag(struct engine *e, const char *ref,
                                     const char *repo, const char *tag,
                                     engine_done_cb cb, void *user);
struct engine_call *engine_image_remove(struct engine *e, const char *ref,
                                        engine_done_cb cb, void *user);
struct engine_call *engine_image_list(struct engine *e, const char *label,
                                      engine_objects_cb cb, void *user);

/* ---- build -------------------------------------------------------------- */

struct engine_build {
    const char *tag;
    int context_fd;            /* the tar (engine/context.h); read from 0, not
                                  closed; stays open until the callback */
    const char *dockerfile;    /* path inside the tar */
    const char *target;        /* stage, or NULL */
    const struct strv *args;   /* KEY=VALUE */
    const struct strv *labels; /* key=value */
    bool no_cache;
};

/* Output of the build, line by line, without the line end. */
typedef void (*engine_line_cb)(const char *line, size_t len, void *user);

/* Uses BuildKit where the engine has it. No deadline. */
struct engine_call *engine_build(struct engine *e, const struct engine_build *b,
                                 engine_line_cb line, engine_id_cb cb,
                                 void *user);

/* ---- events -------------------------------------------------------------- */

struct engine_event {
    const char *type;   /* "container", "network", ... */
    const char *action; /* "die", "oom", "start", "destroy", ... */
    const char *id;
    int exit_code;         /* of a die */
    const char *container; /* that a network's event is about, or "" */
    const char *session, *kind, *name; /* labels cvx.*, "" where absent */
    long long time_ns;
};
typedef void (*engine_event_cb)(const struct engine_event *event, void *user);

/* Events of what carries `label`, until cancelled or `done` (the engine went
 * away). `ready` once it listens: open it before the first create. */
struct engine_call *engine_events(struct engine *e, const char *label,
                                  engine_event_cb event, engine_done_cb ready,
                                  engine_done_cb done, void *user);

/* Events of one network, by id: who was connected, disconnected; its end. They
 * carry no labels. Podman 4 refuses it: `done` says so. */
struct engine_call *engine_network_events(struct engine *e, const char *id,
                                          engine_event_cb event,
                                          engine_done_cb done, void *user);

/* ---- the machine --------------------------------------------------------- */

struct engine_host {
    char *storage_driver, *root_dir, *os_name, *kernel, *architecture;
    long long memory;
    int cpus;
    bool rootless;
    struct strv warnings;
};
typedef void (*engine_host_cb)(const struct engine_host *host,
                               const struct err *err, void *user);
struct engine_call *engine_host_info(struct engine *e, engine_host_cb cb,
                                     void *user);

#endif /* ENGINE_ENGINE_H */
