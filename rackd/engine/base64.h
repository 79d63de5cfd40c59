/* base64 -- in the forms of the engine and of the docker CLI. Private to
 * engine/. */
#ifndef ENGINE_BASE64_H
#define ENGINE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

struct str;

/* Encodes with the URL alphabet and padding; the caller frees the result. */
char *base64_url(const char *data, size_t len);

/* Decodes the standard alphabet and appends to `out`; false when `text` is not
 * base64. */
bool base64_decode(struct str *out, const char *text);

#endif /* ENGINE_BASE64_H */
