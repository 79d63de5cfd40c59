/*
 * fake_tcp -- a scripted server on 127.0.0.1, in the test's own loop.
 *
 * The first connection is answered by the first answer, the second by the
 * second, and so on; the last answer serves all that follow.
 */
#ifndef TESTS_FAKE_TCP_H
#define TESTS_FAKE_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct fake_answer {
    bool asks_first;   /* speak only once something was received */
    const char *data;  /* NULL: say nothing */
    size_t len;        /* 0: strlen(data) */
    bool in_bytes;     /* one byte per millisecond */
    bool hold;         /* keep the connection open afterwards */
    const char *again; /* after `data`, this text for ever; NULL: nothing */
};

struct fake_tcp;

/* `answers` must outlive the server. port 0: any; see fake_tcp_port(). */
struct fake_tcp *fake_tcp_new(uv_loop_t *loop, int port,
                              const struct fake_answer *answers, int count);
void fake_tcp_close(struct fake_tcp *f);

int fake_tcp_port(const struct fake_tcp *f);

/* Connections accepted so far, and open now. */
int fake_tcp_conns(const struct fake_tcp *f);
int fake_tcp_open(const struct fake_tcp *f);

/* What the last connection that sent something has sent. */
const char *fake_tcp_request(const struct fake_tcp *f, size_t *len);

/* A port of 127.0.0.1 where nobody listens. */
int fake_tcp_dead_port(void);

#endif /* TESTS_FAKE_TCP_H */
