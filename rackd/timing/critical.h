/*
 * critical -- what a start was waiting for in the end: from the thing that was
 * ready last back through what it waited for, to the moment it was asked for.
 * Pure: marks in, steps out.
 *
 *     struct critical path = { 0 };
 *     critical_find(&path, session_marks(s));
 *     ... path.v[0] is the first step, the last ends at ready ...
 *     critical_release(&path);
 *
 * The steps follow each other without a hole and cover all of the time: a
 * shorter step, whichever it is, makes the start shorter. Where nothing says
 * what was waited for the step is a MARK_WAIT of whoever waited.
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

/* Of marks that have ended, of which the first came before all others
 * ("rackd"); empty when they have not ended or there are none. */
void critical_find(struct critical *out, const struct marks *m);
void critical_release(struct critical *path);

/* Is the mark on it? Is at least half of this span of it? Of waiting only the
 * moment is on it between what came and who noticed. */
bool critical_has(const struct critical *path, size_t mark);
bool critical_covers(const struct critical *path, size_t mark,
                     const struct mark_span *span);

/* Which of the needs of `mark` came within this span, in the order of their
 * coming: fills `out`, which has room for all of them; how many. The last one
 * is who was waited for. */
size_t critical_awaited(const struct marks *m, size_t mark,
                        const struct mark_span *span, size_t *out);

#endif /* TIMING_CRITICAL_H */
