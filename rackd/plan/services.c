/* Plans the services: image or build, command, ports, files, health check, and
 * their initContainers. plan.c calls it after the resources, which services
 * refer to. */
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "plan/command.h"
#include "plan/planner.h"

/* ---- image or build ---------------------------------------------------- */

/* "./web/" becomes "web", so that two spellings of a directory give one
 * build. */
static char *clean_path(const char *path)
{
    size_t len;

    while (path[0] == '.' && path[1] == '/')
        path += 1 + strspn(path + 1, "/");
    len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    return len == 0 ? xstrdup(".") : str_dup_len(path, len);
}

static int make_build(struct planner *pl, const struct manifest_service *s)
{
    cleanup_free char *path = clean_path(planner_text(s->build_path));
    cleanup_free char *file = clean_path(
        s->build_manifest == NULL ? "Dockerfile" : s->build_manifest);
    cleanup_free char *key = xasprintf("%s\n%s", path, file);
    const char *known = env_get(&pl->builds, key);
    struct plan_build *build;
    long index;

    if (known == NULL || !str_to_long(known, 0, 1 << 30, &index)) {
        cleanup_free char *place = NULL;

        index = (long)pl->plan->builds.len;
        place = xasprintf("%ld", index);
        env_set(&pl->builds, key, place, NULL);
        build = vec_add(&pl->plan->builds);
        build->path = xstrdup(path);
        build->dockerfile = xstrdup(file);
    }
    build = &pl->plan->builds.v[index];
    strv_add(&build->services, s->name);
    return (int)index;
}

static void choose_image(struct planner *pl, const struct manifest_service *s,
                         struct plan_container *out)
{
    out->build = -1;
    if (*planner_text(s->image) != '\0')
        out->image = xstrdup(s->image);
    else
        out->build = make_build(pl, s);
}

/* ---- ports ------------------------------------------------------------- */

static enum plan_protocol protocol_of(const struct manifest_port *p)
{
    return strcasecmp(planner_text(p->protocol), "udp") == 0 ? PLAN_UDP
                                                             : PLAN_TCP;
}

/* A routed port should have the same number on this machine, but may take
 * another when that is in use. A port of a load balancer must have its
 * number. */
static void make_ports(const struct manifest_service *s,
                       struct plan_container *out)
{
    if (s->port.port > 0)
        *(struct plan_port *)vec_add(&out->ports) = (struct plan_port){
            .container = s->port.port,
            .published = !s->internal,
            .host = s->internal ? 0 : s->port.port,
        };
    for (size_t i = 0; i < s->nlb.len; i++) {
        const struct manifest_port *p = &s->nlb.v[i];

        *(struct plan_port *)vec_add(&out->ports) = (struct plan_port){
            .container = p->port > 0 ? p->port : p->published,
            .protocol = protocol_of(p),
            .published = true,
            .host = p->published > 0 ? p->published : p->port,
            .host_fixed = true,
        };
    }
    for (size_t i = 0; i < s->ports.len; i++)
        *(struct plan_port *)vec_add(&out->ports) = (struct plan_port){
            .container = s->ports.v[i].port,
            .protocol = protocol_of(&s->ports.v[i]),
        };
}

/* ---- files, security --------------------------------------------------- */

static const char *config_text(const struct manifest *m, const char *id)
{
    for (size_t i = 0; i < m->configs.len; i++)
        if (strcmp(m->configs.v[i].id, id) == 0)
            return planner_text(m->configs.v[i].value);
    return NULL;
}

/* The manifest has reported an unknown id, and a mount without a filename. */
static void make_file(struct planner *pl,
                      const struct manifest_config_mount *cm,
                      struct plan_container *out)
{
    const char *text = config_text(pl->m, planner_text(cm->id));
    const char *dir = planner_text(cm->dir);
    size_t len = strlen(dir);
    struct plan_file *file;

    if (text == NULL || cm->filename == NULL)
        return;
    while (len > 0 && dir[len - 1] == '/')
        len--;
    file = vec_add(&out->files);
    file->path = xasprintf("%s%.*s/%s", dir[0] == '/' ? "" : "/", (int)len, dir,
                           cm->filename);
    file->text = xstrdup(text);
}

static void make_files(struct planner *pl,
                       const struct manifest_config_mounts *mounts,
                       struct plan_container *out)
{
    for (size_t i = 0; i < mounts->len; i++)
        make_file(pl, &mounts->v[i], out);
}

static void make_security(const struct manifest_service *s,
                          struct plan_container *out)
{
    if (s->security.run_as_user >= 0 && s->security.run_as_group >= 0)
        out->user = xasprintf("%ld:%ld", s->security.run_as_user,
                              s->security.run_as_group);
    else if (s->security.run_as_user >= 0)
        out->user = xasprintf("%ld", s->security.run_as_user);
    out->privileged = s->privileged;
    out->read_only_root = s->security.read_only_root;
    out->no_new_privileges = s->security.no_new_privileges;
    strv_add_all(&out->cap_add, &s->security.cap_add);
    strv_add_all(&out->cap_drop, &s->security.cap_drop);
}

/* ---- the service ------------------------------------------------------- */

