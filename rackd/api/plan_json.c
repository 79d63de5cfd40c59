/*
 * The tree of a plan as JSON, with its secrets masked, for POST /plan
 * (validate.c).
 */
#include "api/plan_json.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "plan/mask.h"
#include "plan/plan.h"
#include "web/web.h"

struct writer {
    const struct plan *plan;
    const struct strv *secrets;
};

static void put(const struct writer *w, struct cJSON *o, const char *name,
                const char *text)
{
    cleanup_str struct str clean = { 0 };

    if (text == NULL)
        return;
    mask_add(text, w->secrets, &clean);
    web_put(o, name, str_c(&clean));
}

static struct cJSON *list(const struct writer *w, const struct strv *from)
{
    struct cJSON *a = cJSON_CreateArray();

    for (size_t i = 0; i < from->len; i++) {
        cleanup_str struct str clean = { 0 };

        mask_add(from->v[i], w->secrets, &clean);
        cJSON_AddItemToArray(a, cJSON_CreateString(str_c(&clean)));
    }
    return a;
}

static struct cJSON *env(const struct writer *w, const struct strv *from)
{
    struct cJSON *o = cJSON_CreateObject();

    for (size_t i = 0; i < from->len; i++) {
        size_t len = strcspn(from->v[i], "=");
        cleanup_free char *key = str_dup_len(from->v[i], len);
        const char *value = from->v[i][len] == '=' ? from->v[i] + len + 1 : "";

        put(w, o, key,
            *value != '\0' && mask_is_secret(key, len) ? "****" : value);
    }
    return o;
}

static struct cJSON *ports(const struct plan_container *c)
{
    struct cJSON *a = cJSON_CreateArray();

    for (size_t i = 0; i < c->ports.len; i++) {
        const struct plan_port *p = &c->ports.v[i];
        struct cJSON *o = cJSON_CreateObject();

        cJSON_AddNumberToObject(o, "container", p->container);
        cJSON_AddStringToObject(o, "protocol",
                                p->protocol == PLAN_UDP ? "udp" : "tcp");
        cJSON_AddBoolToObject(o, "published", p->published);
        cJSON_AddNumberToObject(o, "host", p->host);
        cJSON_AddBoolToObject(o, "host_fixed", p->host_fixed);
        cJSON_AddItemToArray(a, o);
    }
    return a;
}

static struct cJSON *mounts(const struct writer *w,
                            const struct plan_container *c)
{
    struct cJSON *a = cJSON_CreateArray();

    for (size_t i = 0; i < c->mounts.len; i++) {
        const struct plan_mount *m = &c->mounts.v[i];
        struct cJSON *o = cJSON_CreateObject();

        put(w, o, "target", m->target);
        put(w, o, "host", m->host);
        if (m->volume >= 0)
            put(w, o, "volume", w->plan->volumes.v[m->volume].name);
        cJSON_AddBoolToObject(o, "read_only", m->read_only);
        cJSON_AddBoolToObject(o, "memory", m->memory);
        cJSON_AddItemToArray(a, o);
    }
    return a;
}

static struct cJSON *container(const struct writer *w,
                               const struct plan_container *c)
{
    struct cJSON *o = cJSON_CreateObject();

    put(w, o, "image", c->image);
    if (c->build >= 0)
        cJSON_AddNumberToObject(o, "build", c->build);
    cJSON_AddItemToObject(o, "command", list(w, &c->argv));
    cJSON_AddItemToObject(o, "environment", env(w, &c->env));
    cJSON_AddItemToObject(o, "ports", ports(c));
    cJSON_AddItemToObject(o, "mounts", mounts(w, c));
    cJSON_AddItemToObject(o, "aliases", list(w, &c->aliases));
    cJSON_AddBoolToObject(o, "init", c->init);
    cJSON_AddBoolToObject(o, "privileged", c->privileged);
    put(w, o, "user", c->user);
    cJSON_AddNumberToObject(o, "stop_grace_s", c->stop_grace_s);
    return o;
}

