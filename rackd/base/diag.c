/* The list of what is wrong with the user's input. manifest/ and plan/ add to
 * it while they read; api/ prints it for cvx.
 */
#include "base/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"

/* A source line longer than this is shown around the place only. */
#define SHOWN_MAX 120

static size_t *counter(struct diags *d, enum diag_level level)
{
    switch (level) {
    case DIAG_ERROR:
        return &d->errors;
    case DIAG_WARNING:
        return &d->warnings;
    case DIAG_NOTE:
        break;
    }
    return &d->notes;
}

void diags_add(struct diags *d, enum diag_level level, struct diag_pos pos,
               const char *fmt, ...)
{
    struct str text = { 0 };
    va_list ap;

    ++*counter(d, level);
    if (d->len == DIAGS_MAX)
        return;
    if (d->len == d->cap) {
        d->cap = d->cap == 0 ? 8 : d->cap * 2;
        d->v = xrealloc(d->v, d->cap * sizeof(*d->v));
    }
    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    d->v[d->len++] =
        (struct diag){ .level = level, .pos = pos, .text = str_take(&text) };
}

/* Does `a` belong after `b`? */
static bool after(const struct diag *a, const struct diag *b)
{
    if (a->pos.line == 0 || b->pos.line == 0)
        return a->pos.line == 0 && b->pos.line != 0;
    if (a->pos.line != b->pos.line)
        return a->pos.line > b->pos.line;
    return a->pos.col > b->pos.col;
}

/* Insertion sort: stable, and the list has at most DIAGS_MAX entries. */
void diags_sort(struct diags *d)
{
    for (size_t i = 1; i < d->len; i++) {
        struct diag moving = d->v[i];
        size_t j = i;

        while (j > 0 && after(&d->v[j - 1], &moving)) {
            d->v[j] = d->v[j - 1];
            j--;
        }
        d->v[j] = moving;
    }
}

void diags_strict(struct diags *d)
{
    for (size_t i = 0; i < d->len; i++)
        if (d->v[i].level == DIAG_WARNING)
            d->v[i].level = DIAG_ERROR;
    d->errors += d->warnings;
    d->warnings = 0;
}

/* The bytes of line `line`, without its end; false past the last line. */
static bool find_line(const char *source, size_t len, unsigned line,
                      const char **at, size_t *line_len)
{
    const char *end = source + len;

    for (; line > 1; line--) {
        const char *nl = memchr(source, '\n', (size_t)(end - source));

        if (nl == NULL)
            return false;
        source = nl + 1;
    }
    *at = source;
    while (source < end && *source != '\n' && *source != '\r')
        source++;
    *line_len = (size_t)(source - *at);
    return true;
}

/* Each character, however many bytes it has, is printed as one column, so that
 * the caret below stands under the right one. */
static void show_bytes(const char *text, size_t len, struct str *out,
                       size_t caret, size_t *caret_col)
{
    size_t col = 0;

    for (size_t i = 0; i < len; col++) {
        unsigned char c = (unsigned char)text[i];
        size_t n = utf8_len(text + i, len - i);

        if (i <= caret)
            *caret_col = col;
        if (c == '\t')
            str_add_char(out, ' ');
        else if (n == 0 || c < 0x20 || c == 0x7f)
            str_add_char(out, '?');
        else
            str_add_len(out, text + i, n);
        i += n == 0 ? 1 : n;
    }
    if (caret >= len)
        *caret_col = col;
}

static void show_source(const struct diag *d, const char *source, size_t len,
                        struct str *out)
{
    const char *line;
    size_t line_len, skip = 0, caret_col = 0;
    size_t caret = d->pos.col > 0 ? d->pos.col - 1 : 0;

    if (!find_line(source, len, d->pos.line, &line, &line_len))
        return;
    if (caret > line_len)
        caret = line_len;
    if (line_len > SHOWN_MAX && caret > SHOWN_MAX / 2)
        skip = caret - SHOWN_MAX / 2;
    while (skip > 0 && ((unsigned char)line[skip] & 0xc0) == 0x80)
        skip--;
    if (line_len - skip > SHOWN_MAX)
        line_len = skip + SHOWN_MAX;

    str_printf(out, "%6u | ", d->pos.line);
    show_bytes(line + skip, line_len - skip, out, caret - skip, &caret_col);
    str_printf(out, "\n       | %*s^\n", (int)caret_col, "");
}

void diags_print(const struct diags *d, enum diag_level level, const char *file,
                 const char *source, size_t source_len, struct str *out)
{
    size_t shown = 0, all = *counter((struct diags *)d, level);

    for (size_t i = 0; i < d->len; i++) {
        const struct diag *one = &d->v[i];

        if (one->level != level)
            continue;
        shown++;
        str_add(out, file);
        if (one->pos.line > 0)
            str_printf(out, ":%u:%u", one->pos.line, one->pos.col);
        str_printf(out, ": %s%s\n", level == DIAG_WARNING ? "warning: " : "",
                   one->text);
        if (one->pos.line > 0 && source != NULL)
            show_source(one, source, source_len, out);
    }
    if (shown < all)
        str_printf(out, "%s: %zu more are not shown\n", file, all - shown);
}

void diags_release(struct diags *d)
{
    for (size_t i = 0; i < d->len; i++)
        free(d->v[i].text);
    free(d->v);
    *d = (struct diags){ 0 };
}
