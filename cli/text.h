/*
 * text -- how wide UTF-8 text is on a terminal, and what must be taken out of
 * text that is not ours before it gets there.
 *
 * No locale is needed: wcwidth() would cost a setlocale() at every start of
 * cvx, and would know nothing in the C locale of a container.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct str;

/* Columns that `len` bytes take. Escape sequences take none; a byte that is
 * no UTF-8 takes one. */
size_t text_width(const char *s, size_t len);

/* Append at most `columns` columns of `s`, with "…" where it was cut ("~"
 * when `ascii`). Escape sequences are kept. */
void text_fit(struct str *out, const char *s, size_t columns, bool ascii);

/* Append `s` padded with spaces to `columns`; never cut. */
void text_pad(struct str *out, const char *s, size_t columns);

/* Which escape sequences of foreign text to drop. */
enum text_strip {
    TEXT_KEEP,      /* none: the bytes as they are */
    TEXT_NO_COLOUR, /* SGR (colours, bold): what is not a terminal */
    TEXT_NO_MOVES,  /* all CSI but SGR: they would move our cursor */
    TEXT_NO_CSI,    /* both: a terminal without colours */
};

void text_strip(struct str *out, const char *s, size_t len,
                enum text_strip how);

#endif /* CLI_TEXT_H */
