/*
 * Finds and keeps the engines that clients name. Every request that needs an
 * engine begins with links_find(); rack.c closes all of them at rackd's end.
 */
#include "rack/link.h"

#include <string.h>
#include <utlist.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "guard/guard.h"
#include "guard/sweep.h"
#include "guard/sweeper.h"

struct links {
    struct links_spec spec;
    struct link *all;
    unsigned alive; /* those that are closing too */
    bool closing;
    void (*on_closed)(void *user);
    void *user;
};

/* Who waits for an engine's hello. */
struct link_waiter {
    link_cb cb;
    void *user;
    struct link_waiter *prev, *next;
};

/*
 * In order of time: the engine is found and asked who it is; at the end its
 * guard and its sweeper are closed, then the engine.
 */
static void on_hello(const struct engine_info *info, const struct err *err,
                     void *user);
static void on_guard_change(void *user);
static void link_close(struct link *link);
static void on_part_closed(void *user);
static void on_engine_closed(void *user);

static void link_set_state(struct link *link, enum link_state state)
{
    static const char *const words[] = { "NEW", "ASKING", "UP", "CLOSING" };

    log_debug("rack", "engine %s: %s -> %s", link->endpoint, words[link->state],
              words[state]);
    link->state = state;
}

struct links *links_new(const struct links_spec *spec)
{
    struct links *ls = xcalloc(1, sizeof(*ls));

    ls->spec = *spec;
    return ls;
}

static struct link *find(struct links *ls, const char *endpoint)
{
    struct link *link;

    DL_FOREACH (ls->all, link)
        if (strcmp(link->endpoint, endpoint) == 0)
            return link;
    return NULL;
}

static struct link *open_link(struct links *ls, const char *endpoint,
                              const struct env *env, struct err *err)
{
    struct link *link = xcalloc(1, sizeof(*link));

    link->links = ls;
    link->endpoint = xstrdup(endpoint);
    if (engine_new(&link->engine, ls->spec.loop, endpoint, env, err) < 0) {
        free(link->endpoint);
        free(link);
        return NULL;
    }
    ls->alive++;
    DL_APPEND(ls->all, link);
    return link;
}

static void wait_for_hello(struct link *link, link_cb cb, void *user)
{
    struct link_waiter *w = xcalloc(1, sizeof(*w));

    w->cb = cb;
    w->user = user;
    DL_APPEND(link->waiters, w);
    if (link->state != LINK_NEW)
        return;
    link_set_state(link, LINK_ASKING);
    engine_hello(link->engine, on_hello, link);
}

void links_find(struct links *ls, const struct env *client_env, link_cb cb,
                void *user)
{
    cleanup_free char *endpoint = NULL, *why = NULL;
    struct err err = { 0 };
    struct link *link;

    if (engine_find(&endpoint, &why, client_env, &err) < 0) {
        cb(NULL, &err, user);
        return;
    }
    link = find(ls, endpoint);
    if (link == NULL)
        link = open_link(ls, endpoint, client_env, &err);
    if (link == NULL)
        cb(NULL, &err, user);
    else if (link->state == LINK_UP)
        cb(link, NULL, user);
    else
        wait_for_hello(link, cb, user);
}

static void tell_waiters(struct link *link, const struct err *err)
{
    struct link_waiter *w, *next, *all = link->waiters;

    link->waiters = NULL;
    DL_FOREACH_SAFE (all, w, next) {
        w->cb(err == NULL ? link : NULL, err, w->user);
        free(w);
    }
}

/* Who cleans up there needs to know what kind of engine it is. */
static void add_guard(struct link *link)
{
    const struct links_spec *spec = &link->links->spec;

    link->guard = guard_new(&(struct guard_spec){ .loop = spec->loop,
                                                  .engine = link->engine,
                                                  .endpoint = link->endpoint,
                                                  .podman = link->podman,
                                                  .rack_id = spec->rack_id,
                                                  .owner = spec->owner,
                                                  .on_change = on_guard_change,
                                                  .user = link });
    link->sweeper =
        sweeper_new(spec->loop, &(struct sweep_scope){ .engine = link->engine,
                                                       .podman = link->podman,
                                                       .rack_id = spec->rack_id,
                                                       .owner = spec->owner,
                                                       .lives = spec->lives,
                                                       .user = spec->user });
}

static void on_hello(const struct engine_info *info, const struct err *err,
                     void *user)
{
    struct link *link = user;

    if (err != NULL) {
        log_warn("engine", "%s: %s", link->endpoint, err->msg);
        DL_DELETE(link->links->all, link);
        tell_waiters(link, err);
        link_close(link);
        return;
    }
    link_set_state(link, LINK_UP);
    link->name = xstrdup(info->name);
    link->version = xstrdup(info->version);
    link->api = xstrdup(info->api);
    link->podman = info->podman;
    add_guard(link);
    tell_waiters(link, NULL);
}

static void on_guard_change(void *user)
{
    struct link *link = user;
    const struct links_spec *spec = &link->links->spec;

    spec->on_guard_change(link, spec->user);
}

/* ---- the end ------------------------------------------------------------ */

static void refuse_waiters(struct link *link)
{
    struct err err = { .code = ERR_UNAVAILABLE, .msg = "rackd ends" };

    tell_waiters(link, &err);
}

void links_refuse(struct links *ls)
{
    struct link *link;

    DL_FOREACH (ls->all, link)
        refuse_waiters(link);
}

static void link_close(struct link *link)
{
    bool clean;

    link_set_state(link, LINK_CLOSING);
    link->open = 1;
    refuse_waiters(link);
    if (link->guard != NULL) {
        link->open += 2;
        clean = sweeper_is_clean(link->sweeper);
        sweeper_close(link->sweeper, on_part_closed, link);
        guard_close(link->guard, clean, on_part_closed, link);
    }
    on_part_closed(link);
}

static void on_part_closed(void *user)
{
    struct link *link = user;

    if (--link->open == 0)
        engine_close(link->engine, on_engine_closed, link);
}

static void end_if_closed(struct links *ls)
{
    if (!ls->closing || ls->alive > 0)
        return;
    ls->on_closed(ls->user);
    free(ls);
}

static void on_engine_closed(void *user)
{
    struct link *link = user;
    struct links *ls = link->links;

    free(link->endpoint);
    free(link->name);
    free(link->version);
    free(link->api);
    free(link);
    ls->alive--;
    end_if_closed(ls);
}

void links_close(struct links *ls, void (*cb)(void *user), void *user)
{
    struct link *link, *next;

    ls->on_closed = cb;
    ls->user = user;
    DL_FOREACH_SAFE (ls->all, link, next) {
        DL_DELETE(ls->all, link);
        link_close(link);
    }
    ls->closing = true; /* after the loop: no link ends it from within */
    end_if_closed(ls);
}
