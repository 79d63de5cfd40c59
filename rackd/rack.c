#include "rack.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "base/env.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "guard/owner.h"
#include "plan/mask.h"
#include "run/session.h"
#include "web/web.h"

#define IDLE_CHECK_MS 1000

/* Disk for templates: some twenty databases. */
#define TEMPLATES_MB 4096

/* Memory for containers that wait, frozen: one app with every database. */
#define WARM_MB 1024

static const struct web_route routes[] = {
    { "GET", "/version", on_version },
    { "POST", "/validate", on_validate },
    { "POST", "/plan", on_plan },
    { "POST", "/start", on_start },
    { "POST", "/sessions/{id}/stop", on_session_stop },
    { "POST", "/apps/{app}/stop", on_app_stop },
    { "GET", "/sessions", on_sessions },
    { "GET", "/ps", on_ps },
    { "GET", "/services", on_services },
    { "GET", "/resources", on_resources },
    { "POST", "/resources/reset", on_reset },
    { "GET", "/logs", on_logs },
    { "GET", "/env", on_env_get },
    { "POST", "/env", on_env_set },
    { "POST", "/doctor", on_doctor },
    { "POST", "/sweep", on_sweep },
    { "POST", "/templates", on_templates },
    { "POST", "/templates/build", on_templates_build },
    { "POST", "/templates/prune", on_templates_prune },
    { "GET", "/timings", on_timings },
    { "POST", "/quit", on_quit },
    { NULL, NULL, NULL },
};

static void on_idle_check(uv_timer_t *timer);
static void close_when_empty(struct rack *r);
static void on_part_closed(void *user);
static void on_timer_closed(uv_handle_t *handle);

/* No secret of any session gets into the log. */
static char *without_secrets(const char *text, void *user)
{
    struct rack *r = user;
    const struct strv none = { 0 };
    char *shown = mask_text(text, &none);
    struct app_run *run;

    DL_FOREACH (r->runs, run) {
        char *before = shown;

        shown = mask_text(before, &run->input.secrets);
        free(before);
    }
    return shown;
}

/* Of rackd's own environment; what is no number counts as not set. */
static unsigned long setting_mb(const char *name, long otherwise)
{
    const char *text = getenv(name);
    long mb;

    if (text == NULL || !str_to_long(text, 0, 1L << 30, &mb))
        mb = otherwise;
    return (unsigned long)mb;
}

int rack_new(struct rack **out, uv_loop_t *loop, const char *socket_path,
             unsigned idle_s, struct err *err)
{
    struct rack *r = xcalloc(1, sizeof(*r));

    r->loop = loop;
    r->idle_s = idle_s;
    r->full_bytes = WEB_FULL;
    r->started = r->started_idle = uv_now(loop);
    r->socket_path = xstrdup(socket_path);
    r->owner = owner_self();
    r->notes = image_notes_new();
    if (store_open(&r->store, "local", err) < 0 ||
        web_new(&r->control, loop, routes, r, err) < 0) {
        rack_free(r);
        return -1;
    }
    if (web_listen(r->control, socket_path, err) < 0) {
        web_close(r->control, on_part_closed, r);
        uv_run(loop, UV_RUN_DEFAULT); /* only what was just made is on it */
        rack_free(r);
        return err_wrap(err, "cannot listen");
    }
    r->templates_mb = setting_mb("CVX_TEMPLATES_MB", TEMPLATES_MB);
    r->warm_mb = setting_mb("CVX_WARM_MB", WARM_MB);
    uv_timer_init(loop, &r->template_timer);
    uv_timer_init(loop, &r->idle_timer);
    uv_timer_start(&r->idle_timer, on_idle_check, IDLE_CHECK_MS, IDLE_CHECK_MS);
    log_filter(without_secrets, r);
    *out = r;
    return 0;
}

void rack_free(struct rack *r)
{
    log_filter(NULL, NULL);
    store_release(&r->store);
    image_notes_free(r->notes);
    free(r->socket_path);
    free(r->owner);
    free(r);
}

void rack_session_spec(struct link *link, struct session_spec *out)
{
    struct rack *r = link->rack;

    *out =
        (struct session_spec){ .loop = r->loop,
                               .engine = link->engine,
                               .notes = r->notes,
                               .ports = &r->ports,
                               .rack_id = r->store.rack_id,
                               .owner = r->owner,
                               .hub_tag = "convox",
                               .templates = r->templates_mb > 0 ? TEMPLATES_USE
                                                                : TEMPLATES_OFF,
                               .podman = link->podman,
                               .sandbox = true,
                               .tick_ms = r->tick_ms };
}

/* ---- the end ------------------------------------------------------------ */

/* With neither session nor client for a while there is nothing to stay for. */
static void on_idle_check(uv_timer_t *timer)
{
    struct rack *r = container_of(timer, struct rack, idle_timer);

    warm_tick(r);
    if (r->runs != NULL || r->warm != NULL || r->template_jobs != NULL ||
        web_clients(r->control) > 0)
        r->started_idle = uv_now(r->loop);
    else if (uv_now(r->loop) - r->started_idle > r->idle_s * 1000ULL)
        rack_quit(r);
}

void rack_quit(struct rack *r)
{
    struct app_run *run, *next;
    bool again = r->quitting;

    if (!again)
        log_info("rack", "going");
    r->quitting = true;
    DL_FOREACH_SAFE (r->runs, run, next)
        run_stop(run, "rackd ends", again, 1);
    templates_stop(r);
    warm_drop(r, NULL, "rackd ends");
    close_when_empty(r);
}

void rack_run_ended(struct rack *r)
{
    /* A session's log lines leave megabytes of holes, which glibc keeps. */
    malloc_trim(0);
    r->started_idle = uv_now(r->loop);
    if (r->quitting)
        close_when_empty(r);
}

/* Clients first: those who wait for an engine let go of it. */
static void close_when_empty(struct rack *r)
{
    warm_tick(r);
    if (r->runs != NULL || r->warm != NULL || r->template_jobs != NULL ||
        r->closing)
        return;
    r->closing = true;
    uv_close((uv_handle_t *)&r->template_timer, on_timer_closed);
    uv_close((uv_handle_t *)&r->idle_timer, on_timer_closed);
    web_close(r->control, on_part_closed, r);
}

static void on_part_closed(void *user)
{
    struct rack *r = user;
    struct link *link, *next;

    DL_FOREACH_SAFE (r->links, link, next) {
        DL_DELETE(r->links, link);
        link_close(link);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    (void)handle;
}

struct app_run *rack_find_app(struct rack *r, const char *app)
{
    struct app_run *run, *found = NULL;

    DL_FOREACH (r->runs, run)
        if (run->session != NULL && strcmp(run->input.app, app) == 0)
            found = run;
    return found;
}
