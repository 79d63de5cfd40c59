/*
 * Chooses the host ports that an item's ports are published on: the one it had
 * before, else the one that the plan wants, else any free one. item_create.c
 * calls it before each create.
 */
#include "run/item_ports.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "host/port.h"
#include "plan/plan.h"
#include "run/item.h"
#include "run/session_parts.h"

/* A container whose ports were taken under our hands is made again, with
 * others, this many times. */
#define PORT_TRIES 4

void item_ports_init(struct item *it)
{
    it->ports.host = xcalloc(it->plan->ports.len + 1, sizeof(*it->ports.host));
}

void item_ports_release(struct item *it)
{
    free(it->ports.host);
}

static bool port_is_ours(const struct session *s, int port)
{
    for (struct item *it = s->items; it != NULL; it = it->next)
        for (size_t i = 0; i < it->plan->ports.len; i++)
            if (it->ports.host[i] == port)
                return true;
    return false;
}

/* Who listens there; the caller frees it. */
static char *holder_of(int port)
{
    char *text = NULL;

    return port_holder(port, &text) ? text : xstrdup("another program");
}

static void warn_taken(struct item *it, int wanted, int got)
{
    cleanup_free char *holder = NULL;

    if (port_is_ours(it->s, wanted)) {
        session_warn(it->s,
                     "port %d: two services want it; %s is on "
                     "127.0.0.1:%d instead",
                     wanted, it->name, got);
        return;
    }
    holder = holder_of(wanted);
    session_warn(it->s,
                 "port %d is already taken by %s; %s is on "
                 "127.0.0.1:%d instead",
                 wanted, holder, it->name, got);
}

/* Fixed listeners (nlb) have no other place to go. */
static int fail_taken(struct item *it, int wanted)
{
    cleanup_free char *holder = NULL, *text = NULL, *why = NULL;

    holder = holder_of(wanted);
    text = xasprintf("service %s: port %d is already taken", it->name, wanted);
    why = xasprintf("%s listens on it", holder);
    session_fail(it->s, 1, text, why,
                 "stop that program, or change the nlb port in convox.yml");
    return -1;
}

static int choose_port(struct item *it, size_t i)
{
    const struct plan_port *p = &it->plan->ports.v[i];
    int wanted = it->replica > 1 ? 0 : p->host, got, before;
    struct err err = { 0 };

    before = it->ports.host[i];
    it->ports.host[i] = 0;
    if (before > 0 && it->ports.tries == 0 &&
        port_pick(it->s->spec.ports, before, &it->ports.host[i]))
        return 0;
    if (wanted > 0 && it->ports.tries == 0 && !port_is_ours(it->s, wanted) &&
        port_pick(it->s->spec.ports, wanted, &it->ports.host[i]))
        return 0;
    if (wanted > 0 && p->host_fixed)
        return fail_taken(it, wanted);
    if (port_any(it->s->spec.ports, &got, &err) < 0) {
        session_fail(it->s, 1, "no free port on 127.0.0.1", err.msg,
                     "too many connections? see: ss -tan");
        return -1;
    }
    if (wanted > 0)
        warn_taken(it, wanted, got);
    else if (before > 0)
        session_warn(it->s, "%s is on 127.0.0.1:%d now", it->name, got);
    it->ports.host[i] = got;
    return 0;
}

int item_choose_ports(struct item *it, struct engine_port *out)
{
    for (size_t i = 0; i < it->plan->ports.len; i++) {
        const struct plan_port *p = &it->plan->ports.v[i];

        if (p->published && choose_port(it, i) < 0)
            return -1;
        out[i] =
            (struct engine_port){ .container = p->container,
                                  .udp = p->protocol == PLAN_UDP,
                                  .host_ip = p->published ? "127.0.0.1" : NULL,
                                  .host = it->ports.host[i] };
    }
    return 0;
}

static bool has_fixed_port(const struct item *it)
{
    for (size_t i = 0; i < it->plan->ports.len; i++)
        if (it->plan->ports.v[i].host_fixed)
            return true;
    return false;
}

bool item_may_choose_others(struct item *it)
{
    return !has_fixed_port(it) && it->ports.tries++ < PORT_TRIES;
}

void item_ports_are_good(struct item *it)
{
    it->ports.tries = 0;
}

void item_share_ports(struct item *it, const struct item *sandbox, size_t first)
{
    memcpy(it->ports.host, sandbox->ports.host + first,
           it->plan->ports.len * sizeof(*it->ports.host));
}
