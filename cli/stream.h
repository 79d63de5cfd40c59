/* stream -- an answer of rackd that is a stream of events, read to its end. */
#ifndef CLI_STREAM_H
#define CLI_STREAM_H

#include <stddef.h>

struct client;
struct cJSON;
struct err;
struct event;

/* `line` is the event as it came; a `log` event is not decoded. */
typedef void (*stream_event_cb)(const struct event *e, const char *line,
                                size_t len, void *user);

/*
 * Ask, then hand out every event. Returns the status that `end` gave; -1 with
 * *err when there was none, or the request was refused.
 */
int stream_run(const struct client *c, const char *method, const char *target,
               const struct cJSON *body, stream_event_cb on_event, void *user,
               struct err *err);

#endif /* CLI_STREAM_H */
