/*
 * utf8 -- where characters begin and end in text that may be none.
 *
 *     for (i = 0; i < len; i += n > 0 ? n : 1)
 *         n = utf8_len(text + i, len - i);      0: one byte of garbage
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

/* Bytes of the UTF-8 character at `s` (1 to 4); 0 when it is not valid or
 * goes past `left`. */
size_t utf8_len(const char *s, size_t left);

/* `text` (NULL is "") with U+FFFD for each byte that is no UTF-8; the caller
 * frees it. */
char *utf8_clean(const char *text);

#endif /* BASE_UTF8_H */
