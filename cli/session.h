/*
 * session -- an attached start: its events to the screen, its signals to
 * rackd. The connection is the session's lease: when this process ends, by
 * whatever means, rackd tears everything down.
 *
 * The exit status is that of the session. A Ctrl-C (or SIGTERM, SIGHUP) after
 * `ready` is how a session ends: 0. Before it: 128 + the signal's number.
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
    const struct strv *only; /* services whose logs are shown */
    bool json;
};

int session_run(const struct session_spec *spec, struct err *err);

/* The exit status, from what happened; pure. */
int session_status(int end_status, bool ready, int signal_number);

#endif /* CLI_SESSION_H */
