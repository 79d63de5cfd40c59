/* objects -- lists of networks, volumes and images. Private to engine/. */
#ifndef ENGINE_OBJECTS_H
#define ENGINE_OBJECTS_H

#include "engine/client.h"

/* GET `path`; the answer, or its member `key` (NULL: itself), is an array;
 * `read` fills one zeroed object from one element. */
typedef void (*objects_read_cb)(struct engine_object *out, const cJSON *item);

struct engine_call *objects_list(struct engine *e, const char *path,
                                 const char *key, objects_read_cb read,
                                 engine_objects_cb cb, void *user);

#endif /* ENGINE_OBJECTS_H */
