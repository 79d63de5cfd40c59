/* lines -- cuts bytes into whole lines: for the answers of the engine that are
 * a series of JSON texts, and for the output of a build. Private to engine/. */
#ifndef ENGINE_LINES_H
#define ENGINE_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* Bytes. A longer line is handed out in pieces. */
#define LINES_MAX ((size_t)4 << 20)

struct lines {
    struct str part; /* the beginning of a line whose end has not come yet */
};

/* One line without its end. It returns false when the rest is not wanted.
 * `line` is NUL terminated, and valid during the call only. */
typedef bool (*lines_cb)(const char *line, size_t len, void *user);

/* False when `cb` said to stop. */
bool lines_feed(struct lines *l, const char *data, size_t len, lines_cb cb,
                void *user);

/* Hands out a last line that has no end. False as above. */
bool lines_flush(struct lines *l, lines_cb cb, void *user);

void lines_release(struct lines *l);

#endif /* ENGINE_LINES_H */
