/*
 * golden -- compare a text with a file under fixtures/golden, or rewrite the
 * file when GOLDEN=write is set (make golden). Tests run from the source root.
 */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include <stdbool.h>
#include <stddef.h>

/* Whole file; aborts when it cannot be read. The caller frees it. */
char *golden_read(const char *path, size_t *len);

/* True when equal; prints a unified diff otherwise. */
bool golden_equal(const char *path, const char *text);

#endif /* TESTS_GOLDEN_H */
