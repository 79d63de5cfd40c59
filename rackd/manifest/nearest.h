/* Nearest -- what a misspelt key was meant to be. */
#ifndef MANIFEST_NEAREST_H
#define MANIFEST_NEAREST_H

struct decode_key;

/* The most similar key of the table, borrowed; NULL when none is similar. */
const char *nearest_key(const char *key, const struct decode_key *keys);

#endif /* MANIFEST_NEAREST_H */
