/* Attaches to a container with its stdin, both ways over one connection. guard/
 * holds the reaper's container this way: when rackd dies, by whatever means,
 * the kernel closes the connection. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/client.h"
#include "engine/path.h"
#include "net/hijack.h"
#include "net/httpc.h"

struct stdin_stream {
    struct engine_call call; /* first: see call_new() */
    struct hijack *stream;   /* NULL: it has ended */
    engine_data_cb data;
    engine_done_cb on_attached;
};

static void on_open(struct hijack *stream, void *user);
static void on_data(struct hijack *stream, const char *data, size_t len,
                    void *user);
static void on_end(struct hijack *stream, long status, const struct err *err,
                   void *user);

static void stdin_stream_release(struct engine_call *call)
{
    struct stdin_stream *h = container_of(call, struct stdin_stream, call);

    if (h->stream != NULL)
        hijack_close(h->stream);
}

struct engine_call *
engine_container_attach_stdin(struct engine *e, const char *id,
                              engine_data_cb data, engine_done_cb on_attached,
                              engine_done_cb done, void *user)
{
    struct stdin_stream *h = call_new(e, sizeof(*h));
    cleanup_str struct str name = { 0 };
    cleanup_free char *path = NULL;
    const struct httpc_tls certs = { .ca = e->certs.ca,
                                     .cert = e->certs.cert,
                                     .key = e->certs.key };

    h->call.release = stdin_stream_release;
    h->call.cb.done = done;
    h->call.user = user;
    h->data = data;
    h->on_attached = on_attached;
    path_begin(&name, "/containers/", id,
               "/attach?stream=1&stdin=1&stdout=1&stderr=1");
    path = xasprintf("/v1.%d%s", e->minor, str_c(&name));
    e->made++;
    h->stream = hijack_start(
        e->loop, &(struct hijack_spec){ .endpoint = e->endpoint,
                                        .tls = e->has_tls ? &certs : NULL,
                                        .path = path,
                                        .on_open = on_open,
                                        .on_data = on_data,
                                        .on_end = on_end,
                                        .user = h });
    return &h->call;
}

void engine_write(struct engine_call *call, const char *data, size_t len)
{
    struct stdin_stream *h = container_of(call, struct stdin_stream, call);

    if (h->stream != NULL)
        hijack_write(h->stream, data, len);
}

static void on_open(struct hijack *stream, void *user)
{
    struct stdin_stream *h = user;

    (void)stream;
    if (h->on_attached == NULL)
        return;
    call_enter(&h->call);
    h->on_attached(NULL, h->call.user);
    call_leave(&h->call);
}

static void on_data(struct hijack *stream, const char *data, size_t len,
                    void *user)
{
    struct stdin_stream *h = user;

    (void)stream;
    call_enter(&h->call);
    h->data(data, len, h->call.user);
    call_leave(&h->call);
}

static void on_end(struct hijack *stream, long status, const struct err *err,
                   void *user)
{
    struct stdin_stream *h = user;
    struct err mine;

    (void)stream;
    h->stream = NULL;                   /* it frees itself */
    if (err != NULL && status >= 400) { /* its text is the answer's body */
        answer_error(&mine, status, err->msg);
        err = &mine;
    }
    call_enter(&h->call);
    call_end(&h->call);
    h->call.cb.done(err, h->call.user);
    call_leave(&h->call);
}
