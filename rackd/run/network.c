/*
 * Creates the session's network at its start, with a subnet that we choose so
 * that container addresses need not be asked for, and removes it at its end.
 * Called by session.c and teardown.c.
 */
#include "run/network.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strv.h"
#include "engine/engine.h"
#include "engine/reason.h"
#include "host/subnet.h"
#include "run/explain.h"
#include "run/item.h"
#include "run/removal.h"
#include "run/session_parts.h"
#include "timing/marks.h"

/* Subnets to try when the engine says that one overlaps. */
#define SUBNET_TRIES 32

/* A network that is still in use is asked for again. */
#define REMOVE_TRIES    40
#define REMOVE_AGAIN_MS 50

/* The first address is the engine's own, as the gateway. */
#define FIRST_IP 2

/* In order of time. */
static void create(struct session *s);
static void on_created(const char *id, const struct err *err, void *user);
static void on_removed(const struct err *err, void *user);
static void on_again(uv_timer_t *timer);

static void set_state(struct session *s, enum network_state state)
{
    static const char *const words[] = { "IDLE", "CREATING", "READY",
                                         "REMOVING", "GONE" };

    log_debug("run", "network %s: %s -> %s", s->network.name,
              words[s->network.state], words[state]);
    s->network.state = state;
}

void network_init(struct session *s)
{
    s->network.name = xasprintf("%s-%s", s->spec.plan->app, s->spec.id);
    s->network.next_ip = FIRST_IP;
    s->network.first = s->spec.podman;
}

void network_release(struct session *s)
{
    strv_release(&s->network.subnets_tried);
    free(s->network.name);
    free(s->network.id);
}

void network_mark(struct session *s)
{
    s->network.mark = mark_new(&s->marks, "network", s->spec.plan->app, 0);
}

bool network_is_up(const struct session *s)
{
    return s->network.state == NETWORK_READY;
}

bool network_is_known(const struct session *s)
{
    return network_is_up(s) ||
           (s->network.state == NETWORK_CREATING && !s->network.first);
}

void network_comes_first(struct session *s)
{
    s->network.first = true;
}

bool network_next_ip(struct session *s, char out[SUBNET_IP_LEN])
{
    return subnet_ip(&s->network.subnet, s->network.next_ip++, out);
}

/* ---- its creation -------------------------------------------------------- */

/* Subnets of a local engine's bridges are routes of this host, so they are
 * seen without asking; the engine has the last word. */
static int choose_subnet(struct session *s, struct err *err)
{
    cleanup_strv struct strv routes = { 0 };

    subnet_host_used(&routes);
    return subnet_pick(&(struct subnet_spec){ .used = &s->network.subnets_tried,
                                              .routes = &routes,
                                              .seed = subnet_seed(s->rack_id) ^
                                                      subnet_seed(s->id) },
                       &s->network.subnet, err);
}

void network_start(struct session *s, network_up_cb on_up)
{
    s->network.on_up = on_up;
    create(s);
}

static void create(struct session *s)
{
    cleanup_strv struct strv labels = { 0 };
    struct err err = { 0 };
    char text[SUBNET_CIDR_LEN];

    if (choose_subnet(s, &err) < 0) {
        session_fail(s, 1, "no free address range for the session's network",
                     err.msg,
                     "remove networks nobody uses: docker network prune");
        return;
    }
    subnet_print(&s->network.subnet, text);
    strv_add(&s->network.subnets_tried, text);
    session_labels(s, &labels, "network", s->spec.plan->app);
    set_state(s, NETWORK_CREATING);
    mark_phase(&s->marks, s->network.mark, MARK_CREATE);
    s->network.call = engine_network_create(
        s->spec.engine,
        &(struct engine_network){
            .name = s->network.name, .subnet = text, .labels = &labels },
        on_created, s);
}

/* The answer was lost, so the engine may have done it: it counts as there, so
 * that it is removed in the end. */
