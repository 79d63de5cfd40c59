/*
 * history -- what a start usually takes, from those before it. Pure: runs are
 * JSON as PROTOCOL.md has them under Timings, kept one a line, the oldest
 * first.
 *
 *     struct history h = { .lines = text of the file };
 *     history_read(&h);
 *     usual_find(&u, &h, h.len, run);          former runs like this one
 *     if (usual_is_slower(&u, run))
 *         item = usual_culprit(&u, run);
 *     history_append(&h, run);                 h.lines is what to store
 *     history_release(&h);
 *
 * A run is compared only with runs of the same containers, on the same kind of
 * engine, and with kept data when it has some. In memory a former run is a few
 * numbers: twenty of them as JSON would take more than all else that rackd has.
 */
#ifndef TIMING_HISTORY_H
#define TIMING_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct cJSON;

/* The number of starts that are kept of an app, and their size: the oldest are
 * dropped when either is exceeded. */
#define HISTORY_RUNS      20
#define HISTORY_BYTES_MAX ((size_t)1 << 20)

/* The number of comparable runs from which on there is a usual time. */
#define HISTORY_ENOUGH 3

/* A run is slower than usual when it takes this many times the usual time and
 * also this much longer: machines are busy now and then, and nobody cares for a
 * tenth of a second. */
#define HISTORY_TIMES   1.5
#define HISTORY_MORE_MS 500

/* A former run. */
struct past {
    double ready_ms, started;
    uint64_t fingerprint; /* the same in all runs it can be compared with */
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
    unsigned bad; /* malformed lines, which were dropped */
};

/* Fills the rest from `lines`, and removes malformed lines from it. */
void history_read(struct history *h);

/* Adds a line to `lines`, and drops the oldest ones past the limits above. The
 * numbers in `v` stay as they were read. */
void history_append(struct history *h, const struct cJSON *run);

/* The run of the last line, for the caller to delete; NULL when there is
 * none. */
struct cJSON *history_last(const struct history *h);
void history_release(struct history *h);

/* The former runs that one can be compared with, borrowed from the history.
 * `usual_ms` is the median of their times; 0 when they are too few. */
struct usual {
    const struct past *v[HISTORY_RUNS];
    size_t len;
    double usual_ms;
};

/* Looks among the first `count` runs of the history. */
void usual_find(struct usual *u, const struct history *h, size_t count,
                const struct cJSON *run);

bool usual_is_slower(const struct usual *u, const struct cJSON *run);

/* The median of the time that the item took itself in those runs; `index` is
 * its place in its own run. A run without the item counts as 0. */
double usual_own_ms(const struct usual *u, const struct cJSON *item,
                    size_t index);

/* The item on the critical path that exceeded its usual time by the most,
 * borrowed from `run`; NULL when none took longer. */
const struct cJSON *usual_culprit(const struct usual *u,
                                  const struct cJSON *run);

#endif /* TIMING_HISTORY_H */
