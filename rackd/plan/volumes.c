/* Plans volumes and mounts: those of efs resources, of kept data, and of the
 * `volumes` and `volumeOptions` of services. resources.c and services.c call
 * it. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "plan/planner.h"

/* Long enough for any sensible name, and short enough for the limits of
 * engines. */
#define NAME_MAX_LEN 80

#define EFS_ID   1000
#define EFS_MODE 0777

/* The only paths of this machine that are mounted as such; the list is that of
 * Convox, and only these exact strings count. Any other path is the name of a
 * volume. */
static const char *const host_paths[] = {
    "/cgroup/",
    "/proc/",
    "/sys/fs/cgroup/",
    "/sys/kernel/debug/",
    "/var/log/audit/",
    "/var/run/",
    "/var/run/docker.sock",
    "/dev/log",
    "/etc/passwd",
    "/var/lib/docker/containers/",
};

static bool is_host_path(const char *path)
{
    for (size_t i = 0; i < sizeof(host_paths) / sizeof(host_paths[0]); i++)
        if (strcmp(path, host_paths[i]) == 0)
            return true;
    return false;
}

/* ---- names ------------------------------------------------------------- */

/* "/var/lib/x" becomes "var-lib-x", which an engine accepts as part of a
 * name. */
static char *clean_name(const char *raw)
{
    struct str name = { 0 };

    for (; *raw != '\0' && name.len < NAME_MAX_LEN; raw++) {
        char c = *raw;

        if (isalnum((unsigned char)c) || c == '_' || c == '.')
            str_add_char(&name, c);
        else if (name.len > 0 && name.s[name.len - 1] != '-')
            str_add_char(&name, '-');
    }
    while (name.len > 0 && name.s[name.len - 1] == '-')
        str_cut(&name, name.len - 1);
    if (name.len == 0)
        str_add(&name, "volume");
    return str_take(&name);
}

/* A name that is not taken yet: two volumes must stay two, even when cleaning
 * makes their names the same. */
static char *free_name(struct planner *pl, const char *raw)
{
    char *base = clean_name(raw), *name = xstrdup(base);

    for (unsigned n = 2; env_get(&pl->volume_names, name) != NULL; n++) {
        free(name);
        name = xasprintf("%s-%u", base, n);
    }
    env_set(&pl->volume_names, name, "", NULL);
    free(base);
    return name;
}

static struct plan_volume *add_volume(struct planner *pl, const char *name)
{
    struct plan_volume *volume = vec_add(&pl->plan->volumes);

    volume->name = free_name(pl, name);
    volume->uid = volume->gid = -1;
    return volume;
}

/*
 * Index of a shared volume, which is added when it is first asked for. The key
 * says what it is for:
 *
 *     shared FROM           `volumes`: by name or path, in the app
 *     id ID                 awsEfs, azureFiles: in the app
 *     empty SERVICE ID      emptyDir: of one service
 */
static int find_or_add(struct planner *pl, const char *key, const char *name)
{
    const char *known = env_get(&pl->volumes, key);
    cleanup_free char *place = NULL;
    long at;

    if (known != NULL && str_to_long(known, 0, 1 << 30, &at))
        return (int)at;
    add_volume(pl, name);
    at = (long)pl->plan->volumes.len - 1;
    place = xasprintf("%ld", at);
    env_set(&pl->volumes, key, place, NULL);
    return (int)at;
}

/* ---- resources --------------------------------------------------------- */

static const struct manifest_option *
find_option(const struct manifest_resource *r, const char *key)
{
    for (size_t i = 0; i < r->options.len; i++)
        if (strcmp(r->options.v[i].key, key) == 0 &&
            *planner_text(r->options.v[i].value) != '\0')
            return &r->options.v[i];
    return NULL;
}

static long read_id(struct planner *pl, const struct manifest_resource *r,
                    const char *key)
{
    const struct manifest_option *option = find_option(r, key);
    long id = EFS_ID;

    if (option != NULL && !str_to_long(option->value, 0, 0x7fffffff, &id))
        diags_add(pl->diags, DIAG_ERROR, option->pos,
                  "resource %s: %s is a number such as %d, not %s", r->name,
                  key, EFS_ID, option->value);
    return id;
}

