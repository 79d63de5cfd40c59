/* Runs a command in a running container, in three requests: create, start
 * (whose answer is the output), and, once it has ended, a question for its
 * status. run/ uses it for the hooks postStart and preStop. */
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/client.h"
#include "engine/json.h"
#include "engine/path.h"

/* The output may end a moment before the engine knows the status, so it is
 * asked again: so often, after so many milliseconds each. */
#define AGAIN_MS  10
#define AGAIN_MAX 200

struct exec {
    struct engine_call call; /* first: see call_new() */
    engine_data_cb data;
    char *id;
    unsigned asked;
    uint64_t deadline; /* by the clock of the loop, in ms; 0: none */
};

/* In the order in which they run. */
static void on_created(struct engine_call *call, const struct answer *a,
                       const struct err *err);
static void on_output(struct engine_call *call, const char *data, size_t len);
static void on_output_end(struct engine_call *call, const struct answer *a,
                          const struct err *err);
static void ask_status(struct engine_call *call);
static void on_status(struct engine_call *call, const struct answer *a,
                      const struct err *err);
static void on_deadline(struct engine_call *call);
static void finish(struct engine_call *call, int status, const struct err *err);

static void exec_release(struct engine_call *call)
{
    free(container_of(call, struct exec, call)->id);
}

struct engine_call *engine_exec(struct engine *e, const char *id,
                                const struct strv *argv, unsigned timeout_ms,
                                engine_data_cb data, engine_exit_cb done,
                                void *user)
{
    struct exec *x = call_new(e, sizeof(*x));
    cleanup_str struct str path = { 0 };
    cleanup_free char *json = NULL;
    cJSON *root = cJSON_CreateObject();

    x->call.release = exec_release;
    x->call.cb.exited = done;
    x->call.user = user;
    x->data = data;
    if (timeout_ms > 0) {
        x->deadline = uv_now(e->loop) + timeout_ms;
        call_timer_start(&x->call, timeout_ms, on_deadline);
    }
    cJSON_AddTrueToObject(root, "AttachStdout");
    cJSON_AddTrueToObject(root, "AttachStderr");
    json_add_strings(root, "Cmd", argv);
    json = json_take_text(root);
    path_begin(&path, "/containers/", id, "/exec");
    call_send(&x->call, &(struct request){ .method = "POST",
                                           .path = str_c(&path),
                                           .json = json,
                                           .step = on_created });
    return &x->call;
}

static void on_created(struct engine_call *call, const struct answer *a,
                       const struct err *err)
{
    struct exec *x = container_of(call, struct exec, call);
    cleanup_str struct str path = { 0 };

    if (err != NULL) {
        finish(call, -1, err);
        return;
    }
    x->id = xstrdup(json_text(a->json, "Id"));
    path_begin(&path, "/exec/", x->id, "/start");
    call_send(call, &(struct request){ .method = "POST",
                                       .path = str_c(&path),
                                       .json = "{\"Detach\":false,"
                                               "\"Tty\":false}",
                                       .stream = true,
                                       .on_data = on_output,
                                       .step = on_output_end });
}

static void on_output(struct engine_call *call, const char *data, size_t len)
{
    struct exec *x = container_of(call, struct exec, call);

    if (x->data != NULL)
        x->data(data, len, call->user);
}

static void on_output_end(struct engine_call *call, const struct answer *a,
                          const struct err *err)
{
    (void)a;
    if (err != NULL)
        finish(call, -1, err);
    else
        ask_status(call);
}

static void ask_status(struct engine_call *call)
{
    struct exec *x = container_of(call, struct exec, call);
    cleanup_str struct str path = { 0 };

    x->asked++;
    path_begin(&path, "/exec/", x->id, "/json");
    call_send(call, &(struct request){ .method = "GET",
                                       .path = str_c(&path),
                                       .step = on_status });
}

static void on_status(struct engine_call *call, const struct answer *a,
                      const struct err *err)
{
    struct exec *x = container_of(call, struct exec, call);
    struct err none;

    if (err != NULL) {
        finish(call, -1, err);
    } else if (!json_true(a->json, "Running")) {
        finish(call, (int)json_int(a->json, "ExitCode"), NULL);
    } else if (x->deadline > 0 && uv_now(call->engine->loop) >= x->deadline) {
        on_deadline(call);
    } else if (x->asked < AGAIN_MAX) {
        call_timer_start(call, AGAIN_MS, ask_status);
    } else {
        err_set(&none, ERR_PROTOCOL,
                "a command has ended, but the engine does not say how");
        finish(call, -1, &none);
    }
}

static void on_deadline(struct engine_call *call)
{
    struct err err;

    err_set(&err, ERR_TIMEOUT, "the command did not end in time");
    finish(call, -1, &err);
}

static void finish(struct engine_call *call, int status, const struct err *err)
{
    call_end(call);
    call->cb.exited(status, err, call->user);
}
