/* FNV-1a. Pure; used by every room that needs a key, a seed or a short tag. */
#include "base/hash.h"

#include <string.h>

#define PRIME UINT64_C(1099511628211)

uint64_t hash_bytes(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * PRIME;
    return hash;
}

/* FNV mixes upwards only: without the fold the last letters of a text would
 * hardly show in the low bits of a short text's hash. */
uint64_t hash_text(const char *text)
{
    uint64_t hash = hash_bytes(HASH_BEGIN, text, strlen(text));

    return hash ^ hash >> 32;
}
