/*
 * internal -- what the files of run/ share: a session's insides.
 *
 *   session.c   the whole: start, poke, ready, fail, free
 *   listen.c    the engine's events; listing.c  what a session has, for views
 *   network.c   the session's network and volumes
 *   image.c     an image: assumed, pulled, or a stand-in
 *   builder.c   one build
 *   item.c      one container's life
 *   item_create.c  its container is created, or what it is made of is missing
 *   item_ports.c, fill.c   its host ports; files put into it
 *   template.c  the image its data may come from; commit.c makes that
 *   ahead.c     frozen before there is a start, and thawed by one
 *   item_marks.c   when it went through what (marks.h, critical.h)
 *   remake.c    what is tried otherwise when the engine refuses it
 *   attend.c    what a running container needs: readiness, health, restarts
 *   outside.c   what somebody else does to it: removed, off the network
 *   sandbox.c   one network namespace for several resources
 *   pulse.c     does the engine still answer?
 *   flow.c      output waits while who must not miss a line cannot keep up
 *   teardown.c  the way back
 *   explain.c   why something failed, and what to do
 *
 * Nothing calls anything back directly: whoever made progress calls
 * session_poke(), which walks everything that may go on now. That keeps the
 * order of things in one place and the steps free of each other.
 */
#ifndef RUN_INTERNAL_H
#define RUN_INTERNAL_H

#include "engine/engine.h"
#include "host/subnet.h"
#include "logs/demux.h"
#include "plan/plan.h"
#include "run/session.h"
#include "timing/marks.h"

/* ---- images ------------------------------------------------------------- */

enum image_state {
    IMAGE_ASSUMED, /* nobody has missed it yet */
    IMAGE_CHECKING,
    IMAGE_PULLING,
    IMAGE_SEARCHING, /* no registry answered: is there a stand-in? */
    IMAGE_READY,
    IMAGE_FAILED,
};

struct image {
    struct session *s;
    char *ref;           /* as the plan has it */
    char *use;           /* what to create from: ref, or a stand-in */
    const char *standin; /* images/FOLDER that may stand in, or NULL */
    enum image_state state;
    struct engine_call *call;
    struct layer *layers; /* of a running pull */
    unsigned layer_count, layers_done;
    uint64_t last_progress_ms;
    char *pull_error;
    char *asked_by; /* who needs it, for messages */
    size_t mark;    /* in the session's marks */
};

/* The session's image for `ref`, made when it is new. */
struct image *image_get(struct session *s, const char *ref, const char *standin,
                        const char *asked_by);

/* Make sure that the engine has it, for a build. */
void image_check(struct image *img);

/* The same once more: somebody may have removed it. */
void image_check_again(struct image *img);

/* The engine says it has no such image: pull it. */
void image_missing(struct image *img);
void image_cancel(struct image *img);
void image_free(struct image *img);

/* ---- builds ------------------------------------------------------------- */

enum build_state {
    BUILD_IDLE,
    BUILD_READING, /* the Dockerfile and, again, the context: off the loop */
    BUILD_BASES,   /* its base images are looked up and pulled */
    BUILD_RUNNING,
    BUILD_DONE,
    BUILD_FAILED,
};

struct build;

/* Images of our builds are named so. */
#define BUILD_REPOSITORY "cvx-build/"

struct build *build_new(struct session *s, const struct plan_build *plan);
void build_poke(struct build *b);
enum build_state build_state(const struct build *b);
size_t build_mark(const struct build *b); /* in the session's marks */
/* Its image is gone: build it once more. False: that may not be. */
bool build_again(struct build *b);
/* What to create from: its image's id, so that a build of the same app in
 * another session cannot put another image under the tag meanwhile. */
const char *build_image(const struct build *b);
/* True once no work of it is under way; frees nothing. */
bool build_cancel(struct build *b);
/* At the session's end: the image that had the tag before it. Not earlier:
 * another session of the app may be about to create from it. */
void build_drop_old(struct build *b);
void build_free(struct build *b);

/* ---- items -------------------------------------------------------------- */

