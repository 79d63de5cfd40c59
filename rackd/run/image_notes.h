/*
 * image_notes -- what is known about images across the sessions of a rack; see
 * image_notes_new() in session.h.
 */
#ifndef RUN_IMAGE_NOTES_H
#define RUN_IMAGE_NOTES_H

#include <stdint.h>

struct image_notes;

/* What is noted for `ref`, or NULL; borrowed. */
const char *image_notes_get(struct image_notes *n, const char *ref,
                            uint64_t now_ms);
void image_notes_put(struct image_notes *n, const char *ref, const char *use,
                     uint64_t now_ms);

#endif /* RUN_IMAGE_NOTES_H */
