/* The output of a container: attach, and the log so far. Without an Upgrade
 * header the engine answers an attach with a plain 200 and the bytes, so an
 * ordinary request does. run/ attaches to every container before it starts. */
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/client.h"
#include "engine/path.h"

struct stream {
    struct engine_call call; /* first: see call_new() */
    engine_data_cb data;
    engine_done_cb on_attached;
};

static void on_head(struct engine_call *call)
{
    struct stream *s = container_of(call, struct stream, call);

    s->on_attached(NULL, call->user);
}

static void on_data(struct engine_call *call, const char *data, size_t len)
{
    struct stream *s = container_of(call, struct stream, call);

    s->data(data, len, call->user);
}

static void on_end(struct engine_call *call, const struct answer *a,
                   const struct err *err)
{
    (void)a;
    call_end(call);
    call->cb.done(err, call->user);
}

static struct stream *stream_new(struct engine *e, engine_data_cb data,
                                 engine_done_cb done, void *user)
{
    struct stream *s = call_new(e, sizeof(*s));

    s->data = data;
    s->call.cb.done = done;
    s->call.user = user;
    return s;
}

struct engine_call *engine_container_attach(struct engine *e, const char *id,
                                            engine_data_cb data,
                                            engine_done_cb on_attached,
                                            engine_done_cb done, void *user)
{
    struct stream *s = stream_new(e, data, done, user);
    cleanup_str struct str path = { 0 };

    s->on_attached = on_attached;
    path_begin(&path, "/containers/", id, "/attach?stream=1&stdout=1&stderr=1");
    call_send(&s->call, &(struct request){
                            .method = "POST",
                            .path = str_c(&path),
                            .stream = true,
                            .on_head = on_attached == NULL ? NULL : on_head,
                            .on_data = on_data,
                            .step = on_end });
    return &s->call;
}

struct engine_call *engine_container_logs(struct engine *e, const char *id,
                                          int tail, engine_data_cb data,
                                          engine_done_cb done, void *user)
{
    struct stream *s = stream_new(e, data, done, user);
    cleanup_str struct str path = { 0 };

    path_begin(&path, "/containers/", id, "/logs?stdout=1&stderr=1");
    if (tail >= 0)
        str_printf(&path, "&tail=%d", tail);
    call_send(&s->call, &(struct request){ .method = "GET",
                                           .path = str_c(&path),
                                           .stream = true,
                                           .timeout_ms = ENGINE_CALL_MS,
                                           .on_data = on_data,
                                           .step = on_end });
    return &s->call;
}
