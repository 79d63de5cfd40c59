/*
 * http -- several requests to the engine's socket at once: what the reaper
 * needs of HTTP, and no more.
 *
 *     struct http_call calls[2] = { { .method = "GET", .path = "/networks" },
 *                                   { .method = "DELETE", .path = p } };
 *     http_run("/engine.sock", calls, 2, 30000);
 *     calls[0].status                 200; 0: no whole answer came, see `why`
 *     http_release(&calls[0]);
 *
 * Every call has a connection of its own; HTTP_AT_ONCE of them are open at a
 * time. http_run() blocks until every call has ended or timed out. An answer
 * that is cut short counts as none.
 */
#ifndef REAPER_HTTP_H
#define REAPER_HTTP_H

#include <stddef.h>

#include "base/str.h"

#define HTTP_AT_ONCE 32

/* A longer answer counts as none. A list of 10,000 containers has some 20 MB.
 */
#define HTTP_BODY_MAX ((size_t)64 << 20)

struct http_call {
    const char *method;
    char *path; /* the caller's; with the query, escaped */
    int status;
    struct str body;
    char why[120]; /* why there is no answer */
};

/* `timeout_ms` is for each call, from the moment when it begins. */
void http_run(const char *socket_path, struct http_call *calls, size_t count,
              int timeout_ms);

/* Frees the answer. The path stays the caller's. */
void http_release(struct http_call *call);

#endif /* REAPER_HTTP_H */
