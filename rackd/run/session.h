/*
 * session -- one run of a plan: make it true, keep it, undo it.
 *
 *     struct session *s = session_start(&spec);
 *     on_event(...)            what happens, for whoever watches
 *     session_stop(s, "Ctrl-C", false, 0);
 *     on_gone(...)             nothing is left; s is freed after it returns
 *
 * A session is created with everything it needs and then needs nobody: it
 * creates the network, pulls and builds, starts containers as soon as what
 * they wait for is there, restarts services that exit, and takes all of it
 * away again, whether it is told to or something failed. on_gone runs exactly
 * once, from the loop, and only when every object it made has been removed
 * (or the engine would not let it: said in an SESSION_EVENT_ERROR before).
 *
 * Ownership: plan, hub, engine, image notes and port book belong to the caller
 * and must live until on_gone.
 */
#ifndef RUN_SESSION_H
#define RUN_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/strv.h"

struct engine;
struct env;
struct hub;
struct image_notes;
struct marks;
struct plan;
struct port_book;
struct session;
struct str;

enum session_event_type {
    SESSION_EVENT_STATE,    /* kind, name, replica, state, text, status */
    SESSION_EVENT_PROGRESS, /* name, text, current, total, layers, layers_done
                             */
    SESSION_EVENT_WARNING,  /* text */
    SESSION_EVENT_ERROR,    /* text, why, todo, status */
    SESSION_EVENT_READY,    /* look at the session with session_...() */
    SESSION_EVENT_STOPPING, /* text: why */
    SESSION_EVENT_REMOVED,  /* containers, networks, volumes, took_ms */
    SESSION_EVENT_TEMPLATE, /* name: the resource's; text: the template's image;
                     state: "used", "missing", "there", "made", "bad" (and gone)
                   */
};

/* What a session does with templates of its resources' data (template.c). */
enum session_templates {
    TEMPLATES_OFF,
    TEMPLATES_USE,  /* start from those that are there */
    TEMPLATES_MAKE, /* make those that are missing: ready means made. The
                       plan has resources that can have one, and no more */
};

/* All borrowed for the call; unused fields are zero. */
struct session_event {
    enum session_event_type type;
    uint64_t ms; /* since session_start() */
    const char *kind, *name, *state, *text, *why, *todo;
    int replica, status;
    bool exited; /* state "exited": status holds the exit status */
    long long current, total;
    unsigned layers, layers_done;
    unsigned containers, networks, volumes;
    unsigned left; /* removed: what could not be, said before */
    uint64_t took_ms;
};

struct session_spec {
    uv_loop_t *loop;
    struct engine *engine;
    const struct plan *plan;
    struct hub *hub;
    struct image_notes *notes;    /* what was learnt about images, per rack */
    struct port_book *ports;      /* handed out lately, per rack */
    const char *id;               /* "s7f3a9c" */
    const char *rack_id;          /* label cvx.rack */
    const char *owner;            /* label cvx.owner: this rackd */
    const char *release;          /* label cvx.release */
    const char *dir;              /* the manifest's directory, absolute */
    const char *hub_tag;          /* tag of our own lines: "convox" */
    const struct env *client_env; /* registry logins: HOME, DOCKER_CONFIG;
                                     copied */
    enum session_templates templates;
    bool freeze; /* start the resources, freeze them, and wait; see below */
    bool podman;
    /* The image and the command (NULL-terminated) of a container that does
     * nothing and stays: resources may share its network namespace (sandbox.c).
     * Both are copied; NULL: no sandboxes. */
    const char *sandbox_image;
    const char *const *sandbox_argv;
    bool no_build, no_cache, exit_on_failure;
    uint64_t asked_ns;       /* uv_hrtime() when it was asked for; 0: now */
    unsigned wait_timeout_s; /* 0: defaults, see session.c */
    unsigned limit_ms;       /* of a teardown, past every grace; 0: default, see
                                teardown.c */
    unsigned ping_ms; /* between two pings; 0: default, see heartbeat.c */
    unsigned tick_ms; /* of the hub; 0: default, see
                         backpressure.c */
    void (*on_event)(const struct session_event *event, void *user);
    /* Before on_gone, once or never: nothing of it runs any more and the engine
     * is at work on the removal of all that is left. May be NULL. */
    void (*on_ending)(void *user);
    void (*on_gone)(int status, void *user);
    void *user;
};

struct session *session_start(const struct session_spec *spec);

/* Tear down. `now`: services are killed, not asked. May be called again, to
 * hurry. status: what on_gone is to report. */
void session_stop(struct session *s, const char *reason, bool now, int status);

/*
 * A session made ahead (spec.freeze): `plan` has resources without volumes and
 * nothing else; SESSION_EVENT_READY says that their containers run and are
 * frozen. Then either session_stop() or this: it goes on as a session of
 * `spec`, whose plan has the same resources (plan_same_resources()), on the
 * same engine, with the id and the hub that it has already. The plan made ahead
 * must live on too. Anything that happens to a frozen container ends a session
 * that nobody has taken.
 */
void session_take_over(struct session *s, const struct session_spec *spec);

/* Bytes of memory that its containers held when they were frozen. */
long long session_memory(const struct session *s);

bool session_is_ready(const struct session *s);
bool session_is_stopping(const struct session *s);

#define SESSION_ITEM_PORTS_MAX 16

/* One container, for listings. Borrowed until the next loop turn. */
struct session_item {
    const char *kind; /* "service", "resource", "init" */
    const char *name, *container_id, *state;
    const struct strv *argv; /* what replaced CMD; may be empty */
    int replica;
    int64_t started_ms; /* since 1970; 0: not yet */
    struct {
        int container, host;
    } ports[SESSION_ITEM_PORTS_MAX];
    unsigned port_count;
};

size_t session_item_count(const struct session *s);
void session_item_get(const struct session *s, size_t index,
                      struct session_item *out);

/* Where 127.0.0.1:PORT leads to a service's or resource's first replica;
 * container 0: its first published port. 0: not published. */
int session_host_port(const struct session *s, const char *kind,
                      const char *name, int container);

/* When what happened, until it was ready (timing/marks.h,
 * timing/critical.h). */
const struct marks *session_marks(const struct session *s);

/* Engine calls made for it so far. */
unsigned long session_calls(const struct session *s);

/* Templates are images of this repository, one folder for each resource type.
 */
#define TEMPLATE_REPOSITORY "cvx-template/"

/*
 * What is known about images, across sessions of a rack: which reference no
 * registry answered for and what stood in, so that the next start does not
 * wait for the same refusal; which template did not work. Forgotten after ten
 * minutes.
 */
struct image_notes *image_notes_new(void);
void image_notes_free(struct image_notes *notes);

#endif /* RUN_SESSION_H */
