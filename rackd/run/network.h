/*
 * network -- the session's own network, which all its containers are on.
 *
 *     network_start(s, on_up);     at the session's start; pokes when it is up
 *     network_is_known(s)          containers may be created for it
 *     network_is_up(s)             and started on it
 *     network_remove(s);           at the end, when nothing is on it any more
 */
#ifndef RUN_NETWORK_H
#define RUN_NETWORK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strv.h"
#include "host/subnet.h"
#include "run/session_timer.h"

struct engine_call;
struct err;

enum network_state {
    NETWORK_IDLE, /* not asked for, or refused */
    NETWORK_CREATING,
    NETWORK_READY,
    NETWORK_REMOVING,
    NETWORK_GONE,
};

struct session_network {
    enum network_state state;
    char *name, *id; /* on the engine */
    struct subnet subnet;
    struct strv subnets_tried;
    unsigned next_ip;
    void (*on_up)(struct session *s);
    bool first; /* the engine creates no container for a network to come */
    struct engine_call *call;
    unsigned remove_tries;
    struct session_timer again; /* the next try to remove it */
    size_t mark;                /* in the session's marks */
};

void network_init(struct session *s);
void network_release(struct session *s);

/* A start's marks begin: this is its mark. */
void network_mark(struct session *s);

/* May fail the session at once. on_up: before the poke, when it is there. */
typedef void (*network_up_cb)(struct session *s);
void network_start(struct session *s, network_up_cb on_up);
bool network_is_up(const struct session *s);

/* Containers may be created for it, if not started: it is up, or its name and
 * subnet are chosen and the engine goes by the name. */
bool network_is_known(const struct session *s);

/* It turned out that this engine wants the network before containers. */
void network_comes_first(struct session *s);

/* The next address of its subnet that no container has; false: none left. */
bool network_next_ip(struct session *s, char out[SUBNET_IP_LEN]);

/* Asks for its removal, unless that is under way. Pokes when it is gone. */
void network_remove(struct session *s);

/* It is gone, or the engine has been asked and has not answered yet. */
bool network_is_going(const struct session *s);
bool network_is_gone(const struct session *s);

/* Does this error say that the network is not there? Then network_lost(). */
bool network_is_missing(const struct err *err);

/* Somebody has removed it: that ends the session. */
void network_lost(struct session *s);

/* The engine does not let it go in time: say so and forget it. */
void network_give_up(struct session *s, const struct err *err);

#endif /* RUN_NETWORK_H */
