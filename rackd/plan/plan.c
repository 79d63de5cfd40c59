#include "plan/plan.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "plan/maker.h"

/* An app's name is part of container and host names, which end at 63. */
#define APP_NAME_MAX 40

const char *maker_text(const char *text)
{
    return text == NULL ? "" : text;
}

const struct plan_resource *maker_find_resource(const struct maker *mk,
                                                const char *name)
{
    for (size_t i = 0; i < mk->plan->resources.len; i++)
        if (strcmp(mk->plan->resources.v[i].name, name) == 0)
            return &mk->plan->resources.v[i];
    return NULL;
}

/*
 * A routed port gives way to a load balancer's listener, which insists on its
 * number.
 */
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

static void release_maker(struct maker *mk)
{
    env_release(&mk->services);
    env_release(&mk->builds);
    env_release(&mk->volumes);
    env_release(&mk->volume_names);
}

struct plan *plan_make(const struct manifest *m, const struct plan_opts *opts,
                       struct diags *diags)
{
    static const struct env no_env;
    struct plan_opts filled = *opts;
    struct maker mk = { .m = m, .opts = &filled, .diags = diags };
    size_t errors = diags->errors;

    if (filled.env == NULL)
        filled.env = &no_env;
    mk.plan = xcalloc(1, sizeof(*mk.plan));
    mk.plan->app = xstrdup(opts->app);
    for (size_t i = 0; i < m->services.len; i++)
        env_set(&mk.services, m->services.v[i].name, "", NULL);

    maker_resources(&mk);
    maker_services(&mk);
    settle_ports(mk.plan);
    maker_env_list(filled.env, &mk.plan->build_env);
    maker_warn_undeclared(&mk);
    release_maker(&mk);

    if (diags->errors == errors)
        return mk.plan;
    plan_free(mk.plan);
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
