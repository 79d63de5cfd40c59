/*
 * session -- an attached start: its events to the screen, its signals to rackd.
 * The connection is the lease of the session: when this process ends, by
 * whatever means, rackd removes everything.
 *
 * The exit status is that of the session. A Ctrl-C (or SIGTERM, SIGHUP) after
 * `ready` is the usual end: 0. Before `ready` it is 128 + the number of the
 * signal.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <cjson/cJSON.h>
#include <stdbool.h>

struct client;
struct err;
struct strv;
struct term;

struct session_spec {
    const struct client *client;
    const cJSON *request; /* body of POST /start */
    struct term *out, *err;
    const struct strv *only; /* services whose log lines are shown */
    bool json;
};

/* Runs the session to its end, and returns the exit status; -1 with *err
 * set. */
int session_run(const struct session_spec *spec, struct err *err);

/* The exit status that follows from what happened; pure, for tests. */
int session_status(int end_status, bool ready, int signal_number);

#endif /* CLI_SESSION_H */
