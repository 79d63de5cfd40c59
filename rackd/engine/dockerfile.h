/* dockerfile -- changing the images of a Dockerfile. Private to engine/;
 * reading one is in engine/context.h. */
#ifndef ENGINE_DOCKERFILE_H
#define ENGINE_DOCKERFILE_H

#include <stddef.h>

struct str;
struct strv;

/* Appends the text with the images of FROM and COPY --from that are in
 * `replace` ("OLD=NEW") written as NEW. Lines without one stay as they are. */
void dockerfile_rewrite(struct str *out, const char *text, size_t len,
                        const struct strv *replace);

#endif /* ENGINE_DOCKERFILE_H */
