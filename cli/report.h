/* report -- the longer messages for a person: what failed and what to do, where
 * everything is once it runs, what was removed. Each appends to `out`; `look`
 * says whether colours are wanted. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <cjson/cJSON.h>

struct event;
struct str;
struct term;

/* "ERROR: what", then why and what to do, each indented as a block. */
void report_error(const struct event *e, const struct term *look,
                  struct str *out);
void report_warning(const char *text, const struct term *look, struct str *out);

/* The table of services and resources, then "ready in 1.7 s". */
void report_ready(const struct event *e, const struct term *look,
                  struct str *out);

/* "removed 6 containers, 1 network, 0 volumes in 0.6 s" */
void report_removed(const struct event *e, struct str *out);

/* "5 containers kept frozen for the next start (310 MB, ...)" */
void report_warm(const struct event *e, struct str *out);

/* One line of `cvx doctor`. */
void report_check(const struct event *e, const struct term *look,
                  struct str *out);

/* Appends where a service can be reached: its url, else its first port on this
 * machine, else nothing. */
void report_service_url(const cJSON *service, struct str *out);

/* Appends `url` with its password as ****. */
void report_masked(struct str *out, const char *url);

#endif /* CLI_REPORT_H */
