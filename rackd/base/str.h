/*
 * str -- a growing string.
 *
 *     struct str s = { 0 };
 *     str_printf(&s, "%d containers", n);
 *     str_add(&s, " removed\n");
 *     write(1, str_c(&s), s.len);
 *     str_release(&s);           or: char *owned = str_take(&s);
 *
 * A zeroed struct is an empty string. The text is always NUL terminated and
 * may hold NUL bytes of its own; `len` counts them.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct str {
    char *s; /* NULL until something is added: read it with str_c() */
    size_t len, cap;
};

/* These add at the end; `text` may not be part of `s` itself. */
void str_add(struct str *s, const char *text);
void str_add_len(struct str *s, const char *text, size_t len);
void str_add_char(struct str *s, char c);
void str_printf(struct str *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void str_vprintf(struct str *s, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* The text, "" when empty. Valid until the next change of `s`. */
const char *str_c(const struct str *s);

/* Keep the first `len` bytes; a shorter string stays as it is. */
void str_cut(struct str *s, size_t len);

/* Remove the first `len` bytes. */
void str_drop(struct str *s, size_t len);

/* The text is the caller's to free; `s` is empty again. Never NULL. */
char *str_take(struct str *s);

void str_release(struct str *s);

#define cleanup_str __attribute__((cleanup(str_release)))

bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);

/* A copy of the first `len` bytes as a string; the caller frees it. */
char *str_dup_len(const char *text, size_t len);

/* Reads a whole decimal number in [min, max]. Anything else is false, and *out
 * stays as it was. */
bool str_to_long(const char *text, long min, long max, long *out);

#endif /* BASE_STR_H */
