/*
 * engine -- the API of the container engine (Docker, Podman), one function per
 * call. Nothing outside of engine/ knows Docker's JSON.
 *
 *     struct engine *e;
 *     engine_new(&e, loop, "unix:///var/run/docker.sock", &env, &err);
 *     engine_hello(e, on_hello, user);        first: negotiates the version
 *     engine_container_create(e, &spec, on_id, user);
 *     ...
 *     engine_close(e, on_closed, user);
 *
 * Contract of every call: it copies its arguments, unless said otherwise. Its
 * callback runs exactly once, from the loop, never from inside the call, and
 * never after engine_cancel() or engine_close(). Any function may be called
 * from any callback. Ordinary calls have a deadline of ENGINE_CALL_MS.
 *
 * Errors: err->msg is the text of the engine. ERR_UNAVAILABLE: there is no
 * engine; ERR_TIMEOUT; ERR_NOT_FOUND (404); ERR_CONFLICT (409); ERR_INVALID
 * (400); ERR_PROTOCOL: an answer that we cannot read; ERR_SYSTEM (500): the
 * engine failed. Deleting what does not exist (404), starting what runs (304)
 * and removing what is being removed (409 "already in progress") are successes.
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

/* Finds the endpoint that the docker CLI would use, else one of the usual
 * sockets. In this order: DOCKER_HOST; DOCKER_CONTEXT; currentContext of
 * $DOCKER_CONFIG/config.json; then the first socket that answers (else: that
 * exists) of /var/run/docker.sock, rootless, Desktop, Colima, OrbStack,
 * Rancher, Podman. `env` is the environment of the user (HOME, XDG_RUNTIME_DIR,
 * DOCKER_*). On success *out is "unix://..." or "tcp://...", and *why says
 * where it came from ("DOCKER_HOST", "context desktop", "socket"); the caller
 * frees both. It reads files, so it may block shortly. */
int engine_find(char **out, char **why, const struct env *env, struct err *err);

/* Appends the sockets that engine_find() looks at, in order, for `cvx
 * doctor`. */
void engine_candidates(struct strv *out, const struct env *env);

/* ---- answers ----------------------------------------------------------- */

/* err is NULL on success. */
typedef void (*engine_done_cb)(const struct err *err, void *user);

/* `id` is borrowed, and NULL on error. */
typedef void (*engine_id_cb)(const char *id, const struct err *err, void *user);

/* ---- life -------------------------------------------------------------- */

/* Makes a client; nothing is sent yet. Fails on an endpoint that is neither
 * unix:// nor tcp:// nor http(s)://. Certificates for tcp:// come from `env`
 * (DOCKER_CERT_PATH, or the docker context); env may be NULL. */
int engine_new(struct engine **out, uv_loop_t *loop, const char *endpoint,
               const struct env *env, struct err *err);

const char *engine_endpoint(const struct engine *e);

typedef void (*engine_closed_cb)(void *user);

/* Ends every call without its callback. `cb` runs from the loop when all is
 * closed; the engine is freed after that. */
void engine_close(struct engine *e, engine_closed_cb cb, void *user);

/* Ends a call without its callback. Allowed until that callback has run. */
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

/* Asks for the version and agrees on an API version. Calls made before it has
 * answered use API 1.41. An engine that is older than 1.41 (Docker 20.10) is an
 * error that says so. Messages of ERR_UNAVAILABLE tell apart: nothing at the
 * path; permission denied, with the advice to join the group docker; nobody
 * listening. */
struct engine_call *engine_hello(struct engine *e, engine_hello_cb cb,
                                 void *user);

/* Asks whether the engine answers at all; ERR_TIMEOUT when not within
 * timeout_ms. It does not wait behind other calls. */
struct engine_call *engine_ping(struct engine *e, unsigned timeout_ms,
                                engine_done_cb cb, void *user);

/* Number of requests made so far, for `make bench`. */
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
    /* Of a volume that the engine makes for this mount, because nothing of its
     * name is there any more. NULL: none. */
    const struct strv *labels;
};

