/*
 * client -- what the files of engine/ share: a call from its first request to
 * its callback. Private to engine/.
 *
 * A call is one request or several in a row. Its maker allocates it with
 * call_new() (or a struct that begins with one), fills in the user's callback
 * and sends a request; `step` gets the answer and either sends the next one or
 * ends the call:
 *
 *     static void on_created(struct engine_call *call,
 *                            const struct answer *a, const struct err *err)
 *     {
 *         call_end(call);
 *         call->cb.id(err == NULL ? json_text(a->json, "Id") : NULL, err,
 *                     call->user);
 *     }
 *
 * While a function of a call runs, the call is held: it may be cancelled from
 * the user's callbacks and is freed only afterwards. Between two callbacks of
 * the user's a call must therefore ask call_wanted().
 */
#ifndef ENGINE_CLIENT_H
#define ENGINE_CLIENT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/err.h"
#include "engine/engine.h"
#include "engine/find.h"

struct httpc;
struct httpc_req;
struct call_timer;

/* API 1.MINOR: what we were written for, and the least we can use. */
#define API_OURS  44
#define API_LEAST 41

struct engine {
    uv_loop_t *loop;
    char *endpoint;
    struct find_tls certs; /* paths, when has_tls */
    bool has_tls;
    char *config_dir;      /* ~/.docker, or NULL */
    struct httpc *calls;   /* a few connections, kept */
    struct httpc *streams; /* as many as there are: they must not starve the
                              calls */
    int minor;             /* API 1.minor */
    bool podman, buildkit;
    unsigned long made;
    struct engine_call *inflight;
    bool closing;
    unsigned open; /* clients and handles whose close callback is to come */
    engine_closed_cb on_closed;
    void *closed_user;
};

/* A good answer; `json` is NULL when it has no body or is a stream. */
struct answer {
    long status;
    const cJSON *json;
    const struct httpc_req *req; /* for httpc_res_header() */
};

/* Exactly one of `a` and `err` is not NULL; a status of 400 and above is an
 * err with the engine's own text. */
typedef void (*call_step_cb)(struct engine_call *call, const struct answer *a,
                             const struct err *err);
typedef void (*call_cb)(struct engine_call *call);
typedef void (*call_data_cb)(struct engine_call *call, const char *data,
                             size_t len);

struct engine_call {
    struct engine *engine;
    struct httpc_req *req; /* in flight, or NULL */
    struct call_timer *timer;
    call_step_cb step;
    call_cb on_head;
    call_data_cb on_data;
    call_cb release; /* frees what a longer struct holds; may be NULL */
    union {
        engine_hello_cb hello;
        engine_done_cb done;
        engine_id_cb id;
        engine_bytes_cb bytes;
        engine_state_cb state;
        engine_list_cb list;
        engine_objects_cb objects;
        engine_image_cb image;
        engine_exit_cb exited;
        engine_host_cb host;
    } cb;
    void *user;
    unsigned held;
    bool over;    /* ended or cancelled: freed once it is held no more */
    bool gone_ok; /* see struct request */
    bool is_text;
    struct engine_call *prev, *next; /* in engine->inflight */
};

/* All borrowed for the call. */
struct request {
    const char *method, *path; /* path: without the version */
    const char *json;
    const char *data; /* other body */
    size_t data_len;
    int upload_fd; /* > 0: the body is this file */
    const char *type;
    const char *const *headers;
    unsigned timeout_ms; /* 0: ENGINE_CALL_MS, none for streams */
    bool stream;         /* the body goes to on_data as it comes */
    bool unversioned;    /* no "/v1.NN" in front of the path */
    bool is_text;        /* the body is no JSON */
    bool gone_ok;        /* 404 and "already in progress" are successes */
    call_cb on_head;     /* streams: the answer has begun well */
    call_data_cb on_data;
    call_step_cb step;
};

/* `size` is that of a struct whose first member is a struct engine_call. */
void *call_new(struct engine *e, size_t size);

void call_send(struct engine_call *call, const struct request *r);

/* Run `step` with this error from the loop. */
void call_fail_later(struct engine_call *call, const struct err *err,
                     call_step_cb step);

/* Run `cb` in ms; a call has one timer. */
void call_timer_start(struct engine_call *call, unsigned ms, call_cb cb);
void call_timer_stop(struct engine_call *call);

/* From here on nobody reaches the call; it is freed when it is held no more.
 * Say the result to the user right after. */
void call_end(struct engine_call *call);

/* False once the user has cancelled the call or closed the engine. */
bool call_wanted(const struct engine_call *call);

/* Around whatever runs a call's functions from outside client.c. */
void call_pause(struct engine_call *call);
void call_resume(struct engine_call *call);

/* A handle of the engine's loop more, one less. */
void engine_pause_output(struct engine *e);
void engine_resume_output(struct engine *e);

/* Calls of one request. */
struct engine_call *call_done(struct engine *e, struct request *r,
                              engine_done_cb cb, void *user);
struct engine_call *call_id(struct engine *e, struct request *r,
                            engine_id_cb cb, void *user);

/* err_set() with the engine's words, without the line ends behind them. */
void answer_text(struct err *err, enum err_code code, const char *text);

/* ERR_... of an HTTP status of 400 and above, with the body's text. */
void answer_error(struct err *err, long status, const char *body);

#endif /* ENGINE_CLIENT_H */
