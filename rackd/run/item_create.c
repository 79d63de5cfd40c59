/*
 * Creates an item's container once all that it is made of is there, and deals
 * with a create that the engine refuses because something is missing after all.
 * item_start.c calls it from a poke.
 */
#include "run/item_create.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/strv.h"
#include "engine/engine.h"
#include "engine/reason.h"
#include "host/subnet.h"
#include "plan/plan.h"
#include "run/build.h"
#include "run/image.h"
#include "run/item.h"
#include "run/item_drop.h"
#include "run/item_exit.h"
#include "run/item_files.h"
#include "run/item_ports.h"
#include "run/item_remake.h"
#include "run/network.h"
#include "run/sandbox.h"
#include "run/session.h"
#include "run/session_parts.h"
#include "run/template.h"

/* How many creates in a row may miss their image. */
#define IMAGE_TRIES 2

/* rackd keeps the lines itself. The engine would write every one to its disk,
 * which takes 7 s of its time in 150 MB, and nobody would read it. */
#define LOG_DRIVER "none"

/* Of 1024: a container that makes a template yields to all others. */
#define MAKER_CPU_SHARES 64

/* In order of time: the container is asked for; it is there, or something it is
 * made of is missing. */
static void on_created(const char *id, const struct err *err, void *user);

const char *item_image(const struct item *it)
{
    if (it->plan->build >= 0) {
        const struct build *b = it->s->builds[it->plan->build];

        return build_state(b) == BUILD_DONE ? build_image(b) : NULL;
    }
    return it->image->state == IMAGE_READY || it->image->state == IMAGE_ASSUMED
               ? it->image->use
               : NULL;
}

bool item_has_stale_address(const struct item *it)
{
    return it->creation.subnets != it->s->network.subnets_tried.len;
}

static void fill_mounts(const struct item *it, struct engine_mount *out)
{
    for (size_t i = 0; i < it->plan->mounts.len; i++) {
        const struct plan_mount *m = &it->plan->mounts.v[i];

        out[i] = (struct engine_mount){ .target = m->target,
                                        .read_only = m->read_only };
        if (m->memory) {
            out[i].kind = MOUNT_TMPFS;
        } else if (m->volume < 0) {
            out[i].kind = MOUNT_BIND;
            out[i].source = m->host;
        } else {
            out[i].kind = MOUNT_VOLUME;
            out[i].source = it->s->volumes.v[m->volume].name;
            /* Where all of us are killed now, the reaper may remove the volume
             * before the engine comes to this create, and the engine makes
             * another of its name: that one must be ours to remove as well. */
            out[i].labels = &it->s->volumes.v[m->volume].labels;
            out[i].no_copy =
                it->s->spec.plan->volumes.v[m->volume].kind == PLAN_VOLUME_EFS;
        }
    }
}

/* The address is ours to choose, so that nobody has to ask the engine which it
 * is. */
static void choose_address(struct item *it)
{
    char ip[SUBNET_IP_LEN];

    if (it->sandbox.of != NULL)
        item_set_ip(it, it->sandbox.of->ip);
    else if (it->ip == NULL && network_next_ip(it->s, ip))
        item_set_ip(it, ip);
}

/* A template is made beside the user's own session, which must not become
 * slower by it. */
static unsigned cpu_shares(const struct session *s)
{
    return s->spec.templates == TEMPLATES_MAKE ? MAKER_CPU_SHARES : 0;
}

/* One that shares a sandbox has that one's names, addresses and ports. */
static void add_network(const struct item *it, const struct engine_port *ports,
                        const char *shared, struct engine_container *c)
{
    c->network = shared != NULL ? shared : it->s->network.name;
    if (shared != NULL)
        return;
    c->hostname = it->name;
    c->ports = ports;
    c->port_count = it->plan->ports.len;
    c->ip = it->ip;
    c->aliases = &it->plan->aliases;
}

