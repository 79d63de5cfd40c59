/* Calls that concern one container: create, start, stop, kill, pause, commit,
 * remove, inspect, list. One function per call; engine.h has the contract of
 * each. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/client.h"
#include "engine/create.h"
#include "engine/json.h"
#include "engine/path.h"
#include "engine/state.h"

/* Seconds. A longer grace is a mistake, and the deadline made of it would
 * overflow. */
#define GRACE_MAX_S 86400u

struct engine_call *engine_container_create(struct engine *e,
                                            const struct engine_container *c,
                                            engine_id_cb cb, void *user)
{
    cleanup_str struct str path = { 0 };
    cleanup_free char *json = create_json(c, e->podman);

    str_add(&path, "/containers/create");
    path_query(&path, "name", c->name);
    return call_id(e,
                   &(struct request){
                       .method = "POST", .path = str_c(&path), .json = json },
                   cb, user);
}

static struct engine_call *post(struct engine *e, const char *id,
                                const char *what, engine_done_cb cb, void *user)
{
    cleanup_str struct str path = { 0 };

    path_begin(&path, "/containers/", id, what);
    return call_done(
        e, &(struct request){ .method = "POST", .path = str_c(&path) }, cb,
        user);
}

struct engine_call *engine_container_start(struct engine *e, const char *id,
                                           engine_done_cb cb, void *user)
{
    return post(e, id, "/start", cb, user);
}

struct engine_call *engine_container_stop(struct engine *e, const char *id,
                                          unsigned grace_s, engine_done_cb cb,
                                          void *user)
{
    cleanup_str struct str path = { 0 };

    if (grace_s > GRACE_MAX_S)
        grace_s = GRACE_MAX_S;
    path_begin(&path, "/containers/", id, "/stop");
    str_printf(&path, "?t=%u", grace_s);
    return call_done(
        e,
        &(struct request){ .method = "POST",
                           .path = str_c(&path),
                           .timeout_ms = grace_s * 1000u + ENGINE_CALL_MS },
        cb, user);
}

struct engine_call *engine_container_kill(struct engine *e, const char *id,
                                          const char *signal, engine_done_cb cb,
                                          void *user)
{
    cleanup_str struct str path = { 0 };

    path_begin(&path, "/containers/", id, "/kill");
    path_query(&path, "signal", signal);
    return call_done(
        e, &(struct request){ .method = "POST", .path = str_c(&path) }, cb,
        user);
}

struct engine_call *engine_container_pause(struct engine *e, const char *id,
                                           engine_done_cb cb, void *user)
{
    return post(e, id, "/pause", cb, user);
}

struct engine_call *engine_container_unpause(struct engine *e, const char *id,
                                             engine_done_cb cb, void *user)
{
    return post(e, id, "/unpause", cb, user);
}

struct engine_call *engine_container_commit(struct engine *e, const char *id,
                                            const char *repo, const char *tag,
                                            const struct strv *changes,
                                            engine_id_cb cb, void *user)
{
    cleanup_free char *lines = strv_join(changes, "\n");
    cleanup_str struct str path = { 0 };

    str_add(&path, "/commit");
    path_query(&path, "container", id);
    path_query(&path, "repo", repo);
    path_query(&path, "tag", tag);
    path_query(&path, "changes", lines);
    return call_id(e,
                   &(struct request){ .method = "POST",
                                      .path = str_c(&path),
                                      .timeout_ms = ENGINE_COMMIT_MS },
                   cb, user);
}

struct engine_call *engine_container_remove(struct engine *e, const char *id,
                                            engine_done_cb cb, void *user)
{
    cleanup_str struct str path = { 0 };

    path_begin(&path, "/containers/", id, "?force=1&v=1");
    if (e->podman) /* Podman would stop it politely first */
        str_add(&path, "&timeout=0");
    return call_done(e,
                     &(struct request){ .method = "DELETE",
                                        .path = str_c(&path),
                                        .gone_ok = true },
                     cb, user);
}

struct engine_call *engine_container_put(struct engine *e, const char *id,
                                         const char *path, const char *tar,
                                         size_t len, engine_done_cb cb,
                                         void *user)
{
    cleanup_str struct str url = { 0 };

    path_begin(&url, "/containers/", id, "/archive");
    path_query(&url, "path", path);
    return call_done(e,
                     &(struct request){ .method = "PUT",
                                        .path = str_c(&url),
                                        .data = tar,
                                        .data_len = len,
                                        .type = "application/x-tar" },
                     cb, user);
}

/* ---- what is there ------------------------------------------------------- */

static void on_inspected(struct engine_call *call, const struct answer *a,
                         const struct err *err)
{
    struct engine_state state = { 0 };

    call_end(call);
    if (err != NULL) {
        call->cb.state(NULL, err, call->user);
        return;
    }
    state_from_inspect(&state, a->json);
    call->cb.state(&state, NULL, call->user);
    state_release(&state);
}

struct engine_call *engine_container_inspect(struct engine *e, const char *id,
                                             engine_state_cb cb, void *user)
{
    struct engine_call *call = call_new(e, sizeof(*call));
    cleanup_str struct str path = { 0 };

    call->cb.state = cb;
    call->user = user;
    path_begin(&path, "/containers/", id, "/json");
    call_send(call, &(struct request){ .method = "GET",
                                       .path = str_c(&path),
                                       .step = on_inspected });
    return call;
}

static void on_stats(struct engine_call *call, const struct answer *a,
                     const struct err *err)
{
    const cJSON *memory;
    long long used;

    call_end(call);
    if (err != NULL) {
        call->cb.bytes(0, err, call->user);
        return;
    }
    memory = json_get(a->json, "memory_stats");
    used = json_int(memory, "usage") -
           json_int(json_get(memory, "stats"), "inactive_file");
    call->cb.bytes(used, NULL, call->user);
}

struct engine_call *engine_container_memory(struct engine *e, const char *id,
                                            engine_bytes_cb cb, void *user)
{
    struct engine_call *call = call_new(e, sizeof(*call));
    cleanup_str struct str path = { 0 };

    call->cb.bytes = cb;
    call->user = user;
    path_begin(&path, "/containers/", id, "/stats?stream=0&one-shot=1");
    call_send(call, &(struct request){ .method = "GET",
                                       .path = str_c(&path),
                                       .step = on_stats });
    return call;
}

static void on_listed(struct engine_call *call, const struct answer *a,
                      const struct err *err)
{
    struct engine_state *list;
    const cJSON *item;
    size_t count = 0;

    call_end(call);
    if (err != NULL) {
        call->cb.list(NULL, 0, err, call->user);
        return;
    }
    list = xcalloc((size_t)cJSON_GetArraySize(a->json) + 1, sizeof(*list));
    cJSON_ArrayForEach(item, a->json) state_from_list(&list[count++], item);
    call->cb.list(list, count, NULL, call->user);
    while (count > 0)
        state_release(&list[--count]);
    free(list);
}

struct engine_call *engine_container_list(struct engine *e, const char *label,
                                          engine_list_cb cb, void *user)
{
    struct engine_call *call = call_new(e, sizeof(*call));
    cleanup_str struct str path = { 0 };

    call->cb.list = cb;
    call->user = user;
    str_add(&path, "/containers/json?all=1");
    path_label(&path, label);
    call_send(call, &(struct request){ .method = "GET",
                                       .path = str_c(&path),
                                       .step = on_listed });
    return call;
}
