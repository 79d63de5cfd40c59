/*
 * tenant -- whoever owns a session, whatever it is for: a start, a template
 * that is made, resources made ahead. It has an id, a hub for the session's
 * lines, a claim on the guard, and a place in the rack's one registry, which
 * the guard, the sweep and rackd's end ask instead of knowing the kinds.
 *
 *     tenant_init(&mine->tenant, tenants, link, &kind);   registered, WAITING
 *     tenant_begin(&mine->tenant);      guarded first, then kind->begin():
 *         tenant_session_spec(t, &spec);      its hub is there from here on
 *         spec.plan = ...;
 *         tenant_run(t, &spec);
 *     kind->on_event() ...
 *     tenant_stop(t, "why", now, status);
 *     kind->on_over();                  nothing of it is left: free it
 *
 * A kind is a struct that embeds a tenant and has a `struct tenant_kind`. From
 * tenant_init() on, on_over() runs exactly once, from the loop.
 */
#ifndef RACK_TENANT_H
#define RACK_TENANT_H

#include <stdbool.h>
#include <uv.h>

#include "guard/guard.h"
#include "host/port.h"

struct hub;
struct image_notes;
struct link;
struct session;
struct session_event;
struct session_spec;
struct tenant;

struct tenant_kind {
    const char *name; /* "start": in rackd's log */
    char letter;      /* the first of its sessions' ids */
    bool background;  /* nobody waits for it: at rackd's end it is killed at
                         once, not asked */
    /* The guard is up: tenant_run(), now. */
    void (*begin)(struct tenant *t);
    void (*on_event)(struct tenant *t, const struct session_event *event);
    /* Nothing of it is left: free it. */
    void (*on_over)(struct tenant *t);
    /* The one that took its session (tenant_take()) is over. May be NULL where
     * none can. May come before or after on_over(). */
    void (*on_returned)(struct tenant *t);
};

enum tenant_state {
    TENANT_WAITING,  /* not begun yet */
    TENANT_GUARDING, /* until it is guarded */
    TENANT_LIVE,     /* it has a session */
    TENANT_LEAVING,  /* the session is gone, the guard not yet */
    TENANT_OVER,
};

/* Read by its kind; written by tenant.c alone. */
struct tenant {
    const struct tenant_kind *kind;
    struct tenants *tenants;
    struct link *link;
    enum tenant_state state;
    char id[8];
    struct hub *hub;         /* until on_over() has returned */
    struct session *session; /* NULL: not yet, or gone */
    int status;              /* of the session that is gone */
    bool objects_remain;     /* some of its objects could not be removed */
    struct tenant *taken;    /* whose session it took, or NULL */
    struct guard_claim claim;
    uv_timer_t leave_timer; /* the guard is not waited for any longer */
    struct tenant *prev, *next;
};

/* What all tenants of a rack share. Plain data, filled in by rack.c. */
struct tenants {
    uv_loop_t *loop;
    const char *rack_id, *owner; /* labels */
    const char *sandbox_image;   /* of a program that only pauses */
    struct image_notes *notes;
    struct port_book ports;
    bool use_templates;
    unsigned tick_ms; /* as in session_spec */
    bool quitting;    /* nothing new begins */
    struct tenant *all;
    void (*on_empty)(void *user); /* the last one is gone; may be NULL */
    void *user;
};

/* Is it the session of a tenant? (links_spec.lives; `user` is the tenants) */
bool tenants_live(const char *session, void *user);

/* Who guards a link has changed (links_spec.on_guard_change). */
void tenants_guard_changed(struct link *link, void *user);

/* rackd ends: stop them all. now: services are killed, not asked. */
void tenants_stop(struct tenants *ts, const char *reason, bool now);

void tenant_init(struct tenant *t, struct tenants *ts, struct link *link,
                 const struct tenant_kind *kind);
void tenant_begin(struct tenant *t);

/* From begin(), in this order. tenant_take() is left out where the session is
 * to be a new one: it takes the session of `from`, frozen, with its id and hub;
 * `from` is over then, and its plan must live until its on_returned(). */
void tenant_take(struct tenant *t, struct tenant *from);

/* What every session of this rack on that engine has in common; the rest of
 * *out is zero. */
void tenant_session_spec(struct tenant *t, struct session_spec *out);

/* Starts the session, or goes on with the one that was taken, whose plan has
 * the same resources (session_take_over()). */
void tenant_run(struct tenant *t, const struct session_spec *spec);

/* In any state, also again, to hurry. status: what the session is to report.
 * One that has no session yet is told a SESSION_EVENT_ERROR with the reason,
 * from inside the call. */
void tenant_stop(struct tenant *t, const char *reason, bool now, int status);

#endif /* RACK_TENANT_H */