/* What a container is created from. All borrowed for the call. Zero means the
 * default of the engine. */
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
    unsigned cpu_shares; /* 0: the default of the engine, 1024 */
    bool open_stdin, stdin_once, tty;
    bool no_healthcheck; /* switch the image's HEALTHCHECK off */
    const struct strv *cap_add, *cap_drop;
    const char *log_driver; /* NULL: the engine's; "none", "local", ... */
    const char *stop_signal;
    int stop_grace_s;    /* 0: default */
    const char *restart; /* "no" by default */
    /* It uses the socket of the engine, which is mounted into it: neither
     * SELinux nor a user namespace may forbid that. */
    bool uses_engine;
};

struct engine_call *engine_container_create(struct engine *e,
                                            const struct engine_container *c,
                                            engine_id_cb cb, void *user);
struct engine_call *engine_container_start(struct engine *e, const char *id,
                                           engine_done_cb cb, void *user);

/* Sends SIGTERM (or the stop signal of the image), and SIGKILL after grace_s;
 * answers when it has stopped. The deadline is grace_s + ENGINE_CALL_MS. */
struct engine_call *engine_container_stop(struct engine *e, const char *id,
                                          unsigned grace_s, engine_done_cb cb,
                                          void *user);
struct engine_call *engine_container_kill(struct engine *e, const char *id,
                                          const char *signal, engine_done_cb cb,
                                          void *user);

/* Freezes every process of a running container, and lets it go on. */
struct engine_call *engine_container_pause(struct engine *e, const char *id,
                                           engine_done_cb cb, void *user);
struct engine_call *engine_container_unpause(struct engine *e, const char *id,
                                             engine_done_cb cb, void *user);

/* Makes image repo:tag of the files of a stopped container; volumes are not
 * part of it. `changes` are lines of a Dockerfile for its configuration ("ENV
 * A=b", "LABEL c=d"). The id is that of the image. The engine reads every file,
 * hence the longer deadline. */
#define ENGINE_COMMIT_MS 600000
struct engine_call *engine_container_commit(struct engine *e, const char *id,
                                            const char *repo, const char *tag,
                                            const struct strv *changes,
                                            engine_id_cb cb, void *user);

/* Kills and removes it, with its anonymous volumes, in one call. */
struct engine_call *engine_container_remove(struct engine *e, const char *id,
                                            engine_done_cb cb, void *user);

/* Extracts a tar (borrowed for the call) at `path` of a container that is
 * created. */
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
    char *ip;             /* the first address found, or "" */
    struct strv networks; /* inspect only: names of its networks */
    struct engine_published *ports;
    size_t port_count;
};

typedef void (*engine_state_cb)(const struct engine_state *state,
                                const struct err *err, void *user);
typedef void (*engine_list_cb)(const struct engine_state *list, size_t count,
                               const struct err *err, void *user);

struct engine_call *engine_container_inspect(struct engine *e, const char *id,
                                             engine_state_cb cb, void *user);

/* Asks how many bytes its processes, and its files in memory, occupy now. The
 * page cache, which could be dropped, does not count. */
typedef void (*engine_bytes_cb)(long long bytes, const struct err *err,
                                void *user);
struct engine_call *engine_container_memory(struct engine *e, const char *id,
                                            engine_bytes_cb cb, void *user);

/* Lists all containers with label "key=value", stopped ones too. */
struct engine_call *engine_container_list(struct engine *e, const char *label,
                                          engine_list_cb cb, void *user);

/* ---- streams out of a container ---------------------------------------- */

/* Bytes as the engine sends them: multiplexed frames (see logs/demux.h), unless
 * the container has a terminal. */
typedef void (*engine_data_cb)(const char *data, size_t len, void *user);

/* Hands out the output from now on. `on_attached` (may be NULL) is called once
 * the engine has answered; start the container after that, and no first line is
 * lost. `done` is called at its end. No deadline. */
struct engine_call *engine_container_attach(struct engine *e, const char *id,
                                            engine_data_cb data,
                                            engine_done_cb on_attached,
                                            engine_done_cb done, void *user);

/* The same, and a way to its stdin (`open_stdin`); attach before the start. The
 * end of the connection is the end of its stdin: whatever ends this process,
 * the kernel closes it. */
