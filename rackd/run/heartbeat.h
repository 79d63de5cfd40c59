/*
 * heartbeat -- asks the engine now and then whether it is there, and tells the
 * watcher when it falls silent and when it speaks again.
 */
#ifndef RUN_HEARTBEAT_H
#define RUN_HEARTBEAT_H

#include <stdint.h>

#include "run/session_timer.h"

struct engine_call;

struct session_heartbeat {
    struct session_timer timer; /* the next ping */
    struct engine_call *ping;
    uint64_t mute_since; /* loop clock; 0: the engine answers */
};

void heartbeat_start(struct session *s);
void heartbeat_stop(struct session *s);

#endif /* RUN_HEARTBEAT_H */
