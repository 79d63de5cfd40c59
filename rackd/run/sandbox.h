/*
 * sandbox -- a container that only holds a network namespace, which several
 * resources share. It is an item of its own (ITEM_SANDBOX); its members join
 * it, and are killed and started again with it.
 */
#ifndef RUN_SANDBOX_H
#define RUN_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

struct engine_call;
struct err;
struct item;
struct session;

struct item_sandbox {
    struct item *of;          /* whose network it is on; NULL: its own */
    size_t first_port;        /* of its ports, in the sandbox's plan */
    char *joined;             /* the sandbox's container when it was created */
    bool chosen;              /* while members are chosen */
    bool given_up;            /* of a sandbox: it is done without */
    bool lost;                /* its sandbox has ended since it was started */
    struct engine_call *kill; /* of a member whose sandbox has ended */
};

/* Once the session's resources are there: choose who shares, and add it. */
void sandbox_lay_out(struct session *s);
void sandbox_release(struct session *s);

/* The host ports chosen for it are its members'. */
void sandbox_share_ports(struct item *sandbox);

/* Of a member, or one with a network of its own: may it be created, started?
 * It is being created. It was created for a sandbox that is another now. */
bool sandbox_is_made(const struct item *it);
bool sandbox_is_up(const struct item *it);
void sandbox_join(struct item *it);
bool sandbox_is_another(const struct item *it);

/* Does the engine say, of a member, that its sandbox is not there? */
bool sandbox_is_missing(const struct item *it, const struct err *err);

/* It is about to be started, on the sandbox that is there now. */
void sandbox_begin(struct item *it);

/* A sandbox has ended, so its members must too; one whose start was under way
 * is killed once that has answered. */
void sandbox_lost(struct item *sandbox);
void sandbox_end_member(struct item *it);
void sandbox_stop_kill(struct item *it);

/* It has ended too often: its members get networks of their own. */
bool sandbox_has_failed(const struct item *sandbox);
void sandbox_give_up(struct item *sandbox, const char *why);

#endif /* RUN_SANDBOX_H */
