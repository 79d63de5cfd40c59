/*
 * percent -- percent-encoding as RFC 3986 has it: what goes into a URL's path,
 * query or login, and what comes out of one. Pure.
 *
 *     percent_encode(&out, "a b/c", "/")           "a%20b/c"
 *     percent_decode(&out, text, len, PERCENT_FORM) strict: a request's words
 *     percent_decode_lenient(&out, text, len)       what people typed
 */
#ifndef BASE_PERCENT_H
#define BASE_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

struct str;

/* What a '+' means. */
enum percent_plus {
    PERCENT_PATH, /* itself */
    PERCENT_FORM, /* a blank: queries and form bodies */
};

/* Append `text`. Letters, digits and "-._~" stay as they are, and so does
 * every character of `keep`; any other byte becomes %XX. */
void percent_encode(struct str *out, const char *text, const char *keep);

/* Append the `len` bytes at `text`, decoded. False when a '%' has no two hex
 * digits behind it, or when a NUL comes out, which no C string could hold;
 * `out` then holds what came before. */
bool percent_decode(struct str *out, const char *text, size_t len,
                    enum percent_plus plus);

/* The same for a path where the text is a person's: a '%' without two hex
 * digits, and %00, stay as they are. */
void percent_decode_lenient(struct str *out, const char *text, size_t len);

#endif /* BASE_PERCENT_H */
