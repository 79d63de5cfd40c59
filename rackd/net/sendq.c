/*
 * Bytes on their way out of a stream: the server's connections and the hijacked
 * streams to the engine send through one each.
 */
#include "net/sendq.h"

#include "base/mem.h"

/* A write under way, and the bytes it sends. */
struct sending {
    uv_write_t req;
    struct sendq *q;
    char *bytes;
};

static void on_sent(uv_write_t *req, int status);

void sendq_init(struct sendq *q, uv_stream_t *stream, sendq_cb on_idle)
{
    *q = (struct sendq){ .stream = stream, .on_idle = on_idle };
}

void sendq_release(struct sendq *q)
{
    str_release(&q->waiting);
}

size_t sendq_len(const struct sendq *q)
{
    return uv_stream_get_write_queue_size(q->stream) + q->waiting.len;
}

static int flush(struct sendq *q)
{
    struct sending *s;
    uv_buf_t buf;
    int rc;

    if (q->writing || q->waiting.len == 0)
        return 0;
    s = xcalloc(1, sizeof(*s));
    s->q = q;
    buf.len = q->waiting.len;
    s->bytes = buf.base = str_take(&q->waiting);
    rc = uv_write(&s->req, q->stream, &buf, 1, on_sent);
    if (rc < 0) {
        free(s->bytes);
        free(s);
    }
    q->writing = rc == 0;
    return rc;
}

int sendq_writev(struct sendq *q, const uv_buf_t *bufs, unsigned count)
{
    size_t done;
    int sent = 0;

    if (!q->writing && q->waiting.len == 0)
        sent = uv_try_write(q->stream, bufs, count);
    if (sent < 0 && sent != UV_EAGAIN)
        return sent;
    done = sent < 0 ? 0 : (size_t)sent;
    for (unsigned i = 0; i < count; i++) {
        size_t skip = done < bufs[i].len ? done : bufs[i].len;

        str_add_len(&q->waiting, bufs[i].base + skip, bufs[i].len - skip);
        done -= skip;
    }
    return flush(q);
}

int sendq_write(struct sendq *q, const char *data, size_t len)
{
    uv_buf_t buf = { .base = (char *)data, .len = len };

    return len == 0 ? flush(q) : sendq_writev(q, &buf, 1);
}

static void on_sent(uv_write_t *req, int status)
{
    struct sending *s = container_of(req, struct sending, req);
    struct sendq *q = s->q;

    free(s->bytes);
    free(s);
    q->writing = false;
    if (status == 0)
        status = flush(q);
    if (status < 0 || !q->writing)
        q->on_idle(q, status);
}
