/* Prints tables with padded columns. The listing commands, the help and the
 * report at `ready` use it. */
#include "cli/table.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/text.h"

void table_add(struct table *t, const char *const *cells, size_t count)
{
    for (size_t i = 0; i < t->columns; i++)
        strv_add(&t->cells, i < count && cells[i] != NULL ? cells[i] : "");
}

static void measure(const struct table *t, size_t *width)
{
    for (size_t i = 0; i < t->cells.len; i++) {
        const char *cell = t->cells.v[i];
        size_t columns = text_width(cell, strlen(cell));

        if (columns > width[i % t->columns])
            width[i % t->columns] = columns;
    }
}

/* Adds the last cell of a row; its further lines begin in the same column. */
static void add_last(struct str *out, const char *cell, size_t indent)
{
    const char *nl = strchr(cell, '\n');

    while (nl != NULL) {
        str_add_len(out, cell, (size_t)(nl - cell) + 1);
        text_pad(out, "", indent);
        cell = nl + 1;
        nl = strchr(cell, '\n');
    }
    str_add(out, cell);
    str_add_char(out, '\n');
}

void table_print(const struct table *t, struct str *out)
{
    cleanup_free size_t *width = xcalloc(t->columns, sizeof(*width));
    size_t indent = 0;

    measure(t, width);
    for (size_t i = 0; i < t->cells.len; i++) {
        size_t column = i % t->columns;

        if (column == 0)
            indent = 0;
        if (column + 1 == t->columns) {
            add_last(out, t->cells.v[i], indent);
            continue;
        }
        text_pad(out, t->cells.v[i], width[column]);
        str_add(out, "  ");
        indent += width[column] + 2;
    }
}

void table_release(struct table *t)
{
    strv_release(&t->cells);
}
