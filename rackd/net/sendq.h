/*
 * sendq -- bytes on their way out of a libuv stream, embedded in whoever owns
 * the stream. What can be sent at once is; what comes while a write is under
 * way goes together with the next one. It never blocks and has no bound of its
 * own: look at sendq_len().
 *
 * Close the stream before releasing the queue: its close callback is the first
 * moment at which nothing of it is under way any more.
 */
#ifndef NET_SENDQ_H
#define NET_SENDQ_H

#include <stdbool.h>
#include <uv.h>

#include "base/str.h"

struct sendq;

/* From the loop: all is sent (0), or the stream is broken (< 0). */
typedef void (*sendq_cb)(struct sendq *q, int status);

struct sendq {
    uv_stream_t *stream;
    sendq_cb on_idle;
    struct str waiting;
    bool writing;
};

void sendq_init(struct sendq *q, uv_stream_t *stream, sendq_cb on_idle);

/* Copies what cannot be sent at once. < 0: libuv's code, the stream is
 * broken. on_idle is not called for what was sent at once. */
int sendq_write(struct sendq *q, const char *data, size_t len);
int sendq_writev(struct sendq *q, const uv_buf_t *bufs, unsigned count);

/* Bytes the kernel did not take yet. */
size_t sendq_len(const struct sendq *q);

void sendq_release(struct sendq *q);

#endif /* NET_SENDQ_H */