enum item_kind { ITEM_RESOURCE, ITEM_INIT, ITEM_SERVICE, ITEM_SANDBOX };

enum item_state {
    ITEM_WAITING,   /* for network, volumes, image */
    ITEM_CREATING,  /* the engine makes the container */
    ITEM_FILLING,   /* files are put into it */
    ITEM_CREATED,   /* waits for what it depends on */
    ITEM_ATTACHING, /* its output, before it starts */
    ITEM_STARTING,
    ITEM_CHECKING, /* runs, not known to be ready */
    ITEM_SAVING,   /* its data becomes a template */
    ITEM_FROZEN,   /* made ahead (a call: being frozen, or thawed) */
    ITEM_READY,    /* an init container: has ended well */
    ITEM_BACKOFF,  /* ended, is started again soon */
    ITEM_STOPPING,
    ITEM_REMOVING,
    ITEM_GONE, /* nothing of it is on the engine */
};

enum template_state {
    TEMPLATE_NONE,    /* there can be none, or it is not wanted */
    TEMPLATE_UNKNOWN, /* which one depends on the image, not looked at yet */
    TEMPLATE_ASKING,
    TEMPLATE_ASSUMED, /* the create will tell whether it is there */
    TEMPLATE_USED,
    TEMPLATE_MISSING, /* there is none, or it does not work */
};

struct item {
    struct session *s;
    enum item_kind kind;
    enum item_state state;
    const struct plan_container *plan;
    const struct plan_resource *resource; /* ITEM_RESOURCE, else NULL */
    const struct plan_service *service;   /* the others, else NULL */
    const char *name;                     /* in the plan */
    int replica;                          /* from 1; 0: there is one */
    char *source;                         /* "service/web/1", for the hub */
    struct image *image;                  /* NULL: built */
    size_t mark;                          /* in the session's marks */

    struct item *sandbox; /* whose network it is on; NULL: its own */
    size_t first_port;    /* of its ports, in the sandbox's plan */
    char *joined;         /* the sandbox's container when it was created */
    bool shares;          /* while sandboxes are laid out */
    bool lost;            /* its sandbox has ended since it was started */

    enum template_state template;
    char *template_name; /* "cvx-template/mysql:0123456789abcdef", or NULL */
    char *base_id;       /* of the image it stands for */
    long long memory;    /* bytes, when it was frozen */
    char *saved_id;      /* of a template being made, without a name yet */

    char *id; /* of the container; NULL: none */
    char *ip;
    int *host_ports; /* by index in plan->ports; 0: none */
    unsigned port_tries;
    unsigned image_tries;     /* creates in a row that missed the image */
    unsigned remade;          /* in a row, after somebody removed it */
    size_t subnets;           /* tried when it was created: its address */
    struct volume_step *owns; /* whose root is being given its owner */
    size_t mounts_filled;     /* mounts whose owner has been seen to */

    char *archive; /* on its way into the container (fill.c) */
    size_t archive_len;
    unsigned fill_tries;

    struct engine_call *call;   /* the step under way */
    struct engine_call *mend;   /* back onto the network (outside.c) */
    struct engine_call *attach; /* its output */
    struct demux *demux;
    struct ready *ready;
    struct health *health;
    uv_timer_t timer; /* deadline of a resource, back-off of a service */
    unsigned exits;   /* in a row, for the back-off */
    int exit_status;
    size_t lines;           /* of output, since it was started */
    int64_t started_ms;     /* wall clock */
    uint64_t running_since; /* loop clock */
    char *unhealthy_why;    /* the last health check's words, or NULL */
    bool timer_open, warned_unhealthy, was_ready;
    bool direct;          /* from a template, without the image's entrypoint */
    bool early;           /* created before the network was there */
    bool heard;           /* output, since its last words are waited for */
    bool initless;        /* made again without an init */
    bool died, oom;       /* an exit is being dealt with; out of memory */
    bool removed, waited; /* by somebody else; waited to hear of that */
    bool committing;      /* the engine reads it: not to be disturbed */
    bool dropping;        /* we remove it, to make another */
    bool addressless;     /* the address we chose is taken */
    bool left;            /* its removal failed */
    bool unplugged;       /* by its end: it has left the network */
    uint64_t oom_at;      /* loop clock */
    struct item *prev, *next;
};

