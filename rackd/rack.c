/*
 * The composition root, and nothing else: makes the parts of a rack, tells each
 * whom to call, and closes them in order. main.c runs it.
 */
#include "rack.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "api/api.h"
#include "api/routes.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "guard/owner.h"
#include "guard/reaper.h"
#include "plan/mask.h"
#include "prepared/template_list.h"
#include "prepared/templates.h"
#include "prepared/warm.h"
#include "rack/app_run.h"
#include "rack/link.h"
#include "rack/tenant.h"
#include "run/session.h"
#include "store/store.h"
#include "web/web.h"

#define IDLE_CHECK_MS 1000

/* Disk for templates: some twenty databases. */
#define TEMPLATES_MB 4096

/* Memory for containers that wait, frozen: one app with every database. */
#define WARM_MB 1024

struct rack {
    uv_loop_t *loop;
    struct store store;
    char *owner, *socket_path, *sandbox_image;
    struct web *web;
    struct tenants tenants;
    struct links *links;
    struct app_runs runs;
    struct template_list *template_list;
    struct templates *templates;
    struct warm_pool *warm;
    struct api api;
    uv_timer_t idle_timer;
    unsigned idle_s;
    uint64_t idle_since_ms; /* loop clock */
    bool closing;
};

#define ROUTE(method, path, handler) { method, path, handler },
static const struct web_route routes[] = { API_ROUTES(ROUTE){ NULL, NULL,
                                                              NULL } };
#undef ROUTE

static void on_idle_check(uv_timer_t *timer);
static void on_quit_asked(void *user);
static void on_tenants_empty(void *user);
static void on_web_closed(void *user);
static void on_links_closed(void *user);

/* No secret of any start gets into the log. */
static char *without_secrets(const char *text, void *user)
{
    const struct rack *r = user;
    const struct strv none = { 0 };
    char *shown = mask_text(text, &none);
    struct app_run *run;

    DL_FOREACH (r->runs.all, run) {
        char *before = shown;

        shown = mask_text(before, &run->secrets);
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

/* ---- its parts ----------------------------------------------------------- */

static void make_tenants(struct rack *r)
{
    r->tenants = (struct tenants){ .loop = r->loop,
                                   .rack_id = r->store.rack_id,
                                   .owner = r->owner,
                                   .sandbox_image = r->sandbox_image,
                                   .notes = image_notes_new(),
                                   .on_empty = on_tenants_empty,
                                   .user = r };
    r->links = links_new(
        &(struct links_spec){ .loop = r->loop,
                              .rack_id = r->store.rack_id,
                              .owner = r->owner,
                              .lives = tenants_live,
                              .on_guard_change = tenants_guard_changed,
                              .user = &r->tenants });
    r->runs = (struct app_runs){ .tenants = &r->tenants, .store = &r->store };
}

static void make_prepared(struct rack *r)
{
    unsigned long max_mb = setting_mb("CVX_TEMPLATES_MB", TEMPLATES_MB);

    r->tenants.use_templates = max_mb > 0;
    r->template_list = template_list_new(&r->store, max_mb);
    r->templates = templates_new(&(struct templates_spec){
        .tenants = &r->tenants, .runs = &r->runs, .list = r->template_list });
    r->warm = warm_pool_new(
        &(struct warm_spec){ .tenants = &r->tenants,
                             .runs = &r->runs,
                             .templates = r->templates,
                             .max_mb = setting_mb("CVX_WARM_MB", WARM_MB) });
    r->runs.find_ready_made = warm_find_ready_made;
    r->runs.user = r->warm;
}

static void lend_to_api(struct rack *r)
{
    r->api = (struct api){
        .loop = r->loop,
        .store = &r->store,
        .links = r->links,
        .tenants = &r->tenants,
        .runs = &r->runs,
        .template_list = r->template_list,
        .templates = r->tenants.use_templates ? r->templates : NULL,
        .warm = r->warm,
        .socket_path = r->socket_path,
        .started_ms = uv_now(r->loop),
        .full_bytes = WEB_FULL,
        .quit = on_quit_asked,
        .quit_user = r,
    };
}

int rack_new(struct rack **out, uv_loop_t *loop, const char *socket_path,
             unsigned idle_s, struct err *err)
{
    struct rack *r = xcalloc(1, sizeof(*r));

    r->loop = loop;
    r->idle_s = idle_s;
    r->idle_since_ms = uv_now(r->loop);
    r->socket_path = xstrdup(socket_path);
    r->owner = owner_self();
    r->sandbox_image = reaper_image();
    if (store_open(&r->store, "local", err) < 0 ||
        web_new(&r->web, r->loop, routes, &r->api, err) < 0) {
        rack_free(r);
        return -1;
    }
    if (web_listen(r->web, socket_path, err) < 0) {
        web_close(r->web, on_web_closed, r);
        uv_run(r->loop, UV_RUN_DEFAULT); /* only what was just made is on it */
        rack_free(r);
        return err_wrap(err, "cannot listen");
    }
    make_tenants(r);
    make_prepared(r);
    lend_to_api(r);
    uv_timer_init(r->loop, &r->idle_timer);
    uv_timer_start(&r->idle_timer, on_idle_check, IDLE_CHECK_MS, IDLE_CHECK_MS);
    log_filter(without_secrets, r);
    *out = r;
    return 0;
}

struct api *rack_api(struct rack *r)
{
    return &r->api;
}

void rack_free(struct rack *r)
{
    log_filter(NULL, NULL);
    store_release(&r->store);
    if (r->tenants.notes != NULL)
        image_notes_free(r->tenants.notes);
    free(r->socket_path);
    free(r->owner);
    free(r->sandbox_image);
    free(r);
}

/* ---- the end ------------------------------------------------------------- */

/* With neither session nor client for a while there is nothing to stay for. */
static void on_idle_check(uv_timer_t *timer)
{
    struct rack *r = container_of(timer, struct rack, idle_timer);

    if (r->tenants.all != NULL || web_clients(r->web) > 0)
        r->idle_since_ms = uv_now(r->loop);
    else if (uv_now(r->loop) - r->idle_since_ms > r->idle_s * 1000ULL)
        rack_quit(r);
}

/* Clients go before the engines: their requests let go of them. */
static void close_parts(struct rack *r)
{
    if (r->closing)
        return;
    r->closing = true;
    links_refuse(r->links);
    uv_close((uv_handle_t *)&r->idle_timer, NULL);
    web_close(r->web, on_web_closed, r);
}

void rack_quit(struct rack *r)
{
    if (!r->tenants.quitting)
        log_info("rack", "going");
    tenants_stop(&r->tenants, "rackd ends", r->tenants.quitting);
    if (r->tenants.all == NULL)
        close_parts(r);
}

static void on_quit_asked(void *user)
{
    rack_quit(user);
}

static void on_tenants_empty(void *user)
{
    struct rack *r = user;

    if (r->tenants.quitting)
        close_parts(r);
}

static void on_web_closed(void *user)
{
    struct rack *r = user;

    if (r->links == NULL)
        return; /* it could not even listen */
    warm_pool_close(r->warm);
    templates_close(r->templates);
    template_list_close(r->template_list);
    links_close(r->links, on_links_closed, r);
}

static void on_links_closed(void *user)
{
    struct rack *r = user;

    r->links = NULL;
}
