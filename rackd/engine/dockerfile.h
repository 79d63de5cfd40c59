/* dockerfile -- changing a Dockerfile's images. Private to engine/; reading
 * is in engine/context.h. */
#ifndef ENGINE_DOCKERFILE_H
#define ENGINE_DOCKERFILE_H

#include <stddef.h>

struct str;
struct strv;

/* The text again, with the images of FROM and COPY --from that are in
 * `replace` ("OLD=NEW") written as NEW. Lines without one stay as they are. */
void dockerfile_rewrite(struct str *out, const char *text, size_t len,
                        const struct strv *replace);

#endif /* ENGINE_DOCKERFILE_H */
