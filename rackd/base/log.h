/*
 * log -- one line per call, one write(2) per line, to stderr (rackd's log
 * file). Control characters are escaped, so that a line stays a line.
 *
 * RACKD_LOG=engine,run (or all) turns debug lines on, per component. The
 * modules base, manifest and plan do not log: they return errors. Never log a
 * value of an environment variable: it may be a secret. A secret may still be
 * part of a name or of the engine's words; the filter replaces it there.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

/* `components` is the value of RACKD_LOG, or NULL. Call it once, before any
 * other function here. */
void log_init(const char *components);

/* Every text passes through `cb`, which returns a copy of what is to be
 * written; the copy is freed here. `cb` must not log. NULL removes the
 * filter. */
typedef char *(*log_filter_cb)(const char *text, void *user);
void log_filter(log_filter_cb cb, void *user);

/* Are debug lines of this component written? For texts that cost something to
 * make. */
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
