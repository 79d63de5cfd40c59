/*
 * hash -- the one fast hash for keys that live in memory or choose among a few:
 * a network's place in its range, a name's colour, "which runs are alike".
 *
 *     place = hash_text("local/shop") % count;
 *
 *     hash = hash_bytes(HASH_BEGIN, &a, sizeof(a));      of several parts
 *     hash = hash_bytes(hash, name, strlen(name) + 1);   with the NUL, so that
 *                                                        "ab","c" is not
 * "a","bc"
 *
 * It is FNV-1a, of 64 bits. It resists nobody who looks for a collision: a name
 * that lasts or that others choose goes through base/sha256.h instead. Values
 * are the same on every run and machine of one byte order.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_BEGIN UINT64_C(14695981039346656037)

/* Continue `hash` with `len` bytes. */
uint64_t hash_bytes(uint64_t hash, const void *data, size_t len);

/* The hash of one text, without its NUL. The high half is folded into the low
 * one, so that the value may be cut to 32 bits or divided by a small number. */
uint64_t hash_text(const char *text);

#endif /* BASE_HASH_H */