static struct cJSON *builds(const struct writer *w)
{
    struct cJSON *a = cJSON_CreateArray();

    for (size_t i = 0; i < w->plan->builds.len; i++) {
        const struct plan_build *b = &w->plan->builds.v[i];
        struct cJSON *o = cJSON_CreateObject();

        put(w, o, "path", b->path);
        put(w, o, "dockerfile", b->dockerfile);
        cJSON_AddItemToObject(o, "services", list(w, &b->services));
        cJSON_AddItemToArray(a, o);
    }
    return a;
}

static struct cJSON *volumes(const struct writer *w)
{
    static const char *const kinds[] = { [PLAN_VOLUME_SHARED] = "shared",
                                         [PLAN_VOLUME_EFS] = "efs",
                                         [PLAN_VOLUME_DATA] = "data" };
    struct cJSON *a = cJSON_CreateArray();

    for (size_t i = 0; i < w->plan->volumes.len; i++) {
        const struct plan_volume *v = &w->plan->volumes.v[i];
        struct cJSON *o = cJSON_CreateObject();

        put(w, o, "name", v->name);
        cJSON_AddStringToObject(o, "kind", kinds[v->kind]);
        cJSON_AddBoolToObject(o, "keep", v->keep);
        cJSON_AddItemToArray(a, o);
    }
    return a;
}

static struct cJSON *resources(const struct writer *w)
{
    struct cJSON *a = cJSON_CreateArray();

    for (size_t i = 0; i < w->plan->resources.len; i++) {
        const struct plan_resource *r = &w->plan->resources.v[i];
        struct cJSON *o = cJSON_CreateObject();

        put(w, o, "name", r->name);
        put(w, o, "type", r->type);
        put(w, o, "kind", r->kind);
        put(w, o, "url", r->vars.url);
        cJSON_AddBoolToObject(o, "external", r->external);
        if (r->has_container)
            cJSON_AddItemToObject(o, "container", container(w, &r->container));
        cJSON_AddItemToArray(a, o);
    }
    return a;
}

static struct cJSON *waits_for(const struct writer *w,
                               const struct plan_service *s)
{
    struct cJSON *a = cJSON_CreateArray();

    for (size_t i = 0; i < s->resources.len; i++)
        cJSON_AddItemToArray(
            a,
            cJSON_CreateString(w->plan->resources.v[s->resources.v[i]].name));
    return a;
}

static struct cJSON *services(const struct writer *w)
{
    struct cJSON *a = cJSON_CreateArray();

    for (size_t i = 0; i < w->plan->services.len; i++) {
        const struct plan_service *s = &w->plan->services.v[i];
        struct cJSON *o = cJSON_CreateObject();

        put(w, o, "name", s->name);
        cJSON_AddNumberToObject(o, "count", s->count);
        cJSON_AddItemToObject(o, "waits_for", waits_for(w, s));
        put(w, o, "health", s->health.path);
        cJSON_AddNumberToObject(o, "port", s->port);
        cJSON_AddBoolToObject(o, "internal", s->internal);
        cJSON_AddItemToObject(o, "container", container(w, &s->container));
        if (s->has_init)
            cJSON_AddItemToObject(o, "init_container",
                                  container(w, &s->init_container));
        cJSON_AddItemToArray(a, o);
    }
    return a;
}

struct cJSON *plan_json(const struct plan *p, const struct strv *secrets)
{
    struct writer w = { .plan = p, .secrets = secrets };
    struct cJSON *o = cJSON_CreateObject();

    put(&w, o, "app", p->app);
    cJSON_AddItemToObject(o, "builds", builds(&w));
    cJSON_AddItemToObject(o, "volumes", volumes(&w));
    cJSON_AddItemToObject(o, "resources", resources(&w));
    cJSON_AddItemToObject(o, "services", services(&w));
    return o;
}
