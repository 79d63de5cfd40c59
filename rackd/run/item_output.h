/* item_output -- what an item's container prints becomes lines in the hub. */
#ifndef RUN_ITEM_OUTPUT_H
#define RUN_ITEM_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct demux;
struct engine_call;
struct err;
struct item;

typedef void (*item_attached_cb)(struct item *it, const struct err *err);
typedef void (*item_output_end_cb)(struct item *it, const struct err *err);

struct item_output {
    struct engine_call *call; /* NULL: nothing is read */
    struct demux *demux;
    size_t lines; /* since it was started */
    bool came;    /* since item_output_expect() */
    item_attached_cb on_attached;
    item_output_end_cb on_end;
};

/* Before the start: attach, and count lines from 0. on_end: once, when the
 * stream has ended by itself; not after item_output_stop(). */
void item_output_start(struct item *it, item_attached_cb on_attached,
                       item_output_end_cb on_end);

/* The same stream again, after the engine went away and came back. */
void item_output_resume(struct item *it);
void item_output_stop(struct item *it);

/* Has any come, or been held back, since item_output_expect()? */
void item_output_expect(struct item *it);
bool item_output_goes_on(const struct item *it);

void item_output_release(struct item *it);

#endif /* RUN_ITEM_OUTPUT_H */
