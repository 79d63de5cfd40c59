/* The first byte says raw or framed and where to cut; the rest is the stream.
 * Fed whole and fed in two, it must give the same bytes. */
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "logs/demux.h"

struct sum {
    uint64_t hash, lines;
};

static void on_line(enum demux_stream stream, const char *data, size_t len,
                    bool partial, void *user)
{
    struct sum *s = user;

    for (size_t i = 0; i < len; i++)
        s->hash = (s->hash ^ (uint8_t)data[i]) * 1099511628211U;
    s->hash += stream == DEMUX_STDERR ? 7 : 3;
    s->lines += !partial;
}

static struct sum run(bool raw, const char *data, size_t len, size_t cut)
{
    struct sum sum = { 0, 0 };
    struct err err = { 0 };
    struct demux *d = demux_new(raw, on_line, &sum);

    if (demux_feed(d, data, cut, &err) == 0 &&
        demux_feed(d, data + cut, len - cut, &err) < 0 && err.msg[0] == '\0')
        abort();
    demux_flush(d);
    demux_free(d);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;
    struct sum whole, parts;
    bool raw;

    if (size < 2)
        return 0;
    size--;
    raw = (data[0] & 1) != 0;
    whole = run(raw, text, size, size);
    parts = run(raw, text, size, (data[0] >> 1) * size / 128);
    if (whole.hash != parts.hash || whole.lines != parts.lines)
        abort();
    return 0;
}
