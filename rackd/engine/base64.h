/* base64 -- as the engine and the docker CLI write it. Private to engine/. */
#ifndef ENGINE_BASE64_H
#define ENGINE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

struct str;

/* The URL alphabet, with padding; the caller frees it. */
char *base64_url(const char *data, size_t len);

/* The standard alphabet; false when `text` is not base64. */
bool base64_decode(struct str *out, const char *text);

#endif /* ENGINE_BASE64_H */
