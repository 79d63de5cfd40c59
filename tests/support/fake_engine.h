/*
 * fake_engine -- a scripted container engine on a unix socket, in the test's
 * own loop. Used for the engine client, and to drive rackd through faults
 * that a real engine does not show on request.
 *
 *     struct fake_engine *f = fake_engine_new(loop, "/tmp/x.sock");
 *     fake_engine_on(f, "GET", "/_ping",
 *                    &(struct fake_answer){ .file = "ping-20.10.http" });
 *     fake_engine_on(f, "POST", "/containers/create",
 *                    &(struct fake_answer){ .status = 201,
 *                                           .body = "{\"Id\":\"c1\"}" });
 *     ... run the loop ...
 *     r = fake_engine_request(f, 0);     what was asked: method, path, body
 *     fake_engine_close(f);              then run the loop until it is empty
 *
 * Matching: a rule matches a request of its method (NULL: any) whose path
 * begins with its path; the "/v1.NN" in front is taken off first. The rule
 * added last is asked first, so a test adds a fault over a script that works.
 * A rule with `times` matches so many requests and then never again. A request
 * without a rule is answered 404 with {"message":"no rule for ..."}.
 *
 * Faults: an answer can be late (delay_ms), cut short (cut), never come
 * (FAKE_ENGINE_SILENT), or be a dropped connection (FAKE_ENGINE_RESET);
 * fake_engine_drop() closes every connection, as an engine does that dies, and
 * fake_engine_deaf() stops listening as well.
 *
 * Streams: FAKE_ENGINE_OPEN sends the head and the body and leaves the answer
 * open; fake_engine_push() adds to it and fake_engine_finish() ends it.
 *
 * Canned answers are files of fixtures/engine/: a status line, headers, an
 * empty line, the body; line ends of the head may be plain. The length is
 * added here. With "Transfer-Encoding: chunked" each line of the body is one
 * chunk; with "Content-Type: application/vnd.docker.raw-stream" the body ends
 * with the connection, as the engine's attach does.
 */
#ifndef TESTS_FAKE_ENGINE_H
#define TESTS_FAKE_ENGINE_H

#include <stddef.h>
#include <uv.h>

struct fake_engine;

enum fake_how {
    FAKE_ENGINE_ANSWER, /* the whole answer */
    FAKE_ENGINE_OPEN,   /* head and body, and more to come */
    FAKE_ENGINE_SILENT, /* nothing, ever */
    FAKE_ENGINE_RESET,  /* the connection is closed instead */
};

struct fake_answer {
    enum fake_how how;
    int status;          /* 0: 200 */
    const char *file;    /* in fixtures/engine/, instead of status and body */
    const char *headers; /* more of them, each with "\r\n", or NULL */
    const char *body;    /* NULL: none */
    size_t body_len;     /* 0: strlen(body) */
    unsigned delay_ms;
    size_t cut;     /* > 0: close after so many bytes of the body */
    unsigned times; /* 0: always */
};

/* One request as it came. */
struct fake_request {
    char *method;
    char *path;    /* with the version and the query */
    char *headers; /* "name: value\n" lines, names in lower case */
    char *body;
    size_t body_len;
};

struct fake_engine *fake_engine_new(uv_loop_t *loop, const char *socket_path);

/* Texts of `a` are copied. */
void fake_engine_on(struct fake_engine *f, const char *method, const char *path,
                    const struct fake_answer *a);

/* Requests that came, counted and one by one in order (NULL past the last);
 * and the number that begin with `path`. */
size_t fake_engine_requests(const struct fake_engine *f);
const struct fake_request *fake_engine_request(const struct fake_engine *f,
                                               size_t i);
size_t fake_engine_asked(const struct fake_engine *f, const char *path);

/* The last request that begins with `path`, or NULL. */
const struct fake_request *fake_engine_last(const struct fake_engine *f,
                                            const char *path);

/* Connections open now. */
size_t fake_engine_conns(const struct fake_engine *f);

/* Bytes more on every open answer of a request that begins with `path`. */
void fake_engine_push(struct fake_engine *f, const char *path, const char *data,
                      size_t len);
void fake_engine_finish(struct fake_engine *f, const char *path);

/* What came on open answers of type raw-stream: the stdin of containers that
 * are held. */
const char *fake_engine_input(const struct fake_engine *f);

/* Close every connection; and stop listening too (the path stays). */
void fake_engine_drop(struct fake_engine *f);
void fake_engine_deaf(struct fake_engine *f);

/* Frees itself once the loop has closed its handles. */
void fake_engine_close(struct fake_engine *f);

#endif /* TESTS_FAKE_ENGINE_H */
