/* Reads and prints durations and times. flags.c reads them from the command
 * line; listings, render.c and timings print them. */
#include "cli/when.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

#define MAX_MS ((int64_t)3650 * 86400 * 1000)

static const struct unit {
    const char *name;
    int64_t ms;
} units[] = {
    { "ms", 1 },      { "s", 1000 },     { "m", 60000 },
    { "h", 3600000 }, { "d", 86400000 },
};

/* Milliseconds of the unit at *at, which is moved behind it; 0 when there is
 * none. */
static int64_t unit_of(const char **at)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (!str_starts(*at, units[i].name))
            continue;
        *at += strlen(units[i].name);
        return units[i].ms;
    }
    return 0;
}

bool when_parse(const char *text, int64_t *ms)
{
    int64_t total = 0;
    bool bare = true;

    if (*text == '\0')
        return false;
    while (*text != '\0') {
        int64_t n = 0, unit = 1000;

        if (*text < '0' || *text > '9')
            return false;
        for (; *text >= '0' && *text <= '9'; text++) {
            n = n * 10 + (*text - '0');
            if (n > MAX_MS)
                return false;
        }
        /* A number without a unit must stand alone: for "1h30" we would have to
         * guess. */
        if (*text != '\0') {
            unit = unit_of(&text);
            bare = false;
        } else if (!bare) {
            return false;
        }
        if (unit == 0 || n > MAX_MS / unit)
            return false;
        total += n * unit;
    }
    if (total > MAX_MS)
        return false;
    *ms = total;
    return true;
}

void when_ago(struct str *out, int64_t then_s, int64_t now_s)
{
    static const struct {
        int64_t below, unit;
        const char *name;
    } steps[] = {
        { 60, 1, "second" },
        { 3600, 60, "minute" },
        { 86400, 3600, "hour" },
        { 604800, 86400, "day" },
        { 2592000, 604800, "week" },
        { 31536000, 2592000, "month" },
        { INT64_MAX, 31536000, "year" },
    };
    int64_t gone = now_s - then_s, n;
    bool future = gone < 0;
    size_t i = 0;

    if (future)
        gone = -gone;
    if (gone == 0) {
        str_add(out, "now");
        return;
    }
    while (gone >= steps[i].below)
        i++;
    n = gone / steps[i].unit;
    str_printf(out, "%s%" PRId64 " %s%s%s", future ? "in " : "", n,
               steps[i].name, n == 1 ? "" : "s", future ? "" : " ago");
}

void when_elapsed(struct str *out, int64_t ms)
{
    int64_t s = ms / 1000;

    if (ms < 0)
        ms = s = 0;
    if (s < 60)
        str_printf(out, "%" PRId64 ".%" PRId64 " s", s, ms % 1000 / 100);
    else if (s < 3600)
        str_printf(out, "%" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
    else
        str_printf(out, "%" PRId64 "h%02" PRId64 "m", s / 3600, s % 3600 / 60);
}

void when_rfc3339(struct str *out, int64_t ms)
{
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    char text[32];

    if (gmtime_r(&s, &tm) == NULL)
        return;
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    str_add(out, text);
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t when_monotonic_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

int64_t when_unix_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}
