/*
 * httpd_conn -- private to httpd: one connection, and the request on it.
 *
 *     READING ----whole request----> ANSWERING --answer complete--> READING
 *        `--body is streamed--> RECEIVING --end--^   |      `-last-> LINGERING
 *                                                    `-> UPGRADED
 *     any of them --the client goes, or must--> CLOSING --> freed
 *
 * While ANSWERING we keep reading: that is how a client that was killed is
 * noticed. What it sends meanwhile (pipelining) waits in `ahead`.
 *
 * httpd_conn.c has the connection's life, httpd_in.c turns its bytes into
 * requests, httpd_req.c answers them, httpd_upgrade.c has what follows a 101.
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
    CONN_READING,   /* waits for a request, or for the rest of one */
    CONN_RECEIVING, /* a handler has the request and takes its body */
    CONN_ANSWERING, /* a handler has the whole request */
    CONN_UPGRADED,  /* raw bytes both ways */
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
    uv_timer_t deadline; /* the client is dropped when it fires */
    uv_timer_t soon;     /* what must not be done from inside our functions */
    uv_shutdown_t shutdown;
    unsigned open_handles;
    enum conn_state state; /* see conn_set_state() */
    struct httphead head;
    struct str ahead; /* sent before its turn */
    struct sendq out;
    struct httpd_req *req; /* the one on this connection, or NULL */
    bool whole;            /* the request's last byte is here */
    bool paused;           /* by the handler: body or raw bytes wait */
    bool said_continue;    /* 100, to a client that asked first */
    bool close_after;      /* the answer */
    bool got_eof;          /* the client sends no more */
    bool eof_told;         /* UPGRADED: and the handler knows */
    bool turned_away;      /* at the door: hears why, and is no client */
    bool want_shutdown;    /* UPGRADED: nothing follows what is queued, */
    bool shutting_down;    /* uv_shutdown() was called, */
    bool out_ended;        /* and the client knows */
    struct conn *prev, *next;
};

struct httpd_req {
    struct conn *conn; /* NULL: gone, and nobody asked to be told */
    struct str raw_path, path;
    struct httphead_fields query;
    struct str extra; /* header lines of the answer, each with its end */
    bool handed;      /* a handler has it: it is not ours to free */
    bool head_only;   /* HEAD: no body in the answer */
    bool streaming;   /* the answer has begun */
    bool chunked;     /* the answer's body is */
    bool dropped;     /* by its handler: no callback any more */
    bool going;       /* its handler is being told of the end */
    httpd_gone_cb on_gone;
    void *gone_user;
    httpd_drain_cb on_drain;
    void *drain_user;
    httpd_bytes_cb on_body; /* RECEIVING */
    void *body_user;
    struct httpd_upgrade upgrade; /* UPGRADED */
};

/* Takes what is waiting on `listener`. */
void conn_accept(struct httpd *server, uv_stream_t *listener, bool is_tcp);

/* The one place that changes a state; sets the deadline that comes with it. */
void conn_set_state(struct conn *c, enum conn_state state);

/* The client has made progress: its time begins anew. */
void conn_progress(struct conn *c);

/* Have conn_soon()'s work done from the loop. */
void conn_want_soon(struct conn *c);

/* Read on, or stop reading. */
void conn_read(struct conn *c, bool on);

/* Close, without a word; on_gone of an open request runs from the loop. */
void conn_drop(struct conn *c);

/* Send, or queue behind what is not sent yet; harmless when closing. */
void conn_write(struct conn *c, const char *data, size_t len);
void conn_writev(struct conn *c, const uv_buf_t *bufs, unsigned count);
size_t conn_queued(const struct conn *c);

/* The answer is complete: the next request, or the end. `c->req` is freed. */
void conn_answered(struct conn *c);

/* Bytes of requests, from the loop (httpd_in.c). */
void conn_feed(struct conn *c, const char *data, size_t len);
/* Hand the handler what it has not had of the body. */
void conn_pump_body(struct conn *c);
/* Answer with an error of our own, and close. */
void conn_refuse(struct conn *c, int status, const char *text);

/* Raw bytes, those that came too early, and their end (httpd_upgrade.c). */
void conn_raw(struct conn *c, const char *data, size_t len);
void conn_raw_ahead(struct conn *c);
void conn_raw_eof(struct conn *c);
/* End our side, once all is sent. */
void conn_maybe_shutdown(struct conn *c);
void conn_on_shutdown(uv_shutdown_t *req, int status);

void req_free(struct httpd_req *req);
/* It loses its connection; whoever has it is told, from the loop. */
void req_gone(struct httpd_req *req);

/* What conn needs of the server (httpd.c). */
void httpd_add(struct httpd *d, struct conn *c);
void httpd_remove(struct httpd *d, struct conn *c);
bool httpd_is_full(const struct httpd *d);
bool httpd_may_enter(const struct conn *c, bool is_tcp);
/* Counts one that is turned away; false: so many are that it is not even told
 * why. */
bool httpd_turn_away(struct conn *c);
unsigned httpd_idle_ms(const struct httpd *d);
void httpd_deliver_head(struct httpd *d, struct httpd_req *req);
void httpd_deliver(struct httpd *d, struct httpd_req *req);

/* For tests, which cannot wait for HTTPD_IDLE_MS. */
void httpd_set_idle_ms(struct httpd *d, unsigned ms);

#endif /* NET_HTTPD_CONN_H */
