/* Takes the engine's multiplexed stream of a container's output apart, and cuts
 * it into lines. run/ feeds it what an attached container prints, and puts the
 * lines into the hub; guard/ reads the reaper's answers through it. */
#include "logs/demux.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#define HEAD_LEN 8

/* Bytes. A buffer that one long line made larger than this is freed again. */
#define KEEP_BUFFER ((size_t)64 << 10)

/* Bytes of the engine's error text that are kept. */
#define ERROR_MAX ((size_t)512)

enum frame { FRAME_STDIN, FRAME_STDOUT, FRAME_STDERR, FRAME_ERROR };

struct demux {
    demux_lines_cb on_lines;
    void *user;
    bool raw, joined;
    bool broken;   /* the stream has failed: nothing more is read from it */
    bool inside;   /* demux_feed() or demux_flush() is on the stack */
    bool unwanted; /* demux_free() was called by a callback */

    unsigned char head[HEAD_LEN];
    size_t head_len;
    enum frame type;
    uint32_t left; /* bytes of the frame's payload still to come */

    /* Per stream: the beginning of a line whose end has not come yet. */
    struct str line[2];
    struct str error;
};

struct demux *demux_new(bool raw, demux_lines_cb cb, void *user)
{
    struct demux *d = xcalloc(1, sizeof(*d));

    d->raw = raw;
    d->on_lines = cb;
    d->user = user;
    return d;
}

void demux_join_lines(struct demux *d)
{
    d->joined = true;
}

/* Number of bytes, of the `len` given, that end with a complete UTF-8 sequence;
 * `len` when the text is not UTF-8 anyway. */
static size_t whole_chars(const char *text, size_t len)
{
    size_t back = 0;
    unsigned char lead;

    while (back < 3 && back + 1 < len &&
           ((unsigned char)text[len - 1 - back] & 0xc0) == 0x80)
        back++;
    lead = (unsigned char)text[len - 1 - back];
    if (lead >= 0xc0 && lead < 0xf8 &&
        back + 1 < (lead < 0xe0   ? 2U
                    : lead < 0xf0 ? 3U
                                  : 4U))
        return len - 1 - back > 0 ? len - 1 - back : len;
    return len;
}

static void drop_start(struct str *line, size_t len)
{
    str_drop(line, len);
    if (line->len == 0 && line->cap > KEEP_BUFFER)
        str_release(line);
}

/* Calls back once for all lines, or once for each. */
static void say(struct demux *d, enum demux_stream stream, const char *data,
                size_t len, bool partial)
{
    const char *end = data + len, *nl;

    while (!d->joined && !partial && !d->unwanted &&
           (nl = memchr(data, '\n', (size_t)(end - data))) != NULL) {
        d->on_lines(stream, data, (size_t)(nl - data), false, d->user);
        data = nl + 1;
    }
    if (!d->unwanted)
        d->on_lines(stream, data, (size_t)(end - data), partial, d->user);
}

/* Hands out the stored beginning of a line together with the first `len` bytes
 * of `data`: whole lines, or a piece of one. Nothing is copied when no
 * beginning is stored. Returns how many bytes of `data` were used. */
static size_t hand_out(struct demux *d, enum demux_stream stream,
                       const char *data, size_t len, bool partial)
{
    struct str *line = &d->line[stream];
    size_t size;

    if (line->len == 0) {
        if (partial)
            len = whole_chars(data, len);
        say(d, stream, data, len, partial);
        return len;
    }
    str_add_len(line, data, len);
    size = partial ? whole_chars(line->s, line->len) : line->len;
    say(d, stream, line->s, size, partial);
    drop_start(line, size);
    return len;
}

/* A line that has begun is completed first; then all whole lines are handed out
 * at once. */
