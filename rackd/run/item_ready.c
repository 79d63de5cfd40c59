/*
 * Watches a container that runs. A resource is asked until it answers its
 * protocol, within a time limit; a service's health check goes on for as long
 * as it runs; a service without one, and a sandbox, are ready at once.
 * item_start.c calls item_await_ready() when it has been started, take_over.c
 * when it has been thawed.
 */
#include "run/item_ready.h"

#include "base/err.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "plan/plan.h"
#include "probe/health.h"
#include "probe/ready.h"
#include "run/explain.h"
#include "run/item.h"
#include "run/item_freeze.h"
#include "run/item_marks.h"
#include "run/item_network.h"
#include "run/sandbox.h"
#include "run/session.h"
#include "run/session_parts.h"
#include "run/template.h"
#include "run/template_make.h"

/* How long a resource may take to its first answer when nothing else was
 * said: a first mysql start on a slow disk takes half a minute. */
#define RESOURCE_READY_S 180

/* With a template it has nothing to do but to start. */
#define TEMPLATE_READY_S 20

/* In order of time. */
static void on_post_start(int status, const struct err *err, void *user);
static void on_handshake(void *user);
static void on_too_late(uv_timer_t *timer);
static void on_health(bool healthy, const char *why, void *user);

static int published_at(const struct item *it, int container)
{
    for (size_t i = 0; i < it->plan->ports.len; i++)
        if (it->plan->ports.v[i].container == container)
            return it->ports.host[i];
    return 0;
}

static unsigned ready_limit_s(const struct item *it)
{
    unsigned limit_s = it->s->spec.wait_timeout_s;

    if (limit_s == 0)
        limit_s = RESOURCE_READY_S;
    return it->template.state == TEMPLATE_USED && limit_s > TEMPLATE_READY_S
               ? TEMPLATE_READY_S
               : limit_s;
}

static void resource_answers(struct item *it)
{
    if (it->s->spec.templates == TEMPLATES_MAKE)
        template_make(it);
    else if (it->s->spec.freeze)
        item_freeze(it);
    else
        item_become_ready(it);
}

static void watch_resource(struct item *it)
{
    const struct plan_resource *r = it->resource;
    int outside = published_at(it, r->port);

    if (r->probe == PROBE_NONE) {
        resource_answers(it);
        return;
    }
    it->readiness.probe =
        ready_start(it->s->spec.loop,
                    &(struct ready_spec){
                        .probe = r->probe,
                        .targets = { { .host = it->ip, .port = r->port },
                                     { .host = outside > 0 ? "127.0.0.1" : NULL,
                                       .port = outside } },
                        .on_ready = on_handshake,
                        .user = it });
    uv_timer_start(&it->readiness.deadline.uv, on_too_late,
                   ready_limit_s(it) * 1000ULL, 0);
}

static void watch_service(struct item *it)
{
    const struct plan_health *h = &it->service->health;
    int host_port = published_at(it, h->port);

    if (it->service->post_start.len > 0)
        it->call =
            engine_exec(it->s->spec.engine, it->id, &it->service->post_start, 0,
                        NULL, on_post_start, it);
    if (h->path == NULL) {
        item_become_ready(it);
        return;
    }
    it->readiness.health = health_start(
        it->s->spec.loop,
        &(struct health_spec){ .host = host_port > 0 ? "127.0.0.1" : it->ip,
                               .port = host_port > 0 ? host_port : h->port,
                               .scheme = h->scheme,
                               .path = h->path,
                               .grace_ms = h->grace_s * 1000,
                               .interval_ms = h->interval_s * 1000,
                               .timeout_ms = h->timeout_s * 1000,
                               .on_change = on_health,
                               .user = it });
}

void item_await_ready(struct item *it)
{
    item_set_state(it, ITEM_CHECKING, NULL);
    if (it->kind == ITEM_RESOURCE)
        watch_resource(it);
    else if (it->kind == ITEM_SERVICE)
        watch_service(it);
    else if (it->kind == ITEM_SANDBOX)
        item_become_ready(it);
    /* An init container is ready when it has ended well: item_died(). */
}

void item_unwatch(struct item *it)
{
    if (it->readiness.probe != NULL)
        ready_cancel(it->readiness.probe);
    it->readiness.probe = NULL;
    if (it->readiness.health != NULL)
        health_cancel(it->readiness.health);
    it->readiness.health = NULL;
    uv_timer_stop(&it->readiness.deadline.uv);
    item_network_stop(it);
    sandbox_stop_kill(it);
}

void item_become_ready(struct item *it)
{
    it->readiness.was_ready = true;
    item_forgive_removals(it);
    item_set_state(it, ITEM_READY, NULL);
    session_poke(it->s);
}

static void on_post_start(int status, const struct err *err, void *user)
{
    struct item *it = user;

    it->call = NULL;
    if (err != NULL)
        session_warn(it->s, "service %s: lifecycle.postStart: %s", it->name,
                     err->msg);
    else if (status != 0)
        session_warn(it->s,
                     "service %s: lifecycle.postStart ended with status %d",
                     it->name, status);
}

/* ---- a resource answers, or not ----------------------------------------- */

static void on_handshake(void *user)
{
    struct item *it = user;

    item_mark_connected(it, ready_connected_ns(it->readiness.probe));
    it->readiness.probe = NULL;
    uv_timer_stop(&it->readiness.deadline.uv);
    resource_answers(it);
}

void item_start_without_template(struct item *it, const char *why)
{
    item_unwatch(it);
    template_give_up(it, why);
}

static void on_too_late(uv_timer_t *timer)
{
    struct item *it = container_of(timer, struct item, readiness.deadline.uv);
    cleanup_free char *text = NULL, *why = NULL, *output = explain_output(it);

    if (it->template.state == TEMPLATE_USED && !it->readiness.was_ready) {
        item_start_without_template(it, "it did not become ready in time");
        return;
    }
    text = xasprintf("resource %s (%s) did not become ready within %u s",
                     it->name, it->resource->type, ready_limit_s(it));
    why = xasprintf("last answer on port %d: %s%s%s", it->resource->port,
                    ready_last_error(it->readiness.probe),
                    output == NULL ? "" : "\nits last lines:\n",
                    output == NULL ? "" : output);
    session_fail(it->s, 1, text, why,
                 "give it more time with --wait-timeout; is its `image` one of "
                 "that type?");
}

/* ---- a service is healthy, or not ---------------------------------------- */

/* The port is the usual culprit, so name it and the variable. */
static void warn_unhealthy(struct item *it, const char *why)
{
    const struct plan_health *h = &it->service->health;

    session_warn(it->s,
                 "service %s does not answer on port %d: GET %s: %s\n"
                 "  does it listen on 0.0.0.0:%d (variable PORT)? is %s the "
                 "right health path?",
                 it->name, h->port, h->path, why, h->port, h->path);
}

static void on_health(bool healthy, const char *why, void *user)
{
    struct item *it = user;

    if (healthy) {
        it->readiness.warned_unhealthy = false;
        if (it->state == ITEM_CHECKING) {
            item_mark_connected(it, health_connected_ns(it->readiness.health));
            item_become_ready(it);
        }
        return;
    }
    if (!it->readiness.warned_unhealthy)
        warn_unhealthy(it, why);
    it->readiness.warned_unhealthy = true;
}
