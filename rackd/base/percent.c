/*
 * Percent-encoding, the one of this code base: requests of rackd, the reaper
 * and cvx, request targets and forms that the server reads, and the logins in
 * the URLs of resources.
 */
#include "base/percent.h"

#include <string.h>

#include "base/str.h"

/* isalnum() depends on the locale; RFC 3986 does not. */
static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || strchr("-._~", c) != NULL;
}

void percent_encode(struct str *out, const char *text, const char *keep)
{
    for (; *text != '\0'; text++) {
        if (is_unreserved(*text) || strchr(keep, *text) != NULL)
            str_add_char(out, *text);
        else
            str_printf(out, "%%%02X", (unsigned char)*text);
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The byte that "%XX" at `text` stands for; -1 when it is no such thing. */
static int escaped_byte(const char *text, size_t left)
{
    int high = left >= 3 ? hex_digit(text[1]) : -1;
    int low = high >= 0 ? hex_digit(text[2]) : -1;

    return low < 0 ? -1 : high * 16 + low;
}

bool percent_decode(struct str *out, const char *text, size_t len,
                    enum percent_plus plus)
{
    for (size_t i = 0; i < len; i++) {
        int byte = (unsigned char)text[i];

        if (text[i] == '%') {
            byte = escaped_byte(text + i, len - i);
            i += 2;
        } else if (text[i] == '+' && plus == PERCENT_FORM) {
            byte = ' ';
        }
        if (byte <= 0)
            return false;
        str_add_char(out, (char)byte);
    }
    return true;
}

void percent_decode_lenient(struct str *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int byte = text[i] == '%' ? escaped_byte(text + i, len - i) : -1;

        if (byte > 0) {
            str_add_char(out, (char)byte);
            i += 2;
        } else {
            str_add_char(out, text[i]);
        }
    }
}
