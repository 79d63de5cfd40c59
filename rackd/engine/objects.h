/* objects -- lists of networks, volumes and images. Private to engine/. */
#ifndef ENGINE_OBJECTS_H
#define ENGINE_OBJECTS_H

#include "engine/client.h"

/* Fills one zeroed object from one element of the list. */
typedef void (*objects_read_cb)(struct engine_object *out, const cJSON *item);

/* Sends GET `path`. The answer, or its member `key` (NULL: the answer itself),
 * is an array, and `read` is called for each element. */
struct engine_call *objects_list(struct engine *e, const char *path,
                                 const char *key, objects_read_cb read,
                                 engine_objects_cb cb, void *user);

#endif /* ENGINE_OBJECTS_H */
