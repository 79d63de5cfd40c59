/* Writes log lines to stderr, which is rackd's log file. rackd alone logs; cvx
 * prints messages of its own. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

/* The only globals of the program: which components are debugged, and the
 * filter that takes secrets out. A log call has no context to pass them in. */
static char enabled[256];
static log_filter_cb filter;
static void *filter_user;

void log_filter(log_filter_cb cb, void *user)
{
    filter = cb;
    filter_user = user;
}

void log_init(const char *components)
{
    snprintf(enabled, sizeof(enabled), ",%s,",
             components == NULL ? "" : components);
}

bool log_wants(const char *component)
{
    char word[64];

    snprintf(word, sizeof(word), ",%s,", component);
    return strstr(enabled, word) != NULL || strstr(enabled, ",all,") != NULL;
}

static void add_escaped(struct str *line, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < 0x20 || c == 0x7f)
            str_printf(line, "\\x%02x", c);
        else
            str_add_char(line, (char)c);
    }
}

static void write_line(const char *level, const char *component,
                       const char *fmt, va_list ap)
{
    cleanup_str struct str line = { 0 }, text = { 0 };
    cleanup_free char *filtered = NULL;
    struct timespec now;
    struct tm tm;
    char when[32];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
    str_printf(&line, "%s.%03ldZ %s %s: ", when, now.tv_nsec / 1000000, level,
               component);
    str_vprintf(&text, fmt, ap);
    if (filter != NULL)
        filtered = filter(str_c(&text), filter_user);
    add_escaped(&line, filtered == NULL ? str_c(&text) : filtered);
    str_add_char(&line, '\n');
    if (write(STDERR_FILENO, str_c(&line), line.len) < 0)
        return; /* there is no other place to report it */
}

#define LOG_AT(name, level, when)                                              \
    void name(const char *component, const char *fmt, ...)                     \
    {                                                                          \
        va_list ap;                                                            \
                                                                               \
        if (!(when))                                                           \
            return;                                                            \
        va_start(ap, fmt);                                                     \
        write_line(level, component, fmt, ap);                                 \
        va_end(ap);                                                            \
    }

LOG_AT(log_debug, "debug", log_wants(component))
LOG_AT(log_info, "info", true)
LOG_AT(log_warn, "warn", true)
LOG_AT(log_error, "error", true)