static void add_data(const struct item *it, struct engine_container *c)
{
    bool template = template_is_in_use(it),
         direct = template && it->template.direct;

    c->image = template ? it->template.name : item_image(it);
    c->entrypoint = direct ? &it->resource->server : NULL;
    c->user = direct ? it->resource->server_user : it->plan->user;
}

static int choose_network(struct item *it, struct engine_port *ports)
{
    choose_address(it);
    it->creation.subnets = it->s->network.subnets_tried.len;
    it->creation.before_network = !network_is_up(it->s);
    sandbox_join(it);
    if (it->sandbox.of != NULL)
        return 0;
    if (item_choose_ports(it, ports) < 0)
        return -1;
    if (it->kind == ITEM_SANDBOX)
        sandbox_share_ports(it);
    return 0;
}

void item_create(struct item *it)
{
    struct session *s = it->s;
    const struct plan_container *p = it->plan;
    cleanup_free struct engine_port *ports =
        xcalloc(p->ports.len + 1, sizeof(*ports));
    cleanup_free struct engine_mount *mounts =
        xcalloc(p->mounts.len + 1, sizeof(*mounts));
    cleanup_strv struct strv labels = { 0 };
    cleanup_free char *name = item_container_name(it), *shared = NULL;
    struct engine_container c = {
        .name = name,
        .argv = &p->argv,
        .env = &p->env,
        .labels = &labels,
        .mounts = mounts,
        .mount_count = p->mounts.len,
        .init = p->init && !s->no_init,
        .privileged = p->privileged,
        .read_only_root = p->read_only_root,
        .no_new_privileges = p->no_new_privileges,
        .cap_add = &p->cap_add,
        .cap_drop = &p->cap_drop,
        .no_healthcheck = true,
        .log_driver = LOG_DRIVER,
        .cpu_shares = cpu_shares(s),
        .stop_grace_s = (int)p->stop_grace_s,
    };

    if (choose_network(it, ports) < 0)
        return;
    if (it->sandbox.joined != NULL)
        shared = xasprintf("container:%s", it->sandbox.joined);
    fill_mounts(it, mounts);
    session_labels(s, &labels, item_kind_word(it->kind), it->name);
    add_data(it, &c);
    add_network(it, ports, shared, &c);
    item_set_state(it, ITEM_CREATING, NULL);
    it->call = engine_container_create(s->spec.engine, &c, on_created, it);
}

/* Is it an engine that wants the network first? Then wait for it. */
static bool waits_for_network(struct item *it, const struct err *err)
{
    if (!it->creation.before_network || !engine_says(err->msg, REASON_NETWORK))
        return false;
    network_comes_first(it->s);
    item_start_over(it);
    return true;
}

static void on_created(const char *id, const struct err *err, void *user)
{
    struct item *it = user;

    if (err == NULL)
        it->id = xstrdup(id);
    if (item_is_over(it))
        return;
    if (err == NULL) {
        it->creation.image_tries = 0;
        template_is_there(it);
        item_put_files(it);
        return;
    }
    if (template_is_missing(it, err) || waits_for_network(it, err))
        return;
    if (sandbox_is_missing(it, err)) {
        item_backoff(it);
        return;
    }
    if (err->code == ERR_NOT_FOUND && it->image != NULL &&
        it->kind != ITEM_SANDBOX && it->creation.image_tries++ < IMAGE_TRIES) {
        item_set_state(it, ITEM_WAITING, "its image");
        image_missing(it->image);
        return;
    }
    if (err->code == ERR_NOT_FOUND && it->plan->build >= 0 &&
        it->creation.image_tries++ < IMAGE_TRIES &&
        build_again(it->s->builds[it->plan->build])) {
        item_set_state(it, ITEM_WAITING, "its image");
        session_poke(it->s);
        return;
    }
    if (!item_remake(it, err)) {
        item_set_state(it, ITEM_WAITING, NULL);
        item_fail_step(it, "create", err);
    }
}
