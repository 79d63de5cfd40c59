/*
 * hub -- lines of a session: kept in a bounded ring, handed to subscribers.
 *
 * run/ puts lines in, control/ subscribes. Lines that come together from one
 * source are kept and handed out together: nothing is done per line, so that a
 * flood costs little more than its bytes.
 *
 * A subscriber that cannot keep up loses the oldest of what waits for it and is
 * told how many lines it lost. It never holds up the others. One that is
 * `patient` for all of it may hold up the containers: the hub then says that it
 * is full, and whoever puts lines in stops reading, until the subscriber has
 * taken enough, or has taken nothing for HUB_PATIENCE ticks. Such a one is
 * waited for again as soon as it takes something.
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

/* Bytes that may wait for a patient subscriber before the hub is full. */
#define HUB_FULL_BYTES ((size_t)2 << 20)

/* Calls of hub_tick(), one a second. */
#define HUB_PATIENCE 5

struct hub_text {
    const char *tag;    /* service, resource, "build" or "convox" */
    const char *source; /* "service/web/1" */
    int64_t time_ms;    /* since 1970; of the first line */
    bool is_stderr;
    bool partial;     /* one piece of a line; it goes on */
    const char *text; /* len bytes: lines with '\n' between them */
    size_t len;
    size_t lines; /* the hub counts them */
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

/* Everything is copied. Returns how many lines it were. */
size_t hub_put(struct hub *h, const struct hub_text *text);

/* Around many hub_put(): subscribers are woken at the end. */
void hub_begin(struct hub *h);
void hub_commit(struct hub *h);

/*
 * A subscriber pulls: on_wake says that there is something (once, until it
 * has drained), hub_next() hands out the next lines, NULL when there are no
 * more. They are valid until the next call on this subscriber, and have the
 * last line's '\n' behind them (text[len]) unless `partial`. `lost` is set to
 * the number of lines dropped before them.
 *
 * Nothing is called from inside hub_subscribe(): the lines from before are to
 * be pulled right after it. on_wake comes from inside hub_put() or
 * hub_commit(); every function may be called from it.
 */
typedef void (*hub_wake_cb)(void *user);
typedef void (*hub_end_cb)(void *user);

struct hub_filter {
    const char *tag;  /* NULL: all; copied */
    int64_t since_ms; /* lines kept from before: 0 all, -1 none */
    long tail;        /* at most this many of them; -1: all */
    bool patient;     /* wants all of them */
};

struct hub_sub *hub_subscribe(struct hub *h, const struct hub_filter *filter,
                              hub_wake_cb on_wake, hub_end_cb on_end,
                              void *user);
const struct hub_text *hub_next(struct hub_sub *sub, uint64_t *lost);
void hub_unsubscribe(struct hub_sub *sub);

/* What waits, and what comes, is another's from here on. */
void hub_hand_over(struct hub_sub *sub, hub_wake_cb on_wake, hub_end_cb on_end,
                   void *user);

/* Stop and resume reading what is to be put. From inside any function; cb NULL:
 * nobody is asked any more. */
typedef void (*hub_full_cb)(bool full, void *user);
void hub_on_full(struct hub *h, hub_full_cb cb, void *user);
bool hub_is_full(const struct hub *h);

/* A second has passed, in which the hub was full. */
void hub_tick(struct hub *h);

/* The last `count` lines of `source`, oldest first, joined by '\n' with
 * "  | " before each; for error messages. The caller frees it. */
char *hub_last(const struct hub *h, const char *source, size_t count);

#endif /* LOGS_HUB_H */
