/* ignore -- .dockerignore patterns, as the docker CLI reads them. */
#ifndef ENGINE_IGNORE_H
#define ENGINE_IGNORE_H

#include <stdbool.h>
#include <stddef.h>

struct ignore;

/* Never fails: a pattern that cannot be read is skipped and counted. */
struct ignore *ignore_new(const char *text, size_t len);
void ignore_free(struct ignore *ig);

/* Is `path` (relative, '/' between parts) left out? */
bool ignore_match(const struct ignore *ig, const char *path);

/* False when some later "!pattern" may bring back something below `dir`: an
 * ignored directory must then still be walked. */
bool ignore_can_skip(const struct ignore *ig, const char *dir);

size_t ignore_bad_patterns(const struct ignore *ig);

#endif /* ENGINE_IGNORE_H */