struct item *item_new(struct session *s, enum item_kind kind,
                      const struct plan_container *plan);
void item_free(struct item *it);

/* Go on if what it waits for is there. */
void item_poke(struct item *it);

/* The engine says that it ended; that something in it ran out of memory. */
void item_died(struct item *it, int status, bool oom);
void item_oom(struct item *it);

/* outside.c: the engine says that its container is gone; settle that, once its
 * last words are heard; is it still on the session's network? */
void item_removed(struct item *it);
void item_make_again(struct item *it);
void item_check_network(struct item *it);

/* Changes the state, logs it, tells the watcher. */
void item_set_state(struct item *it, enum item_state state, const char *text);
const char *item_state_word(const struct item *it);
const char *item_kind_word(enum item_kind kind);

/* item_marks.c: the start begins, with what is there already (items, images);
 * an item is noted from here on, with what it will wait for; its state is
 * another; its server took a connection at `ns` (0: nobody knows). */
void session_mark_start(struct session *s);
void item_mark(struct item *it);
/* That both are noted already: it waits for its sandbox. */
void item_mark_sandbox(struct item *it);
void item_mark_state(struct item *it);
/* "image", "template", "ahead"; static. */
void item_mark_from(struct item *it, const char *from);
void item_mark_connected(struct item *it, uint64_t ns);

/* item_ports.c: a host port for every published one, as the engine wants them
 * in `out`, one each. -1: the session has failed. */
int item_choose_ports(struct item *it, struct engine_port *out);

/* template.c: true once it is known what to create it from. */
bool template_is_known(struct item *it);
bool template_is_in_use(const struct item *it);
/* The create has answered: the template is there, or not (true: the error said
 * so, and the image itself is next). */
void template_is_there(struct item *it);
bool template_is_missing(struct item *it, const struct err *err);
/* Neither used nor made for a while. */
void template_is_bad(struct item *it);
/* It did not work: from the image, then. */
void template_give_up(struct item *it, const char *why);
void template_emit(struct item *it, const char *state);
/* commit.c: it answers, in a session that makes templates: make it one. */
void item_save(struct item *it);

/* ahead.c: it answers, in a session made ahead; it has ended, or is gone. */
void item_freeze(struct item *it);
void item_lost_frozen(struct item *it);
bool item_is_frozen(const struct item *it);

/*
 * sandbox.c: a network namespace for several resources, which are added
 * already; at the session's end.
 */
void sandbox_lay_out(struct session *s);
void sandbox_free(struct session *s);
/* "the network that cache, db share"; the caller frees it. */
char *sandbox_title(const struct item *sandbox);
/* The host ports chosen for it are its members'. */
void sandbox_share_ports(struct item *sandbox);
/* Of a member, or one with a network of its own: may it be created, started? It
 * is being created; it was created for a sandbox that is another now. */
bool sandbox_is_made(const struct item *it);
bool sandbox_is_up(const struct item *it);
void sandbox_join(struct item *it);
bool sandbox_is_another(const struct item *it);
/* Does the engine say, of a member, that its sandbox is not there? */
bool sandbox_is_missing(const struct item *it, const struct err *err);
/* It has ended: so must they, also one that is being started, once it is. It
 * has too often: do without. */
void sandbox_lost(struct item *sandbox);
void sandbox_end_member(struct item *it);
bool sandbox_has_failed(const struct item *sandbox);
void sandbox_give_up(struct item *sandbox, const char *why);

/* session.c: has the engine a hand free to start one more? */
bool session_may_start(const struct session *s);

/* session.c: one more, laid out. How long it takes to answer once it has been
 * started, in ranks. */
void session_add_item(struct session *s, struct item *it);
int item_rank(const struct item *it);

