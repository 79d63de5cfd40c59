/*
 * nearest -- what a misspelt word was meant to be.
 *
 *     struct nearest n = nearest_to("replcas", 2);
 *     for each word: nearest_try(&n, word);
 *     if (n.best != NULL) "did you mean n.best?"
 *
 * Of several words at the same distance the first one tried is kept.
 */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

/* A longer word is like no other. */
#define NEAREST_WORD_MAX 40

struct nearest {
    const char *best; /* borrowed from nearest_try(); NULL: none is near */
    const char *word; /* private from here on */
    size_t distance;  /* of the best one */
};

/* At most `limit` letters may be wrong. `word` is borrowed. */
struct nearest nearest_to(const char *word, size_t limit);

void nearest_try(struct nearest *n, const char *candidate);

#endif /* BASE_NEAREST_H */
