#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/label.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "run/internal.h"

/* Subnets to try when the engine says that one overlaps. */
#define SUBNET_TRIES 32

/* A network that is still in use is asked for again. */
#define REMOVE_TRIES    40
#define REMOVE_AGAIN_MS 50

/*
 * In order of time: network and volumes are created side by side; at the end
 * the network is removed once it is empty, the volumes once nobody has them.
 */
static void create_network(struct session *s);
static void on_network(const char *id, const struct err *err, void *user);
static void on_volume(const struct err *err, void *user);
static void on_volume_gone(const struct err *err, void *user);
static void on_network_gone(const struct err *err, void *user);
static void on_remove_again(uv_timer_t *timer);

bool net_is_up(const struct session *s)
{
    return s->net == NET_READY;
}

bool net_is_known(const struct session *s)
{
    return net_is_up(s) || (s->net == NET_CREATING && !s->net_first);
}

void net_start(struct session *s)
{
    s->net_name = xasprintf("%s-%s", s->spec.plan->app, s->id);
    create_network(s);
    if (s->state != SESSION_STOPPING)
        net_make_volumes(s);
}

/* ---- network ---------------------------------------------------------------
 */

/* Subnets of a local engine's bridges are routes of this host, so they are
 * seen without asking; the engine has the last word. */
static int choose_subnet(struct session *s, struct err *err)
{
    cleanup_strv struct strv routes = { 0 };

    subnet_host_used(&routes);
    return subnet_pick(&(struct subnet_spec){ .used = &s->subnets_tried,
                                              .routes = &routes,
                                              .seed = subnet_seed(s->rack_id) ^
                                                      subnet_seed(s->id) },
                       &s->subnet, err);
}

static void create_network(struct session *s)
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
    subnet_print(&s->subnet, text);
    strv_add(&s->subnets_tried, text);
    session_labels(s, &labels, "network", s->spec.plan->app);
    s->net = NET_CREATING;
    mark_phase(&s->marks, s->net_mark, MARK_CREATE);
    s->net_call = engine_network_create(
        s->spec.engine,
        &(struct engine_network){
            .name = s->net_name, .subnet = text, .labels = &labels },
        on_network, s);
}

static bool is_overlap(const char *words)
{
    return strstr(words, "overlaps") != NULL ||
           strstr(words, "already being used") != NULL ||
           strstr(words, "already used") != NULL ||
           strstr(words, "conflicts with network") != NULL;
}

/* The answer was lost, so the engine may have done it: try to undo it. */
static bool may_be_made(const struct err *err)
{
    return err->code == ERR_TIMEOUT || err->code == ERR_UNAVAILABLE;
}

static void on_network(const char *id, const struct err *err, void *user)
{
    struct session *s = user;
    bool overlap = err != NULL && is_overlap(err->msg);

    s->net_call = NULL;
    s->net = err == NULL || may_be_made(err) ? NET_READY : NET_IDLE;
    mark_done(&s->marks, s->net_mark);
    if (s->net == NET_READY)
        s->net_id = xstrdup(err == NULL ? id : s->net_name);
    if (err == NULL && s->state != SESSION_STOPPING && s->events_ready)
        session_hear_network(s);
    if (err == NULL || s->state == SESSION_STOPPING) {
        session_poke(s);
        return;
    }
    if (overlap && s->subnets_tried.len < SUBNET_TRIES) {
        create_network(s);
        return;
    } else if (overlap || explain_is_pool(err->msg)) {
        session_fail(s, 1, "no free address pool for the session's network",
                     err->msg,
                     "remove networks nobody uses: docker network prune");
    } else {
        session_fail(s, 1, "cannot create the session's network", err->msg,
                     explain_engine(err->msg));
    }
    session_poke(s);
}

/* ---- volumes ---------------------------------------------------------------
 */

/* One that is kept belongs to the app; the others to the session. */
static char *volume_name(const struct session *s, const struct plan_volume *v)
{
    if (v->keep)
        return xasprintf("cvx-%s-%s-%s", s->rack_id, s->spec.plan->app,
                         v->name);
    return xasprintf("%s-%s-%s", s->spec.plan->app, s->id, v->name);
}

void net_make_volumes(struct session *s)
{
    const struct plan *p = s->spec.plan;

    free(s->volumes); /* of a plan made ahead, which has none */
    s->volumes = xcalloc(p->volumes.len + 1, sizeof(*s->volumes));
    for (size_t i = 0; i < p->volumes.len; i++) {
        cleanup_strv struct strv labels = { 0 };
        struct volume_step *v = &s->volumes[i];

        v->session = s;
        v->keep = p->volumes.v[i].keep;
        v->name = volume_name(s, &p->volumes.v[i]);
        session_labels(s, &labels, "volume", p->volumes.v[i].name);
        if (v->keep)
            strv_add(&labels, LABEL_KEEP "=true");
        if (p->volumes.v[i].resource != NULL)
            strv_printf(&labels, LABEL_RESOURCE "=%s",
                        p->volumes.v[i].resource);
        mark_phase(&s->marks, s->volumes_mark + i, MARK_CREATE);
        v->call = engine_volume_create(s->spec.engine, v->name, &labels,
                                       on_volume, v);
    }
}

