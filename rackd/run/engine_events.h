/*
 * engine_events -- a session hears from the engine which of its containers
 * ended or were removed, and who left its network.
 */
#ifndef RUN_ENGINE_EVENTS_H
#define RUN_ENGINE_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "run/session_timer.h"

struct engine_call;

struct session_engine_events {
    struct engine_call *containers, *network; /* the two streams */
    struct engine_call *relist; /* what happened while nobody listened? */
    uint64_t relist_asked;      /* loop clock */
    unsigned lost;              /* tries in a row that found no engine */
    bool ready;                 /* the engine says that it tells us */
    struct session_timer retry; /* the next try to reach the engine */
};

/* Listen, again and again until session_unlisten(). */
void session_listen(struct session *s);

/* The same for its network, once there is one. */
void session_listen_network(struct session *s);

/* The session stops: an engine that goes away now is not waited for. */
void session_listen_no_more(struct session *s);
void session_unlisten(struct session *s);

#endif /* RUN_ENGINE_EVENTS_H */
