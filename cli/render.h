/*
 * render -- the events of a start, as a person wants to see them.
 *
 * Pure: events in, text out. On a terminal the items that are being started are
 * drawn below the log lines, at most 15 times a second; elsewhere each change
 * that is worth a line gets one. Once all is ready, only log lines and mishaps
 * are shown.
 *
 *     render_init(&r, &spec);
 *     render_event(&r, &event, now_ms)
 *     wait = render_wait(&r, now_ms)          how long it may stay unwritten
 *     render_frame(&r, now_ms)                fills out, err, tail
 *     write r.out to stdout, r.err to stderr, r.tail to stdout; empty all three
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
    /* The two outputs; their size is read at every frame. */
    const struct term *out, *err;
    /* Names whose log lines are shown; empty: all services. */
    const struct strv *only;
    bool quiet; /* --json: nothing is written to stdout */
    bool logs;  /* false: log lines are not shown */
};

struct render {
    struct render_spec spec;
    struct tags tags;
    struct live live;
    struct str out, err, tail;
    /* Source of a line whose end has not come yet, or NULL. */
    char *open_source;
    int64_t base_ms;  /* our clock at the time that is ms 0 of the session */
    int64_t frame_ms; /* when the last frame was drawn */
    bool begun, dirty;
    bool ready, stopping, failed;
};

void render_init(struct render *r, const struct render_spec *spec);
void render_event(struct render *r, const struct event *e, int64_t now_ms);

/* Milliseconds until render_frame() is due; -1: nothing waits. */
int render_wait(const struct render *r, int64_t now_ms);
void render_frame(struct render *r, int64_t now_ms);

/* Prints a line of cvx itself, with the tag "convox". */
void render_say(struct render *r, const char *text);

/* Says once that the end has begun; nothing is drawn in place after that. */
void render_stopping(struct render *r, const char *text);

void render_release(struct render *r);

#endif /* CLI_RENDER_H */
