/* when -- durations and times, as people write and read them. */
#ifndef CLI_WHEN_H
#define CLI_WHEN_H

#include <stdbool.h>
#include <stdint.h>

struct str;

/* Reads "90", "90s", "1h30m", "250ms" or "2d" as milliseconds; a number without
 * a unit is in seconds. At most ten years. False when it is not a duration. */
bool when_parse(const char *text, int64_t *ms);

/* Appends "now", "3 minutes ago" or "in 2 hours", as Convox does. */
void when_ago(struct str *out, int64_t then_s, int64_t now_s);

/* Appends "0.4 s", "59.9 s", "1m05s" or "2h03m". */
void when_elapsed(struct str *out, int64_t ms);

/* Appends "2026-01-02T15:04:05Z". */
void when_rfc3339(struct str *out, int64_t ms);

/* Milliseconds of a clock that only goes forward; and of the time since
 * 1970. */
int64_t when_monotonic_ms(void);
int64_t when_unix_ms(void);

#endif /* CLI_WHEN_H */
