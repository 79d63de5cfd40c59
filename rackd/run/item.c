#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "logs/hub.h"
#include "run/internal.h"

/* So often in a row a container may be gone before it runs: what says so for
 * ever must not keep us busy for ever. */
#define REMADE_TRIES 3

/*
 * In order of time: what it waits for is there, and it is created
 * (item_create.c), filled with files (fill.c), attached and started; attend.c
 * looks after it while it runs.
 */
static void attach(struct item *it);
static void on_attached(const struct err *err, void *user);
static void on_output(const char *data, size_t len, void *user);
static void on_lines(enum demux_stream stream, const char *data, size_t len,
                     bool partial, void *user);
static void on_output_end(const struct err *err, void *user);
static void start(struct item *it);
static void on_started(const struct err *err, void *user);

const char *item_kind_word(enum item_kind kind)
{
    static const char *const words[] = { "resource", "init", "service",
                                         "sandbox" };

    return words[kind];
}

char *item_title(const struct item *it)
{
    if (it->kind == ITEM_SANDBOX)
        return sandbox_title(it);
    return xasprintf("%s %s",
                     it->kind == ITEM_INIT ? "initContainer of service"
                                           : item_kind_word(it->kind),
                     it->name);
}

const char *item_state_word(const struct item *it)
{
    static const char *const words[] = {
        [ITEM_WAITING] = "waiting",    [ITEM_CREATING] = "creating",
        [ITEM_FILLING] = "creating",   [ITEM_CREATED] = "waiting",
        [ITEM_ATTACHING] = "starting", [ITEM_STARTING] = "starting",
        [ITEM_CHECKING] = "checking",  [ITEM_READY] = "ready",
        [ITEM_SAVING] = "saving",      [ITEM_FROZEN] = "frozen",
        [ITEM_BACKOFF] = "restarting", [ITEM_STOPPING] = "stopping",
        [ITEM_REMOVING] = "stopping",  [ITEM_GONE] = "removed",
    };

    return words[it->state];
}

char *item_container_name(const struct item *it)
{
    const char *app = it->s->spec.plan->app;

    switch (it->kind) {
    case ITEM_RESOURCE:
        return xasprintf("%s-%s-resource-%s", app, it->s->id, it->name);
    case ITEM_INIT:
        return xasprintf("%s-%s-%s-init", app, it->s->id, it->name);
    case ITEM_SANDBOX:
        return xasprintf("%s-%s-sandbox", app, it->s->id);
    case ITEM_SERVICE:
        break;
    }
    return xasprintf("%s-%s-%s-%d", app, it->s->id, it->name,
                     it->replica > 0 ? it->replica : 1);
}

void item_set_state(struct item *it, enum item_state state, const char *text)
{
    const char *before = item_state_word(it);

    it->state = state;
    item_mark_state(it);
    log_debug("run", "%s: %s -> %s%s%s", it->source, before,
              item_state_word(it), text == NULL ? "" : ": ",
              text == NULL ? "" : text);
    if ((strcmp(before, item_state_word(it)) == 0 && text == NULL) ||
        it->kind == ITEM_SANDBOX) /* of no use to anybody who watches */
        return;
    session_emit(it->s,
                 &(struct session_event){ .type = SESSION_EVENT_STATE,
                                          .kind = item_kind_word(it->kind),
                                          .name = it->name,
                                          .replica = it->replica,
                                          .state = item_state_word(it),
                                          .text = text });
}

struct item *item_new(struct session *s, enum item_kind kind,
                      const struct plan_container *plan)
{
    struct item *it = xcalloc(1, sizeof(*it));

    it->s = s;
    it->kind = kind;
    it->plan = plan;
    it->host_ports = xcalloc(plan->ports.len + 1, sizeof(*it->host_ports));
    uv_timer_init(s->spec.loop, &it->timer);
    it->timer_open = true;
    s->open_handles++;
    return it;
}

void item_free(struct item *it)
{
    if (it->demux != NULL)
        demux_free(it->demux);
    free(it->source);
    free(it->template_name);
    free(it->base_id);
    free(it->saved_id);
    free(it->id);
    free(it->ip);
    free(it->joined);
    free(it->host_ports);
    free(it->unhealthy_why);
    free(it->archive);
    free(it);
}

/* ---- what it waits for -------------------------------------------------- */

const char *item_image(const struct item *it)
{
    if (it->plan->build >= 0) {
        const struct build *b = it->s->builds[it->plan->build];

        return build_state(b) == BUILD_DONE ? build_image(b) : NULL;
    }
    return it->image->state == IMAGE_READY || it->image->state == IMAGE_ASSUMED
               ? it->image->use
               : NULL;
}

static bool volumes_are_made(const struct item *it)
{
    for (size_t i = 0; i < it->plan->mounts.len; i++) {
        int v = it->plan->mounts.v[i].volume;

        if (v >= 0 && !it->s->volumes[v].made)
            return false;
    }
    return true;
}

