/*
 * demux -- turns the engine's multiplexed stream into lines.
 *
 * A frame is 8 bytes of head ([type][0][0][0][length, big endian]) and a
 * payload. A payload may end anywhere: within a line, or within a UTF-8
 * sequence. Pure: it does no I/O, and allocates only the stored beginning of a
 * line.
 *
 * Call demux_new(), then demux_feed() for what arrives, demux_flush() at the
 * end of the stream, and demux_free().
 */
#ifndef LOGS_DEMUX_H
#define LOGS_DEMUX_H

#include <stdbool.h>
#include <stddef.h>

struct err;

/* A line longer than this is handed out in pieces, none of which ends within a
 * UTF-8 sequence. As JSON a piece can take six times as much, and one is stored
 * for each stream that never ends its line: so pieces bound the memory of
 * rackd. */
#define DEMUX_LINE_MAX ((size_t)512 << 10)

enum demux_stream { DEMUX_STDOUT, DEMUX_STDERR };

/* One line without its '\n'; a '\r' before that is kept. `data` is valid during
 * the call only. `partial`: this is a piece of a line that is too long, and
 * more of it follows. */
typedef void (*demux_lines_cb)(enum demux_stream stream, const char *data,
                               size_t len, bool partial, void *user);

struct demux;

/* raw: the container has a terminal, so that the engine sends plain bytes
 * without frames. */
struct demux *demux_new(bool raw, demux_lines_cb cb, void *user);

/* From here on one call may have several lines, with '\n' between them, namely
 * all that arrived together. When a container prints very much, a call for each
 * line would be most of the cost. */
void demux_join_lines(struct demux *d);

/* Reads `len` bytes. -1 when the stream is broken: a frame of unknown type, or
 * one of type 3, whose text is the error of the engine. Every later call then
 * fails too. */
int demux_feed(struct demux *d, const char *data, size_t len, struct err *err);

/* Hands out a last line that has no '\n'. Call it at the end of the stream. */
void demux_flush(struct demux *d);

/* May be called by the callback too; no line is handed out after it. */
void demux_free(struct demux *d);

#endif /* LOGS_DEMUX_H */
