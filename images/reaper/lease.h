/*
 * lease -- how a rack tells the reaper that it lives: through the reaper's
 * stdin.
 *
 *     "lease KEY=VALUE\n"   answered "ok\n", or "no WHY\n"
 *     "done\n"              the rack ends tidily and has removed everything
 *     end of input          the rack is dead: whatever killed it, the kernel
 *                           closes its end
 */
#ifndef REAPER_LEASE_H
#define REAPER_LEASE_H

#include "base/str.h"

enum lease_event {
    LEASE_NOTHING, /* nothing came in time */
    LEASE_HELD,    /* "lease": lease_text() says of which rack */
    LEASE_DONE,    /* "done" */
    LEASE_GONE,    /* end of input, or nonsense */
};

/* Zeroed before its first use. */
struct lease {
    struct str in;   /* read and not understood yet */
    struct str text; /* of the last "lease" line */
};

/* Waits for the next event; timeout_ms < 0: for ever. */
enum lease_event lease_next(struct lease *l, int timeout_ms);

/* "cvx.rack=..." of the last LEASE_HELD. */
const char *lease_text(const struct lease *l);

void lease_release(struct lease *l);

/* Answers the last "lease" line: with "ok" when `why` is "". */
void lease_answer(const char *why);

#endif /* REAPER_LEASE_H */