static bool may_be_made(const struct err *err)
{
    return err->code == ERR_TIMEOUT || err->code == ERR_UNAVAILABLE;
}

static void on_created(const char *id, const struct err *err, void *user)
{
    struct session *s = user;
    bool overlap = err != NULL && engine_says(err->msg, REASON_SUBNET_OVERLAPS);

    s->network.call = NULL;
    set_state(s,
              err == NULL || may_be_made(err) ? NETWORK_READY : NETWORK_IDLE);
    mark_done(&s->marks, s->network.mark);
    if (network_is_up(s))
        s->network.id = xstrdup(err == NULL ? id : s->network.name);
    if (err == NULL && s->state != SESSION_STOPPING)
        s->network.on_up(s);
    if (err == NULL || s->state == SESSION_STOPPING) {
        session_poke(s);
        return;
    }
    if (overlap && s->network.subnets_tried.len < SUBNET_TRIES) {
        create(s);
        return;
    } else if (overlap || engine_says(err->msg, REASON_POOL_EMPTY)) {
        session_fail(s, 1, "no free address pool for the session's network",
                     err->msg,
                     "remove networks nobody uses: docker network prune");
    } else {
        session_fail(s, 1, "cannot create the session's network", err->msg,
                     explain_engine(err->msg));
    }
    session_poke(s);
}

/* ---- somebody removed it ------------------------------------------------- */

bool network_is_missing(const struct err *err)
{
    return err->code == ERR_NOT_FOUND &&
           engine_says(err->msg, REASON_NETWORK_MISSING);
}

void network_lost(struct session *s)
{
    cleanup_free char *text = xasprintf(
        "the session's network %s was removed from outside", s->network.name);

    set_state(s, NETWORK_GONE);
    session_fail(s, 1, text, "without it no container reaches another",
                 "start it again: cvx start");
}

/* ---- its removal --------------------------------------------------------- */

static void ask_to_remove(struct session *s)
{
    s->network.call =
        engine_network_remove(s->spec.engine, s->network.id, on_removed, s);
}

static void on_again(uv_timer_t *timer)
{
    ask_to_remove(container_of(timer, struct session, network.again.uv));
}

void network_remove(struct session *s)
{
    if (s->network.state == NETWORK_IDLE)
        set_state(s, NETWORK_GONE);
    if (s->network.state != NETWORK_READY)
        return;
    set_state(s, NETWORK_REMOVING);
    ask_to_remove(s);
}

/* Endpoints of containers just removed may linger for a moment; of those that
 * are being removed as long as it takes. */
static void on_removed(const struct err *err, void *user)
{
    struct session *s = user;

    s->network.call = NULL;
    if (err != NULL && removal_try_again(s, err)) {
        set_state(s, NETWORK_READY);
        return;
    }
    if (err != NULL && !may_be_made(err) &&
        (!items_are_gone(s) || s->network.remove_tries++ < REMOVE_TRIES)) {
        uv_timer_start(&s->network.again.uv, on_again, REMOVE_AGAIN_MS, 0);
        return;
    }
    set_state(s, NETWORK_GONE);
    if (err != NULL)
        removal_failed(s, REMOVAL_NETWORK, s->network.name, err);
    else
        removal_done(s, REMOVAL_NETWORK);
    session_poke(s);
}

bool network_is_going(const struct session *s)
{
    return s->network.state == NETWORK_GONE ||
           (s->network.state == NETWORK_REMOVING && s->network.call != NULL);
}

bool network_is_gone(const struct session *s)
{
    return s->network.state == NETWORK_GONE;
}

void network_give_up(struct session *s, const struct err *err)
{
    if (s->network.call != NULL)
        engine_cancel(s->network.call);
    s->network.call = NULL;
    uv_timer_stop(&s->network.again.uv);
    if (s->network.state != NETWORK_IDLE && s->network.state != NETWORK_GONE)
        removal_failed(s, REMOVAL_NETWORK, s->network.name, err);
    set_state(s, NETWORK_GONE);
}
