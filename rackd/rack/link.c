#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "base/env.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "guard/sweep.h"
#include "prepared/template_list.h"
#include "rack.h"

/* What could not be removed is tried again while rackd lives, less and less
 * often: an engine may hold on to a network until it is started again. */
#define SWEEP_AGAIN_MS     2000
#define SWEEP_AGAIN_MAX_MS 120000

/* Who waits for an engine's hello. */
struct waiter {
    link_cb cb;
    void *user;
    struct waiter *prev, *next;
};

/*
 * In order of time: the engine is found and asked who it is; with the first
 * session it is swept of what dead racks left there.
 */
static void on_hello(const struct engine_info *info, const struct err *err,
                     void *user);
static void on_guard_closed(void *user);
static void on_engine_closed(void *user);
static void on_swept(size_t left, const struct err *err, void *user);
static void on_sweep_timer(uv_timer_t *timer);
static void on_timer_closed(uv_handle_t *handle);
static void on_guard_timer_closed(uv_handle_t *handle);
static void sweep(struct link *link);

static struct link *find(struct rack *r, const char *endpoint)
{
    struct link *link;

    DL_FOREACH (r->links, link)
        if (strcmp(link->endpoint, endpoint) == 0)
            return link;
    return NULL;
}

static struct link *open_link(struct rack *r, const char *endpoint,
                              const struct env *env, struct err *err)
{
    struct link *link = xcalloc(1, sizeof(*link));

    link->rack = r;
    link->endpoint = xstrdup(endpoint);
    if (engine_new(&link->engine, r->loop, endpoint, env, err) < 0) {
        free(link->endpoint);
        free(link);
        return NULL;
    }
    link->dirty = true; /* who knows what was left before us */
    uv_timer_init(r->loop, &link->sweep_timer);
    uv_timer_init(r->loop, &link->guard_timer);
    DL_APPEND(r->links, link);
    return link;
}

void rack_link(struct rack *r, const struct env *client_env, link_cb cb,
               void *user)
{
    cleanup_free char *endpoint = NULL, *why = NULL;
    struct err err = { 0 };
    struct link *link;
    struct waiter *w;

    if (engine_find(&endpoint, &why, client_env, &err) < 0) {
        cb(NULL, &err, user);
        return;
    }
    link = find(r, endpoint);
    if (link == NULL)
        link = open_link(r, endpoint, client_env, &err);
    if (link == NULL) {
        cb(NULL, &err, user);
        return;
    }
    if (link->state == LINK_UP) {
        cb(link, NULL, user);
        return;
    }
    w = xcalloc(1, sizeof(*w));
    w->cb = cb;
    w->user = user;
    DL_APPEND(link->waiters, w);
    if (link->state == LINK_NEW) {
        link->state = LINK_ASKING;
        engine_hello(link->engine, on_hello, link);
    }
}

static void tell_waiters(struct link *link, const struct err *err)
{
    struct waiter *w, *next, *all = link->waiters;

    link->waiters = NULL;
    DL_FOREACH_SAFE (all, w, next) {
        w->cb(err == NULL ? link : NULL, err, w->user);
        free(w);
    }
}

/* Dirty until a sweep has found nothing it could not remove; while it is, the
 * sweep is repeated. */
void link_sweep(struct link *link)
{
    if (link->dirty)
        sweep(link);
}

static void sweep(struct link *link)
{
    if (link->sweeping)
        return;
    link->sweeping = true;
    link->dirty = false;
    sweep_start(&(struct sweep_spec){
        .link = link, .on_done = on_swept, .user = link });
}

static void sweep_again(struct link *link)
{
    if (link->sweep_again_ms == 0)
        link->sweep_again_ms = SWEEP_AGAIN_MS;
    uv_timer_start(&link->sweep_timer, on_sweep_timer, link->sweep_again_ms, 0);
    if (link->sweep_again_ms < SWEEP_AGAIN_MAX_MS)
        link->sweep_again_ms *= 2;
}

void link_is_dirty(struct link *link)
{
    link->dirty = true;
    link->sweep_again_ms = SWEEP_AGAIN_MS;
    if (!link->sweeping)
        sweep_again(link);
}

static void on_swept(size_t left, const struct err *err, void *user)
{
    struct link *link = user;

    link->sweeping = false;
    if (err != NULL)
        log_debug("rack", "sweep of %s: %s", link->endpoint, err->msg);
    link->dirty |= left > 0 || err != NULL;
    if (!link->dirty)
        link->sweep_again_ms = SWEEP_AGAIN_MS;
    else if (link->open == 0)
        sweep_again(link);
}

static void on_sweep_timer(uv_timer_t *timer)
{
    sweep(container_of(timer, struct link, sweep_timer));
}

static void on_hello(const struct engine_info *info, const struct err *err,
                     void *user)
{
    struct link *link = user;

    if (err != NULL) {
        log_warn("engine", "%s: %s", link->endpoint, err->msg);
        DL_DELETE(link->rack->links, link);
        tell_waiters(link, err);
        link_close(link);
        return;
    }
    link->state = LINK_UP;
    link->name = xstrdup(info->name);
    link->version = xstrdup(info->version);
    link->api = xstrdup(info->api);
    link->podman = info->podman;
    tell_waiters(link, NULL);
}

/* ---- the end ------------------------------------------------------------ */

void link_close(struct link *link)
{
    struct err err = { .code = ERR_UNAVAILABLE, .msg = "rackd ends" };

    link->open = 3; /* the timers and what guards it */
    tell_waiters(link, &err);
    sweep_drop_all(link);
    uv_close((uv_handle_t *)&link->sweep_timer, on_timer_closed);
    uv_close((uv_handle_t *)&link->guard_timer, on_guard_timer_closed);
    guard_close(link, on_guard_closed);
}

static void one_closed(struct link *link)
{
    if (--link->open == 0)
        engine_close(link->engine, on_engine_closed, link);
}

static void on_guard_closed(void *user)
{
    one_closed(user);
}

static void on_timer_closed(uv_handle_t *handle)
{
    uv_timer_t *timer = (uv_timer_t *)handle;

    one_closed(container_of(timer, struct link, sweep_timer));
}

static void on_guard_timer_closed(uv_handle_t *handle)
{
    one_closed(container_of(handle, struct link, guard_timer));
}

static void on_engine_closed(void *user)
{
    struct link *link = user;

    template_list_drop(link);
    free(link->endpoint);
    free(link->name);
    free(link->version);
    free(link->api);
    free(link);
}
