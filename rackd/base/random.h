/*
 * random -- ids, passwords and names that nobody can guess.
 *
 *     char id[12 + 1];
 *     random_text(id, 12, RANDOM_HEX);
 *
 * The bytes come from the kernel (getrandom), so nothing needs a seed. Every
 * character of the alphabet is equally likely.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>

#define RANDOM_HEX      "0123456789abcdef"
#define RANDOM_CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Writes `len` characters of `alphabet` (1 to 256 of them) and a NUL: `out` has
 * room for len + 1. Aborts when the kernel has no randomness to give. */
void random_text(char *out, size_t len, const char *alphabet);

#endif /* BASE_RANDOM_H */
