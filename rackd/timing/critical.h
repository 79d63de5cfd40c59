/*
 * critical -- the critical path of a start: from the thing that was ready last
 * back through what it waited for, to the moment the start was asked for. Pure:
 * marks in, steps out.
 *
 *     struct critical path = { 0 };
 *     critical_find(&path, session_marks(s));
 *     ... path.v[0] is the first step, the last ends at ready ...
 *     critical_release(&path);
 *
 * The steps follow each other without a gap and cover the whole start, so that
 * making any of them shorter makes the start shorter. Where a mark waited and
 * no need explains it, the step is a MARK_WAIT of that mark.
 */
#ifndef TIMING_CRITICAL_H
#define TIMING_CRITICAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "timing/marks.h"

struct critical_step {
    size_t mark; /* index in the marks */
    enum mark_phase phase;
    uint64_t begin_us, end_us;
};

struct critical {
    struct critical_step *v; /* in order of time */
    size_t len, cap;
};

/* The marks have ended (marks_end), and the first of them, "rackd", began
 * before all others. The path is empty when they have not ended or there are
 * none. */
void critical_find(struct critical *out, const struct marks *m);
void critical_release(struct critical *path);

/* Is the mark on the path? */
bool critical_has(const struct critical *path, size_t mark);

/* Is at least half of this span of the mark on the path? A span of waiting
 * seldom is: only the moment between the need's end and its being noticed. */
bool critical_covers(const struct critical *path, size_t mark,
                     const struct mark_span *span);

/* Fills `out` with the needs of `mark` that were done within this span, in the
 * order in which they were, and returns how many. The last one is what the span
 * waited for. `out` has room for all needs of the mark. */
size_t critical_awaited(const struct marks *m, size_t mark,
                        const struct mark_span *span, size_t *out);

#endif /* TIMING_CRITICAL_H */
