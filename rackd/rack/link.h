/*
 * link -- an engine in use: found for a client's environment, asked once who it
 * is, kept until rackd ends, with its guard and its sweeper.
 *
 *     ls = links_new(&spec);
 *     links_find(ls, &client_env, on_link, user);
 *     links_refuse(ls);
 *     links_close(ls, on_closed, user);
 *
 * Whoever has a link may use its engine until links_close().
 */
#ifndef RACK_LINK_H
#define RACK_LINK_H

#include <stdbool.h>
#include <uv.h>

struct engine;
struct env;
struct err;
struct guard;
struct link;
struct links;
struct sweeper;

enum link_state { LINK_NEW, LINK_ASKING, LINK_UP, LINK_CLOSING };

/* Plain data for whoever has it; written by link.c alone. */
struct link {
    struct links *links;
    enum link_state state;
    char *endpoint; /* "unix:///var/run/docker.sock" */
    struct engine *engine;
    /* Once it is up: */
    char *name, *version, *api; /* "Docker", "20.10.24", "1.41" */
    bool podman;
    struct guard *guard;
    struct sweeper *sweeper;

    struct link_waiter *waiters; /* for its hello */
    unsigned open;               /* parts that are still to close */
    struct link *prev, *next;
};

/* All borrowed, until links_close() has called back. */
struct links_spec {
    uv_loop_t *loop;
    const char *rack_id, *owner; /* labels of what is ours */
    /* Is this session one of ours, now? (guard/sweep.h) */
    bool (*lives)(const char *session, void *user);
    /* Who guards this engine has changed (guard/guard.h). */
    void (*on_guard_change)(struct link *link, void *user);
    void *user;
};

typedef void (*link_cb)(struct link *link, const struct err *err, void *user);

struct links *links_new(const struct links_spec *spec);

/* Finds the engine of `client_env` and says hello to it if that was not done.
 * cb runs exactly once, from the loop or from inside the call; `err` tells the
 * user what is wrong, and the link is then NULL. */
void links_find(struct links *ls, const struct env *client_env, link_cb cb,
                void *user);

/* rackd ends: whoever waits for an engine is told an error, from inside the
 * call. */
void links_refuse(struct links *ls);

/* Closes them all: who waits for one is told an error. cb runs once, from the
 * loop or from inside the call, and ls is gone then. */
void links_close(struct links *ls, void (*cb)(void *user), void *user);

#endif /* RACK_LINK_H */
