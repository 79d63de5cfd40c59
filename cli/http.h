/*
 * http -- requests to rackd: blocking HTTP/1.1 on its unix socket.
 *
 *     struct http h = { .fd = -1 };
 *     http_open(&h, socket_path, &err)
 *     http_send(&h, "GET", "/ps", NULL, 0, &err)
 *     http_finish(&h, timeout_ms, &err)     h.status, h.body
 *     http_close(&h)
 *
 * For a stream of lines, instead of http_finish(): when h.fd is readable, call
 * http_feed(), and then http_line() until it returns false. A line may be
 * followed by bytes: see http_bytes(). A connection is good for one request.
 * Functions that return int give 0, or -1 with *err set.
 */
#ifndef CLI_HTTP_H
#define CLI_HTTP_H

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/str.h"

struct err;

/* Bytes. No answer, and no line of a stream, is longer. */
#define HTTP_BODY_MAX ((size_t)256 << 20)

struct http {
    int fd;
    pid_t pid;     /* process id of the peer */
    int status;    /* 0 until the head of the answer has come */
    bool complete; /* the whole answer has come */
    struct str body;
    size_t taken, scanned, last; /* private: offsets of the lines in the body */
    llhttp_t parser;
    llhttp_settings_t settings;
};

/* Connects. The peer must run under our uid. ERR_UNAVAILABLE when nobody
 * listens there. */
int http_open(struct http *h, const char *socket_path, struct err *err);

/* Uses a socket that is connected already. */
void http_attach(struct http *h, int fd);

int http_send(struct http *h, const char *method, const char *target,
              const char *body, size_t len, struct err *err);

/* Reads once; it blocks only when there is nothing to read. -1: the peer went
 * away before the answer was complete, or the answer is not HTTP. */
int http_feed(struct http *h, struct err *err);

/* Reads the whole answer; timeout_ms -1: without limit. */
int http_finish(struct http *h, int timeout_ms, struct err *err);

/* The next whole line of the body, without its end; valid until the next
 * http_feed(). Once the answer is complete, what follows the last line end is a
 * line too. */
bool http_line(struct http *h, const char **line, size_t *len);

/* The `len` bytes that follow the line handed out last; valid as long as that.
 * False: not all of them have come; the next http_line() then gives the same
 * line again. */
bool http_bytes(struct http *h, size_t len, const char **bytes);

void http_close(struct http *h);

#define cleanup_http __attribute__((cleanup(http_close)))

#endif /* CLI_HTTP_H */
