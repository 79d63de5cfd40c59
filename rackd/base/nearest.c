/* Levenshtein's distance, for "did you mean": the manifest's keys and the
 * types of resources are looked up here when a word is unknown. */
#include "base/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* How many letters must be inserted, left out or changed to make b of a; upper
 * and lower case are the same. One row of the usual table is kept. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NEAREST_WORD_MAX + 1], len = strlen(b);

    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= len; j++) {
            size_t above = row[j];
            size_t changed = same_letter(a[i - 1], b[j - 1]) ? 0 : 1;

            row[j] = least(above + 1, row[j - 1] + 1, diagonal + changed);
            diagonal = above;
        }
    }
    return row[len];
}

struct nearest nearest_to(const char *word, size_t limit)
{
    return (struct nearest){ .word = word, .distance = limit + 1 };
}

void nearest_try(struct nearest *n, const char *candidate)
{
    size_t found;

    if (strlen(n->word) > NEAREST_WORD_MAX ||
        strlen(candidate) > NEAREST_WORD_MAX)
        return;
    found = distance(n->word, candidate);
    if (found >= n->distance)
        return;
    n->best = candidate;
    n->distance = found;
}
