/*
 * Turns a plan into the items and builds of a session. session.c calls it at
 * the start, sandbox.c for the sandbox, and take_over.c for what a plan has
 * beyond the resources that were made ahead.
 */
#include <string.h>
#include <utlist.h>

#include "base/mem.h"
#include "run/build.h"
#include "run/image.h"
#include "run/item.h"
#include "run/item_marks.h"
#include "run/session_parts.h"

void session_add_item(struct session *s, struct item *it)
{
    const struct plan_container *p = it->plan;
    cleanup_free char *asked_by =
        xasprintf("%s %s", item_kind_word(it->kind), it->name);

    it->source = it->replica > 0
                     ? xasprintf("%s/%s/%d", item_kind_word(it->kind), it->name,
                                 it->replica)
                     : xasprintf("%s/%s", item_kind_word(it->kind), it->name);
    if (p->build < 0)
        it->image = image_get(
            s, p->image, it->resource == NULL ? NULL : it->resource->standin,
            asked_by);
    item_mark(it);
    DL_APPEND(s->items, it);
}

struct item *session_find_item(struct session *s, const char *id)
{
    struct item *it;

    DL_FOREACH (s->items, it)
        if (it->id != NULL && strcmp(it->id, id) == 0)
            return it;
    return NULL;
}

void session_tell_resources(struct session *s)
{
    const struct plan *p = s->spec.plan;

    for (size_t i = 0; i < p->resources.len; i++) {
        const struct plan_resource *r = &p->resources.v[i];

        if (!r->has_container)
            session_emit(s, &(struct session_event){
                                .type = SESSION_EVENT_STATE,
                                .kind = "resource",
                                .name = r->name,
                                .state = r->external ? "external" : "ready" });
    }
}

static void add_resource(struct session *s, const struct plan_resource *r)
{
    struct item *it = item_new(s, ITEM_RESOURCE, &r->container);

    it->resource = r;
    it->name = r->name;
    /* One that is frozen needs to know its image when it is thawed. */
    if ((r->server.len > 0 && s->spec.templates != TEMPLATES_OFF) ||
        s->spec.freeze)
        template_expect(it);
    session_add_item(s, it);
}

void session_add_resources(struct session *s)
{
    const struct plan *p = s->spec.plan;

    for (size_t i = 0; i < p->resources.len; i++)
        if (p->resources.v[i].has_container)
            add_resource(s, &p->resources.v[i]);
}

static void add_service(struct session *s, const struct plan_service *svc)
{
    struct item *it;

    if (svc->has_init && svc->count > 0) {
        it = item_new(s, ITEM_INIT, &svc->init_container);
        it->service = svc;
        it->name = svc->name;
        session_add_item(s, it);
    }
    for (int i = 1; i <= svc->count; i++) {
        it = item_new(s, ITEM_SERVICE, &svc->container);
        it->service = svc;
        it->name = svc->name;
        it->replica = svc->count > 1 ? i : 0;
        session_add_item(s, it);
    }
}

void session_add_services(struct session *s)
{
    const struct plan *p = s->spec.plan;

    free(s->builds); /* of a plan made ahead, which has none */
    s->builds = xcalloc(p->builds.len + 1, sizeof(struct build *));
    for (size_t i = 0; i < p->builds.len; i++)
        s->builds[i] = build_new(s, &p->builds.v[i]);
    for (size_t i = 0; i < p->services.len; i++)
        add_service(s, &p->services.v[i]);
}
