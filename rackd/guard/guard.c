/*
 * guard -- who removes everything of ours when this rackd is killed: a process
 * on this machine, there before the first object is, and a container on the
 * engine, which outlives whatever happens to this machine's processes. The
 * container comes with the first session and goes with the last.
 */
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "base/err.h"
#include "base/label.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"
#include "guard/reaper.h"
#include "guard/reaper_process.h"
#include "rack.h"

/* Whoever ends the process again and again means it. */
#define PROCESS_TRIES 5

/* The container takes the engine as long as one of the session's own, so where
 * the process is there it comes when the session is ready, or so late. */
#define CONTAINER_LATE_MS 2000

/* A lease across a network may break and be mended. */
#define PATIENCE_MS 10000

static bool is_needed(const struct link *link);
static void on_process_lost(void *user);
static void on_late(uv_timer_t *timer);
static void on_reaper_change(void *user);
static void on_process_closed(void *user);
static void on_reaper_closed(void *user);

static bool is_local(const struct link *link)
{
    return str_starts(link->endpoint, "unix://");
}

/* Where the engine itself finds its socket: in the virtual machine of a
 * desktop engine, and on another machine, not where we do. */
static const char *socket_of_engine(const struct link *link)
{
    static const char *const machines[] = {
        "/.docker/run/",   "/.docker/desktop/", "/.colima/",
        "/colima/",        "/.orbstack/",       "/.rd/",
        "/podman/machine/"
    };
    const char *path = link->endpoint + strlen("unix://");
    bool here = is_local(link);

    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
        if (here && strstr(path, machines[i]) != NULL)
            here = false;
    if (here)
        return path;
    return link->podman ? "/run/podman/podman.sock" : "/var/run/docker.sock";
}

static void add_labels(const struct link *link, struct strv *out)
{
    strv_printf(out, LABEL_RACK "=%s", link->rack->store.rack_id);
    strv_printf(out, LABEL_OWNER "=%s", link->rack->owner);
}

/* ---- up ------------------------------------------------------------------ */

static void start_process(struct link *link)
{
    cleanup_strv struct strv labels = { 0 };
    struct err err = { 0 };

    free(link->process_why);
    link->process_why = NULL;
    if (!is_local(link)) {
        link->process_why = xstrdup("the engine is not on this machine");
        return;
    }
    add_labels(link, &labels);
    if (reaper_process_start(&link->process, link->rack->loop,
                             link->endpoint + strlen("unix://"), &labels,
                             on_process_lost, link, &err) == 0)
        return;
    link->process_why = xstrdup(err.msg);
    log_warn("reaper", "no process: %s", err.msg);
}

static void on_process_lost(void *user)
{
    struct link *link = user;

    log_warn("reaper", "the process was killed");
    reaper_process_close(link->process, false, NULL, NULL);
    link->process = NULL;
    link->process_why = xstrdup("it was killed again and again");
    if (link->process_tries++ < PROCESS_TRIES)
        start_process(link);
    if (is_needed(link))
        guard_complete(link);
}

static void make_reaper(struct link *link)
{
    cleanup_strv struct strv labels = { 0 };

    add_labels(link, &labels);
    link->reaper = reaper_new(
        &(struct reaper_spec){ .loop = link->rack->loop,
                               .engine = link->engine,
                               .socket_path = socket_of_engine(link),
                               .labels = &labels,
                               .patience_ms = is_local(link) ? 0 : PATIENCE_MS,
                               .on_change = on_reaper_change,
                               .user = link });
}

bool guard_is_up(const struct link *link)
{
    return link->process != NULL ||
           (link->reaper != NULL && reaper_is_settled(link->reaper));
}

bool guard_begin(struct link *link)
{
    if (link->process == NULL)
        start_process(link);
    if (link->reaper == NULL)
        make_reaper(link);
    if (link->process == NULL)
        guard_complete(link);
    else if (!uv_is_active((uv_handle_t *)&link->guard_timer))
        uv_timer_start(&link->guard_timer, on_late, CONTAINER_LATE_MS, 0);
    return guard_is_up(link);
}

void guard_complete(struct link *link)
{
    uv_timer_stop(&link->guard_timer);
    if (link->reaper != NULL)
        reaper_want(link->reaper, true);
}

static void on_late(uv_timer_t *timer)
{
    guard_complete(container_of(timer, struct link, guard_timer));
}

static void on_reaper_change(void *user)
{
    runs_guard_changed(user);
    templates_guard_changed(user);
}

/* ---- down ---------------------------------------------------------------- */

/* At its end the engine has been asked to remove all of it, and does that also
 * when all of us are killed; should it fail, the process is there. */
static bool needs_container(const struct link *link, const struct app_run *run)
{
    if (run->session != NULL)
        return !run->ending || link->process == NULL;
    return run->stage == RUN_GUARDING;
}

/* A session, or one that is about to be. */
static bool is_needed(const struct link *link)
{
    const struct app_run *run;

    DL_FOREACH (link->rack->runs, run)
        if (run->link == link && needs_container(link, run))
            return true;
    return templates_are_made(link) || warm_is_on(link);
}

/* Not earlier, while something of a session runs: whoever is killed in the
 * middle of a teardown must leave nothing either. */
bool guard_end(struct link *link)
{
    if (is_needed(link))
        return true;
    uv_timer_stop(&link->guard_timer);
    reaper_want(link->reaper, false);
    return reaper_is_gone(link->reaper);
}

/* ---- for the doctor ------------------------------------------------------ */

const char *guard_words(const struct link *link, char **text)
{
    const char *why = link->reaper == NULL ? "" : reaper_why(link->reaper);
    const char *none = link->process_why == NULL ? "" : link->process_why;

    if (*why == '\0' && *none == '\0') {
        *text = xstrdup(
            link->reaper != NULL && reaper_is_up(link->reaper)
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

void guard_close(struct link *link, void (*cb)(void *user))
{
    struct reaper *reaper = link->reaper;

    link->on_guard_closed = cb;
    link->reaper = NULL;
    /* A container that was never started would stay. */
    link->dirty |= reaper != NULL && !reaper_is_gone(reaper);
    if (reaper != NULL)
        reaper_close(reaper, on_reaper_closed, link);
    else
        on_reaper_closed(link);
}

static void on_reaper_closed(void *user)
{
    struct link *link = user;
    struct reaper_process *process = link->process;
    bool done = !link->dirty && !link->sweeping;

    link->process = NULL;
    if (process != NULL)
        reaper_process_close(process, done, on_process_closed, link);
    else
        on_process_closed(link);
}

static void on_process_closed(void *user)
{
    struct link *link = user;

    free(link->process_why);
    link->process_why = NULL;
    link->on_guard_closed(link);
}
