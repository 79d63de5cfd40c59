/*
 * lines -- bytes as they come to whole lines: the engine's answers that are a
 * series of JSON texts, and a build's output. Private to engine/.
 */
#ifndef ENGINE_LINES_H
#define ENGINE_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* A longer line is handed out in pieces. */
#define LINES_MAX ((size_t)4 << 20)

struct lines {
    struct str part; /* the beginning of a line whose end is to come */
};

/* One line without its end. False: stop, the rest is not wanted. `line` is
 * NUL terminated and valid during the call only. */
typedef bool (*lines_cb)(const char *line, size_t len, void *user);

/* False when `cb` said stop. */
bool lines_feed(struct lines *l, const char *data, size_t len, lines_cb cb,
                void *user);

/* A last line without an end. */
bool lines_flush(struct lines *l, lines_cb cb, void *user);

void lines_release(struct lines *l);

#endif /* ENGINE_LINES_H */