struct engine_call *
engine_container_attach_stdin(struct engine *e, const char *id,
                              engine_data_cb data, engine_done_cb on_attached,
                              engine_done_cb done, void *user);

/* Writes a few bytes (copied) to the stdin of a container that was attached
 * so. */
void engine_write(struct engine_call *call, const char *data, size_t len);

/* Stops, or resumes, reading a stream: then the engine, and at last the
 * container, waits. */
void engine_pause(struct engine_call *call, bool pause);

/* Hands out the output so far; tail < 0: all of it. */
struct engine_call *engine_container_logs(struct engine *e, const char *id,
                                          int tail, engine_data_cb data,
                                          engine_done_cb done, void *user);

/* ---- exec -------------------------------------------------------------- */

/* Runs argv in a container: its output goes to `data` (multiplexed), then its
 * exit status to `done`. timeout_ms 0: no limit. */
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

/* How a running container joins a network: as if it had been created on it. */
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
    char *subnet;            /* networks: the first one, or "" */
    long long size, created; /* images: bytes, unix seconds */
};
typedef void (*engine_objects_cb)(const struct engine_object *list,
                                  size_t count, const struct err *err,
                                  void *user);

/* label NULL: lists all networks. */
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
    /* Short id of a layer, or "" for the whole image. */
    const char *layer;
    const char *status;       /* "Downloading", "Pull complete", ... */
    long long current, total; /* bytes; 0 where unknown */
};
typedef void (*engine_progress_cb)(const struct engine_progress *p, void *user);

/* Pulls `ref` ("postgres:17"; no tag means latest). Its login is `auth` (of
 * that registry), or, for NULL, that of ~/.docker/config.json (auths,
 * credHelpers and credsStore, run without blocking the loop). ERR_NOT_FOUND:
 * the registry says that there is no such image. ERR_UNAVAILABLE: no
 * registry answered (unknown host, refused, timed out), so that a stand-in
 * may be used. */
struct engine_auth {
    const char *registry, *username, *password;
};
struct engine_call *engine_image_pull(struct engine *e, const char *ref,
                                      const struct engine_auth *auth,
                                      const struct env *env,
                                      engine_progress_cb progress,
                                      engine_done_cb cb, void *user);
/* True when a reference names an image of that registry ("ghcr.io",
 * "docker.io"). */
bool engine_image_is_from(const char *ref, const char *registry);
/* Makes an image of that name from a tar of its files (borrowed for the call),
 * with these labels. It needs no registry. */
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
    /* The tar (engine/context.h), read from its beginning; the caller closes
     * it, after the callback. */
    int context_fd;
    const char *dockerfile;    /* path inside the tar */
    const char *target;        /* stage, or NULL */
    const struct strv *args;   /* KEY=VALUE */
    const struct strv *labels; /* key=value */
    bool no_cache;
};

/* A line of the output, without its end. */
typedef void (*engine_line_cb)(const char *line, size_t len, void *user);

/* Builds an image, with BuildKit where the engine has it. The id is that of the
 * image. No deadline. */
struct engine_call *engine_build(struct engine *e, const struct engine_build *b,
                                 engine_line_cb line, engine_id_cb cb,
                                 void *user);

/* ---- events -------------------------------------------------------------- */

struct engine_event {
    const char *type;   /* "container", "network", ... */
    const char *action; /* "die", "oom", "start", "destroy", ... */
    const char *id;
    int exit_code; /* exit code of a "die" */
    /* Of an event of a network: the container that it is about, or "". */
    const char *container;
    const char *session, *kind, *name; /* labels cvx.*, "" where absent */
    long long time_ns;
};
typedef void (*engine_event_cb)(const struct engine_event *event, void *user);

/* Hands out events of everything with `label`, until it is cancelled or the
 * engine goes away (`done`). `ready` is called once the engine listens for us:
 * create the first container after that. */
struct engine_call *engine_events(struct engine *e, const char *label,
                                  engine_event_cb event, engine_done_cb ready,
                                  engine_done_cb done, void *user);

/* Hands out events of one network, by its id: containers that are connected and
 * disconnected, and its end. Those events have no labels. Podman 4.3 refuses
 * the request, which `done` says. */
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
