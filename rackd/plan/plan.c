/* plan_make(): manifest and environment to plan. api/input.c calls it for `cvx
 * start`, `cvx plan` and `cvx validate`. It lets the other files of plan/ fill
 * in their parts, and settles what concerns several services. */
#include "plan/plan.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "plan/planner.h"

/* An app's name is part of container and host names, which may have 63
 * characters. */
#define APP_NAME_MAX 40

/* When a load balancer publishes a port, a routed port that wanted the same
 * number on this machine takes another one. Only the load balancer's number is
 * fixed. */
static void settle_ports(struct plan *p)
{
    bool taken[65536] = { false };

    for (size_t i = 0; i < p->services.len; i++) {
        const struct plan_container *c = &p->services.v[i].container;

        for (size_t n = 0; n < c->ports.len; n++)
            if (c->ports.v[n].host_fixed && c->ports.v[n].protocol == PLAN_TCP)
                taken[c->ports.v[n].host & 0xffff] = true;
    }
    for (size_t i = 0; i < p->services.len; i++) {
        struct plan_container *c = &p->services.v[i].container;

        for (size_t n = 0; n < c->ports.len; n++)
            if (!c->ports.v[n].host_fixed && taken[c->ports.v[n].host & 0xffff])
                c->ports.v[n].host = 0;
    }
}

static void release_planner(struct planner *pl)
{
    env_release(&pl->services);
    env_release(&pl->builds);
    env_release(&pl->volumes);
    env_release(&pl->volume_names);
}

struct plan *plan_make(const struct manifest *m, const struct plan_opts *opts,
                       struct diags *diags)
{
    static const struct env no_env;
    struct plan_opts filled = *opts;
    struct planner pl = { .m = m, .opts = &filled, .diags = diags };
    size_t errors = diags->errors;

    if (filled.env == NULL)
        filled.env = &no_env;
    pl.plan = xcalloc(1, sizeof(*pl.plan));
    pl.plan->app = xstrdup(opts->app);
    for (size_t i = 0; i < m->services.len; i++)
        env_set(&pl.services, m->services.v[i].name, "", NULL);

    planner_resources(&pl);
    planner_services(&pl);
    settle_ports(pl.plan);
    planner_env_list(filled.env, &pl.plan->build_env);
    planner_warn_undeclared(&pl);
    release_planner(&pl);

    if (diags->errors == errors)
        return pl.plan;
    plan_free(pl.plan);
    return NULL;
}

char *plan_app_name(const char *raw)
{
    struct str name = { 0 };

    for (; *raw != '\0' && name.len < APP_NAME_MAX; raw++) {
        unsigned char c = (unsigned char)*raw;

        if (c < 0x80 && isalnum(c))
            str_add_char(&name, (char)tolower(c));
        else if (name.len > 0 && name.s[name.len - 1] != '-')
            str_add_char(&name, '-');
    }
    while (name.len > 0 && name.s[name.len - 1] == '-')
        str_cut(&name, name.len - 1);
    if (name.len > 0)
        return str_take(&name);
    str_release(&name);
    return NULL;
}
