/*
 * history -- what a start usually takes, from those before it. Pure: runs are
 * JSON as PROTOCOL.md has them under `cvx timings`, kept one a line, the oldest
 * first.
 *
 *     runs = history_parse(text, len, &bad);
 *     usual_find(&u, runs, run);               those that are like this one
 *     if (usual_is_slower(&u, run))
 *         item = usual_culprit(&u, run);
 *     history_add(runs, run);
 *     history_print(runs, &text);
 *
 * Only like is compared with like: the same containers, on the same kind of
 * engine, with or without kept data.
 */
#ifndef RACKD_HISTORY_H
#define RACKD_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

struct cJSON;
struct str;

/* So many starts of an app are kept, fewer where they take more space. */
#define HISTORY_RUNS      20
#define HISTORY_BYTES_MAX ((size_t)1 << 20)

/* "Usually" begins with this many. */
#define HISTORY_ENOUGH 3

/* Slower is what takes this many times the usual time, and so much longer:
 * machines are busy now and then, and nobody cares for a tenth of a second. */
#define HISTORY_TIMES   1.5
#define HISTORY_MORE_MS 500

/* The lines that are runs, as an array; how many others there were in *bad. */
struct cJSON *history_parse(const char *text, size_t len, unsigned *bad);

/* Takes `run`; the oldest go where there are too many. */
void history_add(struct cJSON *runs, struct cJSON *run);

/* As lines; the oldest are left out where they would take too much space. */
void history_print(const struct cJSON *runs, struct str *out);

struct past;

/* Former runs like this one; `usual_ms` is the median of their times, 0 where
 * there are not enough. Borrows from both. */
struct usual {
    struct past *v;
    size_t len, cap;
    double usual_ms;
};

void usual_find(struct usual *u, const struct cJSON *runs,
                const struct cJSON *run);
void usual_release(struct usual *u);

bool usual_is_slower(const struct usual *u, const struct cJSON *run);

/* The median of what the item did itself, in former runs; `index` is its place
 * in its own. What was not there took no time. */
double usual_own_ms(const struct usual *u, const struct cJSON *item,
                    size_t index);

/* The item on the critical path that took the most over what it usually takes;
 * NULL: none took more. Borrowed from `run`. */
const struct cJSON *usual_culprit(const struct usual *u,
                                  const struct cJSON *run);

#endif /* RACKD_HISTORY_H */
