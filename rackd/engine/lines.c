/* Cuts a stream of bytes into lines. pull.c, build.c, import.c and events.c
 * feed it the answers of the engine. */
#include "engine/lines.h"

#include <string.h>

static bool hand_out(struct lines *l, lines_cb cb, void *user)
{
    /* The line is taken out first, because the callback may free what `l` is
     * part of. */
    struct str line = l->part;
    bool more;

    l->part = (struct str){ 0 };
    if (line.len > 0 && line.s[line.len - 1] == '\r')
        str_cut(&line, line.len - 1);
    more = cb(str_c(&line), line.len, user);
    str_release(&line);
    return more;
}

bool lines_feed(struct lines *l, const char *data, size_t len, lines_cb cb,
                void *user)
{
    while (len > 0) {
        const char *nl = memchr(data, '\n', len);
        size_t n = nl == NULL ? len : (size_t)(nl - data);
        bool whole = nl != NULL;

        if (n > LINES_MAX - l->part.len) {
            n = LINES_MAX - l->part.len;
            whole = false;
        }
        str_add_len(&l->part, data, n);
        data += n + whole;
        len -= n + whole;
        if (whole || l->part.len == LINES_MAX) {
            if (!hand_out(l, cb, user))
                return false;
        }
    }
    return true;
}

bool lines_flush(struct lines *l, lines_cb cb, void *user)
{
    return l->part.len == 0 || hand_out(l, cb, user);
}

void lines_release(struct lines *l)
{
    str_release(&l->part);
}
