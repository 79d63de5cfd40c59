/*
 * One sweep of one engine: lists what carries a rack's labels, judges whose it
 * is, and removes what dead racks left. sweeper.c starts it, or `cvx sweep`.
 */
#include "guard/sweep.h"
#include "base/label.h"

#include <string.h>
#include <utlist.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strv.h"
#include "engine/engine.h"
#include "guard/owner.h"

/* A network whose last container has just gone may be busy for a moment. */
#define NETWORK_TRIES 5

struct sweep;

struct leftover {
    struct sweep *sweep;
    const char *kind;
    char *id, *name, *app, *why;
    struct engine_call *removal; /* under way, or NULL */
    unsigned tries;
    bool gone;                    /* or given up */
    struct leftover *prev, *next; /* in sweep->all */
};

enum list { CONTAINERS, NETWORKS, VOLUMES, LISTS };

struct sweep {
    struct sweep_spec spec;
    struct engine_call *lists[LISTS]; /* NULL: answered */
    struct leftover *all;
    unsigned pending;
    size_t left;
    struct err err;            /* the engine did not answer */
    struct sweep *prev, *next; /* in scope->running */
};

/*
 * In order of time: three lists; then the containers are removed, and when the
 * last has gone networks and volumes.
 */
static void on_containers(const struct engine_state *list, size_t count,
                          const struct err *err, void *user);
static void on_networks(const struct engine_object *list, size_t count,
                        const struct err *err, void *user);
static void on_volumes(const struct engine_object *list, size_t count,
                       const struct err *err, void *user);
static void listed(struct sweep *sw, enum list list, const struct err *err);
static void remove_next(struct sweep *sw);
static void on_removed(const struct err *err, void *user);
static void finish(struct sweep *sw);

/* Why it is left behind; NULL: it is not. The caller frees it. */
static char *judge(const struct sweep_scope *scope, const struct strv *labels)
{
    const char *owner = strv_value(labels, LABEL_OWNER);
    const char *session = strv_value(labels, LABEL_SESSION);
    bool own = strcmp(strv_value(labels, LABEL_RACK), scope->rack_id) == 0;
    enum owner_verdict verdict = owner_judge(scope->owner, owner);
    cleanup_free char *words = NULL;

    if (strcmp(strv_value(labels, LABEL_KEEP), "true") == 0 ||
        verdict == OWNER_ALIVE)
        return NULL;
    if (verdict == OWNER_SELF || (own && *owner == '\0')) {
        if (*session == '\0' || scope->lives(session, scope->user))
            return NULL;
        return xasprintf("of session %s, which has ended", session);
    }
    if (!own && verdict != OWNER_DEAD)
        return NULL;
    words = owner_words(owner);
    return xasprintf("of %s, which is gone", words);
}

static void judge_one(struct sweep *sw, const char *kind, const char *id,
                      const char *name, const struct strv *labels)
{
    char *why = judge(sw->spec.scope, labels);
    struct leftover *l;

    if (why == NULL)
        return;
    l = xcalloc(1, sizeof(*l));
    *l = (struct leftover){ .sweep = sw,
                            .kind = kind,
                            .id = xstrdup(id),
                            .name = xstrdup(name),
                            .app = xstrdup(strv_value(labels, LABEL_APP)),
                            .why = why };
    DL_APPEND(sw->all, l);
}

void sweep_start(const struct sweep_spec *spec)
{
    struct sweep *sw = xcalloc(1, sizeof(*sw));
    struct engine *e = spec->scope->engine;

    sw->spec = *spec;
    sw->pending = LISTS;
    DL_APPEND(spec->scope->running, sw);
    sw->lists[CONTAINERS] =
        engine_container_list(e, LABEL_RACK, on_containers, sw);
    sw->lists[NETWORKS] = engine_network_list(e, LABEL_RACK, on_networks, sw);
    sw->lists[VOLUMES] = engine_volume_list(e, LABEL_RACK, on_volumes, sw);
}

static void on_containers(const struct engine_state *list, size_t count,
                          const struct err *err, void *user)
{
    struct sweep *sw = user;

    for (size_t i = 0; i < count; i++)
        judge_one(sw, "container", list[i].id, list[i].name, &list[i].labels);
    listed(sw, CONTAINERS, err);
}

static void judge_objects(struct sweep *sw, const char *kind,
                          const struct engine_object *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        judge_one(sw, kind, list[i].id, list[i].name, &list[i].labels);
}

