/* utf8 -- one question: how long is the character here, if it is one? */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

/* Bytes of the UTF-8 character at `s` (1 to 4); 0 when it is not valid or
 * goes past `left`. */
size_t utf8_len(const char *s, size_t left);

#endif /* BASE_UTF8_H */