static void on_volume(const struct err *err, void *user)
{
    struct volume_step *v = user;
    struct session *s = v->session;
    cleanup_free char *text = NULL;

    v->call = NULL;
    mark_done(&s->marks, s->volumes_mark + (size_t)(v - s->volumes));
    v->made = err == NULL || may_be_made(err);
    if (err != NULL && s->state != SESSION_STOPPING) {
        text = xasprintf("cannot create volume %s", v->name);
        session_fail(s, 1, text, err->msg, explain_engine(err->msg));
    }
    session_poke(s);
}

/* ---- the way back ------------------------------------------------------- */

static void remove_volume(struct session *s, struct volume_step *v)
{
    if (v->call != NULL || v->gone)
        return;
    if (!v->made || v->keep) {
        v->gone = true;
        return;
    }
    v->call = engine_volume_remove(s->spec.engine, v->name, on_volume_gone, v);
}

static void on_volume_gone(const struct err *err, void *user)
{
    struct volume_step *v = user;

    v->call = NULL;
    if (err != NULL && teardown_again(v->session, err))
        return;
    if (err != NULL)
        teardown_failed(v->session, "volume", v->name, err);
    else
        v->session->removed_volumes++;
    v->gone = true;
    session_poke(v->session);
}

static void ask_to_remove(struct session *s)
{
    s->net_call =
        engine_network_remove(s->spec.engine, s->net_id, on_network_gone, s);
}

static void on_remove_again(uv_timer_t *timer)
{
    ask_to_remove(container_of(timer, struct session, wait_timer));
}

void net_remove(struct session *s)
{
    if (s->net == NET_IDLE)
        s->net = NET_GONE;
    if (s->net != NET_READY)
        return;
    s->net = NET_REMOVING;
    ask_to_remove(s);
}

/* Endpoints of containers just removed may linger for a moment; of those that
 * are being removed as long as it takes. */
static void on_network_gone(const struct err *err, void *user)
{
    struct session *s = user;

    s->net_call = NULL;
    if (err != NULL && teardown_again(s, err)) {
        s->net = NET_READY;
        return;
    }
    if (err != NULL && !may_be_made(err) &&
        (!teardown_is_empty(s) || s->net_remove_tries++ < REMOVE_TRIES)) {
        uv_timer_start(&s->wait_timer, on_remove_again, REMOVE_AGAIN_MS, 0);
        return;
    }
    s->net = NET_GONE;
    if (err != NULL)
        teardown_failed(s, "network", s->net_name, err);
    else
        s->removed_networks++;
    session_poke(s);
}

void net_remove_volumes(struct session *s)
{
    for (size_t i = 0; i < s->spec.plan->volumes.len; i++)
        remove_volume(s, &s->volumes[i]);
}

/* A call may be its creation yet. */
static bool volume_is_going(const struct volume_step *v)
{
    return v->gone || v->keep || (v->made && v->call != NULL);
}

bool net_is_going(const struct session *s)
{
    for (size_t i = 0; i < s->spec.plan->volumes.len; i++)
        if (!volume_is_going(&s->volumes[i]))
            return false;
    return s->net == NET_GONE ||
           (s->net == NET_REMOVING && s->net_call != NULL);
}

bool net_is_gone(const struct session *s)
{
    for (size_t i = 0; i < s->spec.plan->volumes.len; i++)
        if (!s->volumes[i].gone)
            return false;
    return s->net == NET_GONE;
}

bool net_is_missing(const struct err *err)
{
    return err->code == ERR_NOT_FOUND && str_starts(err->msg, "network ") &&
           strstr(err->msg, "not found") != NULL;
}

void net_lost(struct session *s)
{
    cleanup_free char *text = xasprintf(
        "the session's network %s was removed from outside", s->net_name);

    s->net = NET_GONE;
    session_fail(s, 1, text, "without it no container reaches another",
                 "start it again: cvx start");
}

void net_give_up(struct session *s, const struct err *err)
{
    for (size_t i = 0; i < s->spec.plan->volumes.len; i++) {
        struct volume_step *v = &s->volumes[i];

        if (v->call != NULL)
            engine_cancel(v->call);
        if (!v->gone && !v->keep && (v->call != NULL || v->made))
            teardown_failed(s, "volume", v->name, err);
        v->call = NULL;
        v->gone = true;
    }
    if (s->net_call != NULL)
        engine_cancel(s->net_call);
    s->net_call = NULL;
    uv_timer_stop(&s->wait_timer);
    if (s->net != NET_IDLE && s->net != NET_GONE)
        teardown_failed(s, "network", s->net_name, err);
    s->net = NET_GONE;
}
