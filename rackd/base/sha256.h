/*
 * sha256 -- a SHA-256 digest in hexadecimal, for names that are stored and
 * compared later: templates, docker contexts, a machine's id.
 *
 *     char name[16 + 1];
 *     sha256_hex(text, len, name, 16);     the first 64 bits of it
 *
 * The digest is OpenSSL's. cvx does not link OpenSSL, so the Makefile leaves
 * this one file of base/ out of it.
 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>

/* Digits of a whole digest. */
#define SHA256_HEX_LEN 64

/* The first `digits` (at most SHA256_HEX_LEN) of the digest in lower case, NUL
 * terminated: `out` has room for one more. */
void sha256_hex(const void *data, size_t len, char *out, size_t digits);

#endif /* BASE_SHA256_H */
