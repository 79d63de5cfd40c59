/* ignore -- .dockerignore patterns, with the meaning that they have for the
 * docker CLI. Private to engine/. */
#ifndef ENGINE_IGNORE_H
#define ENGINE_IGNORE_H

#include <stdbool.h>
#include <stddef.h>

struct ignore;

/* Reads the patterns; it never fails: one that cannot be read is skipped and
 * counted. */
struct ignore *ignore_new(const char *text, size_t len);
void ignore_free(struct ignore *ig);

/* True when `path` (relative, with '/' between its parts) is left out of the
 * context. */
bool ignore_match(const struct ignore *ig, const char *path);

/* False when a later "!pattern" may bring something below `dir` back: an
 * ignored directory must then be walked all the same. */
bool ignore_can_skip(const struct ignore *ig, const char *dir);

size_t ignore_bad_patterns(const struct ignore *ig);

#endif /* ENGINE_IGNORE_H */
