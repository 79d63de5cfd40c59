/*
 * render -- the events of a start, as a person wants to see them.
 *
 * Pure: events in, text out. On a terminal the items that are being started
 * stand below the log lines and are drawn anew at most 15 times a second;
 * elsewhere every change worth a line is one. Once all is ready, only log
 * lines and mishaps.
 *
 *     render_init(&r, &spec);
 *     render_event(&r, &event, now_ms)
 *     wait = render_wait(&r, now_ms)          how long it can stay unwritten
 *     render_frame(&r, now_ms)                fills out, err, tail
 *     write r.out to stdout, r.err to stderr, r.tail to stdout; cut all three
 */
#ifndef CLI_RENDER_H
#define CLI_RENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/strv.h"
#include "cli/live.h"
#include "cli/tags.h"

struct event;
struct term;

struct render_spec {
    const struct term *out, *err; /* what they are; read at every frame */
    const struct strv *only;      /* names whose logs are shown; empty: all
                                     services */
    bool quiet;                   /* --json: nothing on stdout */
    bool logs;                    /* false for a stop: no lines of theirs */
};

struct render {
    struct render_spec spec;
    struct tags tags;
    struct live live;
    struct str out, err, tail;
    char *open_source; /* whose line is not ended yet: a piece of it is out */
    int64_t base_ms;   /* the local clock at the session's ms = 0 */
    int64_t frame_ms;  /* when the last frame was drawn */
    bool begun, dirty;
    bool ready, stopping, failed;
};

void render_init(struct render *r, const struct render_spec *spec);
void render_event(struct render *r, const struct event *e, int64_t now_ms);

/* Milliseconds until render_frame() is due; -1: nothing waits. */
int render_wait(const struct render *r, int64_t now_ms);
void render_frame(struct render *r, int64_t now_ms);

/* A line of cvx's own, tag "convox". */
void render_say(struct render *r, const char *text);

/* Say once that the end has begun; nothing is drawn in place any more. */
void render_stopping(struct render *r, const char *text);

void render_release(struct render *r);

#endif /* CLI_RENDER_H */