/* Reads octal digits, as chmod takes them: 777, 0777, 0o777. */
static unsigned read_mode(struct planner *pl, const struct manifest_resource *r)
{
    const struct manifest_option *option = find_option(r, "permissions");
    const char *digits;

    if (option == NULL)
        return EFS_MODE;
    digits = option->value;
    if (str_starts(digits, "0o"))
        digits += 2;
    if (strlen(digits) <= 5 && digits[0] != '\0' &&
        digits[strspn(digits, "01234567")] == '\0' &&
        strtoul(digits, NULL, 8) <= 07777)
        return (unsigned)strtoul(digits, NULL, 8);
    diags_add(pl->diags, DIAG_ERROR, option->pos,
              "resource %s: permissions are octal digits such as 0777, not %s",
              r->name, option->value);
    return EFS_MODE;
}

/* True when a part of the path is "..". */
static bool leaves_root(const char *path)
{
    while (*path != '\0') {
        size_t len = strcspn(path, "/");

        if (len == 2 && path[0] == '.' && path[1] == '.')
            return true;
        path += len + (path[len] == '/');
    }
    return false;
}

/* The `path` option without slashes at its ends; NULL for the root. */
static char *read_subpath(struct planner *pl, const struct manifest_resource *r)
{
    const struct manifest_option *option = find_option(r, "path");
    const char *path;
    size_t len;

    if (option == NULL)
        return NULL;
    if (leaves_root(option->value))
        diags_add(pl->diags, DIAG_ERROR, option->pos,
                  "resource %s: path may not contain ..: %s", r->name,
                  option->value);
    path = option->value + strspn(option->value, "/");
    len = strlen(path);
    while (len > 0 && path[len - 1] == '/')
        len--;
    return len == 0 ? NULL : str_dup_len(path, len);
}

void planner_efs(struct planner *pl, const struct manifest_resource *r,
                 struct plan_resource *out)
{
    struct plan_volume *volume = add_volume(pl, r->name);

    out->volume = (int)pl->plan->volumes.len - 1;
    volume->kind = PLAN_VOLUME_EFS;
    volume->resource = xstrdup(r->name);
    volume->keep = pl->opts->keep_data;
    volume->uid = read_id(pl, r, "owner-uid");
    volume->gid = read_id(pl, r, "owner-gid");
    volume->mode = read_mode(pl, r);
    volume->subpath = read_subpath(pl, r);
}

int planner_data_volume(struct planner *pl, const char *resource,
                        const char *what)
{
    cleanup_free char *name = xasprintf("%s-%s", resource, what);
    struct plan_volume *volume = add_volume(pl, name);

    volume->kind = PLAN_VOLUME_DATA;
    volume->resource = xstrdup(resource);
    volume->keep = true;
    return (int)pl->plan->volumes.len - 1;
}

/* ---- mounts ------------------------------------------------------------ */

/* The mounts of one container while they are planned. */
struct mounting {
    struct planner *pl;
    const struct manifest_service *s;
    struct plan_container *out;
};

static bool is_same(const struct plan_mount *a, const struct plan_mount *b)
{
    return a->volume == b->volume && a->memory == b->memory &&
           strcmp(planner_text(a->host), planner_text(b->host)) == 0;
}

/* Adds `mount`, whose strings it takes over. An engine refuses two mounts at
 * one path, so the second is an error here, or dropped when it is the same. */
static void add_mount(struct mounting *m, struct plan_mount mount,
                      struct diag_pos pos)
{
    for (size_t i = 0; i < m->out->mounts.len; i++) {
        const struct plan_mount *other = &m->out->mounts.v[i];

        if (strcmp(other->target, mount.target) != 0)
            continue;
        if (!is_same(other, &mount))
            diags_add(m->pl->diags, DIAG_ERROR, pos,
                      "service %s mounts two volumes at %s", m->s->name,
                      mount.target);
        free(mount.host);
        free(mount.target);
        return;
    }
    *(struct plan_mount *)vec_add(&m->out->mounts) = mount;
}

