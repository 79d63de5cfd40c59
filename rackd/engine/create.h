/* create -- a container's settings as the engine's JSON. Private to
 * engine/. */
#ifndef ENGINE_CREATE_H
#define ENGINE_CREATE_H

struct engine_container;

/* The body of POST /containers/create; the caller frees it. */
char *create_json(const struct engine_container *c);

#endif /* ENGINE_CREATE_H */
