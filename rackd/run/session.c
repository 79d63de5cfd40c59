#include "run/session.h"
#include "base/label.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "base/env.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "logs/hub.h"
#include "probe/health.h"
#include "probe/ready.h"
#include "run/internal.h"

/* Starts under way at once: more only keep each other from ending. */
#define STARTS_A_CPU 1

/* Where nobody watches (--exit-on-failure) a start must not wait for ever. */
#define UNWATCHED_READY_S 300

/*
 * In order of time: everything is laid out and poked; the engine's events say
 * who ended; when all is ready the watcher is told; in the end every handle
 * is closed and the session freed.
 */
static void lay_out(struct session *s);
static void on_wait_over(uv_timer_t *timer);
static void on_events_timer_closed(uv_handle_t *handle);
static void on_wait_timer_closed(uv_handle_t *handle);
static void on_limit_timer_closed(uv_handle_t *handle);
static void on_pulse_timer_closed(uv_handle_t *handle);
static void on_flow_timer_closed(uv_handle_t *handle);
static void on_item_timer_closed(uv_handle_t *handle);

uint64_t session_ms(const struct session *s)
{
    return uv_now(s->spec.loop) - s->started;
}

void session_emit(struct session *s, struct session_event *event)
{
    event->ms = session_ms(s);
    s->spec.on_event(event, s->spec.user);
}

void session_warn(struct session *s, const char *fmt, ...)
{
    cleanup_str struct str text = { 0 };
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    session_emit(s, &(struct session_event){ .type = SESSION_EVENT_WARNING,
                                             .text = str_c(&text) });
}

void session_say(struct session *s, const char *tag, const char *source,
                 const char *fmt, ...)
{
    cleanup_str struct str text = { 0 };
    struct timespec now;
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    clock_gettime(CLOCK_REALTIME, &now);
    hub_put(s->spec.hub, &(struct hub_text){ .tag = tag,
                                             .source = source,
                                             .time_ms = now.tv_sec * 1000LL +
                                                        now.tv_nsec / 1000000,
                                             .text = str_c(&text),
                                             .len = text.len });
}

void session_labels(const struct session *s, struct strv *out, const char *kind,
                    const char *name)
{
    strv_printf(out, LABEL_RACK "=%s", s->rack_id);
    strv_printf(out, LABEL_OWNER "=%s", s->owner);
    strv_printf(out, LABEL_SESSION "=%s", s->id);
    strv_printf(out, LABEL_APP "=%s", s->spec.plan->app);
    strv_printf(out, LABEL_KIND "=%s", kind);
    strv_printf(out, LABEL_NAME "=%s", name);
    strv_printf(out, LABEL_RELEASE "=%s", s->release);
}

/* ---- start -------------------------------------------------------------- */

static unsigned wait_s(const struct session *s)
{
    return s->spec.wait_timeout_s > 0 ? s->spec.wait_timeout_s
                                      : UNWATCHED_READY_S;
}

const struct marks *session_marks(const struct session *s)
{
    return &s->marks;
}

void session_time_start(struct session *s)
{
    s->started = uv_now(s->spec.loop);
    session_mark_start(s);
    if (s->spec.wait_timeout_s > 0 || s->spec.exit_on_failure)
        uv_timer_start(&s->wait_timer, on_wait_over, wait_s(s) * 1000ULL, 0);
}

struct session *session_start(const struct session_spec *spec)
{
    struct session *s = xcalloc(1, sizeof(*s));

    s->spec = *spec;
    s->client_env = xcalloc(1, sizeof(*s->client_env));
    if (spec->client_env != NULL)
        env_merge(s->client_env, spec->client_env);
    s->id = xstrdup(spec->id);
    s->rack_id = xstrdup(spec->rack_id);
    s->owner = xstrdup(spec->owner);
    s->release = xstrdup(spec->release);
    s->dir = xstrdup(spec->dir);
    s->calls_before = engine_calls(spec->engine);
    s->next_ip = 2;
    s->net_first = spec->podman;
    uv_timer_init(spec->loop, &s->events_timer);
    uv_timer_init(spec->loop, &s->wait_timer);
    uv_timer_init(spec->loop, &s->limit_timer);
    uv_timer_init(spec->loop, &s->pulse_timer);
    uv_timer_init(spec->loop, &s->flow_timer);
    s->open_handles = 5;
    session_time_start(s);
    lay_out(s);
    session_hear(s);
    pulse_start(s);
    flow_start(s);
    net_start(s); /* may fail at once: everything else is set up */
    return s;
}

void session_add_item(struct session *s, struct item *it)
{
    const struct plan_container *p = it->plan;
    cleanup_free char *asked_by = NULL;

    it->source = it->replica > 0
                     ? xasprintf("%s/%s/%d", item_kind_word(it->kind), it->name,
                                 it->replica)
                     : xasprintf("%s/%s", item_kind_word(it->kind), it->name);
    asked_by = xasprintf("%s %s", item_kind_word(it->kind), it->name);
    if (p->build < 0)
        it->image = image_get(
            s, p->image, it->resource == NULL ? NULL : it->resource->standin,
            asked_by);
    item_mark(it);
    DL_APPEND(s->items, it);
}