/* session.c: items, builds and volumes of the plan's services. */
void session_add_services(struct session *s);
void session_tell_resources(struct session *s);
void session_time_start(struct session *s);

/* network.c */
void net_make_volumes(struct session *s);

/* remake.c: its container is removed, and another made. */
void item_drop(struct item *it);

/* remake.c: the engine refused a step for something that can be had otherwise:
 * other ports, no init. True: the container is being made again. */
bool item_remake(struct item *it, const struct err *err);

/* "service web", "initContainer of service web"; the caller frees it. */
char *item_title(const struct item *it);

/* What to create it from, where it is not a template; NULL: not there yet. */
const char *item_image(const struct item *it);

/* item_create.c: all that it is made of is there. */
void item_create(struct item *it);

/* Its container is gone: create another. */
void item_start_over(struct item *it);

/* fill.c: put files and owners into the created container, then go on. */
void item_fill(struct item *it);

/* Created: say what it waits for, then go on. */
void item_wait(struct item *it);

/* The engine refused a step: fails the session with its words. */
void item_fail_step(struct item *it, const char *step, const struct err *err);

/* Its output has ended. */
void item_output_ended(struct item *it);

/* Listen to its output again, after the engine went away and came back. */
void item_listen(struct item *it);

/* Its name on the engine; the caller frees it. */
char *item_container_name(const struct item *it);

/* attend.c: it runs, watch over it until it ends. */
void item_attend(struct item *it);
void item_unattend(struct item *it);
void item_backoff(struct item *it);
/* It has ended: wait for the rest of its output, then deal with it. */
void item_hear_out(struct item *it);
/* It has ended and that ends the session: "web ended: how". */
void item_end_session(struct item *it, const char *how);
void item_emit_exit(struct item *it, const char *text);

/* teardown.c: a call has answered, and (true) the session ends meanwhile: it
 * has been dealt with. */
bool item_is_over(struct item *it);
void item_take_down(struct item *it, bool now);

/* ---- network and volumes --------------------------------------------------
 */

enum net_state { NET_IDLE, NET_CREATING, NET_READY, NET_REMOVING, NET_GONE };

void net_start(struct session *s);
bool net_is_up(const struct session *s);
/* Containers may be created for it, if not started: it is up, or its name and
 * subnet are chosen and the engine goes by the name. */
bool net_is_known(const struct session *s);
/* Removes the network, the volumes; pokes the session when they are gone. */
void net_remove(struct session *s);
void net_remove_volumes(struct session *s);
/* Each of them is gone, or the engine has been asked and not answered yet. */
bool net_is_going(const struct session *s);
bool net_is_gone(const struct session *s);
/* Somebody has removed it; does this error say so? */
void net_lost(struct session *s);
bool net_is_missing(const struct err *err);
/* Forget what the engine does not let go; says what. */
void net_give_up(struct session *s, const struct err *err);

/* ---- the session ----------------------------------------------------------
 */

enum session_state {
    SESSION_STARTING,
    SESSION_READY,
    SESSION_STOPPING,
    SESSION_GONE,
};

struct volume_step {
    struct session *session;
    char *name; /* on the engine */
    bool keep, made, gone;
    bool owning, owned; /* its root gets, has owner and mode */
    struct engine_call *call;
};

/* A container that is not in the books, or no longer. */
struct sweep_step {
    struct session *session;
    char *name;
    struct engine_call *call;
};

struct session {
    struct session_spec spec;
    struct env *client_env;
    char *id, *rack_id, *owner, *release, *dir;
    enum session_state state;
    uint64_t started; /* loop clock */
    uint64_t stop_started;
    int status; /* what on_gone reports */
    bool stop_now;

    enum net_state net;
    char *net_name, *net_id;
    struct subnet subnet;
    struct strv subnets_tried;
    unsigned net_remove_tries, next_ip;
    struct engine_call *net_call;
    struct volume_step *volumes; /* one per plan volume */

