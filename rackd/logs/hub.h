/*
 * hub -- the lines of a session: stored in a ring of bounded size, and handed
 * to subscribers.
 *
 * run/ puts lines in, api/ subscribes. Lines of one source that come together
 * are stored and handed out together. Nothing is done per line, so that a
 * container that prints very much costs little more than its bytes.
 *
 * A subscriber that cannot keep up loses the oldest of the lines that wait for
 * it, and is told how many. It never delays the others. A `patient` subscriber
 * wants all lines, and may make the containers wait: the hub then says that it
 * is full, and whoever puts lines in stops reading from the engine. This ends
 * when the subscriber has taken enough, or has taken nothing for HUB_PATIENCE
 * ticks. One that was given up is waited for again as soon as it takes
 * something.
 */
#ifndef LOGS_HUB_H
#define LOGS_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of lines stored for `cvx logs` of a running session. */
#define HUB_KEEP_BYTES ((size_t)4 << 20)

/* Bytes that may wait for subscribers before the oldest are dropped. Slow
 * subscribers share the waiting lines, so this bounds the memory of a hub
 * however many there are. */
#define HUB_QUEUE_BYTES ((size_t)8 << 20)

/* Bytes that may wait for a patient subscriber before the hub is full. */
#define HUB_FULL_BYTES ((size_t)2 << 20)

/* Number of calls of hub_tick(), which is called once a second while the hub is
 * full. */
#define HUB_PATIENCE 5

struct hub_text {
    const char *tag;    /* service, resource, "build" or "convox" */
    const char *source; /* "service/web/1" */
    int64_t time_ms;    /* since 1970; of the first line */
    bool is_stderr;
    bool partial;     /* a piece of a line, which goes on */
    const char *text; /* len bytes: lines with '\n' between them */
    size_t len;
    size_t lines; /* number of lines; hub_put() counts them itself */
};

struct hub;
struct hub_sub;

struct hub *hub_new(void);

/* No more lines will come: every subscriber gets `on_end`. It can still pull
 * what waits for it, in on_end or later, until it unsubscribes. Each one must
 * do so: the lines are freed with the last. */
void hub_free(struct hub *h);

/* Adds lines; everything is copied. Returns how many lines it were. */
size_t hub_put(struct hub *h, const struct hub_text *text);

/* Put these around many hub_put() calls: subscribers are woken once, at the
 * end. */
void hub_begin(struct hub *h);
void hub_commit(struct hub *h);

/*
 * A subscriber pulls. on_wake says that there are lines, once, until it has
 * taken all of them. hub_next() hands out the next lines, or NULL when there
 * are no more. They are valid until the next call for this subscriber, and are
 * followed by the last line's '\n' (text[len]) unless `partial`. `lost` is set
 * to the number of lines dropped before them.
 *
 * hub_subscribe() calls nobody, so lines that are stored already must be pulled
 * right after it. on_wake is called from inside hub_put() or hub_commit(), and
 * may call every function here.
 */
typedef void (*hub_wake_cb)(void *user);
typedef void (*hub_end_cb)(void *user);

struct hub_filter {
    const char *tag;  /* NULL: all tags; copied */
    int64_t since_ms; /* stored lines since then; 0: all, -1: none */
    long tail;        /* at most this many of the stored lines; -1: all */
    bool patient;     /* it must get all lines: see above */
};

struct hub_sub *hub_subscribe(struct hub *h, const struct hub_filter *filter,
                              hub_wake_cb on_wake, hub_end_cb on_end,
                              void *user);
const struct hub_text *hub_next(struct hub_sub *sub, uint64_t *lost);
void hub_unsubscribe(struct hub_sub *sub);

/* Hands a subscription over to another owner, with what waits and what will
 * come. */
void hub_hand_over(struct hub_sub *sub, hub_wake_cb on_wake, hub_end_cb on_end,
                   void *user);

/* `cb` says when to stop and when to resume reading what is put in. It is
 * called from inside any function of the hub; NULL: nobody can stop reading any
 * more. */
typedef void (*hub_full_cb)(bool full, void *user);
void hub_on_full(struct hub *h, hub_full_cb cb, void *user);
bool hub_is_full(const struct hub *h);

/* To be called once a second while the hub is full. */
void hub_tick(struct hub *h);

/* The last `count` lines of `source`, oldest first, joined by '\n' and each
 * behind " | "; for error messages. The caller frees it. */
char *hub_last(const struct hub *h, const char *source, size_t count);

#endif /* LOGS_HUB_H */
