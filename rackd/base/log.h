/*
 * log -- one line per call, one write(2) per line, to stderr (rackd's log
 * file). Control characters are escaped, so that a line stays a line.
 *
 * RACKD_LOG=engine,run (or all) turns debug lines on, per component. The
 * modules base, manifest and plan do not log: they return errors. Never log a
 * value of an environment variable: it may be a secret. Where one hides in a
 * name or in the engine's words the filter takes it out.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

/* Read RACKD_LOG. Call once, before any other function here. */
void log_init(const char *components);

/* Every text passes through `cb`, which returns what is to be written and
 * frees nothing; the result is freed here. NULL: none. It must not log. */
typedef char *(*log_filter_cb)(const char *text, void *user);
void log_filter(log_filter_cb cb, void *user);

bool log_wants(const char *component);

void log_debug(const char *component, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void log_info(const char *component, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void log_warn(const char *component, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void log_error(const char *component, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif /* BASE_LOG_H */
