/*
 * history -- what a start usually takes, from those before it. Pure: runs are
 * JSON as PROTOCOL.md has them under Timings, kept one a line, the oldest
 * first.
 *
 *     struct history h = { .lines = text of the file };
 *     history_read(&h);
 *     usual_find(&u, &h, h.len, run);          those that are like this one
 *     if (usual_is_slower(&u, run))
 *         item = usual_culprit(&u, run);
 *     history_append(&h, run);                 h.lines is what to store
 *     history_release(&h);
 *
 * Only like is compared with like: the same containers, on the same kind of
 * engine, with or without kept data. In memory a former run is a few numbers:
 * twenty of them as JSON would take more than all else that rackd has.
 */
#ifndef TIMING_HISTORY_H
#define TIMING_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct cJSON;

/* So many starts of an app are kept, fewer where they take more space. */
#define HISTORY_RUNS      20
#define HISTORY_BYTES_MAX ((size_t)1 << 20)

/* "Usually" begins with this many. */
#define HISTORY_ENOUGH 3

/* Slower is what takes this many times the usual time, and so much longer:
 * machines are busy now and then, and nobody cares for a tenth of a second. */
#define HISTORY_TIMES   1.5
#define HISTORY_MORE_MS 500

/* A former run. */
struct past {
    double ready_ms, started;
    uint64_t like; /* the same for those it can be compared with */
    struct past_item {
        uint64_t id; /* of kind, name and replica */
        double own_ms;
    } * items;
    size_t len, cap;
};

struct history {
    struct str lines;
    struct past *v; /* the oldest first */
    size_t len, cap;
    unsigned bad; /* lines that were no runs, and are gone */
};

/* From `lines`. */
void history_read(struct history *h);

/* A line more; the oldest go where there are too many, or too much of them. */
void history_append(struct history *h, const struct cJSON *run);

/* The last line; NULL: there is none. The caller deletes it. */
struct cJSON *history_last(const struct history *h);
void history_release(struct history *h);

/* Former runs like one; `usual_ms` is the median of their times, 0 where there
 * are not enough. Borrows from the history. */
struct usual {
    const struct past *v[HISTORY_RUNS];
    size_t len;
    double usual_ms;
};

/* Among the first `count` of the history. */
void usual_find(struct usual *u, const struct history *h, size_t count,
                const struct cJSON *run);

bool usual_is_slower(const struct usual *u, const struct cJSON *run);

/* The median of what the item did itself, in former runs; `index` is its place
 * in its own. What was not there took no time. */
double usual_own_ms(const struct usual *u, const struct cJSON *item,
                    size_t index);

/* The item on the critical path that took the most over what it usually takes;
 * NULL: none took more. Borrowed from `run`. */
const struct cJSON *usual_culprit(const struct usual *u,
                                  const struct cJSON *run);

#endif /* TIMING_HISTORY_H */
