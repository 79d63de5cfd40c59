/*
 * httphead -- HTTP/1.x messages out of bytes, on top of llhttp. Pure: no I/O,
 * no clock; every size is bounded, so it can be fed from a fuzzer.
 *
 *     struct httphead h;
 *     httphead_init(&h, HTTPHEAD_REQUEST, head_max, body_max);
 *     while (len > 0) {
 *         step = httphead_feed(&h, data, len, &used);
 *         data += used;
 *         len -= used;
 *         ... HTTPHEAD_DONE: read it, then httphead_reset(&h)
 *     }
 *     httphead_release(&h);
 *
 * A request is DONE when its body is whole. A response stops twice: at HEAD
 * (what follows may be a raw stream: not fed any more) and, when fed on, at
 * DONE. On an error the message is over: release or reset.
 */
#ifndef NET_HTTPHEAD_H
#define NET_HTTPHEAD_H

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* Header lines of one message, and parameters of one query. */
#define HTTPHEAD_FIELDS_MAX 128

enum httphead_type {
    HTTPHEAD_REQUEST,
    HTTPHEAD_RESPONSE,
};

enum httphead_step {
    HTTPHEAD_MORE, /* all taken, not enough yet */
    HTTPHEAD_HEAD, /* a response's head is whole */
    HTTPHEAD_DONE, /* the message is whole */
    /* The rest are errors: */
    HTTPHEAD_BAD,
    HTTPHEAD_HEAD_TOO_LARGE,
    HTTPHEAD_BODY_TOO_LARGE,
};

/* Names and values; offsets into `text`, which moves while it grows. */
struct httphead_fields {
    struct str text;
    struct httphead_field {
        size_t name, value;
    } * v;
    size_t len, cap;
};

struct httphead {
    /* Valid once the head is whole: */
    const char *method; /* of a request: "GET" */
    int status;         /* of a response */
    bool keep_alive;    /* the connection may carry another message */
    bool is_1_0;        /* HTTP/1.0: knows no chunks */
    bool head_done;
    struct str target; /* of a request, as it was sent */
    struct str body;
    struct httphead_fields headers;

    /* private */
    llhttp_t parser;
    llhttp_settings_t settings;
    enum httphead_type type;
    size_t head_max, body_max;
    size_t head_len;
    bool in_name, in_value, done, body_too_large, too_many;
    char last; /* byte of the head: a folded line is refused */
};

void httphead_init(struct httphead *h, enum httphead_type type, size_t head_max,
                   size_t body_max);

/* Be ready for the next message on the same connection. */
void httphead_reset(struct httphead *h);
void httphead_release(struct httphead *h);

enum httphead_step httphead_feed(struct httphead *h, const char *data,
                                 size_t len, size_t *used);

/* No more bytes come: DONE when that is how the message ends, else BAD. */
enum httphead_step httphead_eof(struct httphead *h);

/* A header's value, any case of `name`; NULL when absent. */
const char *httphead_header(const struct httphead *h, const char *name);

/*
 * Split a request target into its decoded path and the decoded parameters of
 * its query. False when it is no path, or not well escaped, or holds a NUL.
 */
bool httphead_target(const char *target, struct str *path,
                     struct httphead_fields *query);

const char *httphead_field(const struct httphead_fields *fields,
                           const char *name, bool any_case);
void httphead_fields_release(struct httphead_fields *fields);

#endif /* NET_HTTPHEAD_H */