static void on_networks(const struct engine_object *list, size_t count,
                        const struct err *err, void *user)
{
    judge_objects(user, "network", list, count);
    listed(user, NETWORKS, err);
}

static void on_volumes(const struct engine_object *list, size_t count,
                       const struct err *err, void *user)
{
    judge_objects(user, "volume", list, count);
    listed(user, VOLUMES, err);
}

static void tell(const struct sweep *sw, const struct leftover *l,
                 const struct err *err)
{
    if (err != NULL)
        log_warn("rack", "%s %s, %s: %s", l->kind, l->name, l->why, err->msg);
    else if (!sw->spec.dry)
        log_info("rack", "removed %s %s, %s", l->kind, l->name, l->why);
    if (sw->spec.on_object != NULL)
        sw->spec.on_object(&(struct sweep_object){ .kind = l->kind,
                                                   .id = l->id,
                                                   .name = l->name,
                                                   .app = l->app,
                                                   .why = l->why,
                                                   .err = err },
                           sw->spec.user);
}

static void listed(struct sweep *sw, enum list list, const struct err *err)
{
    const struct leftover *l;

    sw->lists[list] = NULL;
    if (err != NULL)
        sw->err = *err;
    if (--sw->pending > 0)
        return;
    if (sw->err.code == ERR_NONE && !sw->spec.dry) {
        remove_next(sw);
        return;
    }
    if (sw->err.code == ERR_NONE)
        DL_FOREACH (sw->all, l)
            tell(sw, l, NULL);
    finish(sw);
}

/* ---- removal ------------------------------------------------------------ */

/* Podman 4.3 finds out by the name whether a network is in use: asked by the id
 * it takes it from under somebody else's container. */
static void remove_network(struct leftover *l)
{
    const struct sweep_scope *scope = l->sweep->spec.scope;

    l->removal = engine_network_remove(
        scope->engine, scope->podman ? l->name : l->id, on_removed, l);
}

static void remove_one(struct leftover *l)
{
    struct engine *e = l->sweep->spec.scope->engine;

    if (strcmp(l->kind, "container") == 0)
        l->removal = engine_container_remove(e, l->id, on_removed, l);
    else if (strcmp(l->kind, "network") == 0)
        remove_network(l);
    else
        l->removal = engine_volume_remove(e, l->id, on_removed, l);
}

static unsigned remove_some(struct sweep *sw, bool containers)
{
    struct leftover *l;
    unsigned count = 0;

    DL_FOREACH (sw->all, l) {
        if (l->gone || (strcmp(l->kind, "container") == 0) != containers)
            continue;
        remove_one(l);
        count++;
    }
    return count;
}

/* Containers; once there are none, the rest; once there is nothing, the end. */
static void remove_next(struct sweep *sw)
{
    sw->pending = remove_some(sw, true);
    if (sw->pending == 0)
        sw->pending = remove_some(sw, false);
    if (sw->pending == 0)
        finish(sw);
}

static void on_removed(const struct err *err, void *user)
{
    struct leftover *l = user;
    struct sweep *sw = l->sweep;

    l->removal = NULL;
    if (err != NULL && err->code == ERR_CONFLICT &&
        l->tries++ < NETWORK_TRIES && strcmp(l->kind, "network") == 0) {
        remove_one(l);
        return;
    }
    l->gone = true;
    sw->left += err != NULL;
    tell(sw, l, err);
    if (--sw->pending == 0)
        remove_next(sw);
}

static void leftover_free(struct leftover *l)
{
    if (l->removal != NULL)
        engine_cancel(l->removal);
    free(l->id);
    free(l->name);
    free(l->app);
    free(l->why);
    free(l);
}

static void sweep_free(struct sweep *sw)
{
    struct leftover *l, *next;

    DL_DELETE(sw->spec.scope->running, sw);
    for (int i = 0; i < LISTS; i++)
        if (sw->lists[i] != NULL)
            engine_cancel(sw->lists[i]);
    DL_FOREACH_SAFE (sw->all, l, next)
        leftover_free(l);
    free(sw);
}

static void finish(struct sweep *sw)
{
    const struct err *err = sw->err.code == ERR_NONE ? NULL : &sw->err;

    sw->spec.on_done(sw->left, err, sw->spec.user);
    sweep_free(sw);
}

void sweep_drop_all(struct sweep_scope *scope)
{
    struct err err = { .code = ERR_UNAVAILABLE, .msg = "rackd ends" };
    struct sweep *sw, *next;

    DL_FOREACH_SAFE (scope->running, sw, next) {
        sw->err = err;
        finish(sw);
    }
}
