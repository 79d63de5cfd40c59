/*
 * backpressure -- no container's output is read while somebody who must not
 * miss a line (a subscriber of the hub) cannot keep up.
 */
#ifndef RUN_BACKPRESSURE_H
#define RUN_BACKPRESSURE_H

#include "run/session_timer.h"

struct item;

struct session_backpressure {
    struct session_timer timer; /* looks at the hub while it is full */
};

/* From the session's start until it is stopped. */
void backpressure_start(struct session *s);
void backpressure_stop(struct session *s);

/* A new stream of output takes part. */
void backpressure_join(struct item *it);

#endif /* RUN_BACKPRESSURE_H */
