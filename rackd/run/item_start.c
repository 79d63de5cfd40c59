/*
 * An item goes on: once everything that it is made of is there its container is
 * created (item_create.c) and filled (item_files.c); once those are ready on
 * whom it depends, its output is attached and it is started. session_poke()
 * calls item_poke() for every item.
 */
#include "run/item_start.h"

#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "engine/engine.h"
#include "run/item.h"
#include "run/item_create.h"
#include "run/item_depend.h"
#include "run/item_drop.h"
#include "run/item_exit.h"
#include "run/item_network.h"
#include "run/item_output.h"
#include "run/item_ports.h"
#include "run/item_ready.h"
#include "run/item_remake.h"
#include "run/item_teardown.h"
#include "run/network.h"
#include "run/sandbox.h"
#include "run/session_parts.h"
#include "run/template.h"

/* Containers started at once per CPU; more of them only slow each other
 * down. */
#define STARTS_A_CPU 1

/* In order of time: output is attached; the container is started, or not. */
static void attach(struct item *it);
static void on_attached(struct item *it, const struct err *err);
static void on_output_end(struct item *it, const struct err *err);
static void start(struct item *it);
static void on_started(const struct err *err, void *user);

/* ---- when it may go on --------------------------------------------------- */

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
        network_is_known(it->s) && item_volumes_are_made(it) &&
        sandbox_is_made(it))
        item_create(it);
}

static void poke_created(struct item *it)
{
    if (!network_is_up(it->s) || it->call != NULL)
        return;
    if (item_has_stale_address(it) || sandbox_is_another(it)) {
        item_set_ip(it, NULL);
        item_drop(it);
    } else if (item_dependencies_are_ready(it) && sandbox_is_up(it) &&
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

    if (it->s->state == SESSION_STOPPING)
        return; /* another item's step has just failed */
    if (it->sandbox.given_up)
        item_take_down(it, true);
    else if (go_on[it->state] != NULL)
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

    if (item_is_over(it))
        return;
    if (err == NULL)
        started(it);
    else
        start_failed(it, err);
    session_poke(it->s); /* another one may start */
}
