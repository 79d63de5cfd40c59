/*
 * text -- how wide UTF-8 text is on a terminal, and what must be removed from
 * text of others before it gets there.
 *
 * It needs no locale: wcwidth() would cost a setlocale() at every start of cvx,
 * and knows only ASCII in the C locale that containers and CI jobs have.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct str;

/* Number of columns that `len` bytes take. Escape sequences take none; a byte
 * that is not UTF-8 takes one. */
size_t text_width(const char *s, size_t len);

/* Appends at most `columns` columns of `s`, with "…" where it was cut ("~" when
 * `ascii`). Escape sequences are kept. */
void text_fit(struct str *out, const char *s, size_t columns, bool ascii);

/* Appends `s`, padded with spaces to `columns`; it is never cut. */
void text_pad(struct str *out, const char *s, size_t columns);

/* Which escape sequences to remove from text of others. */
enum text_strip {
    TEXT_KEEP,      /* none: the bytes stay as they are */
    TEXT_NO_COLOUR, /* SGR (colours, bold): for what is not a terminal */
    TEXT_NO_MOVES,  /* all CSI but SGR, since they would move our cursor */
    TEXT_NO_CSI,    /* all CSI: for a terminal without colours */
};

void text_strip(struct str *out, const char *s, size_t len,
                enum text_strip how);

#endif /* CLI_TEXT_H */
