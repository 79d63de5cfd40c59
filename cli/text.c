/* Measures, cuts and pads UTF-8 text for a terminal, and takes escape sequences
 * out of text that is not ours. live.c, render.c and table.c use it. */
#include "cli/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

struct range {
    uint32_t first, last;
};

/* Characters that take no column: combining marks, joiners, variation
 * selectors. */
static const struct range zero_wide[] = {
    { 0x0300, 0x036f }, { 0x0483, 0x0489 },   { 0x0591, 0x05bd },
    { 0x0610, 0x061a }, { 0x064b, 0x065f },   { 0x1ab0, 0x1aff },
    { 0x1dc0, 0x1dff }, { 0x200b, 0x200f },   { 0x202a, 0x202e },
    { 0x2060, 0x2064 }, { 0x20d0, 0x20ff },   { 0xfe00, 0xfe0f },
    { 0xfe20, 0xfe2f }, { 0x1f3fb, 0x1f3ff },
};

/* Characters that take two columns: East Asian wide ones, and emoji. */
static const struct range double_wide[] = {
    { 0x1100, 0x115f },   { 0x2e80, 0x303e },   { 0x3041, 0xa4cf },
    { 0xa960, 0xa97f },   { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },
    { 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },   { 0xffe0, 0xffe6 },
    { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff },
    { 0x20000, 0x3fffd },
};

static bool in_ranges(uint32_t c, const struct range *r, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (c >= r[i].first && c <= r[i].last)
            return true;
    return false;
}

static size_t columns_of(uint32_t c)
{
    if (c < 0x20 || c == 0x7f)
        return 0;
    if (c < 0x300)
        return 1;
    if (in_ranges(c, zero_wide, sizeof(zero_wide) / sizeof(*zero_wide)))
        return 0;
    if (in_ranges(c, double_wide, sizeof(double_wide) / sizeof(*double_wide)))
        return 2;
    return 1;
}

/* Reads the character at `s` and returns its length in bytes; 1 when it is not
 * UTF-8. */
static size_t decode(const char *s, size_t len, uint32_t *c)
{
    unsigned char b = (unsigned char)s[0];
    size_t n = b < 0x80 ? 1 : b < 0xc2 ? 0 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;

    *c = b < 0x80 ? b : 0xfffd;
    if (n < 2 || n > len || b > 0xf4)
        return 1;
    *c = b & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if (((unsigned char)s[i] & 0xc0) != 0x80) {
            *c = 0xfffd;
            return 1;
        }
        *c = *c << 6 | ((unsigned char)s[i] & 0x3f);
    }
    return n;
}

/* Length of the CSI sequence at `s`; 0 when there is none. *final is its last
 * byte: 'm' for colours. A sequence that is cut off extends to the end of the
 * text. */
static size_t csi(const char *s, size_t len, char *final)
{
    size_t i = 2;

    if (len < 2 || s[0] != '\033' || s[1] != '[')
        return 0;
    while (i < len && s[i] >= 0x20 && s[i] < 0x40)
        i++;
    if (i == len) {
        *final = '\0';
        return len;
    }
    *final = s[i];
    return i + 1;
}

/* Length in bytes of the next character or escape sequence, and its width in
 * *columns. */
static size_t step(const char *s, size_t len, size_t *columns)
{
    char final;
    uint32_t c;
    size_t n = csi(s, len, &final);

    *columns = 0;
    if (n > 0)
        return n;
    n = decode(s, len, &c);
    *columns = columns_of(c);
    return n;
}

size_t text_width(const char *s, size_t len)
{
    size_t width = 0, columns;

    for (size_t i = 0; i < len;) {
        i += step(s + i, len - i, &columns);
        width += columns;
    }
    return width;
}

void text_fit(struct str *out, const char *s, size_t columns, bool ascii)
{
    size_t len = strlen(s), width = 0, wide;
    bool cut = false, fits = text_width(s, len) <= columns;

    for (size_t i = 0; i < len;) {
        size_t n = step(s + i, len - i, &wide);

        if (!fits && !cut && width + wide + 1 > columns) {
            if (columns > 0)
                str_add(out, ascii ? "~" : "…");
            cut = true;
        }
        /* Behind the cut only escape sequences are kept, since they switch
         * colours back. */
        if (!cut || (wide == 0 && s[i] == '\033'))
            str_add_len(out, s + i, n);
        width += wide;
        i += n;
    }
}

void text_pad(struct str *out, const char *s, size_t columns)
{
    size_t width = text_width(s, strlen(s));

    str_add(out, s);
    for (; width < columns; width++)
        str_add_char(out, ' ');
}

static bool dropped(char final, enum text_strip how)
{
    switch (how) {
    case TEXT_KEEP:
        break;
    case TEXT_NO_COLOUR:
        return final == 'm';
    case TEXT_NO_MOVES:
        return final != 'm';
    case TEXT_NO_CSI:
        return true;
    }
    return false;
}

void text_strip(struct str *out, const char *s, size_t len, enum text_strip how)
{
    const char *end = s + len;

    while (s < end) {
        const char *esc =
            how == TEXT_KEEP ? NULL : memchr(s, '\033', (size_t)(end - s));
        char final = '\0';
        size_t n;

        if (esc == NULL)
            esc = end;
        str_add_len(out, s, (size_t)(esc - s));
        if (esc == end)
            return;
        n = csi(esc, (size_t)(end - esc), &final);
        if (n == 0)
            str_add_char(out, '\033');
        else if (!dropped(final, how))
            str_add_len(out, esc, n);
        s = esc + (n == 0 ? 1 : n);
    }
}
