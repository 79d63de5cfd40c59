/* Calls that concern volumes: create, remove, list. One function per call;
 * engine.h has the contract of each. */
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/client.h"
#include "engine/json.h"
#include "engine/objects.h"
#include "engine/path.h"

struct engine_call *engine_volume_create(struct engine *e, const char *name,
                                         const struct strv *labels,
                                         engine_done_cb cb, void *user)
{
    cJSON *root = cJSON_CreateObject();
    cleanup_free char *json = NULL;

    json_add_text(root, "Name", name);
    json_add_pairs(root, "Labels", labels);
    json = json_take_text(root);
    return call_done(e,
                     &(struct request){ .method = "POST",
                                        .path = "/volumes/create",
                                        .json = json },
                     cb, user);
}

struct engine_call *engine_volume_remove(struct engine *e, const char *name,
                                         engine_done_cb cb, void *user)
{
    cleanup_str struct str path = { 0 };

    path_begin(&path, "/volumes/", name, "");
    return call_done(e,
                     &(struct request){ .method = "DELETE",
                                        .path = str_c(&path),
                                        .gone_ok = true },
                     cb, user);
}

static void read_volume(struct engine_object *out, const cJSON *item)
{
    out->id = xstrdup(json_text(item, "Name"));
    out->name = xstrdup(json_text(item, "Name"));
    json_pairs(json_get(item, "Labels"), &out->labels);
    out->subnet = xstrdup("");
}

struct engine_call *engine_volume_list(struct engine *e, const char *label,
                                       engine_objects_cb cb, void *user)
{
    cleanup_str struct str path = { 0 };

    str_add(&path, "/volumes");
    path_label(&path, label);
    return objects_list(e, str_c(&path), "Volumes", read_volume, cb, user);
}
