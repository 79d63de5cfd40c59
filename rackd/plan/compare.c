/* Compares the resources of two plans, and picks some of the resources of one.
 * prepared/ asks both: whether warm resources fit the start at hand, and which
 * resources a template job makes. */
#include <string.h>

#include "base/vec.h"
#include "plan/plan.h"

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_list(const struct strv *a, const struct strv *b)
{
    if (a->len != b->len)
        return false;
    for (size_t i = 0; i < a->len; i++)
        if (strcmp(a->v[i], b->v[i]) != 0)
            return false;
    return true;
}

static bool same_ports(const struct plan_container *a,
                       const struct plan_container *b)
{
    if (a->ports.len != b->ports.len)
        return false;
    for (size_t i = 0; i < a->ports.len; i++) {
        const struct plan_port *p = &a->ports.v[i], *q = &b->ports.v[i];

        if (p->container != q->container || p->protocol != q->protocol ||
            p->published != q->published || p->host != q->host ||
            p->host_fixed != q->host_fixed)
            return false;
    }
    return true;
}

static bool same_files(const struct plan_container *a,
                       const struct plan_container *b)
{
    if (a->files.len != b->files.len)
        return false;
    for (size_t i = 0; i < a->files.len; i++)
        if (strcmp(a->files.v[i].path, b->files.v[i].path) != 0 ||
            strcmp(a->files.v[i].text, b->files.v[i].text) != 0)
            return false;
    return true;
}

/* Fields in which resources never differ (capabilities, builds) are not
 * compared. */
static bool same_container(const struct plan_container *a,
                           const struct plan_container *b)
{
    return same_text(a->image, b->image) && same_list(&a->argv, &b->argv) &&
           same_list(&a->env, &b->env) && same_ports(a, b) &&
           a->mounts.len == 0 && b->mounts.len == 0 && same_files(a, b) &&
           same_list(&a->aliases, &b->aliases) && same_text(a->user, b->user);
}

static bool same_resource(const struct plan_resource *a,
                          const struct plan_resource *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->kind, b->kind) == 0 &&
           a->probe == b->probe && a->port == b->port &&
           same_list(&a->server, &b->server) &&
           same_container(&a->container, &b->container);
}

/* The next resource with a container, from *i on; NULL when there is no
 * more. */
static const struct plan_resource *next(const struct plan *p, size_t *i)
{
    while (*i < p->resources.len) {
        const struct plan_resource *r = &p->resources.v[(*i)++];

        if (r->has_container)
            return r;
    }
    return NULL;
}

bool plan_same_resources(const struct plan *a, const struct plan *b)
{
    const struct plan_resource *p, *q;
    size_t i = 0, j = 0;

    do {
        p = next(a, &i);
        q = next(b, &j);
        if (p == NULL || q == NULL)
            return p == q && strcmp(a->app, b->app) == 0;
    } while (same_resource(p, q));
    return false;
}

void plan_pick(struct plan *out, const struct plan *p,
               bool (*wanted)(const struct plan_resource *r))
{
    out->app = p->app;
    out->auths = p->auths;
    for (size_t i = 0; i < p->resources.len; i++)
        if (wanted(&p->resources.v[i]))
            *(struct plan_resource *)vec_add(&out->resources) =
                p->resources.v[i];
}
