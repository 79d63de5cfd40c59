/*
 * timings -- rackd's answer to GET /timings, as `cvx timings` shows it: rows of
 * spans, and what a phase is called and looks like.
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

/* A phase of PROTOCOL.md, and how it looks. */
struct timings_phase {
    const char *word;
    /* Its letter in a bar without colours; a capital one on the critical
     * path. */
    char letter;
    const char *colour;       /* SGR */
    const char *light, *dark; /* CSS */
    const char *meaning;
};

/* One more than TIMINGS_PHASES: the last one stands for phases that are not
 * known. */
extern const struct timings_phase timings_phases[];
#define TIMINGS_PHASES 11

struct timings_span {
    size_t phase; /* index in timings_phases */
    double begin_ms, end_ms;
    bool critical;
    char *awaited; /* "resource db, init web", or "" */
};

struct timings_row {
    char *label; /* "resource db", "service web/2" */
    char *from;  /* "from a template", or "" for an image */
    bool shown;  /* it is worth a row */
    bool critical;
    double own_ms, usual_ms; /* usual_ms -1: not known */
    struct timings_span *v;
    size_t len, cap;
};

struct timings {
    const char *app, *engine;  /* borrowed from the answer */
    double ready_ms, usual_ms; /* usual_ms -1: not known */
    /* Number of former starts that it is compared with. */
    int compared;
    bool slower;
    char *culprit; /* what made it slower, in words, or "" */
    int64_t started_s;
    struct timings_row *v;
    size_t len, cap;
};

/* Reads the answer, which must live as long as `t`: app and engine are borrowed
 * from it. */
void timings_read(struct timings *t, const cJSON *answer);
void timings_release(struct timings *t);

void timings_text(const struct timings *t, const struct term *look,
                  int64_t now_s, struct str *out);
void timings_html(const struct timings *t, struct str *out);

/* Appends "412 ms", "1.62 s", "12.0 s" or "1m05s". */
void timings_duration(struct str *out, double ms);

/* Appends ", usually 1.7 s: build of web", as it follows "ready in 3.4 s";
 * without the second part when `culprit` is "". */
void timings_slower(struct str *out, double usual_ms, const char *culprit);

/* Appends what {"kind","name","replica"} refers to: "db", "pull of redis:8.0",
 * ... */
void timings_culprit(struct str *out, const cJSON *who);

/* Appends text, escaped for HTML text and attributes. */
void timings_escape(struct str *out, const char *text);

#endif /* CLI_TIMINGS_H */
