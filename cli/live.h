/*
 * live -- the items that are being started, and the lines that show them in
 * place on a terminal.
 *
 * Pure: it only appends text and escape sequences. `now_ms` counts from the
 * start of the session, as the `ms` of events does.
 *
 *     live_state(&live, &event)           also live_progress()
 *     live_erase(&live, columns, &out);   then the lines that scroll
 *     live_draw(&live, &look, now_ms, &out)
 */
#ifndef CLI_LIVE_H
#define CLI_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event;
struct str;

struct live_item {
    char *kind, *label; /* "service", "web/2" */
    char *state, *text, *progress;
    /* When its state was first another than "waiting"; -1: not yet. */
    int64_t began_ms;
    int64_t done_ms; /* -1: not yet */
    int64_t said_ms; /* used by render.c: time of its last progress line */
};

struct live {
    struct live_item *v;
    size_t len, cap;
    struct {
        size_t *v; /* widths of the lines that are on the screen now */
        size_t len, cap;
    } drawn;
};

struct live_look {
    size_t columns, rows;
    bool colour, utf8;
    bool frozen; /* the last drawing, which stays: no spinner */
};

/* Update the item that an event is about, and return it; borrowed. */
struct live_item *live_state(struct live *l, const struct event *e);
struct live_item *live_progress(struct live *l, const struct event *e);

bool live_is_good(const struct live_item *item); /* ready, built, external */
bool live_is_bad(const struct live_item *item);  /* failed, exited */

void live_erase(struct live *l, size_t columns, struct str *out);
void live_draw(struct live *l, const struct live_look *look, int64_t now_ms,
               struct str *out);

/* Leaves the drawn lines where they are: the next live_erase() erases
 * nothing. */
void live_leave(struct live *l);

void live_release(struct live *l);

#endif /* CLI_LIVE_H */
