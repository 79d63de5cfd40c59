/*
 * app_run -- one start of an app: its plan, its session, and who listens.
 *
 *     run = app_run_new(runs, &spec);          owns a copy of what it needs
 *     app_run_listen(run, &mine->listener);
 *     app_run_begin(run);
 *     listener->on_session(), on_event() ..., on_over()
 *     app_run_stop(run, "cvx went away", false, 1);
 *
 * It knows nothing of requests and of JSON. The request that asked for the
 * start is one listener (api/start.c), who waits for its end another
 * (api/stop.c); those of prepared/ listen to every run of the rack
 * (app_runs_listen()). A listener may come and go at any time.
 */
#ifndef RACK_APP_RUN_H
#define RACK_APP_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/env.h"
#include "base/strv.h"
#include "rack/tenant.h"

struct app_run;
struct link;
struct plan;
struct record;
struct session_event;
struct store;

/* Embedded by whoever listens; each callback may be NULL. */
struct app_listener {
    /* Its session begins: the id and the hub are there, no line and no event
     * came yet. */
    void (*on_session)(struct app_listener *l, struct app_run *run);
    void (*on_event)(struct app_listener *l, struct app_run *run,
                     const struct session_event *event);
    /* Nothing of it is left. The last call: the listener is out of the list and
     * may be freed. The run is valid until this returns. */
    void (*on_over)(struct app_listener *l, struct app_run *run);
    bool reads_output; /* it takes all lines of the hub, for a person */
    struct app_listener *prev, *next;
};

/* Borrowed and copied, but for the plan, which is taken. */
struct app_run_spec {
    struct link *link;
    struct plan *plan;
    const char *app, *dir; /* dir: the manifest's, absolute */
    const char *release;
    const struct strv *secrets;   /* not to be shown: plan/mask.h */
    const struct env *client_env; /* of the caller */
    bool no_build, no_cache, exit_on_failure;
    bool keep_warm;          /* make the next start's resources ahead */
    unsigned wait_timeout_s; /* 0: the session's default */
    uint64_t asked_ns;       /* uv_hrtime() when it was asked for */
    uint64_t asked_ms;       /* the same by the loop's clock */
    int64_t started_s;       /* the same, unix time */
};

/* Plain data for whoever lists runs; written by app_run.c alone, unless said
 * otherwise. */
struct app_run {
    struct tenant tenant; /* its id, hub, session, status */
    struct app_runs *runs;
    struct plan *plan;
    char *app, *dir;
    char release[12];
    struct strv secrets;
    struct env client_env;
    bool no_build, no_cache, exit_on_failure;
    bool keep_warm; /* prepared/warm.c clears it once it has tried */
    bool detached;  /* its lease is rackd's */
    unsigned wait_timeout_s;
    uint64_t asked_ns, asked_ms;
    int64_t started_s;
    struct record *record; /* what its time went into; while READY is told */
    struct app_listener *listeners;
    uv_timer_t ttl_timer; /* its time is over */
    struct app_run *prev, *next;
};

/* All starts of a rack. Plain data, filled in by rack.c. */
struct app_runs {
    struct tenants *tenants;
    const struct store *store;      /* keeps the records */
    struct app_listener *listeners; /* to every run, after its own */
    /* Who may have made the resources of this run ahead: the tenant whose
     * session it takes, or NULL. May be NULL itself. */
    struct tenant *(*find_ready_made)(struct app_run *run, void *user);
    void *user;
    struct app_run *all;
};

/* Listens to every run from now on. */
void app_runs_listen(struct app_runs *runs, struct app_listener *l);

/* The newest with a session of this app; of this session. NULL: none. */
struct app_run *app_runs_find(const struct app_runs *runs, const char *app);
struct app_run *app_runs_find_session(const struct app_runs *runs,
                                      const char *session);

struct app_run *app_run_new(struct app_runs *runs,
                            const struct app_run_spec *spec);
void app_run_listen(struct app_run *run, struct app_listener *l);
void app_run_unlisten(struct app_run *run, struct app_listener *l);

/* Events come from inside the call and later. */
void app_run_begin(struct app_run *run);

/* Tear it down; also again, to hurry. now: services are killed, not asked. */
void app_run_stop(struct app_run *run, const char *reason, bool now,
                  int status);

/* The lease is rackd's from here on. ttl_s: it ends after that; 0: it does
 * not. */
void app_run_detach(struct app_run *run, unsigned ttl_s);

/* Does somebody read all of its output, for a person? */
bool app_run_is_read(const struct app_run *run);

/* Since it was asked for. */
uint64_t app_run_ms(const struct app_run *run);

#endif /* RACK_APP_RUN_H */
