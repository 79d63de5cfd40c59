/*
 * signals -- SIGINT, SIGTERM, SIGHUP and SIGWINCH as something to poll for.
 *
 * The third SIGINT or SIGTERM ends the process from inside the handler, so that
 * it works even when cvx hangs. Two of them within 50 ms count once: a Ctrl-C
 * reaches the whole process group, and wrappers (npm, make) pass it on again.
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdbool.h>

struct err;

struct signals {
    int fd;         /* readable when a signal came; then call signals_take() */
    int interrupts; /* number of SIGINT, SIGTERM, SIGHUP so far */
    int first;      /* number of the signal that came first */
    bool resized;   /* SIGWINCH since it was last cleared */
};

/* Installs the handlers; once per process. SIGPIPE is ignored, since a failed
 * write says the same. */
int signals_open(struct signals *s, struct err *err);

/* Reads the signals that came into the struct. Never blocks. */
void signals_take(struct signals *s);

#endif /* CLI_SIGNALS_H */