static bool lists(const struct manifest_service *s, const char *resource)
{
    for (size_t i = 0; i < s->resources.len; i++)
        if (strcmp(s->resources.v[i].resource, resource) == 0)
            return true;
    return false;
}

/* Index of the volume of the efs resource called `from`; -1 when there is none
 * that this service may use. */
static int find_efs(struct mounting *m, const char *from, struct diag_pos pos)
{
    const struct plan_resource *r = planner_find_resource(m->pl, from);

    if (r == NULL || r->volume < 0)
        return -1;
    if (lists(m->s, from))
        return r->volume;
    diags_add(m->pl->diags, DIAG_WARNING, pos,
              "service %s mounts %s without listing it under `resources`: it "
              "gets a volume of its own, not the resource's",
              m->s->name, from);
    return -1;
}

static int shared_volume(struct planner *pl, const char *from)
{
    cleanup_free char *key = xasprintf("shared\n%s", from);

    return find_or_add(pl, key, from);
}

static void make_mount(struct mounting *m, const struct manifest_volume *v)
{
    const char *from = *planner_text(v->from) == '\0' ? v->to : v->from;
    struct plan_mount mount = { .volume = -1 };

    if (v->to[0] != '/') {
        diags_add(m->pl->diags, DIAG_ERROR, v->pos,
                  "service %s: volume %s: the path inside the container "
                  "begins with a /",
                  m->s->name, v->to);
        return;
    }
    mount.target = xstrdup(v->to);
    if (is_host_path(from))
        mount.host = xstrdup(from);
    else
        mount.volume = find_efs(m, from, v->pos);
    if (mount.host == NULL && mount.volume < 0) {
        mount.volume = shared_volume(m->pl, from);
        if (from[0] == '/' && from != v->to)
            diags_add(m->pl->diags, DIAG_NOTE, v->pos,
                      "service %s: %s names a volume of the app, not a "
                      "directory of this machine",
                      m->s->name, from);
    }
    add_mount(m, mount, v->pos);
}

static int option_volume(struct mounting *m,
                         const struct manifest_volume_option *o)
{
    cleanup_free char *key = NULL, *name = NULL;

    if (o->kind == VOLUME_EMPTY_DIR) {
        key = xasprintf("empty\n%s\n%s", m->s->name, o->id);
        name = xasprintf("%s-%s", m->s->name, o->id);
    } else {
        key = xasprintf("id\n%s", o->id);
        name = xstrdup(o->id);
    }
    return find_or_add(m->pl, key, name);
}

/* The manifest has reported an option without an id or a path. */
static void make_option(struct mounting *m,
                        const struct manifest_volume_option *o)
{
    struct plan_mount mount = { .volume = -1, .read_only = o->read_only };

    if (*planner_text(o->id) == '\0' || *planner_text(o->mount_path) == '\0')
        return;
    mount.target = xstrdup(o->mount_path);
    mount.memory = o->kind == VOLUME_EMPTY_DIR && o->memory;
    if (!mount.memory)
        mount.volume = option_volume(m, o);
    add_mount(m, mount, m->s->pos);
}

void planner_mounts(struct planner *pl, const struct manifest_service *s,
                    struct plan_container *out)
{
    struct mounting m = { .pl = pl, .s = s, .out = out };

    for (size_t i = 0; i < s->volumes.len; i++)
        make_mount(&m, &s->volumes.v[i]);
    planner_option_mounts(pl, s, &s->volume_options, out);
}

void planner_option_mounts(struct planner *pl, const struct manifest_service *s,
                           const struct manifest_volume_options *options,
                           struct plan_container *out)
{
    struct mounting m = { .pl = pl, .s = s, .out = out };

    for (size_t i = 0; i < options->len; i++)
        make_option(&m, &options->v[i]);
}