    struct engine_call *events, *net_events;
    bool events_ready;
    unsigned events_lost;    /* times the engine went away */
    uv_timer_t events_timer; /* the next try to reach the engine */
    uv_timer_t wait_timer;   /* starting: too late; then: network, again */
    uv_timer_t limit_timer;  /* of the teardown */
    uv_timer_t pulse_timer;  /* the next ping */
    uv_timer_t flow_timer;   /* while no output is read */
    struct engine_call *ping;
    uint64_t mute_since; /* loop clock; 0: the engine answers */
    unsigned open_handles;
    bool no_init;   /* the engine has no init program */
    bool net_first; /* it creates no container for a network to come */

    struct image **images;
    size_t image_count, image_cap;
    struct build **builds; /* one per plan build */
    struct item *items;    /* utlist */
    struct plan_container sandbox_plan;
    struct engine_call *sweep, *relist;
    uint64_t relist_asked; /* loop clock */
    struct sweep_step *sweeps;
    size_t sweep_count, sweep_left;
    uint64_t unreachable_since; /* loop clock; 0: the engine answers */
    bool swept, ending, in_poke, poke_again, closing;
    unsigned removed_containers, removed_networks, removed_volumes;
    unsigned left; /* objects that could not be removed */
    unsigned long calls_before;
    struct marks marks;
    size_t net_mark, volumes_mark; /* the first of the volumes' */
};

uint64_t session_ms(const struct session *s);

/* listen.c: hear from the engine who ended, again and again. */
void session_hear(struct session *s);
struct item *session_find_item(struct session *s, const char *id);

/* outside.c: and what is done to its network, once there is one. */
void session_hear_network(struct session *s);

/* pulse.c: ask the engine now and then whether it is there, until the end. */
void pulse_start(struct session *s);
void pulse_stop(struct session *s);

/* flow.c: until the session is stopped; a new stream of output takes part. */
void flow_start(struct session *s);
void flow_stop(struct session *s);
void flow_listen(struct item *it);

void session_poke(struct session *s);
void session_emit(struct session *s, struct session_event *event);
void session_warn(struct session *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* teardown.c: what a poke does while stopping; and the last step of all. */
void teardown_poke(struct session *s);
void session_end_if_gone(struct session *s);

/* Every container is gone. */
bool teardown_is_empty(const struct session *s);

/* The engine says, while stopping, that it ended; that it left the network. */
void teardown_died(struct item *it);
void teardown_unplugged(struct item *it);

/* The engine does not answer: is it worth while to ask again? Then it pokes
 * the session soon. */
bool teardown_again(struct session *s, const struct err *err);

/* Something could not be removed: said, and the status is 1. */
void teardown_failed(struct session *s, const char *kind, const char *name,
                     const struct err *err);

/* Something failed for good: say it, then take everything down. `why` and
 * `todo` may be NULL. */
void session_fail(struct session *s, int status, const char *text,
                  const char *why, const char *todo);

/* Labels every object of the session carries; `kind` and `name` differ. */
void session_labels(const struct session *s, struct strv *out, const char *kind,
                    const char *name);

/* A line of our own in the log. */
void session_say(struct session *s, const char *tag, const char *source,
                 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* ---- explain ---------------------------------------------------------------
 */

/* "exit status 137 (killed: SIGKILL, out of memory)"; the caller frees. */
char *explain_exit(int status, bool oom);

/* Do the engine's words say that it has no address pool left? */
bool explain_is_pool(const char *words);

/* Do they say that the disk is full? */
bool explain_is_disk(const char *words);

/* What to do about the engine's words, or NULL; static. */
const char *explain_engine(const char *words);

/* What to do about an item that ended, or NULL; static. */
const char *explain_exit_todo(const struct item *it);

/* The last 20 lines of an item's output since it was started, or NULL; the
 * caller frees. */
char *explain_output(const struct item *it);

/* ---- notes ------------------------------------------------------------------
 */

/* The stand-in noted for `ref`, or NULL; borrowed. */
const char *image_notes_get(struct image_notes *n, const char *ref,
                            uint64_t now_ms);
void image_notes_put(struct image_notes *n, const char *ref, const char *use,
                     uint64_t now_ms);

#endif /* RUN_INTERNAL_H */
