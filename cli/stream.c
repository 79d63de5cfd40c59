/* Reads an answer of rackd that is a stream of events to its end: doctor, logs,
 * stop, sweep and templates use it. An attached start has its own loop, in
 * session.c. */
#include "cli/stream.h"

#include <stdbool.h>

#include "base/err.h"
#include "cli/client.h"
#include "cli/events.h"
#include "cli/http.h"

/* Hands out the events that have come. Log lines come as `text` events, or are
 * passed on undecoded. */
static void take_lines(struct http *h, stream_event_cb on_event, void *user,
                       int *status)
{
    const char *line;
    size_t len;
    struct event e;

    while (event_next(&e, h, true, &line, &len)) {
        if (e.type == EVENT_END)
            *status = e.status;
        on_event(&e, line, len, user);
        event_release(&e);
    }
}

int stream_run(const struct client *c, const char *method, const char *target,
               const struct cJSON *body, stream_event_cb on_event, void *user,
               struct err *err)
{
    cleanup_http struct http h = { .fd = -1 };
    int status = -1, bad;

    if (client_request(c, &h, method, target, body, err) < 0)
        return -1;
    do {
        bad = http_feed(&h, err);
        if (h.status < 400)
            take_lines(&h, on_event, user, &status);
    } while (bad == 0 && !h.complete);
    if (h.status >= 400 && h.complete)
        return client_refused(&h, err);
    if (status < 0 && bad == 0)
        return err_set(err, ERR_PROTOCOL, "rackd's answer broke off");
    return status;
}
