/* Decoders of `volumes`, `volumeOptions` and `configMounts`. The table in
 * service.c calls them, and container.c does for an initContainer. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "manifest/decode.h"
#include "manifest/sections.h"

/* Adds "NAME:/path", "/from:/to" or "/path". After a second colon Docker takes
 * options such as "ro"; Convox has none, so they are ignored with a warning. */
static void add_volume(const struct at *at, void *out)
{
    struct manifest_service *s = out;
    struct manifest_volume *volume;
    const char *text, *colon, *to;
    size_t len;

    if (node_is_null(at->node))
        return;
    if (!at_is_scalar(at)) {
        at_wrong(at, "PATH or NAME:PATH");
        return;
    }
    text = at->node->text;
    colon = strchr(text, ':');
    to = colon == NULL ? text : colon + 1;
    len = strcspn(to, ":");
    if (*to != '/' || colon == text) {
        at_error(at,
                 "service %.100s: the volume \"%.60s\" must be PATH or "
                 "NAME:PATH, where PATH begins with /",
                 at_owner(at), at_shown(at));
        return;
    }
    if (to[len] != '\0')
        at_warn(at, "service %.100s: \"%.60s\" of a volume is ignored",
                at_owner(at), to + len);
    volume = vec_add(&s->volumes);
    volume->from =
        colon == NULL ? NULL : str_dup_len(text, (size_t)(colon - text));
    volume->to = str_dup_len(to, len);
    volume->pos = at->node->pos;
}

void decode_volumes(const struct at *at, void *out)
{
    decode_list(at, "a list of PATH or NAME:PATH", add_volume, out);
}

/* The keys of all three kinds, which have most of them in common. */
struct option {
    char *id, *mount_path, *medium, *mode, *size;
};

#define OPTION(member) offsetof(struct option, member)

static bool is_quantity(const char *text)
{
    static const char *const units[] = { "",   "m",  "k",  "M",  "G",
                                         "T",  "P",  "E",  "Ki", "Mi",
                                         "Gi", "Ti", "Pi", "Ei", NULL };
    size_t len = strspn(text, "0123456789.");

    for (size_t i = 0; len > 0 && units[i] != NULL; i++)
        if (strcmp(text + len, units[i]) == 0)
            return true;
    return false;
}

/* An Azure share has at least 100Gi. Only common spellings of a size are known
 * here; an unusual one is refused. */
static bool is_large_enough(const char *text)
{
    size_t len = strspn(text, "0123456789.");
    double n = strtod(text, NULL);

    if (strcmp(text + len, "Gi") == 0)
        return n >= 100;
    if (strcmp(text + len, "G") == 0)
        return n >= 107.3741824;
    if (strcmp(text + len, "Mi") == 0)
        return n >= 102400;
    return strchr("TPE", text[len]) != NULL && text[len] != '\0' && n > 0.1;
}

static bool check_ids(const struct at *at, const struct option *o)
{
    if (o->id == NULL)
        at_error(at, "%s.id is required", at->key);
    else if (o->mount_path == NULL)
        at_error(at, "%s.mountPath is required", at->key);
    else if (o->mount_path[0] != '/')
        at_error(at, "%s.mountPath must begin with /", at->key);
    else
        return true;
    return false;
}

static bool check_mode(const struct at *at, const struct option *o)
{
    static const char *const modes[] = { "ReadOnlyMany", "ReadWriteMany",
                                         "ReadWriteOnce", NULL };

    for (size_t i = 0; o->mode != NULL && modes[i] != NULL; i++)
        if (strcmp(o->mode, modes[i]) == 0)
            return true;
    at_error(at,
             "%s.accessMode must be one of these values: ReadOnlyMany, "
             "ReadWriteMany, ReadWriteOnce",
             at->key);
    return false;
}

static bool check_empty_dir(const struct at *at, const struct option *o)
{
    if (!check_ids(at, o))
        return false;
    if (o->medium != NULL && strcmp(o->medium, "Memory") != 0)
        at_error(at, "emptyDir.medium's allowed values: Memory");
    else if (o->size != NULL && !is_quantity(o->size))
        at_error(at, "emptyDir.sizeLimit is invalid: %.60s", o->size);
    else
        return true;
    return false;
}

