#include <string.h>

#include "base/err.h"
#include "run/internal.h"

/* A container whose ports were taken under our hands is made again, with
 * others, this many times. */
#define PORT_TRIES 4

static void on_dropped(const struct err *err, void *user);

static bool is_port_clash(const char *words)
{
    return strstr(words, "port is already allocated") != NULL ||
           strstr(words, "address already in use") != NULL ||
           strstr(words, "ports are not available") != NULL;
}

static bool has_fixed_port(const struct item *it)
{
    for (size_t i = 0; i < it->plan->ports.len; i++)
        if (it->plan->ports.v[i].host_fixed)
            return true;
    return false;
}

/* The init program of Podman, and Docker's, is a package that may be missing:
 * Podman says so at the create, Docker at the start. */
static bool is_init_missing(const char *words)
{
    return strstr(words, "container-init binary not found") != NULL ||
           strstr(words, "\"docker-init\": executable file not found") != NULL;
}

static void do_without_init(struct item *it)
{
    struct session *s = it->s;

    it->initless = true;
    if (!s->no_init)
        session_warn(s,
                     "the engine has no init program: a service that does "
                     "not heed SIGTERM by itself is killed when its grace "
                     "is over\n"
                     "  install catatonit (for Podman) or tini (for Docker)");
    s->no_init = true;
}

bool item_remake(struct item *it, const struct err *err)
{
    if (is_port_clash(err->msg) && !has_fixed_port(it) &&
        it->port_tries < PORT_TRIES)
        it->port_tries++;
    else if (is_init_missing(err->msg) && it->plan->init && !it->initless)
        do_without_init(it);
    else if (it->template == TEMPLATE_USED) {
        template_give_up(it, err->msg);
        return true;
    } else
        return false;

    item_drop(it);
    return true;
}

void item_drop(struct item *it)
{
    if (it->id == NULL) {
        item_start_over(it);
        return;
    }
    if (it->attach != NULL)
        engine_cancel(it->attach);
    it->attach = NULL;
    it->dropping = true;
    it->call =
        engine_container_remove(it->s->spec.engine, it->id, on_dropped, it);
}

static void on_dropped(const struct err *err, void *user)
{
    struct item *it = user;

    it->call = NULL;
    it->dropping = false;
    if (it->s->state == SESSION_STOPPING)
        item_take_down(it, true);
    else if (err != NULL)
        item_fail_step(it, "remove", err);
    else
        item_start_over(it);
}
