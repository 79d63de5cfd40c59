/* manifest_free(): frees every string of the tree. A new field that owns memory
 * needs a line here; ASan (`make test SAN=1`) finds a forgotten one. */
#include "base/mem.h"
#include "manifest/manifest.h"
#include "manifest/sections.h"

static void release_envs(struct manifest_envs *envs)
{
    for (size_t i = 0; i < envs->len; i++) {
        free(envs->v[i].key);
        free(envs->v[i].value);
    }
    free(envs->v);
}

static void release_ports(struct manifest_ports *ports)
{
    for (size_t i = 0; i < ports->len; i++) {
        free(ports->v[i].scheme);
        free(ports->v[i].protocol);
    }
    free(ports->v);
}

static void release_command(struct manifest_command *command)
{
    free(command->text);
    strv_release(&command->argv);
}

static void release_options(struct manifest_volume_options *options)
{
    for (size_t i = 0; i < options->len; i++) {
        free(options->v[i].id);
        free(options->v[i].mount_path);
    }
    free(options->v);
}

static void release_mounts(struct manifest_config_mounts *mounts)
{
    for (size_t i = 0; i < mounts->len; i++) {
        free(mounts->v[i].id);
        free(mounts->v[i].dir);
        free(mounts->v[i].filename);
    }
    free(mounts->v);
}

static void release_init(struct manifest_service *s)
{
    free(s->init_container.image);
    release_command(&s->init_container.command);
    release_options(&s->init_container.volume_options);
    release_mounts(&s->init_container.config_mounts);
}

static void release_lists(struct manifest_service *s)
{
    for (size_t i = 0; i < s->resources.len; i++) {
        free(s->resources.v[i].resource);
        free(s->resources.v[i].variable);
    }
    free(s->resources.v);
    for (size_t i = 0; i < s->volumes.len; i++) {
        free(s->volumes.v[i].from);
        free(s->volumes.v[i].to);
    }
    free(s->volumes.v);
    for (size_t i = 0; i < s->pull_secrets.len; i++) {
        free(s->pull_secrets.v[i].registry);
        free(s->pull_secrets.v[i].username);
        free(s->pull_secrets.v[i].password);
    }
    free(s->pull_secrets.v);
    release_options(&s->volume_options);
    release_mounts(&s->config_mounts);
    release_envs(&s->environment);
    release_ports(&s->ports);
    release_ports(&s->nlb);
}

static void release_service(struct manifest_service *s)
{
    free(s->name);
    free(s->image);
    free(s->build_path);
    free(s->build_manifest);
    free(s->test);
    free(s->port.scheme);
    free(s->health.path);
    free(s->liveness.path);
    free(s->startup.path);
    strv_release(&s->build_args);
    strv_release(&s->links);
    strv_release(&s->domains);
    strv_release(&s->security.cap_add);
    strv_release(&s->security.cap_drop);
    release_command(&s->command);
    release_command(&s->lifecycle.pre_stop);
    release_command(&s->lifecycle.post_start);
    release_lists(s);
    release_init(s);
}

static void release_resource(struct manifest_resource *r)
{
    free(r->name);
    free(r->type);
    free(r->image);
    for (size_t i = 0; i < r->options.len; i++) {
        free(r->options.v[i].key);
        free(r->options.v[i].value);
    }
    free(r->options.v);
}

static void release_timer(struct manifest_timer *timer)
{
    free(timer->name);
    free(timer->schedule);
    free(timer->service);
    release_command(&timer->command);
}

void manifest_free(struct manifest *m)
{
    if (m == NULL)
        return;
    strv_release(&m->used);
    for (size_t i = 0; i < m->services.len; i++)
        release_service(&m->services.v[i]);
    for (size_t i = 0; i < m->resources.len; i++)
        release_resource(&m->resources.v[i]);
    for (size_t i = 0; i < m->timers.len; i++)
        release_timer(&m->timers.v[i]);
    for (size_t i = 0; i < m->configs.len; i++) {
        free(m->configs.v[i].id);
        free(m->configs.v[i].name);
        free(m->configs.v[i].value);
    }
    release_envs(&m->environment);
    free(m->services.v);
    free(m->resources.v);
    free(m->timers.v);
    free(m->configs.v);
    free(m);
}