static bool check_azure(const struct at *at, const struct option *o)
{
    if (!check_ids(at, o) || !check_mode(at, o))
        return false;
    if (!decode_is_name(o->id))
        at_error(at, "azureFiles.id must match ^[a-z][a-z0-9-]*$");
    else if (o->size != NULL && !is_quantity(o->size))
        at_error(at, "azureFiles.shareSize is invalid: %.60s", o->size);
    else if (o->size != NULL && !is_large_enough(o->size))
        at_error(at, "azureFiles.shareSize must be at least 100Gi (Azure "
                     "Premium NFS minimum)");
    else
        return true;
    return false;
}

static void keep(struct option *o, int kind,
                 struct manifest_volume_options *list)
{
    struct manifest_volume_option *option = vec_add(list);

    option->kind = kind;
    option->id = o->id;
    option->mount_path = o->mount_path;
    option->memory = o->medium != NULL;
    option->read_only = o->mode != NULL && strcmp(o->mode, "ReadOnlyMany") == 0;
    o->id = o->mount_path = NULL;
}

static void release_option(struct option *o)
{
    free(o->id);
    free(o->mount_path);
    free(o->medium);
    free(o->mode);
    free(o->size);
}

static void decode_empty_dir(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "id", decode_text, OPTION(id), 0 },
        { "mountPath", decode_text, OPTION(mount_path), 0 },
        { "medium", decode_text, OPTION(medium), 0 },
        { "sizeLimit", decode_text, OPTION(size), DECODE_CLOUD },
        { 0 },
    };
    struct option o = { 0 };

    if (decode_map(at, "a map of id and mountPath", keys, &o) &&
        check_empty_dir(at, &o))
        keep(&o, VOLUME_EMPTY_DIR, out);
    release_option(&o);
}

static void decode_efs(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "id", decode_text, OPTION(id), 0 },
        { "mountPath", decode_text, OPTION(mount_path), 0 },
        { "accessMode", decode_text, OPTION(mode), 0 },
        { "storageClass", decode_a_text, 0, DECODE_CLOUD },
        { "volumeHandle", decode_a_text, 0, DECODE_CLOUD },
        { 0 },
    };
    struct option o = { 0 };

    if (decode_map(at, "a map of id, mountPath and accessMode", keys, &o) &&
        check_ids(at, &o) && check_mode(at, &o))
        keep(&o, VOLUME_AWS_EFS, out);
    release_option(&o);
}

static void decode_azure(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "id", decode_text, OPTION(id), 0 },
        { "mountPath", decode_text, OPTION(mount_path), 0 },
        { "accessMode", decode_text, OPTION(mode), 0 },
        { "shareSize", decode_text, OPTION(size), DECODE_CLOUD },
        { 0 },
    };
    struct option o = { 0 };

    if (decode_map(at, "a map of id, mountPath and accessMode", keys, &o) &&
        check_azure(at, &o))
        keep(&o, VOLUME_AZURE_FILES, out);
    release_option(&o);
}

static void add_option(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "emptyDir", decode_empty_dir, 0, 0 },
        { "awsEfs", decode_efs, 0, 0 },
        { "azureFiles", decode_azure, 0, 0 },
        { 0 },
    };

    decode_map(at, "a map of emptyDir, awsEfs or azureFiles", keys, out);
}

void decode_volume_options(const struct at *at, void *out)
{
    decode_list(at, "a list of maps", add_option, out);
}

static void add_config_mount(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "id", decode_text, offsetof(struct manifest_config_mount, id), 0 },
        { "dir", decode_text, offsetof(struct manifest_config_mount, dir), 0 },
        { "filename", decode_text,
          offsetof(struct manifest_config_mount, filename), 0 },
        { 0 },
    };
    struct manifest_config_mounts *mounts = out;
    struct manifest_config_mount *mount = vec_add(mounts);

    if (!decode_map(at, "a map of id, dir and filename", keys, mount))
        return;
    if (mount->id == NULL)
        at_error(at, "configMounts[*].id is required");
    else
        decode_ref_add(at, REF_CONFIG, at_owner(at), mount->id);
    if (mount->dir == NULL)
        at_error(at, "configMounts[*].dir is required");
    if (mount->filename == NULL)
        at_error(at, "configMounts[*].filename is required");
}

void decode_config_mounts(const struct at *at, void *out)
{
    decode_list(at, "a list of maps of id, dir and filename", add_config_mount,
                out);
}