static void take_text(struct demux *d, enum demux_stream stream,
                      const char *data, size_t len)
{
    while (len > 0 && !d->unwanted) {
        size_t begun = d->line[stream].len;
        size_t room = DEMUX_LINE_MAX - begun;
        size_t seen = len > room ? room + 1 : len;
        const char *nl =
            begun > 0 ? memchr(data, '\n', seen) : memrchr(data, '\n', seen);
        size_t used;

        if (nl != NULL) {
            used = (size_t)(nl - data);
            hand_out(d, stream, data, used, false);
            used++;
        } else if (seen > room) {
            used = hand_out(d, stream, data, room, true);
        } else {
            str_add_len(&d->line[stream], data, len);
            used = len;
        }
        data += used;
        len -= used;
    }
}

static int broken(struct demux *d, struct err *err)
{
    size_t len = d->error.len;

    d->broken = true;
    while (len > 0 && strchr("\r\n ", d->error.s[len - 1]) != NULL)
        len--;
    str_cut(&d->error, len);
    return err_set(err, ERR_PROTOCOL, "the engine's stream failed: %s",
                   str_c(&d->error));
}

static int take_head(struct demux *d, struct err *err)
{
    const unsigned char *h = d->head;

    d->head_len = 0;
    d->left = (uint32_t)h[4] << 24 | (uint32_t)h[5] << 16 |
              (uint32_t)h[6] << 8 | (uint32_t)h[7];
    if (h[0] > FRAME_ERROR) {
        str_printf(&d->error, "a frame of unknown type %u", h[0]);
        return broken(d, err);
    }
    d->type = (enum frame)h[0];
    if (d->type == FRAME_ERROR && d->left == 0) {
        str_add(&d->error, "no reason given");
        return broken(d, err);
    }
    return 0;
}

static int take_payload(struct demux *d, const char *data, size_t len,
                        struct err *err)
{
    d->left -= (uint32_t)len;
    if (d->type != FRAME_ERROR) {
        take_text(d, d->type == FRAME_STDERR ? DEMUX_STDERR : DEMUX_STDOUT,
                  data, len);
        return 0;
    }
    if (d->error.len + len > ERROR_MAX)
        len = ERROR_MAX - d->error.len;
    str_add_len(&d->error, data, len);
    return d->left == 0 || d->error.len == ERROR_MAX ? broken(d, err) : 0;
}

static int take_frames(struct demux *d, const char *data, size_t len,
                       struct err *err)
{
    int failed = 0;

    while (len > 0 && failed == 0 && !d->unwanted) {
        size_t n;

        if (d->left > 0) {
            n = len < d->left ? len : d->left;
            failed = take_payload(d, data, n, err);
        } else {
            n = HEAD_LEN - d->head_len;
            n = len < n ? len : n;
            memcpy(d->head + d->head_len, data, n);
            d->head_len += n;
            if (d->head_len == HEAD_LEN)
                failed = take_head(d, err);
        }
        data += n;
        len -= n;
    }
    return failed;
}

static void release(struct demux *d)
{
    str_release(&d->line[DEMUX_STDOUT]);
    str_release(&d->line[DEMUX_STDERR]);
    str_release(&d->error);
    free(d);
}

/* Frees what a callback has asked to be freed, once none is running. */
static void leave(struct demux *d)
{
    d->inside = false;
    if (d->unwanted)
        release(d);
}

int demux_feed(struct demux *d, const char *data, size_t len, struct err *err)
{
    int failed = 0;

    if (d->broken)
        return broken(d, err);
    d->inside = true;
    if (d->raw)
        take_text(d, DEMUX_STDOUT, data, len);
    else
        failed = take_frames(d, data, len, err);
    leave(d);
    return failed;
}

void demux_flush(struct demux *d)
{
    d->inside = true;
    for (int i = 0; i < 2 && !d->unwanted; i++)
        if (d->line[i].len > 0)
            hand_out(d, (enum demux_stream)i, "", 0, false);
    leave(d);
}

void demux_free(struct demux *d)
{
    if (d == NULL)
        return;
    if (d->inside)
        d->unwanted = true;
    else
        release(d);
}
