/* plan_ref() and plan_free(). The start of an app holds one reference; a
 * template job and warm resources hold one each, since they may outlive it. The
 * last one frees. A new field that owns memory needs a line here. */
#include <stdlib.h>

#include "plan/plan.h"
#include "plan/vars.h"

static void release_container(struct plan_container *c)
{
    free(c->image);
    strv_release(&c->argv);
    strv_release(&c->env);
    free(c->ports.v);
    for (size_t i = 0; i < c->mounts.len; i++) {
        free(c->mounts.v[i].host);
        free(c->mounts.v[i].target);
    }
    free(c->mounts.v);
    for (size_t i = 0; i < c->files.len; i++) {
        free(c->files.v[i].path);
        free(c->files.v[i].text);
    }
    free(c->files.v);
    strv_release(&c->aliases);
    free(c->user);
    strv_release(&c->cap_add);
    strv_release(&c->cap_drop);
}

static void release_build(struct plan_build *b)
{
    free(b->path);
    free(b->dockerfile);
    strv_release(&b->services);
}

static void release_volume(struct plan_volume *v)
{
    free(v->name);
    free(v->resource);
    free(v->subpath);
}

static void release_resource(struct plan_resource *r)
{
    free(r->name);
    free(r->type);
    free(r->kind);
    free(r->standin);
    strv_release(&r->server);
    free(r->server_user);
    release_container(&r->container);
    vars_release(&r->vars);
}

static void release_service(struct plan_service *s)
{
    free(s->name);
    release_container(&s->container);
    free(s->resources.v);
    release_container(&s->init_container);
    strv_release(&s->pre_stop);
    strv_release(&s->post_start);
    free(s->health.path);
    free(s->health.scheme);
    free(s->scheme);
    strv_release(&s->domains);
    free(s->test);
}

static void release_auth(struct plan_registry_auth *a)
{
    free(a->registry);
    free(a->username);
    free(a->password);
}

struct plan *plan_ref(struct plan *p)
{
    p->holders++;
    return p;
}

void plan_free(struct plan *p)
{
    if (p == NULL || p->holders-- > 0)
        return;
    free(p->app);
    for (size_t i = 0; i < p->builds.len; i++)
        release_build(&p->builds.v[i]);
    free(p->builds.v);
    for (size_t i = 0; i < p->volumes.len; i++)
        release_volume(&p->volumes.v[i]);
    free(p->volumes.v);
    for (size_t i = 0; i < p->resources.len; i++)
        release_resource(&p->resources.v[i]);
    free(p->resources.v);
    for (size_t i = 0; i < p->services.len; i++)
        release_service(&p->services.v[i]);
    free(p->services.v);
    for (size_t i = 0; i < p->auths.len; i++)
        release_auth(&p->auths.v[i]);
    free(p->auths.v);
    strv_release(&p->build_env);
    free(p);
}
