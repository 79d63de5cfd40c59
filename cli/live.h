/*
 * live -- what is being started: the items, and the lines that show them in
 * place on a terminal.
 *
 * Pure but for the escape sequences it appends: `now_ms` counts from the start
 * of the session, as the events' own `ms` does.
 *
 *     live_state(&live, &event)           also live_progress()
 *     live_erase(&live, columns, &out);   then whatever scrolls
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
    int64_t began_ms; /* when it was first more than waiting; -1: not yet */
    int64_t done_ms;  /* -1: not yet */
    int64_t said_ms;  /* private to render: last progress line */
};

struct live {
    struct live_item *v;
    size_t len, cap;
    struct {
        size_t *v; /* widths of the lines that stand there now */
        size_t len, cap;
    } drawn;
};

struct live_look {
    size_t columns, rows;
    bool colour, utf8;
    bool frozen; /* for good: no spinner */
};

/* The item an event is about, with its new state; borrowed. */
struct live_item *live_state(struct live *l, const struct event *e);
struct live_item *live_progress(struct live *l, const struct event *e);

bool live_is_good(const struct live_item *item); /* ready, built, external */
bool live_is_bad(const struct live_item *item);  /* failed, exited */

void live_erase(struct live *l, size_t columns, struct str *out);
void live_draw(struct live *l, const struct live_look *look, int64_t now_ms,
               struct str *out);

/* The lines that stand there stay; the next live_erase() has nothing to do. */
void live_leave(struct live *l);

void live_release(struct live *l);

#endif /* CLI_LIVE_H */
