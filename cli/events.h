/*
 * events -- one event of a stream of rackd, decoded (rackd/api/PROTOCOL.md).
 *
 * Strings are borrowed from the event and never NULL; fields that an event does
 * not have are "" or 0. `line` has `len` bytes, which may include NUL. Types
 * that are not known are EVENT_OTHER, and are to be ignored.
 */
#ifndef CLI_EVENTS_H
#define CLI_EVENTS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http;

enum event_type {
    EVENT_OTHER,
    EVENT_SESSION,
    EVENT_STATE,
    EVENT_PROGRESS,
    EVENT_LOG,
    EVENT_TEXT,
    EVENT_LOST,
    EVENT_READY,
    EVENT_WARNING,
    EVENT_ERROR,
    EVENT_STOPPING,
    EVENT_REMOVED,
    EVENT_CHECK,
    EVENT_LEFTOVER,
    EVENT_TEMPLATE,
    EVENT_WARM,
    EVENT_END,
};

struct event {
    enum event_type type;
    int64_t ms;
    cJSON *json; /* the whole event, owned; lists are read from it */

    /* session */
    const char *session, *app;
    /* state; progress, check: name, text */
    const char *kind, *name, *state, *text;
    int replica;
    bool has_exit;
    int exit;
    /* progress */
    int64_t current, total;
    int layers, layers_done;
    /* log, text: lines with '\n' between them, or a piece of one */
    const char *tag, *source, *line;
    size_t len;
    int64_t time_ms;
    bool partial;
    /* lost */
    int64_t lines;
    /* ready, removed */
    double seconds;
    /* error; check: todo, level */
    const char *why, *todo, *level;
    /* stopping */
    const char *reason;
    /* removed */
    int containers, networks, volumes; /* warm: containers */
    /* end */
    int status;
};

/* Parses one line, copied. False when it is not a JSON object with a type. */
bool event_parse(struct event *e, const char *line, size_t len);
void event_release(struct event *e);

/* The next event of a stream, and its line as it came; false when more must be
 * read from the socket. Lines that are no event are skipped. `raw`: lines of
 * `log` events are not decoded, since the caller passes them on, and there may
 * be millions. */
bool event_next(struct event *e, struct http *h, bool raw, const char **line,
                size_t *len);

/* The value of a member, or "", 0 and false when it is absent or of another
 * type. */
const char *event_string(const cJSON *json, const char *key);
double event_number(const cJSON *json, const char *key);
bool event_true(const cJSON *json, const char *key);

#endif /* CLI_EVENTS_H */
