/*
 * teardown -- the end of a session: session_stop() (session.h) begins it, and
 * every poke goes on with it until nothing is left on the engine.
 */
#ifndef RUN_TEARDOWN_H
#define RUN_TEARDOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "run/session_timer.h"

struct session_teardown {
    uint64_t started; /* loop clock */
    int status;       /* what on_gone is to report if all goes well */
    bool now;         /* in a hurry: services are killed, not asked */
    bool ending;      /* on_ending has been called */
    struct session_timer limit;
};

/* What a poke does while the session is stopping. */
void teardown_poke(struct session *s);

#endif /* RUN_TEARDOWN_H */
