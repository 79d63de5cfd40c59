/* Finds the known key that an unknown key of the manifest was probably meant to
 * be. decode.c asks for it when it warns of an unknown key. */
#include "manifest/nearest.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "manifest/decode.h"

/* No key of ours is longer. */
#define WORD_MAX 32

/* Keys of other tools (compose, Kubernetes, Heroku) and what they are called
 * here. One is proposed only where the map in question has the right-hand
 * key. */
static const char *const other_names[][2] = {
    { "context", "path" },
    { "dockerfile", "manifest" },
    { "env", "environment" },
    { "healthcheck", "health" },
    { "depends_on", "resources" },
    { "replicas", "count" },
    { "mem", "memory" },
    { "memory_limit", "memory" },
    { "domains", "domain" },
    { "databases", "resources" },
    { "cmd", "command" },
    { "cron", "schedule" },
    { "stop_grace_period", "termination" },
};

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Inserted, left out or changed letters that make a of b; case is free. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1], len = strlen(b);

    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= len; j++) {
            size_t above = row[j];
            int same = tolower((unsigned char)a[i - 1]) ==
                       tolower((unsigned char)b[j - 1]);

            row[j] = least(row[j] + 1, row[j - 1] + 1, diagonal + !same);
            diagonal = above;
        }
    }
    return row[len];
}

static const char *other_name(const char *key, const struct decode_key *keys)
{
    for (size_t i = 0; i < sizeof(other_names) / sizeof(*other_names); i++) {
        if (strcmp(other_names[i][0], key) != 0)
            continue;
        for (const struct decode_key *k = keys; k->name != NULL; k++)
            if (strcmp(k->name, other_names[i][1]) == 0)
                return k->name;
    }
    return NULL;
}

const char *nearest_key(const char *key, const struct decode_key *keys)
{
    const char *best = other_name(key, keys);
    size_t len = strlen(key), found;
    /* A third of the letters may be wrong, and three at most. */
    size_t limit = len / 3 < 3 ? len / 3 : 3;

    if (best != NULL || len > WORD_MAX)
        return best;
    for (; keys->name != NULL; keys++) {
        found = distance(key, keys->name);
        if (found > limit || (found > 0 && found == limit && best != NULL))
            continue;
        best = keys->name;
        limit = found;
    }
    return best;
}
