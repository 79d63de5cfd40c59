/*
 * buildkit -- turns BuildKit's progress messages (the protobuf StatusResponse
 * of moby.buildkit.control) into lines of text. Private to engine/. Pure: no
 * I/O.
 *
 *     [2/4] RUN apt-get install -y curl      a step that has begun
 *     Reading package lists...               its output
 *     CACHED [3/4] COPY . .
 *     ERROR [4/4] RUN false: exit code: 1
 */
#ifndef ENGINE_BUILDKIT_H
#define ENGINE_BUILDKIT_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/lines.h"

struct buildkit;

struct buildkit *buildkit_new(lines_cb cb, void *user);

/* Reads one message; what cannot be read is skipped. False when `cb` said to
 * stop. */
bool buildkit_feed(struct buildkit *b, const char *data, size_t len);

/* Hands out the output whose line end never came. False as above. */
bool buildkit_flush(struct buildkit *b);

void buildkit_free(struct buildkit *b);

#endif /* ENGINE_BUILDKIT_H */
