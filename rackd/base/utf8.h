/* utf8 -- is this UTF-8, and what to show where it is not. */
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
