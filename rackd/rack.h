/*
 * rack -- the composition root: owns every module, wires their callbacks.
 *
 *   main.c     options, signals, the loop
 *   rack.c     life: start, sessions, quit when idle
 *   link.c     engines in use
 *   sweep.c    what dead racks left on them; owner.c  who is dead
 *   guard.c    who removes everything when this rackd is killed
 *   input.c   a request's files and environment -> manifest and plan
 *   start.c    POST /start and stop: a session and who watches it
 *   stop.c    the requests to stop
 *   event_json.c  its events, as cvx reads them; log_json.c  its lines
 *   views.c    the other requests
 *   timings.c  GET /timings: what a start's time went into; history.c
 *   doctor.c   POST /doctor
 *   kept.c     POST /resources/reset: kept data is forgotten
 *   sweep_view.c  POST /sweep: a sweep by hand
 *   templates.c   makes templates, behind the sessions that missed them
 *   warm.c        resources started and frozen ahead of a start (--warm)
 *   template_list.c, templates_view.c   which there are; POST /templates...
 *
 * Nothing below this folder's top level includes this header.
 */
#ifndef RACKD_RACK_H
#define RACKD_RACK_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "api/input.h"
#include "engine/engine.h"
#include "host/port.h"
#include "store/store.h"

struct web;
struct web_req;
struct cJSON;
struct hub;
struct image_notes;
struct hub_sub;
struct plan;
struct session_event;
struct session;
struct session_spec;
struct reaper;
struct reaper_process;
struct str;
struct sweep;
struct template_job;
struct template_query;
struct timings;
struct waiter;
struct warm;

/* An engine in use; made on first need, kept until rackd ends. */
struct link {
    struct rack *rack;
    char *endpoint;
    struct engine *engine;
    enum { LINK_NEW, LINK_ASKING, LINK_UP } state;
    char *name, *version, *api;
    bool podman;
    struct waiter *waiters;                  /* for its hello */
    struct sweep *sweeps;                    /* under way (sweep.c) */
    struct template_query *template_queries; /* too (template_list.c) */
    uv_timer_t sweep_timer;
    uint64_t sweep_again_ms; /* the next pause before it is swept again */
    uv_timer_t guard_timer;  /* guard.c: the container comes now */
    bool sweeping, dirty;  /* dirty: something was left since the last sweep */
    struct reaper *reaper; /* guard.c */
    struct reaper_process *process;
    char *process_why; /* why there is none, or NULL */
    unsigned process_tries, open;
    void (*on_guard_closed)(void *user);
    struct link *prev, *next;
};

/* A client that is told what happens to one or more sessions. */
struct watcher {
    struct web_req *req;
    unsigned sessions; /* still to end */
    int status;
};

/* One `cvx start`: the plan, its session and its audience. */
struct app_run {
    struct rack *rack;
    struct link *link;
    enum { RUN_NEW, RUN_GUARDING, RUN_LIVE, RUN_OVER } stage;
    struct input input;
    struct plan *plan;
    struct hub *hub;
    struct session *session; /* NULL until the engine has answered */
    char id[8], release[12];
    bool detach, detached;
    bool keep_warm;       /* --warm: make the next start's resources ahead */
    struct warm *warm;    /* what it was made of, or NULL */
    bool misses_template; /* one that could be there was not */
    bool ending;          /* nothing of its session runs any more */
    bool left;            /* something of it could not be removed */
    unsigned ttl_s;
    bool no_build, no_cache, exit_on_failure;
    unsigned wait_timeout_s;
    int64_t started_s;       /* unix time */
    uint64_t started;        /* loop clock */
    uint64_t asked_ns;       /* the same, by uv_hrtime() */
    struct timings *timings; /* while it becomes ready */
    int status;

