/* Calls that concern images: inspect, tag, remove, list. One function per call;
 * engine.h has the contract of each. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/client.h"
#include "engine/json.h"
#include "engine/objects.h"
#include "engine/path.h"

struct inspect {
    struct engine_call call; /* first: see call_new() */
    char *local;             /* Podman: a second name to try, or NULL */
};

static void read_image(struct engine_image *out, const cJSON *json)
{
    const cJSON *config = json_get(json, "Config");

    out->id = xstrdup(json_text(json, "Id"));
    json_pairs(json_get(config, "Labels"), &out->labels);
    json_strings(json_get(config, "Entrypoint"), &out->entrypoint);
    json_strings(json_get(config, "Cmd"), &out->argv);
    json_strings(json_get(config, "Env"), &out->env);
    json_keys(json_get(config, "Volumes"), &out->volumes);
    json_keys(json_get(config, "ExposedPorts"), &out->ports);
    out->user = xstrdup(json_text(config, "User"));
    out->working_dir = xstrdup(json_text(config, "WorkingDir"));
    out->architecture = xstrdup(json_text(json, "Architecture"));
}

static void image_release(struct engine_image *i)
{
    free(i->id);
    strv_release(&i->labels);
    strv_release(&i->entrypoint);
    strv_release(&i->argv);
    strv_release(&i->env);
    strv_release(&i->volumes);
    strv_release(&i->ports);
    free(i->user);
    free(i->working_dir);
    free(i->architecture);
}

static void on_inspected(struct engine_call *call, const struct answer *a,
                         const struct err *err);

static void inspect_release(struct engine_call *call)
{
    free(container_of(call, struct inspect, call)->local);
}

static void ask(struct engine_call *call, const char *ref)
{
    cleanup_str struct str path = { 0 };

    path_begin(&path, "/images/", ref, "/json");
    call_send(call, &(struct request){ .method = "GET",
                                       .path = str_c(&path),
                                       .step = on_inspected });
}

static void on_inspected(struct engine_call *call, const struct answer *a,
                         const struct err *err)
{
    struct inspect *i = container_of(call, struct inspect, call);
    struct engine_image found = { 0 };
    cleanup_free char *local = i->local;

    i->local = NULL;
    if (err != NULL && err->code == ERR_NOT_FOUND && local != NULL) {
        ask(call, local);
        return;
    }
    call_end(call);
    if (err != NULL) {
        call->cb.inspected(NULL, err, call->user);
        return;
    }
    read_image(&found, a->json);
    call->cb.inspected(&found, NULL, call->user);
    image_release(&found);
}

struct engine_call *engine_image_inspect(struct engine *e, const char *ref,
                                         engine_image_cb cb, void *user)
{
    struct inspect *i = call_new(e, sizeof(*i));

    i->call.release = inspect_release;
    i->call.cb.inspected = cb;
    i->call.user = user;
    /* Podman knows an image that was built or imported here only by this
     * name. */
    if (e->podman && !str_starts(ref, "sha256:"))
        i->local = xasprintf("localhost/%s", ref);
    ask(&i->call, ref);
    return &i->call;
}

struct engine_call *engine_image_tag(struct engine *e, const char *ref,
                                     const char *repo, const char *tag,
                                     engine_done_cb cb, void *user)
{
    cleanup_str struct str path = { 0 };

    path_begin(&path, "/images/", ref, "/tag");
    path_query(&path, "repo", repo);
    path_query(&path, "tag", tag);
    return call_done(
        e, &(struct request){ .method = "POST", .path = str_c(&path) }, cb,
        user);
}

struct engine_call *engine_image_remove(struct engine *e, const char *ref,
                                        engine_done_cb cb, void *user)
{
    cleanup_str struct str path = { 0 };

    path_begin(&path, "/images/", ref, "");
    return call_done(e,
                     &(struct request){ .method = "DELETE",
                                        .path = str_c(&path),
                                        .gone_ok = true },
                     cb, user);
}

/* People call these images x:1: "docker.io/library/x:1", and, on Podman,
 * "localhost/x:1". */
static const char *short_name(const char *name)
{
    static const char *const prefixes[] = { "docker.io/library/", "docker.io/",
                                            "localhost/" };

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
        if (str_starts(name, prefixes[i]))
            return name + strlen(prefixes[i]);
    }
    return name;
}

static void read_listed(struct engine_object *out, const cJSON *item)
{
    const char *tag =
        cJSON_GetStringValue(cJSON_GetArrayItem(json_get(item, "RepoTags"), 0));

    if (tag == NULL || strcmp(tag, "<none>:<none>") == 0)
        tag = "";
    out->id = xstrdup(json_text(item, "Id"));
    out->name = xstrdup(short_name(tag));
    json_pairs(json_get(item, "Labels"), &out->labels);
    out->subnet = xstrdup("");
    out->size = json_int(item, "Size");
    out->created = json_int(item, "Created");
}

struct engine_call *engine_image_list(struct engine *e, const char *label,
                                      engine_objects_cb cb, void *user)
{
    cleanup_str struct str path = { 0 };

    str_add(&path, "/images/json");
    path_label(&path, label);
    return objects_list(e, str_c(&path), NULL, read_listed, cb, user);
}
