/*
 * Turns a plan into the items and builds of a session. session.c calls it at
 * the start, and take_over.c for what a plan has
 * beyond the resources that were made ahead.
 */
#include <utlist.h>

#include "base/mem.h"
#include "run/build.h"
#include "run/image.h"
#include "run/item.h"
#include "run/item_marks.h"
#include "run/network.h"
#include "run/session.h"
#include "run/session_parts.h"
#include "run/template.h"
#include "run/volume.h"
#include "timing/marks.h"

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

/* ---- marks --------------------------------------------------------------- */

/* These come before the items, which need them. */
static void mark_what_all_need(struct session *s)
{
    size_t rackd = mark_new(&s->marks, "rackd", "rackd", 0);

    mark_phase_since(&s->marks, rackd, MARK_PREPARE, s->marks.asked_ns);
    mark_done(&s->marks, rackd);
    network_mark(s);
    volumes_mark(s);
    for (size_t i = 0; i < s->image_count; i++)
        image_mark(s->images[i]);
}

void session_mark_start(struct session *s)
{
    struct item *it;

    marks_release(&s->marks);
    marks_init(&s->marks, s->spec.asked_ns);
    mark_what_all_need(s);
    DL_FOREACH (s->items, it)
        item_mark(it);
    DL_FOREACH (s->items, it)
        item_mark_sandbox(it);
}
