/*
 * What an item waits for, and its start: once everything that it is made of is
 * there its container is created (item_create.c) and filled (item_files.c);
 * once those are ready on whom it depends, its output is attached and it is
 * started. session_poke() calls item_poke() for every item.
 */
#include "run/item_start.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strv.h"
#include "engine/engine.h"
#include "run/item.h"
#include "run/session_parts.h"

/* Containers started at once per CPU; more of them only slow each other
 * down. */
#define STARTS_A_CPU 1

/* In order of time: output is attached; the container is started, or not. */
static void attach(struct item *it);
static void on_attached(struct item *it, const struct err *err);
static void on_output_end(struct item *it, const struct err *err);
static void start(struct item *it);
static void on_started(const struct err *err, void *user);

/* ---- what it waits for -------------------------------------------------- */

static bool volumes_are_made(const struct item *it)
{
    for (size_t i = 0; i < it->plan->mounts.len; i++) {
        int v = it->plan->mounts.v[i].volume;

        if (v >= 0 && !it->s->volumes.v[v].made)
            return false;
    }
    return true;
}

static bool volumes_are_owned(const struct item *it)
{
    for (size_t i = 0; i < it->plan->mounts.len; i++) {
        int v = it->plan->mounts.v[i].volume;

        if (v >= 0 && it->s->volumes.v[v].owning && !it->s->volumes.v[v].owned)
            return false;
    }
    return true;
}

static bool is_ready(const struct session *s, enum item_kind kind,
                     const char *name)
{
    for (struct item *it = s->items; it != NULL; it = it->next)
        if (it->kind == kind && strcmp(it->name, name) == 0 &&
            it->state != ITEM_READY)
            return false;
    return true;
}

static bool dependencies_are_ready(const struct item *it)
{
    const struct plan_service *svc = it->service;

    if (!it->s->events.ready || !volumes_are_owned(it))
        return false;
    if (svc == NULL)
        return true;
    for (size_t i = 0; i < svc->resources.len; i++) {
        int r = svc->resources.v[i];

        if (!is_ready(it->s, ITEM_RESOURCE,
                      it->s->spec.plan->resources.v[r].name))
            return false;
    }
    return it->kind == ITEM_INIT || is_ready(it->s, ITEM_INIT, svc->name);
}

/* "db, cache": whose readiness it waits for; the caller frees it. */
static char *unready_names(const struct item *it)
{
    cleanup_strv struct strv names = { 0 };
    const struct plan *plan = it->s->spec.plan;

    for (size_t i = 0; it->service != NULL && i < it->service->resources.len;
         i++) {
        const char *name = plan->resources.v[it->service->resources.v[i]].name;

        if (!is_ready(it->s, ITEM_RESOURCE, name))
            strv_add(&names, name);
    }
    if (it->kind == ITEM_SERVICE && it->service != NULL &&
        it->service->has_init && !is_ready(it->s, ITEM_INIT, it->name))
        strv_add(&names, "its init container");
    return strv_join(&names, ", ");
}

void item_wait(struct item *it)
{
    cleanup_free char *names = unready_names(it);
    cleanup_free char *text = NULL;

    if (*names != '\0')
        text = xasprintf("for %s", names);
    item_set_state(it, ITEM_CREATED, text);
    session_poke(it->s);
}

/* Starts are spread out over the whole session. */
static bool may_start(const struct session *s)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    long under_way = 0;

    for (const struct item *it = s->items; it != NULL; it = it->next)
        if (it->state == ITEM_ATTACHING || it->state == ITEM_STARTING)
            under_way++;
    return under_way < (cpus < 1 ? 1 : cpus) * STARTS_A_CPU;
}

static void poke_waiting(struct item *it)
{
    if (item_image(it) != NULL && template_is_known(it) &&
        network_is_known(it->s) && volumes_are_made(it) && sandbox_is_made(it))
        item_create(it);
}

static void poke_created(struct item *it)
{
    if (!network_is_up(it->s) || it->call != NULL)
        return;
    if (item_has_stale_address(it) || sandbox_is_another(it)) {
        item_set_ip(it, NULL);
        item_drop(it);
    } else if (dependencies_are_ready(it) && sandbox_is_up(it) &&
               may_start(it->s)) {
        attach(it);
    }
}

void item_poke(struct item *it)
{
    static void (*const go_on[])(struct item *) = {
        [ITEM_WAITING] = poke_waiting,
        [ITEM_CREATED] = poke_created,
        [ITEM_GONE] = NULL,
    };

    if (it->s->state != SESSION_STOPPING && go_on[it->state] != NULL)
        go_on[it->state](it);
}

/* ---- output and start --------------------------------------------------- */

static void attach(struct item *it)
{
    item_exit_begin(it);
    sandbox_begin(it);
    item_set_state(it, ITEM_ATTACHING, NULL);
    if (it->kind == ITEM_SANDBOX) /* it prints nothing */
        start(it);
    else
        item_output_start(it, on_attached, on_output_end);
}

static void on_attached(struct item *it, const struct err *err)
{
    if (err == NULL && it->state == ITEM_ATTACHING)
        start(it);
}

/* Podman 4.3 makes ready at the attach what Docker does at the start: ports and
 * the command fail here. */
static void attach_failed(struct item *it, const struct err *err)
{
    struct err gone = { .code = ERR_PROTOCOL, .msg = "no output stream" };

    if (err == NULL)
        item_fail_step(it, "attach to", &gone);
    else if (err->code == ERR_NOT_FOUND && item_may_be_remade(it))
        item_start_over(it);
    else if (!item_remake(it, err))
        item_fail_step(it, "start", err);
}

static void on_output_end(struct item *it, const struct err *err)
{
    if (it->state == ITEM_ATTACHING)
        attach_failed(it, err);
    else
        item_output_ended(it);
}

static void start(struct item *it)
{
    item_set_state(it, ITEM_STARTING, NULL);
    it->call =
        engine_container_start(it->s->spec.engine, it->id, on_started, it);
}

static void started(struct item *it)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    it->started_ms = now.tv_sec * 1000LL + now.tv_nsec / 1000000;
    it->running_since = uv_now(it->s->spec.loop);
    item_ports_are_good(it);
    if (!it->exit.died && !it->sandbox.lost) {
        item_await_ready(it);
        if (it->exit.count > 0) /* somebody may have taken it off meanwhile */
            item_check_network(it);
        return;
    }
    /* Its end, or its sandbox's, has overtaken the answer to its start. */
    item_set_state(it, ITEM_CHECKING, NULL);
    if (it->exit.died)
        item_await_last_words(it);
    else
        sandbox_end_member(it);
}

static void start_failed(struct item *it, const struct err *err)
{
    item_never_ran(it);
    item_output_stop(it);
    if (network_is_missing(err)) {
        network_lost(it->s);
    } else if (it->exit.removed) {
        item_make_again(it);
    } else if (err->code == ERR_NOT_FOUND && it->readiness.was_ready &&
               item_may_be_remade(it)) {
        item_start_over(it);
    } else if (sandbox_is_missing(it, err)) {
        item_backoff(it);
    } else if (!item_remake(it, err)) {
        item_fail_step(it, "start", err);
    }
}

static void on_started(const struct err *err, void *user)
{
    struct item *it = user;

    it->call = NULL;
    if (it->s->state == SESSION_STOPPING)
        item_take_down(it, it->s->teardown.now);
    else if (err == NULL)
        started(it);
    else
        start_failed(it, err);
    session_poke(it->s); /* another one may start */
}
