/*
 * marks -- when what happened in a start. Each thing that had to be made (a
 * container, an image, a build, the network, a volume) has a mark: the phases
 * it went through, each a span of time, and the other marks it waited for.
 *
 *     marks_init(&m, asked_ns);
 *     net = mark_new(&m, "network", "demo-s1", 0);
 *     web = mark_new(&m, "service", "web", 0);
 *     mark_need(&m, web, MARK_WAIT, net);
 *     mark_phase(&m, web, MARK_WAIT);     the span before it ends now
 *     mark_phase(&m, web, MARK_CREATE);
 *     mark_done(&m, web);
 *     marks_end(&m);                      ready: later calls record nothing
 *
 * Times are microseconds since `asked_ns`, by uv_hrtime(): the loop's own clock
 * does not advance while callbacks run. The structs are plain data, for readers
 * to look into. critical.h finds the chain of spans that made the start last as
 * long as it did.
 */
#ifndef TIMING_MARKS_H
#define TIMING_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mark_phase {
    MARK_PREPARE, /* before the session: the manifest, the guard */
    MARK_WAIT,    /* for what it is made of: image, build, network, volumes */
    MARK_DEPEND,  /* created, and waiting for others to be ready */
    MARK_PULL,
    MARK_BUILD,
    MARK_CREATE,
    MARK_FILL,    /* its files are written and their owners set */
    MARK_START,   /* its output is attached and it is started */
    MARK_CONNECT, /* it runs, but takes no connection yet */
    MARK_ANSWER,  /* it takes connections, but is not ready yet */
    MARK_RUN,     /* an init container, until it ends */
    MARK_RESTART, /* it ended, and is started again */
    MARK_PHASES,
};

/* Bounds the memory of a container that restarts for ever: after so many spans
 * its last one is made longer instead. */
#define MARK_SPANS_MAX 64

struct mark_span {
    enum mark_phase phase;
    uint64_t begin_us, end_us;
};

struct mark {
    const char *kind; /* "service", "image", ...; static */
    char *name;
    int replica;
    const char *from; /* what its container was made from, such as "image";
                         static; NULL when it is no container */
    bool open;        /* its last span has no end yet */
    struct {
        struct mark_span *v;
        size_t len, cap;
    } spans;
    struct {
        struct mark_need {
            enum mark_phase phase; /* that it ends: MARK_WAIT or MARK_DEPEND */
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

/* Adds a mark; returns its index, by which the functions below know it. `kind`
 * is borrowed for ever, `name` is copied. */
size_t mark_new(struct marks *m, const char *kind, const char *name,
                int replica);

/* The mark waits for `need` in its spans of `phase` (MARK_WAIT or
 * MARK_DEPEND). */
void mark_need(struct marks *m, size_t mark, enum mark_phase phase,
               size_t need);

/* A phase begins now and the one before it ends. When it is the same phase,
 * that continues. */
void mark_phase(struct marks *m, size_t mark, enum mark_phase phase);

/* The same, for what was noticed late: the phase began at `ns` by uv_hrtime().
 * That must not be before the phase that it ends. */
void mark_phase_since(struct marks *m, size_t mark, enum mark_phase phase,
                      uint64_t ns);
/* The last phase ends now. */
void mark_done(struct marks *m, size_t mark);

/* Is it a phase in which the mark waits for others? */
bool mark_is_wait(enum mark_phase phase);

/* The word for it in the API: "pull", "create", ... Static. */
const char *mark_phase_word(enum mark_phase phase);

/* The sum of its spans without those in which it waited for others. */
uint64_t mark_own_us(const struct mark *mark);

#endif /* TIMING_MARKS_H */
