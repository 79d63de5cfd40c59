#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "base/env.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "rack.h"
#include "run/session.h"

/* Who waits for an engine's hello. */
struct waiter {
    link_cb cb;
    void *user;
    struct waiter *prev, *next;
};

/*
 * In order of time: the engine is found, asked who it is, and swept of what
 * dead sessions of this rack left there.
 */
static void on_hello(const struct engine_info *info, const struct err *err,
                     void *user);
static void on_leftover_containers(const struct engine_state *list,
                                   size_t count, const struct err *err,
                                   void *user);
static void on_leftover_gone(const struct err *err, void *user);
static void on_leftover_networks(const struct engine_object *list, size_t count,
                                 const struct err *err, void *user);
static void on_leftover_volumes(const struct engine_object *list, size_t count,
                                const struct err *err, void *user);
static void on_engine_closed(void *user);
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
        if (link->dirty)
            sweep(link);
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

static void sweep(struct link *link)
{
    cleanup_free char *label = NULL;

    if (link->sweeping)
        return;
    label = xasprintf("cvx.rack=%s", link->rack->store.rack_id);
    link->sweeping = true;
    link->dirty = false;
    engine_container_list(link->engine, label, on_leftover_containers, link);
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
    sweep(link);
    tell_waiters(link, NULL);
}

/* ---- leftovers of dead sessions ----------------------------------------- */

static const char *label_of(const struct strv *labels, const char *key)
{
    size_t len = strlen(key);

    for (size_t i = 0; i < labels->len; i++)
        if (strncmp(labels->v[i], key, len) == 0 && labels->v[i][len] == '=')
            return labels->v[i] + len + 1;
    return "";
}

/* Ours, of a session that is none of those that live. */
static bool is_leftover(const struct link *link, const struct strv *labels)
{
    const char *session = label_of(labels, "cvx.session");
    const struct app_run *run;

    if (*session == '\0' || strcmp(label_of(labels, "cvx.keep"), "true") == 0)
        return false;
    DL_FOREACH (link->rack->runs, run)
        if (strcmp(run->id, session) == 0)
            return false;
    return true;
}

static void on_leftover_containers(const struct engine_state *list,
                                   size_t count, const struct err *err,
                                   void *user)
{
    struct link *link = user;

    if (err != NULL) {
        link->sweeping = false;
        link->dirty = true;
        return;
    }
    link->sweeps = 1; /* this call itself */
    for (size_t i = 0; i < count; i++) {
        if (!is_leftover(link, &list[i].labels))
            continue;
        log_info("rack", "removing %s, left by a dead session", list[i].name);
        link->sweeps++;
        engine_container_remove(link->engine, list[i].id, on_leftover_gone,
                                link);
    }
    on_leftover_gone(NULL, link);
}

/* Networks and volumes are free once the last container has gone. */
static void on_leftover_gone(const struct err *err, void *user)
{
    struct link *link = user;
    cleanup_free char *label = NULL;

    if (err != NULL)
        log_warn("rack", "a leftover stays: %s", err->msg);
    if (--link->sweeps > 0)
        return;
    link->sweeping = false;
    label = xasprintf("cvx.rack=%s", link->rack->store.rack_id);
    engine_network_list(link->engine, label, on_leftover_networks, link);
    engine_volume_list(link->engine, label, on_leftover_volumes, link);
}

static void on_object_gone(const struct err *err, void *user)
{
    (void)user;
    if (err != NULL)
        log_warn("rack", "a leftover stays: %s", err->msg);
}

static void on_leftover_networks(const struct engine_object *list, size_t count,
                                 const struct err *err, void *user)
{
    struct link *link = user;

    for (size_t i = 0; err == NULL && i < count; i++)
        if (is_leftover(link, &list[i].labels))
            engine_network_remove(link->engine, list[i].id, on_object_gone,
                                  link);
}

static void on_leftover_volumes(const struct engine_object *list, size_t count,
                                const struct err *err, void *user)
{
    struct link *link = user;

    for (size_t i = 0; err == NULL && i < count; i++)
        if (is_leftover(link, &list[i].labels))
            engine_volume_remove(link->engine, list[i].id, on_object_gone,
                                 link);
}

/* ---- the end ------------------------------------------------------------ */

void link_close(struct link *link)
{
    struct err err = { .code = ERR_UNAVAILABLE, .msg = "rackd ends" };

    tell_waiters(link, &err);
    engine_close(link->engine, on_engine_closed, link);
}

static void on_engine_closed(void *user)
{
    struct link *link = user;

    free(link->endpoint);
    free(link->name);
    free(link->version);
    free(link->api);
    free(link);
}
