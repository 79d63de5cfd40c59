/*
 * timings -- rackd's answer to GET /timings as `cvx timings` shows it: rows of
 * spans, what a phase is called and looks like.
 *
 *     timings_read(&t, answer);
 *     timings_text(&t, &cli->out, now_s, &out);   a table with bars
 *     timings_html(&t, &out);                     one page, no script
 *     timings_release(&t);
 */
#ifndef CLI_TIMINGS_H
#define CLI_TIMINGS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str;
struct term;

/* A phase of PROTOCOL.md, and its looks. */
struct timings_phase {
    const char *word;
    char letter;        /* of a bar without colours; in capitals: critical */
    const char *colour; /* SGR */
    const char *light, *dark; /* CSS */
    const char *meaning;
};

/* The last one is what is not known. */
extern const struct timings_phase timings_phases[];
#define TIMINGS_PHASES 11

struct timings_span {
    size_t phase; /* in timings_phases */
    double begin_ms, end_ms;
    bool critical;
    char *awaited; /* "resource db, init web", or "" */
};

struct timings_row {
    char *label; /* "resource db", "service web/2" */
    char *from;  /* "from a template", or "" where that goes without saying */
    bool shown;  /* worth a row */
    bool critical;
    double own_ms, usual_ms; /* usual_ms -1: not known */
    struct timings_span *v;
    size_t len, cap;
};

struct timings {
    const char *app, *engine;  /* borrowed from the answer */
    double ready_ms, usual_ms; /* usual_ms -1: not known */
    int compared;              /* former starts like it */
    bool slower;
    char *culprit; /* words, or "" */
    int64_t started_s;
    struct timings_row *v;
    size_t len, cap;
};

void timings_read(struct timings *t, const cJSON *answer);
void timings_release(struct timings *t);

void timings_text(const struct timings *t, const struct term *look,
                  int64_t now_s, struct str *out);
void timings_html(const struct timings *t, struct str *out);

/* "412 ms", "1.62 s", "12.0 s", "1m05s". */
void timings_duration(struct str *out, double ms);

/* ", usually 1.7 s: build of web", as it is added to "ready in 3.4 s"; culprit
 * "": nobody. */
void timings_slower(struct str *out, double usual_ms, const char *culprit);

/* Who is meant by {"kind","name","replica"}: "db", "pull of redis:8.0", ... */
void timings_culprit(struct str *out, const cJSON *who);

/* Text as HTML text or attribute. */
void timings_escape(struct str *out, const char *text);

#endif /* CLI_TIMINGS_H */
