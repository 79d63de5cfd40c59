/*
 * record -- what a start's time went into, as it is kept for each app and
 * compared with former starts (history.h).
 *
 *     r = record_new(&head, session_marks(s), &former);   when it is ready
 *     record_put_slower(r, event);     "usual" and "culprit", where it was slow
 *     store(record_lines(r));          once everybody has been told
 *     record_free(r);
 *
 * `former` is the text that was stored for the app: one start a line.
 */
#ifndef TIMING_RECORD_H
#define TIMING_RECORD_H

#include <stdbool.h>
#include <stdint.h>

struct cJSON;
struct marks;
struct record;
struct str;

/* Which start it was. Borrowed for the call. */
struct record_head {
    const char *app, *session, *release, *engine;
    bool keep_data;
    int64_t started_s; /* unix time */
};

/* The marks have ended. Takes what is in *former. */
struct record *record_new(const struct record_head *head, const struct marks *m,
                          struct str *former);
void record_put_slower(const struct record *r, struct cJSON *event);

/* What to store: the former starts and this one. Borrowed; once. */
const struct str *record_lines(struct record *r);
void record_free(struct record *r);

/* The answer to GET /timings: the last start, compared with those before it
 * (api/PROTOCOL.md, Timings); NULL: none is known. Takes what is in *former;
 * the caller deletes the answer. */
struct cJSON *record_last(const char *app, struct str *former);

#endif /* TIMING_RECORD_H */
