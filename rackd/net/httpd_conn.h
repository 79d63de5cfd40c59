/*
 * httpd_conn -- private to httpd: one connection, and the request on it.
 *
 *     READING --whole request--> ANSWERING --answer complete--> READING
 *                                                      `-close-> LINGERING
 *     any of them --the client goes, or must--> CLOSING --> freed
 *
 * While ANSWERING we keep reading: that is how a client that was killed is
 * noticed. What it sends meanwhile (pipelining) waits in `ahead`.
 */
#ifndef NET_HTTPD_CONN_H
#define NET_HTTPD_CONN_H

#include <stdbool.h>
#include <uv.h>

#include "base/str.h"
#include "net/httpd.h"
#include "net/httphead.h"
#include "net/sendq.h"

enum conn_state {
    CONN_READING,   /* waits for a whole request */
    CONN_ANSWERING, /* on_request has it */
    CONN_LINGERING, /* all is said: waits for the client to hang up, so that
                       the kernel does not take the answer back */
    CONN_CLOSING,   /* uv_close() was called */
};

struct conn {
    struct httpd *server;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tcp_t tcp;
    } u;
    /* READING: drop the client when it fires (or go on with `ahead`);
     * ANSWERING: on_drain; LINGERING: give up. */
    uv_timer_t timer;
    unsigned open_handles;
    enum conn_state state;
    struct httphead head;
    struct str ahead;
    struct sendq out;
    struct httpd_req *req; /* the one being answered */
    bool said_continue;    /* 100, to a client that asked first */
    bool close_after;      /* the answer */
    bool got_eof;          /* the client sends no more */
    bool turned_away;      /* at the door: hears why, and is no client */
    struct conn *prev, *next;
};

struct httpd_req {
    struct conn *conn; /* NULL: gone, and nobody asked to be told */
    struct str path;
    struct httphead_fields query;
    bool head_only; /* HEAD: no body in the answer */
    bool streaming, chunked;
    httpd_gone_cb on_gone;
    void *gone_user;
    httpd_drain_cb on_drain;
    void *drain_user;
};

/* Takes what is waiting on `listener`. */
void conn_accept(struct httpd *server, uv_stream_t *listener, bool is_tcp);

/* Close, without a word; on_gone of an open request runs from the loop. */
void conn_drop(struct conn *c);

/* Send, or queue behind what is not sent yet; harmless when closing. */
void conn_write(struct conn *c, const char *data, size_t len);
void conn_writev(struct conn *c, const uv_buf_t *bufs, unsigned count);
size_t conn_queued(const struct conn *c);

/* The answer is complete: the next request, or the end. `c->req` is freed. */
void conn_answered(struct conn *c);

/* Have on_drain called from the loop, if all is sent already. */
void conn_want_drain(struct conn *c);

void req_free(struct httpd_req *req);

/* What conn needs of the server (httpd.c). */
void httpd_add(struct httpd *d, struct conn *c);
void httpd_remove(struct httpd *d, struct conn *c);
bool httpd_is_full(const struct httpd *d);
bool httpd_may_enter(const struct conn *c, bool is_tcp);
/* Counts one that is turned away; false: so many are that it is not even told
 * why. */
bool httpd_turn_away(struct conn *c);
unsigned httpd_idle_ms(const struct httpd *d);
void httpd_deliver(struct httpd *d, struct httpd_req *req);

/* For tests, which cannot wait for HTTPD_IDLE_MS. */
void httpd_set_idle_ms(struct httpd *d, unsigned ms);

#endif /* NET_HTTPD_CONN_H */
