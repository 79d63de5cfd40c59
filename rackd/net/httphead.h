/*
 * httphead -- HTTP/1.x messages out of bytes, on top of llhttp. Pure: no I/O,
 * no clock; every size is bounded, so it can be fed from a fuzzer.
 *
 *     struct httphead h;
 *     httphead_init(&h, HTTPHEAD_REQUEST, head_max, body_max);
 *     do {
 *         step = httphead_feed(&h, data, len, &used);
 *         data += used;
 *         len -= used;
 *         ... HTTPHEAD_DONE: read it, then httphead_reset(&h)
 *     } while (len > 0 || step == HTTPHEAD_HEAD);
 *     httphead_release(&h);
 *
 * A message stops twice: at HEAD, where the owner decides what becomes of the
 * rest, and at DONE, when its body is whole. A message without a body is DONE
 * at the next call after HEAD, even when no byte is left to feed. The body is
 * collected in `body` up to body_max; after httphead_stream() there is no such
 * limit, and the owner takes what is in `body` after each call. On an error
 * the message is over: release or reset.
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
    HTTPHEAD_HEAD, /* the head is whole */
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
    bool has_body;     /* of a request: more than the head is to come */
    bool asks_upgrade; /* of a request: for another protocol, behind it */
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
    bool streams; /* the owner takes the body piece by piece */
    char last;    /* byte of the head: a folded line is refused */
};

void httphead_init(struct httphead *h, enum httphead_type type, size_t head_max,
                   size_t body_max);

/* Be ready for the next message on the same connection. */
void httphead_reset(struct httphead *h);
void httphead_release(struct httphead *h);

enum httphead_step httphead_feed(struct httphead *h, const char *data,
                                 size_t len, size_t *used);

/* Between HEAD and the next call: the body may be of any length. */
void httphead_stream(struct httphead *h);

/* No more bytes come: DONE when that is how the message ends, else BAD. */
enum httphead_step httphead_eof(struct httphead *h);

/* A header's value, any case of `name`; NULL when absent. */
const char *httphead_header(const struct httphead *h, const char *name);

/*
 * Split a request target into its path, as it was sent and decoded, and the
 * decoded parameters of its query. False when it is no path, or not well
 * escaped, or holds a NUL.
 */
bool httphead_target(const char *target, struct str *raw, struct str *path,
                     struct httphead_fields *query);

/* Add the decoded parameters of "a=1&b=2": a query, or a form body. False when
 * one is not well escaped or holds a NUL, or when there are too many. */
bool httphead_form(struct httphead_fields *out, const char *text, size_t len);

const char *httphead_field(const struct httphead_fields *fields,
                           const char *name, bool any_case);
void httphead_fields_release(struct httphead_fields *fields);

#endif /* NET_HTTPHEAD_H */
