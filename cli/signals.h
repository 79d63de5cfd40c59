/*
 * signals -- SIGINT, SIGTERM, SIGHUP and SIGWINCH as something to poll for.
 *
 * The third SIGINT or SIGTERM ends the process from inside the handler, so
 * that it works whatever cvx is stuck in. Two of them within 50 ms count once:
 * a Ctrl-C reaches the whole process group, and wrappers pass it on again.
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdbool.h>

struct err;

struct signals {
    int fd;         /* readable when there is something; then call _take() */
    int interrupts; /* SIGINT, SIGTERM, SIGHUP so far */
    int first;      /* which came first */
    bool resized;   /* SIGWINCH since it was last cleared */
};

/* Once per process. Ignores SIGPIPE: a failed write says the same. */
int signals_open(struct signals *s, struct err *err);

/* Never blocks. */
void signals_take(struct signals *s);

#endif /* CLI_SIGNALS_H */
