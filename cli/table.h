/*
 * table -- rows as Convox prints them: headings in capitals, columns padded to
 * their widest cell, two spaces between them, the last column not padded.
 *
 *     struct table t = { .columns = 3 };
 *     table_row(&t, "NAME", "TYPE", "URL");
 *     table_row(&t, "db", "postgres", url);
 *     table_print(&t, &out);
 *     table_release(&t);
 *
 * An "info" table has two columns, name and value; a value of several lines is
 * indented to its column.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stddef.h>

#include "base/strv.h"

struct str;

struct table {
    size_t columns;
    struct strv cells; /* private: row after row */
};

/* Adds a row: as many strings as there are columns, copied; NULL is an empty
 * cell. */
#define table_row(t, ...)                                                      \
    table_add((t), (const char *const[]){ __VA_ARGS__ },                       \
              sizeof((const char *const[]){ __VA_ARGS__ }) /                   \
                  sizeof(const char *))
void table_add(struct table *t, const char *const *cells, size_t count);

void table_print(const struct table *t, struct str *out);
void table_release(struct table *t);

#define cleanup_table __attribute__((cleanup(table_release)))

#endif /* CLI_TABLE_H */
