/*
 * HTTP heads, requests and responses. The first byte says which, and how the
 * rest is cut into pieces: a message must read the same however it comes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "net/httphead.h"

#define HEAD_MAX ((size_t)4 << 10)
#define BODY_MAX ((size_t)1 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Feed up to the first whole message; says where it ended. */
static enum httphead_step run(struct httphead *h, const char *data, size_t len,
                              size_t piece, size_t *end)
{
    enum httphead_step step = HTTPHEAD_MORE;
    size_t at = 0, used;

    while ((at < len && step == HTTPHEAD_MORE) || step == HTTPHEAD_HEAD) {
        size_t some = len - at < piece ? len - at : piece;

        step = httphead_feed(h, data + at, some, &used);
        if (used > some || (step == HTTPHEAD_MORE && used != some))
            abort();
        at += used;
    }
    *end = at;
    return step;
}

static void check(const struct httphead *h)
{
    if (h->body.len > BODY_MAX || h->headers.len > HTTPHEAD_FIELDS_MAX ||
        h->headers.text.len > HEAD_MAX + 2 * HTTPHEAD_FIELDS_MAX ||
        h->target.len > HEAD_MAX)
        abort();
    for (size_t i = 0; i < h->headers.len && h->head_done; i++) {
        const char *name = h->headers.text.s + h->headers.v[i].name;

        if (name[0] == '\0' || httphead_header(h, name) == NULL)
            abort();
    }
}

static void split_target(const struct httphead *h)
{
    struct str path = { 0 }, raw = { 0 };
    struct httphead_fields query = { 0 };

    if (httphead_target(str_c(&h->target), &raw, &path, &query)) {
        if (path.len == 0 || strlen(path.s) != path.len)
            abort();
        for (size_t i = 0; i < query.len; i++)
            if (httphead_field(&query, query.text.s + query.v[i].name, false) ==
                NULL)
                abort();
    }
    str_release(&path);
    str_release(&raw);
    httphead_fields_release(&query);
}

static bool same(const struct str *a, const struct str *b)
{
    return a->len == b->len && memcmp(str_c(a), str_c(b), a->len) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum httphead_type type;
    enum httphead_step whole_step, piece_step;
    struct httphead whole, pieces;
    size_t whole_end, piece_end;
    const char *text = (const char *)data + 1;

    if (size < 2)
        return 0;
    type = data[0] & 1 ? HTTPHEAD_RESPONSE : HTTPHEAD_REQUEST;
    httphead_init(&whole, type, HEAD_MAX, BODY_MAX);
    httphead_init(&pieces, type, HEAD_MAX, BODY_MAX);
    whole_step = run(&whole, text, size - 1, size, &whole_end);
    piece_step = run(&pieces, text, size - 1, 1 + (data[0] >> 1), &piece_end);
    check(&whole);
    check(&pieces);

    /* Only a whole message is promised to look the same. */
    if ((whole_step == HTTPHEAD_DONE) != (piece_step == HTTPHEAD_DONE))
        abort();
    if (whole_step == HTTPHEAD_DONE &&
        (whole_end != piece_end || whole.status != pieces.status ||
         whole.keep_alive != pieces.keep_alive ||
         !same(&whole.body, &pieces.body) ||
         !same(&whole.target, &pieces.target) ||
         !same(&whole.headers.text, &pieces.headers.text)))
        abort();
    if (type == HTTPHEAD_REQUEST && whole_step == HTTPHEAD_DONE)
        split_target(&whole);
    httphead_eof(&whole);
    httphead_reset(&pieces);
    run(&pieces, text, size - 1, 1, &piece_end);
    httphead_release(&whole);
    httphead_release(&pieces);
    return 0;
}
