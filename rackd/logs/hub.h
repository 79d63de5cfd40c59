/*
 * hub -- lines of a session: kept in a bounded ring, handed to subscribers.
 *
 * run/ puts lines in, control/ subscribes. A subscriber that cannot keep up
 * loses the oldest of what waits for it and is told how many lines it lost; it
 * never holds up the others, nor the containers.
 */
#ifndef LOGS_HUB_H
#define LOGS_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of lines kept for `cvx logs` of a running session. */
#define HUB_KEEP_BYTES ((size_t)4 << 20)

/* Bytes that may wait for subscribers before the oldest are dropped. The slow
 * ones share the lines that wait: this bounds a hub, whatever reads it. */
#define HUB_QUEUE_BYTES ((size_t)8 << 20)

struct hub_line {
    const char *tag;    /* service, resource, "build" or "convox" */
    const char *source; /* "service/web/1" */
    int64_t time_ms;    /* since 1970 */
    bool is_stderr, partial;
    const char *text; /* len bytes, no line end; NUL terminated too */
    size_t len;
    uint64_t seq; /* counts from 1 per hub */
};

struct hub;
struct hub_sub;

struct hub *hub_new(void);

/*
 * No more lines come: every subscriber gets `on_end`. What waits for it can
 * still be pulled, in on_end or later, until it unsubscribes, which each must:
 * the lines are freed with the last of them.
 */
void hub_free(struct hub *h);

/* Everything is copied; `seq` is the hub's to set. */
void hub_put(struct hub *h, const struct hub_line *line);

/*
 * A subscriber pulls: on_wake says that there is something (once, until it
 * has drained), hub_next() hands out the next line, NULL when there is no
 * more. The line is valid until the next call on this subscriber.
 * `lost` is set to the number of lines dropped before it.
 *
 * Nothing is called from inside hub_subscribe(): the lines from before are to
 * be pulled right after it. on_wake comes from inside hub_put(); every function
 * may be called from it.
 */
typedef void (*hub_wake_cb)(void *user);
typedef void (*hub_end_cb)(void *user);

struct hub_filter {
    const char *tag;  /* NULL: all; copied */
    int64_t since_ms; /* lines kept from before: 0 all, -1 none */
    long tail;        /* at most this many of them; -1: all */
};

struct hub_sub *hub_subscribe(struct hub *h, const struct hub_filter *filter,
                              hub_wake_cb on_wake, hub_end_cb on_end,
                              void *user);
const struct hub_line *hub_next(struct hub_sub *sub, uint64_t *lost);
void hub_unsubscribe(struct hub_sub *sub);

/* What waits, and what comes, is another's from here on. */
void hub_hand_over(struct hub_sub *sub, hub_wake_cb on_wake, hub_end_cb on_end,
                   void *user);

/* The last `count` lines of `source`, oldest first, joined by '\n' with
 * "  | " before each; for error messages. The caller frees it. */
char *hub_last(const struct hub *h, const char *source, size_t count);

#endif /* LOGS_HUB_H */
