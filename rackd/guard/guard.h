/*
 * guard -- who removes everything of ours on one engine when this rackd is
 * killed: a process on this machine, there before the first object is, and a
 * container on the engine, which outlives whatever happens to this machine's
 * processes. The container comes with the first session that is ready and goes
 * with the last one.
 *
 *     g = guard_new(&spec);
 *     if (guard_claim(g, &claim))      before a session creates anything
 *         ... create ...               else when on_change says it is up
 *     guard_session_ready(g);          now the container may come
 *     guard_claim_ending(&claim);      the engine removes the last of it
 *     guard_claim_drop(&claim);        it is removed
 *     guard_close(g, ...);
 *
 * It knows claims, and nothing of what a session is for.
 */
#ifndef GUARD_GUARD_H
#define GUARD_GUARD_H

#include <stdbool.h>
#include <uv.h>

struct engine;
struct guard;

/* All borrowed, until guard_close() has called back. */
struct guard_spec {
    uv_loop_t *loop;
    struct engine *engine;
    const char *endpoint; /* "unix://..." or "tcp://..." */
    bool podman;
    const char *rack_id, *owner;   /* our labels */
    void (*on_change)(void *user); /* ask is_up() and is_let_go() again; from
                                      the loop, never from inside a call */
    void *user;
};

/* One session's claim: whoever owns the session embeds it, zeroed. */
struct guard_claim {
    struct guard *guard; /* NULL: none */
    bool ending;
};

struct guard *guard_new(const struct guard_spec *spec);

/* Before a session may create anything. True when it may at once, else
 * on_change() says later that guard_is_up(). */
bool guard_claim(struct guard *g, struct guard_claim *claim);
bool guard_is_up(const struct guard *g);

/* A session is ready: now the engine has time for the guard's container. */
void guard_session_ready(struct guard *g);

/* Nothing of the session runs any more and the engine has been asked to remove
 * the rest: the container, when no other session needs it, goes beside that. */
void guard_claim_ending(struct guard_claim *claim);

/* The session is gone. Without a claim: nothing. */
void guard_claim_drop(struct guard_claim *claim);

/* The container is needed by others, or is gone: nothing to wait for. */
bool guard_is_let_go(const struct guard *g);

/* "a container on the engine, ..." for the doctor; returns the level, "ok" or
 * "warn". The caller frees *text. */
const char *guard_words(const struct guard *g, char **text);

/* clean: nothing of ours is left there. Else the process looks, and removes
 * it. cb runs once, from the loop or from inside the call; g is gone then. */
void guard_close(struct guard *g, bool clean, void (*cb)(void *user),
                 void *user);

#endif /* GUARD_GUARD_H */
