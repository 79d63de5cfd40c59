/*
 * event_json -- what happens in a start, as the JSON that clients read
 * (PROTOCOL.md, Events). Each function returns an object that the caller sends
 * or deletes.
 */
#ifndef API_EVENT_JSON_H
#define API_EVENT_JSON_H

#include <stdbool.h>
#include <stdint.h>

struct app_run;
struct cJSON;
struct session_event;
struct strv;
struct warm_pool;

/* An event of this type, `ms` after the start was asked for. */
struct cJSON *event_new(const char *type, uint64_t ms);

/* Of a start that cannot even begin, or that failed; `why` and `todo` may be
 * NULL. The secrets are masked. */
struct cJSON *event_error(uint64_t ms, const struct strv *secrets,
                          const char *text, const char *why, const char *todo,
                          int code);
struct cJSON *event_end(uint64_t ms, int status);

/* NULL: it is nothing that clients are told. */
struct cJSON *event_json(const struct app_run *run,
                         const struct session_event *ev);

/* A later event makes up for it: it need not be kept for who does not read. */
bool event_is_passing(const struct session_event *ev);

/* The session that begins. */
struct cJSON *event_session(const struct app_run *run);

/* What stays on the engine for the app's next start; NULL: nothing does. */
struct cJSON *event_warm(const struct app_run *run, const struct warm_pool *wp);

#endif /* API_EVENT_JSON_H */
