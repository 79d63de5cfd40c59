/* Decoders of `build`, `initContainer`, `lifecycle` and `securityContext`: the
 * keys of a service that shape its image or container. The table in service.c
 * calls them. */
#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "manifest/decode.h"
#include "manifest/sections.h"

#define SERVICE(member) offsetof(struct manifest_service, member)

void decode_build(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "path", decode_text, SERVICE(build_path), 0 },
        { "manifest", decode_text, SERVICE(build_manifest), 0 },
        { "args", decode_texts, SERVICE(build_args), 0 },
        { 0 },
    };
    struct manifest_service *s = out;

    if (at_is_string(at))
        decode_text(at, &s->build_path);
    else
        decode_map(at, "a path or a map of path and manifest", keys, s);
}

void decode_init_container(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "image", decode_text, SERVICE(init_container.image), 0 },
        { "command", decode_command, SERVICE(init_container.command), 0 },
        { "volumeOptions", decode_volume_options,
          SERVICE(init_container.volume_options), 0 },
        { "configMounts", decode_config_mounts,
          SERVICE(init_container.config_mounts), 0 },
        { 0 },
    };
    struct manifest_service *s = out;

    if (decode_map(at, "a map of image and command", keys, s))
        s->init_container.set = true;
}

void decode_lifecycle(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "preStop", decode_command, SERVICE(lifecycle.pre_stop), 0 },
        { "postStart", decode_command, SERVICE(lifecycle.post_start), 0 },
        { 0 },
    };

    decode_map(at, "a map of preStop and postStart", keys, out);
}

static void decode_escalation(const struct at *at, void *out)
{
    struct manifest_service *s = out;
    bool allowed = true;

    decode_bool(at, &allowed);
    s->security.no_new_privileges = !allowed;
}

static void check_capability(const struct at *at, const char *name)
{
    static const char fine[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

    if (strncmp(name, "CAP_", 4) == 0)
        at_error(at,
                 "service %.100s: securityContext.capabilities: \"%.60s\" "
                 "must not begin with CAP_, use \"%.60s\"",
                 at_owner(at), name, name + 4);
    else if (*name == '\0' || name[strspn(name, fine)] != '\0')
        at_error(at,
                 "service %.100s: securityContext.capabilities: \"%.60s\" "
                 "must be upper case, such as NET_ADMIN",
                 at_owner(at), name);
}

static void decode_caps(const struct at *at, void *out)
{
    const struct strv *caps = out;

    decode_texts(at, out);
    for (size_t i = 0; i < caps->len; i++)
        check_capability(at, caps->v[i]);
}

static void decode_capabilities(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "add", decode_caps, SERVICE(security.cap_add), 0 },
        { "drop", decode_caps, SERVICE(security.cap_drop), 0 },
        { 0 },
    };

    decode_map(at, "a map of add and drop", keys, out);
}

static void decode_seccomp(const struct at *at, void *out)
{
    const char *text = at->node->kind == NODE_SCALAR ? at->node->text : "";

    (void)out;
    if (!at_is_scalar(at))
        at_wrong(at, "RuntimeDefault or Unconfined");
    else if (strcmp(text, "Localhost") == 0)
        at_error(at,
                 "service %.100s: securityContext.seccompProfile: Localhost "
                 "is not supported (allowed: RuntimeDefault, Unconfined)",
                 at_owner(at));
    else if (strcmp(text, "RuntimeDefault") != 0 &&
             strcmp(text, "Unconfined") != 0)
        at_error(at,
                 "service %.100s: securityContext.seccompProfile \"%.60s\" is "
                 "invalid (allowed: RuntimeDefault, Unconfined)",
                 at_owner(at), at_shown(at));
}

/* runAsNonRoot is not stored: it only contradicts a runAsUser of 0. The map is
 * searched for that key, because keys may come in any order. */
static void decode_non_root(const struct at *at, void *out)
{
    const struct node *map = at->up->node;
    bool wanted = false;

    (void)out;
    decode_bool(at, &wanted);
    for (size_t i = 0; wanted && i < map->entries.len; i++) {
        const struct node_entry *entry = &map->entries.v[i];

        if (!entry->hidden && strcmp(entry->key->text, "runAsUser") == 0 &&
            entry->value->kind == NODE_SCALAR &&
            entry->value->type == NODE_INT && entry->value->whole == 0)
            at_error(at,
                     "service %.100s: securityContext.runAsNonRoot=true is "
                     "incompatible with runAsUser=0",
                     at_owner(at));
    }
}

void decode_security(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "runAsNonRoot", decode_non_root, 0, 0 },
        { "runAsUser", decode_long, SERVICE(security.run_as_user), 0 },
        { "runAsGroup", decode_long, SERVICE(security.run_as_group), 0 },
        { "readOnlyRootFilesystem", decode_bool,
          SERVICE(security.read_only_root), 0 },
        { "allowPrivilegeEscalation", decode_escalation, 0, 0 },
        { "capabilities", decode_capabilities, 0, 0 },
        { "seccompProfile", decode_seccomp, 0, DECODE_CLOUD },
        { 0 },
    };

    decode_map(at, "a map of runAsUser, capabilities, ...", keys, out);
}
