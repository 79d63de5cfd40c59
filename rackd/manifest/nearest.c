/* Finds the known key that an unknown key of the manifest was probably meant to
 * be. decode.c asks for it when it warns of an unknown key. */
#include "manifest/nearest.h"

#include <stddef.h>
#include <string.h>

#include "base/nearest.h"
#include "manifest/decode.h"

/* At most a third of the letters may be wrong, and at most this many. */
#define WRONG_MAX ((size_t)3)

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
    const char *other = other_name(key, keys);
    size_t third = strlen(key) / 3;
    struct nearest n = nearest_to(key, third < WRONG_MAX ? third : WRONG_MAX);

    if (other != NULL)
        return other;
    for (; keys->name != NULL; keys++)
        nearest_try(&n, keys->name);
    return n.best;
}
