/*
 * Brings up and takes down who guards an engine (reaper.c, reaper_process.c) as
 * sessions claim it and let go of it. rack/tenant.c claims it for each session;
 * rack/link.c makes it once the engine has said hello.
 */
#include "guard/guard.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/label.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"
#include "guard/reaper.h"
#include "guard/reaper_process.h"

/* Whoever ends the process again and again means it. */
#define PROCESS_TRIES 5

/* Making the container takes the engine as long as one of the session's own. So
 * where the process is there, the container comes when the session is ready, or
 * after this time. */
#define CONTAINER_LATE_MS 2000

/* A lease across a network may break and be mended. */
#define PATIENCE_MS 10000

struct guard {
    struct guard_spec spec;
    unsigned claims, ending; /* ending: how many of the claims */
    struct reaper *reaper;   /* NULL until the first claim */
    struct reaper_process *process;
    char *process_why; /* why there is no process, or NULL */
    unsigned process_tries;
    uv_timer_t late_timer; /* the container comes now */
    bool clean;
    unsigned open; /* parts that are still to close */
    void (*on_closed)(void *user);
    void *user;
};

static void on_process_lost(void *user);
static void on_late(uv_timer_t *timer);
static void on_reaper_change(void *user);
static void on_process_closed(void *user);
static void on_reaper_closed(void *user);
static void on_timer_closed(uv_handle_t *handle);

struct guard *guard_new(const struct guard_spec *spec)
{
    struct guard *g = xcalloc(1, sizeof(*g));

    g->spec = *spec;
    uv_timer_init(spec->loop, &g->late_timer);
    return g;
}

static bool is_local(const struct guard *g)
{
    return str_starts(g->spec.endpoint, "unix://");
}

/* Where the engine itself finds its socket. In the virtual machine of a desktop
 * engine, and on another machine, that is not where we find it. */
static const char *socket_of_engine(const struct guard *g)
{
    static const char *const machines[] = {
        "/.docker/run/",   "/.docker/desktop/", "/.colima/",
        "/colima/",        "/.orbstack/",       "/.rd/",
        "/podman/machine/"
    };
    const char *path = g->spec.endpoint + strlen("unix://");
    bool here = is_local(g);

    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
        if (here && strstr(path, machines[i]) != NULL)
            here = false;
    if (here)
        return path;
    return g->spec.podman ? "/run/podman/podman.sock" : "/var/run/docker.sock";
}

static void add_labels(const struct guard *g, struct strv *out)
{
    strv_printf(out, LABEL_RACK "=%s", g->spec.rack_id);
    strv_printf(out, LABEL_OWNER "=%s", g->spec.owner);
}

/* At a session's end the engine has been asked to remove all of it, and does
 * that also when all of us are killed; should it fail, the process is there. */
static bool is_needed(const struct guard *g)
{
    return g->claims > (g->process == NULL ? 0 : g->ending);
}

/* ---- up ------------------------------------------------------------------ */

static void start_process(struct guard *g)
{
    cleanup_strv struct strv labels = { 0 };
    struct err err = { 0 };

    free(g->process_why);
    g->process_why = NULL;
    if (!is_local(g)) {
        g->process_why = xstrdup("the engine is not on this machine");
        return;
    }
    add_labels(g, &labels);
    if (reaper_process_start(&g->process, g->spec.loop,
                             g->spec.endpoint + strlen("unix://"), &labels,
                             on_process_lost, g, &err) == 0)
        return;
    g->process_why = xstrdup(err.msg);
    log_warn("reaper", "no process: %s", err.msg);
}

static void on_process_lost(void *user)
{
    struct guard *g = user;

    log_warn("reaper", "the process was killed");
    reaper_process_close(g->process, false, NULL, NULL);
    g->process = NULL;
    g->process_why = xstrdup("it was killed again and again");
    if (g->process_tries++ < PROCESS_TRIES)
        start_process(g);
    if (is_needed(g))
        guard_session_ready(g);
}

static void make_reaper(struct guard *g)
{
    cleanup_strv struct strv labels = { 0 };

    add_labels(g, &labels);
    g->reaper = reaper_new(
        &(struct reaper_spec){ .loop = g->spec.loop,
                               .engine = g->spec.engine,
                               .socket_path = socket_of_engine(g),
                               .labels = &labels,
                               .patience_ms = is_local(g) ? 0 : PATIENCE_MS,
                               .on_change = on_reaper_change,
                               .user = g });
}