    struct web_req *req;  /* the lease; NULL when gone or handed over */
    struct hub_sub *sub;  /* its log lines */
    bool text;            /* it takes them as text */
    unsigned long missed; /* events it was too slow for */
    struct {
        struct watching {
            struct watcher *watcher;
        } * v;
        size_t len, cap;
    } watchers;
    uv_timer_t ttl_timer;
    struct app_run *prev, *next;
};

struct rack {
    uv_loop_t *loop;
    struct store store;
    char *owner;         /* label cvx.owner (owner.h) */
    char *sandbox_image; /* the reaper's */
    char *socket_path;
    struct web *control;
    struct image_notes *notes;
    struct port_book ports;
    struct link *links;
    struct app_run *runs;
    struct template_job *template_jobs; /* the first one may be under way */
    uv_timer_t template_timer;
    struct warm *warm; /* one for each app, at most */
    unsigned long warm_mb;
    unsigned long templates_mb; /* on disk, at most; 0: none are made or used */
    uv_timer_t idle_timer;
    unsigned idle_s;
    uint64_t started, started_idle; /* loop clock */
    size_t full_bytes;              /* WEB_FULL; less, in a test */
    unsigned tick_ms;               /* as in session_spec, for tests */
    bool quitting, closing;
};

int rack_new(struct rack **out, uv_loop_t *loop, const char *socket_path,
             unsigned idle_s, struct err *err);

/* Tear every session down, then close; the loop then ends by itself.
 * Again: do not ask services, kill them. */
void rack_quit(struct rack *r);
void rack_free(struct rack *r);

/* Called when a session has ended: quits once nothing is left. */
void rack_run_ended(struct rack *r);

/* What every session of this rack on that engine has in common; the rest of
 * *out is zero. */
void rack_session_spec(struct link *link, struct session_spec *out);

/* ---- engines (link.c) --------------------------------------------------- */

typedef void (*link_cb)(struct link *link, const struct err *err, void *user);

/* Finds the engine of `client_env` and says hello to it if that was not done;
 * cb runs once, from the loop or from inside the call. `err` tells the user
 * what to do. */
void rack_link(struct rack *r, const struct env *client_env, link_cb cb,
               void *user);

/* Takes the link out of use; frees it once the engine is closed. */
void link_close(struct link *link);

/* Something of a session may be left there: sweep it, soon and until nothing
 * is. */
void link_is_dirty(struct link *link);

/* Before a session: sweep it now if that has not been done, or is due. */
void link_sweep(struct link *link);

/* ---- what guards them (guard.c) ----------------------------------------- */

/* Before a session may create anything: true when it may at once, else
 * guard_changed() tells later. */
bool guard_begin(struct link *link);
bool guard_is_up(const struct link *link);

/* A session is ready: now the engine has time for the container. */
void guard_complete(struct link *link);

/* A session has ended: when it was the last one the container that guards goes
 * too. True: nothing is to be waited for. */
bool guard_end(struct link *link);

/* "a container on the engine, ..." for the doctor; level "ok" or "warn"; the
 * caller frees *text. */
const char *guard_words(const struct link *link, char **text);

void guard_close(struct link *link, void (*cb)(void *user));

/* The guard of this link is up or gone: go on (start.c). */
void runs_guard_changed(struct link *link);

/* ---- templates (templates.c) --------------------------------------------- */

/* A session said something of one (SESSION_EVENT_TEMPLATE), and is ready. */
void templates_note(struct app_run *run, const struct session_event *event);
void templates_want(struct app_run *run);

/* The guard of this link is up or gone. Is something being made there? */
void templates_guard_changed(struct link *link);
bool templates_are_made(const struct link *link);
bool templates_session_lives(const struct rack *r, const char *session);

/* rackd ends. */
void templates_stop(struct rack *r);

/* What happens to one that is made: as in session.h, and "failed" (`text` why)
 * and at last "end" (`text`: "" or what went wrong). */
typedef void (*template_cb)(const char *state, const char *resource,
                            const char *text, void *user);