/* One without a container is ready as it is. */
static void tell_resource(struct session *s, const struct plan_resource *r)
{
    if (!r->has_container)
        session_emit(s, &(struct session_event){
                            .type = SESSION_EVENT_STATE,
                            .kind = "resource",
                            .name = r->name,
                            .state = r->external ? "external" : "ready" });
}

void session_tell_resources(struct session *s)
{
    const struct plan *p = s->spec.plan;

    for (size_t i = 0; i < p->resources.len; i++)
        tell_resource(s, &p->resources.v[i]);
}

static void add_resource(struct session *s, const struct plan_resource *r)
{
    struct item *it;

    if (!r->has_container)
        return;
    it = item_new(s, ITEM_RESOURCE, &r->container);
    it->resource = r;
    it->name = r->name;
    if ((r->server.len > 0 && s->spec.templates != TEMPLATES_OFF) ||
        s->spec.ahead) /* to know its image later */
        it->template = TEMPLATE_UNKNOWN;
    session_add_item(s, it);
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

static void lay_out(struct session *s)
{
    const struct plan *p = s->spec.plan;

    session_tell_resources(s);
    for (size_t i = 0; i < p->resources.len; i++)
        add_resource(s, &p->resources.v[i]);
    sandbox_lay_out(s);
    session_add_services(s);
}

/* ---- going on ----------------------------------------------------------- */

static bool is_as_wanted(const struct item *it)
{
    return it->state == ITEM_READY ||
           (it->s->spec.ahead && item_is_frozen(it)) ||
           (it->kind == ITEM_SANDBOX && it->state == ITEM_GONE); /* given up */
}

static bool all_ready(const struct session *s)
{
    for (struct item *it = s->items; it != NULL; it = it->next)
        if (!is_as_wanted(it))
            return false;
    return net_is_up(s) && s->events_ready;
}

/* Who takes long to answer is created and started first, so that it comes up
 * while others start; a sandbox before who waits for it. */
#define RANKS 5

int item_rank(const struct item *it)
{
    if (it->kind == ITEM_SANDBOX)
        return 1;
    if (it->resource == NULL)
        return RANKS - 1;
    if (it->resource->probe != PROBE_MYSQL)
        return 3;
    return strcmp(it->resource->kind, "mysql") == 0 ? 0 : 2;
}

static void poke_items(struct session *s)
{
    struct item *it, *next;

    for (int rank = 0; rank < RANKS; rank++)
        DL_FOREACH_SAFE (s->items, it, next)
            if (item_rank(it) == rank)
                item_poke(it);
}

bool session_may_start(const struct session *s)
{
    const struct item *it;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    long under_way = 0;

    DL_FOREACH (s->items, it)
        if (it->state == ITEM_ATTACHING || it->state == ITEM_STARTING)
            under_way++;
    return under_way < (cpus < 1 ? 1 : cpus) * STARTS_A_CPU;
}

static void poke_all(struct session *s)
{
    for (size_t i = 0; i < s->spec.plan->builds.len; i++)
        build_poke(s->builds[i]);
    poke_items(s);
    if (s->state == SESSION_STARTING && all_ready(s)) {
        s->state = SESSION_READY;
        marks_end(&s->marks);
        uv_timer_stop(&s->wait_timer);
        session_emit(s, &(struct session_event){ .type = SESSION_EVENT_READY });
    }
}

/* A step that ends at once pokes from inside a poke: once more, not deeper. */
void session_poke(struct session *s)
{
    s->poke_again = true;
    if (s->in_poke)
        return;
    s->in_poke = true;
    while (s->poke_again) {
        s->poke_again = false;
        if (s->state == SESSION_STOPPING)
            teardown_poke(s);
        else if (s->state != SESSION_GONE)
            poke_all(s);
    }
    s->in_poke = false;
    session_end_if_gone(s);
}

void session_fail(struct session *s, int status, const char *text,
                  const char *why, const char *todo)
{
    if (s->state == SESSION_STOPPING || s->state == SESSION_GONE)
        return;
    session_emit(s, &(struct session_event){ .type = SESSION_EVENT_ERROR,
                                             .text = text,
                                             .why = why,
                                             .todo = todo,
                                             .status = status });
    session_stop(s, text, false, status);
}

static void add_missing(struct str *out, const struct item *it)
{
    cleanup_free char *lines = explain_output(it);

    str_printf(out, "%s%s %s: %s", out->len == 0 ? "" : "\n",
               item_kind_word(it->kind), it->name, item_state_word(it));
    if (it->health != NULL)
        str_printf(out, ": GET %s on port %d: %s", it->service->health.path,
                   it->service->health.port, health_last_error(it->health));
    if (it->ready != NULL)
        str_printf(out, ": last answer on port %d: %s", it->resource->port,
                   ready_last_error(it->ready));
    if (lines != NULL)
        str_printf(out, "\nits last lines:\n%s", lines);
}

/* Everything that is not ready, and why; the caller frees it. */
static char *what_is_missing(const struct session *s, bool *unhealthy)
{
    struct str out = { 0 };

    for (struct item *it = s->items; it != NULL; it = it->next) {
        if (it->state == ITEM_READY)
            continue;
        *unhealthy |= it->health != NULL;
        add_missing(&out, it);
    }
    return str_take(&out);
}

static void on_wait_over(uv_timer_t *timer)
{
    struct session *s = container_of(timer, struct session, wait_timer);
    bool unhealthy = false;
    cleanup_free char *why = what_is_missing(s, &unhealthy), *text = NULL;

    text = xasprintf("not ready within %u s", wait_s(s));
    session_fail(s, 1, text, why,
                 unhealthy ? "does it listen on 0.0.0.0 and the port of its "
                             "variable PORT? or give it more time with "
                             "--wait-timeout"
                           : "give it more time with --wait-timeout");
}

/* ---- end
 * ---------------------------------------------------------------------------
 */

bool session_is_ready(const struct session *s)
{
    return s->state == SESSION_READY;
}

bool session_is_stopping(const struct session *s)
{
    return s->state == SESSION_STOPPING || s->state == SESSION_GONE;
}

void session_end_if_gone(struct session *s)
{
    struct item *it;

    if (s->state != SESSION_GONE || s->in_poke || s->closing)
        return;
    s->closing = true;
    if (s->events != NULL)
        engine_cancel(s->events);
    if (s->relist != NULL)
        engine_cancel(s->relist);
    if (s->net_events != NULL)
        engine_cancel(s->net_events);
    pulse_stop(s);
    uv_close((uv_handle_t *)&s->pulse_timer, on_pulse_timer_closed);
    uv_close((uv_handle_t *)&s->flow_timer, on_flow_timer_closed);
    uv_close((uv_handle_t *)&s->events_timer, on_events_timer_closed);
    uv_close((uv_handle_t *)&s->wait_timer, on_wait_timer_closed);
    uv_close((uv_handle_t *)&s->limit_timer, on_limit_timer_closed);
    DL_FOREACH (s->items, it)
        uv_close((uv_handle_t *)&it->timer, on_item_timer_closed);
}

/* ---- free
 * -----------------------------------------------------------------------------
 */

static void sweeps_free(struct session *s)
{
    for (size_t i = 0; i < s->sweep_count; i++)
        free(s->sweeps[i].name);
    free(s->sweeps);
}

static void session_free(struct session *s)
{
    struct item *it, *next;

    DL_FOREACH_SAFE (s->items, it, next)
        item_free(it);
    for (size_t i = 0; i < s->image_count; i++)
        image_free(s->images[i]);
    for (size_t i = 0; i < s->spec.plan->builds.len; i++)
        build_free(s->builds[i]);
    for (size_t i = 0; s->volumes != NULL && i < s->spec.plan->volumes.len; i++)
        free(s->volumes[i].name);
    env_release(s->client_env);
    free(s->client_env);
    free(s->images);
    free(s->builds);
    free(s->volumes);
    sweeps_free(s);
    sandbox_free(s);
    strv_release(&s->subnets_tried);
    marks_release(&s->marks);
    free(s->net_name);
    free(s->net_id);
    free(s->id);
    free(s->rack_id);
    free(s->owner);
    free(s->release);
    free(s->dir);
    free(s);
}

/* The last close callback is the only place that frees a session. */
static void handle_gone(struct session *s)
{
    int status = s->status;
    void (*on_gone)(int, void *) = s->spec.on_gone;
    void *user = s->spec.user;

    if (--s->open_handles > 0)
        return;
    session_free(s);
    on_gone(status, user);
}

static void on_events_timer_closed(uv_handle_t *handle)
{
    handle_gone(container_of(handle, struct session, events_timer));
}

static void on_wait_timer_closed(uv_handle_t *handle)
{
    handle_gone(container_of(handle, struct session, wait_timer));
}

static void on_limit_timer_closed(uv_handle_t *handle)
{
    handle_gone(container_of(handle, struct session, limit_timer));
}

static void on_pulse_timer_closed(uv_handle_t *handle)
{
    handle_gone(container_of(handle, struct session, pulse_timer));
}

static void on_flow_timer_closed(uv_handle_t *handle)
{
    handle_gone(container_of(handle, struct session, flow_timer));
}

static void on_item_timer_closed(uv_handle_t *handle)
{
    handle_gone(container_of(handle, struct item, timer)->s);
}
