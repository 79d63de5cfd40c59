/* Tells characters from garbage in text that users and containers write: for
 * columns on the screen and for what goes into JSON. */
#include "base/utf8.h"

#include <string.h>

#include "base/str.h"

/* What the first byte promises; 0 when no character begins with it. */
static size_t length_by_head(unsigned char c)
{
    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c < 0xe0)
        return 2;
    if (c >= 0xe0 && c < 0xf0)
        return 3;
    if (c >= 0xf0 && c < 0xf5)
        return 4;
    return 0;
}

size_t utf8_len(const char *s, size_t left)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t n = left == 0 ? 0 : length_by_head(u[0]);

    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    /* Refuse overlong forms, surrogates, and what is past U+10FFFF. */
    if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
        (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
        return 0;
    return n;
}

char *utf8_clean(const char *text)
{
    struct str clean = { 0 };
    size_t left = text == NULL ? 0 : strlen(text);

    for (const char *at = text; left > 0;) {
        size_t n = utf8_len(at, left);
        size_t step = n == 0 ? 1 : n;

        str_add_len(&clean, n == 0 ? "\xef\xbf\xbd" : at, n == 0 ? 3 : n);
        at += step;
        left -= step;
    }
    return str_take(&clean);
}