static bool volumes_are_owned(const struct item *it)
{
    for (size_t i = 0; i < it->plan->mounts.len; i++) {
        int v = it->plan->mounts.v[i].volume;

        if (v >= 0 && it->s->volumes[v].owning && !it->s->volumes[v].owned)
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

    if (!it->s->events_ready || !volumes_are_owned(it))
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

static void poke_waiting(struct item *it)
{
    if (item_image(it) != NULL && template_is_known(it) &&
        net_is_known(it->s) && volumes_are_made(it) && sandbox_is_made(it))
        item_create(it);
}

/* The network it was created for overlapped with another: so its address is
 * of a subnet that is not ours. */
static bool has_stale_address(const struct item *it)
{
    return it->subnets != it->s->subnets_tried.len;
}

static void poke_created(struct item *it)
{
    if (!net_is_up(it->s) || it->call != NULL)
        return;
    if (has_stale_address(it) || sandbox_is_another(it)) {
        free(it->ip);
        it->ip = NULL;
        item_drop(it);
    } else if (dependencies_are_ready(it) && sandbox_is_up(it) &&
               session_may_start(it->s)) {
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

/* ---- output and start ------------------------------------------------------
 */

void item_listen(struct item *it)
{
    if (it->demux != NULL)
        demux_free(it->demux);
    it->demux = demux_new(false, on_lines, it);
    demux_join_lines(it->demux);
    it->attach = engine_container_attach(it->s->spec.engine, it->id, on_output,
                                         on_attached, on_output_end, it);
    flow_listen(it);
}

static void attach(struct item *it)
{
    it->died = it->oom = it->removed = it->waited = it->lost = false;
    it->oom_at = 0;
    it->lines = 0;
    item_set_state(it, ITEM_ATTACHING, NULL);
    if (it->kind == ITEM_SANDBOX) /* it has nothing to say */
        start(it);
    else
        item_listen(it);
}

static void on_attached(const struct err *err, void *user)
{
    struct item *it = user;

    if (err == NULL && it->state == ITEM_ATTACHING)
        start(it);
}

static void on_output(const char *data, size_t len, void *user)
{
    struct item *it = user;
    struct hub *hub = it->s->spec.hub;
    struct err err = { 0 };
    int failed;

    it->heard = true;
    hub_begin(hub);
    failed = demux_feed(it->demux, data, len, &err);
    hub_commit(hub);
    if (failed == 0)
        return;
    /* It stays so: said once, and nothing more is read. */
    session_warn(it->s, "output of %s: %s", it->name, err.msg);
    engine_cancel(it->attach);
    it->attach = NULL;
    item_output_ended(it);
}

static void on_lines(enum demux_stream stream, const char *data, size_t len,
                     bool partial, void *user)
{
    struct item *it = user;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    it->lines +=
        hub_put(it->s->spec.hub,
                &(struct hub_text){ .tag = it->name,
                                    .source = it->source,
                                    .time_ms = now.tv_sec * 1000LL +
                                               now.tv_nsec / 1000000,
                                    .is_stderr = stream == DEMUX_STDERR,
                                    .partial = partial,
                                    .text = data,
                                    .len = len });
}

/* Podman makes ready at the attach what Docker does at the start: ports and the
 * command fail here. */
static void attach_failed(struct item *it, const struct err *err)
{
    struct err gone = { .code = ERR_PROTOCOL, .msg = "no output stream" };

    if (err == NULL)
        item_fail_step(it, "attach to", &gone);
    else if (err->code == ERR_NOT_FOUND && it->remade++ < REMADE_TRIES)
        item_start_over(it);
    else if (!item_remake(it, err))
        item_fail_step(it, "start", err);
}

static void on_output_end(const struct err *err, void *user)
{
    struct item *it = user;

    it->attach = NULL;
    demux_flush(it->demux);
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
    it->port_tries = 0;
    if (!it->died && !it->lost) {
        item_attend(it);
        if (it->exits > 0) /* it may have been taken off meanwhile */
            item_check_network(it);
        return;
    }
    /* Its end, or its sandbox's, has overtaken the answer to its start. */
    item_set_state(it, ITEM_CHECKING, NULL);
    if (it->died)
        item_hear_out(it);
    else
        sandbox_end_member(it);
}

static void start_failed(struct item *it, const struct err *err)
{
    it->died = false; /* an engine may report the end of what never ran */
    if (it->attach != NULL)
        engine_cancel(it->attach);
    it->attach = NULL;
    if (net_is_missing(err)) {
        net_lost(it->s);
    } else if (it->removed) {
        item_make_again(it);
    } else if (err->code == ERR_NOT_FOUND && it->was_ready &&
               it->remade++ < REMADE_TRIES) {
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
        item_take_down(it, it->s->stop_now);
    else if (err == NULL)
        started(it);
    else
        start_failed(it, err);
    session_poke(it->s); /* another one may start */
}
