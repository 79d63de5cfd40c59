#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "host/port.h"
#include "run/internal.h"

static bool port_is_ours(const struct session *s, int port)
{
    for (struct item *it = s->items; it != NULL; it = it->next)
        for (size_t i = 0; i < it->plan->ports.len; i++)
            if (it->host_ports[i] == port)
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

    before = it->host_ports[i];
    it->host_ports[i] = 0;
    if (before > 0 && it->port_tries == 0 &&
        port_pick(it->s->spec.ports, before, &it->host_ports[i]))
        return 0;
    if (wanted > 0 && it->port_tries == 0 && !port_is_ours(it->s, wanted) &&
        port_pick(it->s->spec.ports, wanted, &it->host_ports[i]))
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
    it->host_ports[i] = got;
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
                                  .host = it->host_ports[i] };
    }
    return 0;
}
