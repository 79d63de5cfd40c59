/*
 * demux -- the engine's multiplexed stream to lines.
 *
 * Frames are 8 bytes of head ([type][0][0][0][length, big endian]) and a
 * payload; a payload may end anywhere, in the middle of a line or of a UTF-8
 * sequence. Pure: no I/O, no allocation except a line's pending beginning.
 */
#ifndef LOGS_DEMUX_H
#define LOGS_DEMUX_H

#include <stdbool.h>
#include <stddef.h>

struct err;

/* A line longer than this is handed out in pieces, none of which ends inside
 * a UTF-8 sequence. As JSON a piece can be six times as long, and one is kept
 * per stream that never ends its line: pieces bound rackd's memory. */
#define DEMUX_LINE_MAX ((size_t)512 << 10)

enum demux_stream { DEMUX_STDOUT, DEMUX_STDERR };

/* One line without its '\n'; a '\r' before it is kept. `data` is valid during
 * the call only. `partial`: the piece of a line too long, more follows. */
typedef void (*demux_lines_cb)(enum demux_stream stream, const char *data,
                               size_t len, bool partial, void *user);

struct demux;

/* raw: the container has a terminal, there are no frames. */
struct demux *demux_new(bool raw, demux_lines_cb cb, void *user);

/* From here on a call has one line or several, as many as came together, with
 * '\n' between them: in a flood a call for each is most of the cost. */
void demux_join_lines(struct demux *d);

/* -1 once the stream is not what it should be: an unknown type, or a type 3
 * frame, whose text is the engine's error. It stays so. */
int demux_feed(struct demux *d, const char *data, size_t len, struct err *err);

/* The end: hand out a last line that has no '\n'. */
void demux_flush(struct demux *d);

/* Allowed from inside the callback too; no line is handed out after it. */
void demux_free(struct demux *d);

#endif /* LOGS_DEMUX_H */
