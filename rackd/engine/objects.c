/* Lists networks, volumes and images: the one request, and the memory of the
 * list. network.c, volume.c and image.c give it the path and the reading of one
 * element. */
#include "engine/objects.h"

#include "base/mem.h"
#include "engine/json.h"

struct objects {
    struct engine_call call; /* first: see call_new() */
    const char *key;
    objects_read_cb read;
};

static void object_release(struct engine_object *o)
{
    free(o->id);
    free(o->name);
    free(o->subnet);
    strv_release(&o->labels);
}

static void on_listed(struct engine_call *call, const struct answer *a,
                      const struct err *err)
{
    struct objects *o = container_of(call, struct objects, call);
    struct engine_object *list;
    const cJSON *array, *item;
    size_t count = 0;

    call_end(call);
    if (err != NULL) {
        call->cb.objects(NULL, 0, err, call->user);
        return;
    }
    array = o->key == NULL ? a->json : json_get(a->json, o->key);
    list = xcalloc((size_t)cJSON_GetArraySize(array) + 1, sizeof(*list));
    cJSON_ArrayForEach(item, array) o->read(&list[count++], item);
    call->cb.objects(list, count, NULL, call->user);
    while (count > 0)
        object_release(&list[--count]);
    free(list);
}

struct engine_call *objects_list(struct engine *e, const char *path,
                                 const char *key, objects_read_cb read,
                                 engine_objects_cb cb, void *user)
{
    struct objects *o = call_new(e, sizeof(*o));

    o->key = key;
    o->read = read;
    o->call.cb.objects = cb;
    o->call.user = user;
    call_send(&o->call, &(struct request){
                            .method = "GET", .path = path, .step = on_listed });
    return &o->call;
}
