/*
 * The last lines of one source, as an error message quotes them: run/ asks when
 * a container has ended (run/explain.c).
 */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "logs/hub_parts.h"

/* Bytes. A longer line is cut in an error message. */
#define LAST_LINE_MAX ((size_t)500)

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void add_last(struct str *out, const char *line, size_t whole)
{
    size_t len = min_size(whole, LAST_LINE_MAX), start;

    while (len > 0 && line[len - 1] == '\r')
        len--;
    str_add(out, out->len == 0 ? "  | " : "\n  | ");
    start = out->len;
    str_add_len(out, line, len);
    for (size_t i = start; i < out->len; i++)
        if (out->s[i] == '\0')
            out->s[i] = ' ';
    if (whole > LAST_LINE_MAX)
        str_add(out, "...");
}

static void add_lines(struct str *out, const struct hub_text *t)
{
    const char *line = t->text, *end = t->text + t->len, *nl;

    for (size_t i = 0; i < t->lines; i++) {
        nl = t->partial ? NULL : memchr(line, '\n', (size_t)(end - line));
        if (nl == NULL)
            nl = end;
        add_last(out, line, (size_t)(nl - line));
        line = nl + 1;
    }
}

char *hub_last(const struct hub *h, const char *source, size_t count)
{
    struct place first = { NULL, 0, 0 };
    struct str out = { 0 };
    struct hub_text text;

    for (struct block *b = h->newest; b != NULL && count > 0;
         b = b == h->oldest ? NULL : b->prev) {
        if (strcmp(b->text.source, source) != 0)
            continue;
        first = hub_last_lines(b, count);
        count -= b->text.lines - first.skip_lines;
    }
    while (first.block != NULL) {
        text = hub_lines_from(&first);
        if (strcmp(text.source, source) == 0)
            add_lines(&out, &text);
        first = (struct place){ .block = first.block->next };
    }
    return str_take(&out);
}
