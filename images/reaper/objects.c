/* Lists and removes what the engine has of a rack. main.c calls it once the
 * rack is dead. */
#include "images/reaper/objects.h"
#include "base/label.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/percent.h"
#include "base/vec.h"
#include "images/reaper/http.h"

/* How long a list and a removal may take. A removal may have to wait for a
 * process to be killed; whatever takes longer is tried again. */
#define LIST_MS   10000
#define REMOVE_MS 10000

/* What objects_list() returns as *why. */
static char last_why[160];

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text == NULL ? "" : text;
}

/* Is the label "key=value" among those of an object that the engine listed? */
static bool has_label(const json_t *labels, const char *label)
{
    size_t len = strcspn(label, "=");
    cleanup_free char *key = str_dup_len(label, len);

    return label[len] == '=' && json_object_get(labels, key) != NULL &&
           strcmp(text_of(labels, key), label + len + 1) == 0;
}

static bool is_ours(const json_t *item, char *const *labels, size_t count)
{
    const json_t *has = json_object_get(item, "Labels");

    for (size_t i = 0; i < count; i++)
        if (!has_label(has, labels[i]))
            return false;
    return count > 0 && !has_label(has, LABEL_KEEP "=true");
}

/* A container has several names, with a slash each ("/app-s1-web"); the other
 * kinds have one. */
static const char *name_of(const json_t *item)
{
    const char *name =
        json_string_value(json_array_get(json_object_get(item, "Names"), 0));

    if (name == NULL)
        name = text_of(item, "Name");
    return *name == '/' ? name + 1 : name;
}

static void add(struct objects *out, enum object_kind kind, const json_t *item)
{
    const char *id = text_of(item, kind == OBJECT_VOLUME ? "Name" : "Id");
    struct object *o;

    if (*id == '\0')
        return;
    o = vec_add(out);
    o->kind = kind;
    o->id = xstrdup(id);
    o->name = xstrdup(name_of(item));
    o->is_reaper =
        has_label(json_object_get(item, "Labels"), LABEL_KIND "=reaper");
}

static int read_list(struct objects *out, enum object_kind kind,
                     const struct http_call *call, char *const *labels,
                     size_t count)
{
    json_error_t where;
    json_t *root = call->status == 200 ? json_loadb(str_c(&call->body),
                                                    call->body.len, 0, &where)
                                       : NULL;
    const json_t *list =
        kind == OBJECT_VOLUME ? json_object_get(root, "Volumes") : root;
    size_t i;
    json_t *item;

    if (root == NULL) {
        snprintf(last_why, sizeof(last_why), "%s: %s", call->path,
                 call->status == 0     ? call->why
                 : call->status == 200 ? "the answer is no JSON"
                                       : "the engine refused");
        return -1;
    }
    json_array_foreach(list, i, item) if (is_ours(item, labels, count))
        add(out, kind, item);
    json_decref(root);
    return 0;
}

/* filters={"label":["a=b","c=d"]} */
static char *filters(char *const *labels, size_t count)
{
    json_t *list = json_array(), *root = json_pack("{s:o}", "label", list);
    cleanup_free char *text = NULL;
    struct str out = { 0 };

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(labels[i]));
    text = json_dumps(root, JSON_COMPACT);
    percent_encode(&out, text, "");
    json_decref(root);
    return str_take(&out);
}

int objects_list(struct objects *out, const char *socket_path,
                 char *const *labels, size_t label_count, const char **why)
{
    static const char *const paths[] = {
        [OBJECT_CONTAINER] = "/containers/json?all=1&filters=",
        [OBJECT_NETWORK] = "/networks?filters=",
        [OBJECT_VOLUME] = "/volumes?filters=",
    };
    cleanup_free char *query = filters(labels, label_count);
    struct http_call calls[3] = { 0 };
    int rc = 0;

    for (int kind = 0; kind < 3; kind++) {
        calls[kind].method = "GET";
        calls[kind].path = xasprintf("%s%s", paths[kind], query);
    }
    http_run(socket_path, calls, 3, LIST_MS);
    for (int kind = 0; kind < 3; kind++) {
        if (rc == 0)
            rc = read_list(out, (enum object_kind)kind, &calls[kind], labels,
                           label_count);
        http_release(&calls[kind]);
        free(calls[kind].path);
    }
    *why = last_why;
    return rc;
}

/* ---- removal ------------------------------------------------------------ */

/* timeout=0, because Podman would first ask the container to stop and wait;
 * Docker ignores it. */
static char *removal_of(const struct object *o)
{
    static const char *const kinds[] = { [OBJECT_CONTAINER] = "containers",
                                         [OBJECT_NETWORK] = "networks",
                                         [OBJECT_VOLUME] = "volumes" };
    struct str path = { 0 };

    str_printf(&path, "/%s/", kinds[o->kind]);
    percent_encode(&path, o->id, "");
    if (o->kind == OBJECT_CONTAINER)
        str_add(&path, "?force=1&v=1&timeout=0");
    return str_take(&path);
}

/* Removed, or being removed by somebody else: the next look will tell. */
static bool is_done(const struct http_call *call)
{
    return (call->status >= 200 && call->status < 300) || call->status == 404 ||
           (call->status == 409 &&
            strstr(str_c(&call->body), "already in progress") != NULL);
}

size_t objects_remove(const struct objects *all, const char *socket_path,
                      bool (*want)(const struct object *object))
{
    struct http_call *calls = xcalloc(all->len + 1, sizeof(*calls));
    size_t count = 0, failed = 0;

    for (size_t i = 0; i < all->len; i++) {
        if (!want(&all->v[i]))
            continue;
        calls[count].method = "DELETE";
        calls[count++].path = removal_of(&all->v[i]);
    }
    http_run(socket_path, calls, count, REMOVE_MS);
    for (size_t i = 0; i < count; i++) {
        failed += !is_done(&calls[i]);
        http_release(&calls[i]);
        free(calls[i].path);
    }
    free(calls);
    return failed;
}

void objects_release(struct objects *all)
{
    for (size_t i = 0; i < all->len; i++) {
        free(all->v[i].id);
        free(all->v[i].name);
    }
    free(all->v);
    *all = (struct objects){ 0 };
}
