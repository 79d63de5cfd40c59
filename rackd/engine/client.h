/*
 * client -- the life of a call, from its first request to its callback. Private
 * to engine/.
 *
 * A call is one request, or several in a row. The function that makes it
 * allocates it with call_new() (or a struct that begins with one), fills in the
 * user's callback and sends a request. `step` gets the answer, and either sends
 * the next request or ends the call:
 *
 *     static void on_created(struct engine_call *call,
 *                            const struct answer *a, const struct err *err)
 *     {
 *         call_end(call);
 *         call->cb.id(err == NULL ? json_text(a->json, "Id") : NULL, err,
 *                     call->user);
 *     }
 *
 * The user's callback may cancel the call it is called from. While a function
 * of a call is on the stack it is therefore "entered", and is freed only after
 * call_leave(). Between two callbacks a function must ask call_wanted().
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

/* API 1.OURS is what this code was written for, 1.LEAST the oldest that it can
 * use (Docker 20.10). */
#define API_OURS  44
#define API_LEAST 41

struct engine {
    uv_loop_t *loop;
    char *endpoint;
    struct find_tls certs; /* paths, where has_tls */
    bool has_tls;
    char *config_dir; /* ~/.docker, or NULL */
    /* Ordinary calls: a few connections that are reused. */
    struct httpc *calls;
    /* Streams have connections of their own: long ones must not starve the
     * calls. */
    struct httpc *streams;
    int minor; /* API 1.minor */
    bool podman, buildkit;
    unsigned long made;
    struct engine_call *inflight;
    bool closing;
    /* Number of clients and handles whose close callback has not run. */
    unsigned open;
    engine_closed_cb on_closed;
    void *closed_user;
};

/* An answer that is not an error; `json` is NULL when it has no body, or is a
 * stream. */
struct answer {
    long status;
    const cJSON *json;
    const struct httpc_req *req; /* for httpc_res_header() */
};

/* Exactly one of `a` and `err` is not NULL. A status of 400 and above is an err
 * with the text of the engine. */
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
    call_cb release; /* frees what the longer struct owns; may be NULL */
    union {
        engine_hello_cb hello;
        engine_done_cb done;
        engine_id_cb id;
        engine_bytes_cb bytes;
        engine_state_cb state;
        engine_list_cb list;
        engine_objects_cb objects;
        engine_image_cb inspected;
        engine_exit_cb exited;
        engine_host_cb host;
    } cb;
    void *user;
    unsigned entered; /* number of its functions on the stack */
    /* Ended or cancelled: freed once it is not entered any more. */
    bool over;
    bool gone_ok; /* see struct request */
    bool is_text;
    struct engine_call *prev, *next; /* in engine->inflight */
};

/* One request; everything is borrowed while call_send() runs. */
struct request {
    const char *method, *path; /* path: without "/v1.NN" */
    const char *json;
    const char *data; /* a body that is not JSON */
    size_t data_len;
    int upload_fd; /* > 0: the body is this file */
    const char *type;
    const char *const *headers;
    unsigned timeout_ms; /* 0: ENGINE_CALL_MS, none for streams */
    bool stream;         /* the body goes to on_data as it comes */
    bool unversioned;    /* no "/v1.NN" in front of the path */
    bool is_text;        /* the body is not JSON */
    bool gone_ok;        /* 404 and "already in progress" are successes */
    call_cb on_head;     /* streams: the head has come, and is not an error */
    call_data_cb on_data;
    call_step_cb step;
};

/* Allocates a call. `size` is that of a struct whose first member is a struct
 * engine_call. */
void *call_new(struct engine *e, size_t size);

void call_send(struct engine_call *call, const struct request *r);

/* Calls `step` with this error, from the loop: a call never ends before it was
 * returned. */
void call_fail_later(struct engine_call *call, const struct err *err,
                     call_step_cb step);

/* Calls `cb` after `ms`. A call has one timer; starting it again replaces
 * it. */
void call_timer_start(struct engine_call *call, unsigned ms, call_cb cb);
void call_timer_stop(struct engine_call *call);

/* Ends the call: nobody reaches it any more, and it is freed when it is not
 * entered. Give the user the result right after. */
void call_end(struct engine_call *call);

/* False once the user has cancelled the call, or has closed the engine. */
bool call_wanted(const struct engine_call *call);

/* Put these around every callback of the user, so that the call lives until it
 * returns. client.c does so itself for `step`, on_head, on_data and timers. */
void call_enter(struct engine_call *call);
void call_leave(struct engine_call *call);

/* Count the handles that belong to the engine: it is freed when the last one is
 * closed. */
void engine_add_handle(struct engine *e);
void engine_drop_handle(struct engine *e);

/* Calls that are one request: with no result, or with the "Id" of the
 * answer. */
struct engine_call *call_done(struct engine *e, struct request *r,
                              engine_done_cb cb, void *user);
struct engine_call *call_id(struct engine *e, struct request *r,
                            engine_id_cb cb, void *user);

/* err_set() with a text of the engine, without the line ends behind it. */
void answer_text(struct err *err, enum err_code code, const char *text);

/* Makes an error of an HTTP status of 400 and above and its body. */
void answer_error(struct err *err, long status, const char *body);

#endif /* ENGINE_CLIENT_H */