/* Make those of `plan` that are missing, after those that wait; the plan is
 * held. False: there are none to make. cb may be NULL; it runs to the end. */
bool templates_make(struct link *link, struct plan *plan,
                    const struct env *client_env, const char *dir,
                    template_cb cb, void *user);

/* ---- made ahead (warm.c) --------------------------------------------------
 */

/* So long they wait for a start, after the last one has ended. */
#define WARM_MINUTES 10

/* Once a second: make what runs want, drop what nobody came for. */
void warm_tick(struct rack *r);

/* Resources for this run's plan, frozen; they are the run's from here on:
 * run->warm, hub, session and id. False: there are none. */
bool warm_take(struct app_run *run);

/* The run has ended; NULL is nothing. */
void warm_free(struct warm *w);

/* How many containers wait for the next start of `app`, in how many bytes. */
unsigned warm_count(const struct rack *r, const char *app, long long *bytes);

/* For every app. */
unsigned warm_all(const struct rack *r);

/* Remove those of an app, or (NULL) all. False: there were none. */
bool warm_drop(struct rack *r, const char *app, const char *why);
bool warm_is_on(const struct link *link);
bool warm_session_lives(const struct rack *r, const char *session);

/* ---- handlers (start.c, views.c, doctor.c) ------------------------------ */

void on_start(struct web_req *req, void *user);
void on_session_stop(struct web_req *req, void *user);
void on_app_stop(struct web_req *req, void *user);

void on_version(struct web_req *req, void *user);
void on_validate(struct web_req *req, void *user);
void on_plan(struct web_req *req, void *user);
void on_sessions(struct web_req *req, void *user);
void on_ps(struct web_req *req, void *user);
void on_services(struct web_req *req, void *user);
void on_resources(struct web_req *req, void *user);
void on_logs(struct web_req *req, void *user);
void on_env_get(struct web_req *req, void *user);
void on_env_set(struct web_req *req, void *user);
void on_quit(struct web_req *req, void *user);
void on_doctor(struct web_req *req, void *user);
void on_reset(struct web_req *req, void *user);
void on_sweep(struct web_req *req, void *user);
void on_templates(struct web_req *req, void *user);
void on_templates_build(struct web_req *req, void *user);
void on_templates_prune(struct web_req *req, void *user);
void on_timings(struct web_req *req, void *user);

/* ---- shared pieces ------------------------------------------------------ */

/* What happens in a session, as JSON (event_json.c). */
uint64_t run_ms(const struct app_run *run);
struct cJSON *event_new(const struct app_run *run, const char *type);
struct cJSON *event_error(const struct app_run *run, const char *text,
                          const char *why, const char *todo, int code);
struct cJSON *event_json(const struct app_run *run,
                         const struct session_event *ev);

/* Stop this run (start.c). */
void run_stop(struct app_run *run, const char *reason, bool now, int status);

/* A session of the app, newest first; NULL: none. */
struct app_run *rack_find_app(struct rack *r, const char *app);

/* Lists for `ready` and for the requests of the same name (views.c). Passwords
 * of databases that are not ours to start are masked unless `whole`. */
struct cJSON *view_services(const struct app_run *run);
struct cJSON *view_resources(const struct app_run *run, bool whole);

/* web_put(), without the run's secrets (event_json.c). */
void put_masked(struct cJSON *object, const char *name, const char *text,
                const struct strv *secrets);

/* diags as JSON and as text (views.c). */
void view_diags(struct cJSON *answer, const struct input *in);

/* The session is over: its last lines and `end`, as fast as the client reads
 * (logs_view.c). Takes req and sub. */
void view_rest(const struct app_run *run);

/* What waits for the client, as `log` events or, where it asked for it, `text`
 * events (log_json.c). False: it must read some of that first. */
bool view_lines(struct web_req *req, struct hub_sub *sub, bool text,
                uint64_t ms);

#endif /* RACKD_RACK_H */
