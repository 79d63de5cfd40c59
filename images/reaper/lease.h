/*
 * lease -- the rack's hold on the reaper: its stdin.
 *
 *     "lease KEY=VALUE\n"   answered "ok\n", or "no WHY\n"
 *     "done\n"              the rack ends tidily and has removed everything
 *     end of input          the rack is dead, however that came about: the
 *                           kernel closes its end, whatever killed it
 */
#ifndef REAPER_LEASE_H
#define REAPER_LEASE_H

#include "base/str.h"

enum lease_event {
    LEASE_NOTHING, /* not within the time */
    LEASE_HELD,    /* a rack says that it is there: lease_text() is whose */
    LEASE_DONE,
    LEASE_GONE,
};

struct lease {
    struct str in;
    struct str text;
};

/* Waits for the next event; timeout_ms < 0: for ever. */
enum lease_event lease_next(struct lease *l, int timeout_ms);

/* "cvx.rack=..." of the last LEASE_HELD. */
const char *lease_text(const struct lease *l);

void lease_release(struct lease *l);

/* What the rack is told; "" is "ok". */
void lease_answer(const char *why);

#endif /* REAPER_LEASE_H */