bool guard_is_up(const struct guard *g)
{
    return g->process != NULL ||
           (g->reaper != NULL && reaper_is_settled(g->reaper));
}

bool guard_claim(struct guard *g, struct guard_claim *claim)
{
    claim->guard = g;
    claim->ending = false;
    g->claims++;
    if (g->process == NULL)
        start_process(g);
    if (g->reaper == NULL)
        make_reaper(g);
    if (g->process == NULL)
        guard_session_ready(g);
    else if (!uv_is_active((uv_handle_t *)&g->late_timer))
        uv_timer_start(&g->late_timer, on_late, CONTAINER_LATE_MS, 0);
    return guard_is_up(g);
}

void guard_session_ready(struct guard *g)
{
    uv_timer_stop(&g->late_timer);
    if (g->reaper != NULL)
        reaper_want(g->reaper, true);
}

static void on_late(uv_timer_t *timer)
{
    guard_session_ready(container_of(timer, struct guard, late_timer));
}

static void on_reaper_change(void *user)
{
    struct guard *g = user;

    g->spec.on_change(g->spec.user);
}

/* ---- down ---------------------------------------------------------------- */

/* Not earlier, while something of a session runs: whoever is killed in the
 * middle of a teardown must leave nothing either. */
static void let_go(struct guard *g)
{
    if (is_needed(g) || g->reaper == NULL)
        return;
    uv_timer_stop(&g->late_timer);
    reaper_want(g->reaper, false);
}

void guard_claim_ending(struct guard_claim *claim)
{
    struct guard *g = claim->guard;

    if (g == NULL || claim->ending)
        return;
    claim->ending = true;
    g->ending++;
    let_go(g);
}

void guard_claim_drop(struct guard_claim *claim)
{
    struct guard *g = claim->guard;

    if (g == NULL)
        return;
    g->claims--;
    g->ending -= claim->ending;
    *claim = (struct guard_claim){ 0 };
    let_go(g);
}

bool guard_is_let_go(const struct guard *g)
{
    return is_needed(g) || g->reaper == NULL || reaper_is_gone(g->reaper);
}

/* ---- for the doctor ------------------------------------------------------ */

const char *guard_words(const struct guard *g, char **text)
{
    const char *why = g->reaper == NULL ? "" : reaper_why(g->reaper);
    const char *none = g->process_why == NULL ? "" : g->process_why;

    if (*why == '\0' && *none == '\0') {
        *text = xstrdup(
            g->reaper != NULL && reaper_is_up(g->reaper)
                ? "a container on the engine and a process here stand by to "
                  "remove everything should rackd be killed"
                : "ready: a container on the engine and a process here, while "
                  "there are sessions");
        return "ok";
    }
    if (*why == '\0') {
        *text =
            xasprintf("a container on the engine; no process here: %s", none);
        return "ok";
    }
    if (*none == '\0')
        *text = xasprintf("a process on this machine only, since a container "
                          "cannot: %s",
                          why);
    else
        *text = xasprintf("nothing removes what a killed rackd leaves but the "
                          "next rackd and cvx sweep; no container: %s; no "
                          "process: %s",
                          why, none);
    return "warn";
}

/* ---- the end ------------------------------------------------------------- */

void guard_close(struct guard *g, bool clean, void (*cb)(void *user),
                 void *user)
{
    struct reaper *reaper = g->reaper;

    g->on_closed = cb;
    g->user = user;
    g->reaper = NULL;
    /* A container that was never started would stay. */
    g->clean = clean && (reaper == NULL || reaper_is_gone(reaper));
    g->open = 2; /* the timer, and the reapers one after the other */
    uv_close((uv_handle_t *)&g->late_timer, on_timer_closed);
    if (reaper != NULL)
        reaper_close(reaper, on_reaper_closed, g);
    else
        on_reaper_closed(g);
}

static void on_reaper_closed(void *user)
{
    struct guard *g = user;
    struct reaper_process *process = g->process;

    g->process = NULL;
    if (process != NULL)
        reaper_process_close(process, g->clean, on_process_closed, g);
    else
        on_process_closed(g);
}

static void one_closed(struct guard *g)
{
    if (--g->open > 0)
        return;
    g->on_closed(g->user);
    free(g->process_why);
    free(g);
}

static void on_process_closed(void *user)
{
    one_closed(user);
}

static void on_timer_closed(uv_handle_t *handle)
{
    uv_timer_t *timer = (uv_timer_t *)handle;

    one_closed(container_of(timer, struct guard, late_timer));
}