static void make_container(struct planner *pl, const struct manifest_service *s,
                           struct plan_container *out)
{
    choose_image(pl, s, out);
    command_argv(&s->command, &out->argv);
    planner_environ(pl, s, &out->env);
    make_ports(s, out);
    planner_mounts(pl, s, out);
    make_files(pl, &s->config_mounts, out);
    make_security(s, out);
    strv_add(&out->aliases, s->name);
    out->init = s->init;
    out->stop_grace_s =
        s->termination_grace > 0 ? (unsigned)s->termination_grace : 0;
}

/* An initContainer runs before the service, with its environment and, by
 * default, its image. */
static void make_init(struct planner *pl, const struct manifest_service *s,
                      const struct plan_container *main,
                      struct plan_container *out)
{
    struct env env = { 0 };

    out->build = -1;
    if (*planner_text(s->init_container.image) != '\0')
        out->image = xstrdup(s->init_container.image);
    else if (main->image != NULL)
        out->image = xstrdup(main->image);
    else
        out->build = main->build;
    command_argv(&s->init_container.command, &out->argv);
    for (size_t i = 0; i < main->env.len; i++)
        env_parse_pair(&env, main->env.v[i], NULL);
    env_set(&env, "INIT_CONTAINER", "true", NULL);
    planner_env_list(&env, &out->env);
    env_release(&env);
    planner_option_mounts(pl, s, &s->init_container.volume_options, out);
    make_files(pl, &s->init_container.config_mounts, out);
    make_security(s, out);
    out->init = s->init;
    out->stop_grace_s = main->stop_grace_s;
}

static unsigned seconds(int s)
{
    return s > 0 ? (unsigned)s : 0;
}

/* Only HTTP and HTTPS can be asked. A service of another protocol is ready once
 * it has started. */
static void make_health(const struct manifest_service *s,
                        struct plan_health *out)
{
    const char *scheme = s->port.scheme == NULL ? "http" : s->port.scheme;
    bool https = strcasecmp(scheme, "https") == 0;

    out->grace_s = seconds(s->health.grace);
    out->interval_s = seconds(s->health.interval);
    out->timeout_s = seconds(s->health.timeout);
    if (s->health.path == NULL || s->health.disabled || s->port.port == 0 ||
        s->grpc_health || (!https && strcasecmp(scheme, "http") != 0))
        return;
    out->path =
        xasprintf("%s%s", s->health.path[0] == '/' ? "" : "/", s->health.path);
    out->scheme = xstrdup(https ? "https" : "http");
    out->port = s->health.port > 0 ? s->health.port : s->port.port;
}

static void add_resource(struct planner *pl, const char *name,
                         struct plan_service *out)
{
    for (size_t i = 0; i < pl->plan->resources.len; i++) {
        if (strcmp(pl->plan->resources.v[i].name, name) != 0)
            continue;
        for (size_t n = 0; n < out->resources.len; n++)
            if (out->resources.v[n] == (int)i)
                return;
        *(int *)vec_add(&out->resources) = (int)i;
        return;
    }
}

static void make_service(struct planner *pl, const struct manifest_service *s)
{
    struct plan_service *out = vec_add(&pl->plan->services);

    out->name = xstrdup(s->name);
    out->count = s->scale.count;
    make_container(pl, s, &out->container);
    for (size_t i = 0; i < s->resources.len; i++)
        add_resource(pl, s->resources.v[i].resource, out);
    out->has_init = s->init_container.set;
    if (out->has_init)
        make_init(pl, s, &out->container, &out->init_container);
    command_argv(&s->lifecycle.pre_stop, &out->pre_stop);
    command_argv(&s->lifecycle.post_start, &out->post_start);
    make_health(s, &out->health);
    out->port = s->port.port;
    if (s->port.port > 0)
        out->scheme = xstrdup(s->port.scheme == NULL ? "http" : s->port.scheme);
    out->internal = s->internal;
    strv_add_all(&out->domains, &s->domains);
    out->test = s->test == NULL ? NULL : xstrdup(s->test);
}

/* When two services give a login for one registry, the first one counts. */
static void add_auth(struct plan *p, const struct manifest_pull_secret *secret)
{
    struct plan_registry_auth *auth;

    for (size_t i = 0; i < p->auths.len; i++)
        if (strcmp(p->auths.v[i].registry, secret->registry) == 0)
            return;
    auth = vec_add(&p->auths);
    auth->registry = xstrdup(secret->registry);
    auth->username = xstrdup(planner_text(secret->username));
    auth->password = xstrdup(planner_text(secret->password));
}

void planner_services(struct planner *pl)
{
    for (size_t i = 0; i < pl->m->services.len; i++) {
        const struct manifest_service *s = &pl->m->services.v[i];

        if (strcmp(env_get(&pl->services, s->name), "made") == 0)
            continue; /* the manifest has reported the second of a name */
        env_set(&pl->services, s->name, "made", NULL);
        make_service(pl, s);
        for (size_t n = 0; n < s->pull_secrets.len; n++)
            if (s->pull_secrets.v[n].registry != NULL)
                add_auth(pl->plan, &s->pull_secrets.v[n]);
    }
}
