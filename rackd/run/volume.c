/*
 * Creates the session's volumes beside its network, and removes at its end
 * those that are not kept. Called by session.c, take_over.c and teardown.c.
 */
#include "run/volume.h"

#include "base/err.h"
#include "base/label.h"
#include "base/mem.h"
#include "base/strv.h"
#include "engine/engine.h"
#include "run/explain.h"
#include "run/removal.h"
#include "run/session_parts.h"
#include "timing/marks.h"

/* In order of time. */
static void on_created(const struct err *err, void *user);
static void on_removed(const struct err *err, void *user);

/* One that is kept belongs to the app; the others to the session. */
static char *name_of(const struct session *s, const struct plan_volume *v)
{
    if (v->keep)
        return xasprintf("cvx-%s-%s-%s", s->rack_id, s->spec.plan->app,
                         v->name);
    return xasprintf("%s-%s-%s", s->spec.plan->app, s->id, v->name);
}

static void volume_release(struct volume *v)
{
    free(v->name);
    strv_release(&v->labels);
}

void volumes_release(struct session *s)
{
    for (size_t i = 0; i < s->volumes.count; i++)
        volume_release(&s->volumes.v[i]);
    free(s->volumes.v);
}

void volumes_mark(struct session *s)
{
    const struct plan *p = s->spec.plan;

    s->volumes.mark = s->marks.len;
    for (size_t i = 0; i < p->volumes.len; i++)
        mark_new(&s->marks, "volume", p->volumes.v[i].name, 0);
}

static void create(struct session *s, size_t i)
{
    const struct plan_volume *plan = &s->spec.plan->volumes.v[i];
    struct volume *v = &s->volumes.v[i];

    v->s = s;
    v->keep = plan->keep;
    v->name = name_of(s, plan);
    session_labels(s, &v->labels, "volume", plan->name);
    if (v->keep)
        strv_add(&v->labels, LABEL_KEEP "=true");
    if (plan->resource != NULL)
        strv_printf(&v->labels, LABEL_RESOURCE "=%s", plan->resource);
    mark_phase(&s->marks, s->volumes.mark + i, MARK_CREATE);
    v->call = engine_volume_create(s->spec.engine, v->name, &v->labels,
                                   on_created, v);
}

/* A plan that was made ahead has none; that of the start that takes it over
 * may. */
void volumes_create(struct session *s)
{
    size_t count = s->spec.plan->volumes.len;

    volumes_release(s);
    s->volumes.v = xcalloc(count + 1, sizeof(*s->volumes.v));
    s->volumes.count = count;
    for (size_t i = 0; i < count; i++)
        create(s, i);
}

/* The answer was lost, so the engine may have done it: it counts as made, so
 * that it is removed in the end. */
static bool may_be_made(const struct err *err)
{
    return err->code == ERR_TIMEOUT || err->code == ERR_UNAVAILABLE;
}

static void on_created(const struct err *err, void *user)
{
    struct volume *v = user;
    struct session *s = v->s;
    cleanup_free char *text = NULL;

    v->call = NULL;
    mark_done(&s->marks, s->volumes.mark + (size_t)(v - s->volumes.v));
    v->made = err == NULL || may_be_made(err);
    if (err != NULL && s->state != SESSION_STOPPING) {
        text = xasprintf("cannot create volume %s", v->name);
        session_fail(s, 1, text, err->msg, explain_engine(err->msg));
    }
    session_poke(s);
}

void volume_own(struct volume *v)
{
    v->owning = true;
}

void volume_is_owned(struct volume *v)
{
    v->owned = true;
}

void volume_disown(struct volume *v)
{
    v->owning = false;
}

/* ---- the end ------------------------------------------------------------- */

static void remove_one(struct session *s, struct volume *v)
{
    if (v->call != NULL || v->gone)
        return;
    if (!v->made || v->keep) {
        v->gone = true;
        return;
    }
    v->call = engine_volume_remove(s->spec.engine, v->name, on_removed, v);
}

void volumes_remove(struct session *s)
{
    for (size_t i = 0; i < s->volumes.count; i++)
        remove_one(s, &s->volumes.v[i]);
}

static void on_removed(const struct err *err, void *user)
{
    struct volume *v = user;

    v->call = NULL;
    if (err != NULL && removal_try_again(v->s, err))
        return;
    if (err != NULL)
        removal_failed(v->s, REMOVAL_VOLUME, v->name, err);
    else
        removal_done(v->s, REMOVAL_VOLUME);
    v->gone = true;
    session_poke(v->s);
}

/* A call may still be its creation. */
bool volumes_are_going(const struct session *s)
{
    for (size_t i = 0; i < s->volumes.count; i++) {
        const struct volume *v = &s->volumes.v[i];

        if (!v->gone && !v->keep && (!v->made || v->call == NULL))
            return false;
    }
    return true;
}

bool volumes_are_gone(const struct session *s)
{
    for (size_t i = 0; i < s->volumes.count; i++)
        if (!s->volumes.v[i].gone)
            return false;
    return true;
}

void volumes_give_up(struct session *s, const struct err *err)
{
    for (size_t i = 0; i < s->volumes.count; i++) {
        struct volume *v = &s->volumes.v[i];

        if (v->call != NULL)
            engine_cancel(v->call);
        if (!v->gone && !v->keep && (v->call != NULL || v->made))
            removal_failed(s, REMOVAL_VOLUME, v->name, err);
        v->call = NULL;
        v->gone = true;
    }
}
