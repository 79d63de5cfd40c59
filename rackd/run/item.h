/*
 * item -- one container of a session: a resource, a service's replica, an init
 * container, or a sandbox.
 *
 * Its life, in files: item_depend.c knows what it waits for, item_start.c goes
 * on when that is there; item_create.c creates the container, item_files.c puts
 * files into it, item_output.c reads its output; item_ready.c watches until it
 * is ready and healthy; item_exit.c deals with its end; item_teardown.c takes
 * it away. A state is changed by item_set_state() alone. A struct that is
 * embedded here is written by the file of its header alone.
 */
#ifndef RUN_ITEM_H
#define RUN_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run/item_create.h"
#include "run/item_drop.h"
#include "run/item_exit.h"
#include "run/item_files.h"
#include "run/item_freeze.h"
#include "run/item_network.h"
#include "run/item_output.h"
#include "run/item_ports.h"
#include "run/item_ready.h"
#include "run/item_remake.h"
#include "run/item_teardown.h"
#include "run/sandbox.h"
#include "run/template.h"
#include "run/template_make.h"

struct engine_call;
struct image;
struct plan_container;
struct plan_resource;
struct plan_service;
struct session;

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

struct item {
    struct session *s;
    enum item_kind kind;
    enum item_state state;
    const struct plan_container *plan;
    const struct plan_resource *resource; /* ITEM_RESOURCE, else NULL */
    const struct plan_service *service;   /* ITEM_INIT, _SERVICE, else NULL */
    const char *name;                     /* in the plan */
    int replica;                          /* from 1; 0: there is one */
    char *source;                         /* "service/web/1", for the hub */
    struct image *image;                  /* NULL: built */
    size_t mark;                          /* in the session's marks */

    char *id;                 /* of the container; NULL: none */
    char *ip;                 /* NULL: not chosen yet */
    bool ip_is_engines;       /* ours was taken, so the engine chose one */
    struct engine_call *call; /* the step under way */
    unsigned remade;          /* times in a row that it was made again */
    int64_t started_ms;       /* wall clock; item_start.c */
    uint64_t running_since;   /* loop clock; item_start.c */

    struct item_create creation;
    struct item_ports ports;
    struct item_files files;
    struct item_output output;
    struct item_ready readiness;
    struct item_exit exit;
    struct item_drop drop;
    struct item_remake remake;
    struct item_network network;
    struct item_sandbox sandbox;
    struct item_template template;
    struct item_making making;
    struct item_freeze freeze;
    struct item_teardown teardown;
    struct item *prev, *next;
};

struct item *item_new(struct session *s, enum item_kind kind,
                      const struct plan_container *plan);

/* It is one of the session's from now on; it gets its source and its image. */
void session_add_item(struct session *s, struct item *it);

/* The item whose container has this id, or NULL. */
struct item *session_find_item(struct session *s, const char *id);

/* Its timers, at the session's end; then it may be freed. */
void item_close(struct item *it);
void item_free(struct item *it);

/* Changes the state, logs it, and tells the watcher when the word for it is
 * another or there is a `text`. */
void item_set_state(struct item *it, enum item_state state, const char *text);

/* The same, but the watcher is not told. */
void item_set_state_quietly(struct item *it, enum item_state state);

const char *item_state_word(const struct item *it);

static inline const char *item_kind_word(enum item_kind kind)
{
    static const char *const words[] = { "resource", "init", "service",
                                         "sandbox" };

    return words[kind];
}

/* "service web", "initContainer of service web"; the caller frees it. */
char *item_title(const struct item *it);

/* Its name on the engine; the caller frees it. */
char *item_container_name(const struct item *it);

/* How long it takes to answer once it has been started: those of rank 0 take
 * longest and go first, up to ITEM_RANKS - 1. */
#define ITEM_RANKS 5
int item_rank(const struct item *it);

/* Gives up the step under way, if there is one. */
void item_cancel_call(struct item *it);

/* The step under way has been answered. True: the session ends meanwhile, and
 * teardown_poke() goes on with the item. */
bool item_is_over(struct item *it);

/* May its container be made again after somebody removed it? Counts the tries,
 * until it has been ready again. */
bool item_may_be_remade(struct item *it);
void item_forgive_removals(struct item *it);

/* NULL: it has none for now. */
void item_set_ip(struct item *it, const char *ip);

/* Somebody else has its address: the engine is to choose one. */
void item_lose_ip(struct item *it);

/* Its container is gone from the engine. The next one gets an address of ours
 * again. */
void item_forget_container(struct item *it);

/* The same, and create another. */
void item_start_over(struct item *it);

/* Nothing of any item is on the engine. */
bool items_are_gone(const struct session *s);

#endif /* RUN_ITEM_H */
