/* stream -- an answer of rackd that is a stream of events, read to its end. */
#ifndef CLI_STREAM_H
#define CLI_STREAM_H

#include <stddef.h>

struct client;
struct cJSON;
struct err;
struct event;

/* `line` is the event as it came. A `log` event is not decoded. */
typedef void (*stream_event_cb)(const struct event *e, const char *line,
                                size_t len, void *user);

/* Sends a request and hands out every event of the answer. Returns the status
 * of the event `end`; -1 with *err set when there was none, or when the request
 * was refused. */
int stream_run(const struct client *c, const char *method, const char *target,
               const struct cJSON *body, stream_event_cb on_event, void *user,
               struct err *err);

#endif /* CLI_STREAM_H */
