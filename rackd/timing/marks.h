/*
 * marks -- when what happened in a start: for each thing that had to come
 * (containers, images, builds, network, volumes) the spans of time it went
 * through and the things it waited for.
 *
 *     marks_init(&m, asked_ns);
 *     net = mark_new(&m, "network", "demo-s1", 0);
 *     web = mark_new(&m, "service", "web", 0);
 *     mark_need(&m, web, MARK_WAIT, net);
 *     mark_phase(&m, web, MARK_WAIT);     the span before it ends now
 *     mark_phase(&m, web, MARK_CREATE);
 *     mark_done(&m, web);
 *     marks_end(&m);                      ready: nothing is noted any more
 *
 * Times are microseconds since `asked_ns`, by uv_hrtime(): the loop's own clock
 * stands still for as long as its callbacks run. Plain data: whoever shows it
 * reads the members. critical.h says what all of it was waiting for in the end.
 */
#ifndef TIMING_MARKS_H
#define TIMING_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mark_phase {
    MARK_PREPARE, /* before the session: the manifest, the guard */
    MARK_WAIT,    /* for what it is made of: image, build, network, volumes */
    MARK_DEPEND,  /* made, it waits for others to be ready: a "wait" too */
    MARK_PULL,
    MARK_BUILD,
    MARK_CREATE,
    MARK_FILL,    /* files and owners are put into it */
    MARK_START,   /* its output is attached, it is started */
    MARK_CONNECT, /* it runs, and takes no connection yet */
    MARK_ANSWER,  /* it takes connections, and is not ready yet */
    MARK_RUN,     /* an init container, until it ends */
    MARK_RESTART, /* it ended, and is started again */
    MARK_PHASES,
};

/* What restarts for ever before anything is ready must not fill the memory:
 * from there on its last span grows. */
#define MARK_SPANS_MAX 64

struct mark_span {
    enum mark_phase phase;
    uint64_t begin_us, end_us;
};

struct mark {
    const char *kind; /* "service", "image", ...; static */
    char *name;
    int replica;
    const char *from; /* where its container came from: "image"; static;
                         NULL: it is none */
    bool open;        /* its last span has no end yet */
    struct {
        struct mark_span *v;
        size_t len, cap;
    } spans;
    struct {
        struct mark_need {
            enum mark_phase phase; /* MARK_WAIT or MARK_DEPEND: which ends */
            size_t mark;
        } * v;
        size_t len, cap;
    } needs;
};

struct marks {
    uint64_t asked_ns;
    uint64_t end_us; /* 0: not ready yet */
    struct mark *v;
    size_t len, cap;
};

/* asked_ns: uv_hrtime() when the start was asked for; 0: now. */
void marks_init(struct marks *m, uint64_t asked_ns);
void marks_end(struct marks *m);
void marks_release(struct marks *m);

/* The index by which the others below know it. */
size_t mark_new(struct marks *m, const char *kind, const char *name,
                int replica);

/* Its spans of `phase` end only once `need` is done. */
void mark_need(struct marks *m, size_t mark, enum mark_phase phase,
               size_t need);

/* A phase begins; the same one again goes on. */
void mark_phase(struct marks *m, size_t mark, enum mark_phase phase);

/* The same, of something that was noticed before: since `ns` by uv_hrtime(),
 * which is not before the phase it ends began. */
void mark_phase_since(struct marks *m, size_t mark, enum mark_phase phase,
                      uint64_t ns);
void mark_done(struct marks *m, size_t mark);

bool mark_is_wait(enum mark_phase phase);

/* "pull", "create", ...; static. */
const char *mark_phase_word(enum mark_phase phase);

/* Time it did something itself: all spans but those it waited in. */
uint64_t mark_own_us(const struct mark *mark);

#endif /* TIMING_MARKS_H */
