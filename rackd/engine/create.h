/* create -- a container's settings as the engine's JSON. Private to engine/. */
#ifndef ENGINE_CREATE_H
#define ENGINE_CREATE_H

#include <stdbool.h>

struct engine_container;

/* The body of POST /containers/create; the caller frees it. Podman has no log
 * driver "local", so its own compact one ("k8s-file") is used instead. */
char *create_json(const struct engine_container *c, bool podman);

#endif /* ENGINE_CREATE_H */
