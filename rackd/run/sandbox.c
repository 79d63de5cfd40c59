/*
 * Resources whose ports differ share one network namespace, which a container
 * of its own holds: two thirds of what a container's start costs the engine is
 * its namespace (tests/bench/README.md), and resources are started when the
 * CPUs have most to do. session.c lays it out; its members' steps ask for it.
 *
 * Addresses, names and published ports are the sandbox's. Whatever fails about
 * it, its image missing included, only means that every resource gets a network
 * of its own.
 */
#include "run/sandbox.h"

#include <string.h>
#include <utlist.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strv.h"
#include "base/vec.h"
#include "engine/engine.h"
#include "engine/reason.h"
#include "run/item.h"
#include "run/item_marks.h"
#include "run/item_ports.h"
#include "run/session.h"
#include "run/session_parts.h"

/* With fewer members, what they gain is less than one more container costs. */
#define MEMBERS_MIN 3

/* Give up on the sandbox after this many exits in a row, and on waiting for it
 * after as many starts that miss it. */
#define EXITS_MAX 3

/* In order of time: laid out; joined; gone, and its members with it. */
static void on_killed(const struct err *err, void *user);

/* ---- who shares --------------------------------------------------------- */

static bool has_port(const struct plan_container *p, int container)
{
    for (size_t i = 0; i < p->ports.len; i++)
        if (p->ports.v[i].container == container)
            return true;
    return false;
}

static bool fits(const struct plan_container *sandbox,
                 const struct plan_container *p)
{
    for (size_t i = 0; i < p->ports.len; i++)
        if (has_port(sandbox, p->ports.v[i].container))
            return false;
    return p->ports.len > 0;
}

static void add_to_plan(struct plan_container *sandbox, struct item *it)
{
    it->sandbox.first_port = sandbox->ports.len;
    for (size_t i = 0; i < it->plan->ports.len; i++)
        *(struct plan_port *)vec_add(&sandbox->ports) = it->plan->ports.v[i];
    strv_add_all(&sandbox->aliases, &it->plan->aliases);
}

/* Who takes longest must not wait for a sandbox: it starts beside it. */
static struct item *slowest(struct session *s)
{
    struct item *it, *found = NULL;

    DL_FOREACH (s->items, it)
        if (found == NULL || item_rank(it) < item_rank(found))
            found = it;
    return found;
}

static size_t choose_members(struct session *s)
{
    struct item *it, *alone = slowest(s);
    size_t count = 0;

    DL_FOREACH (s->items, it) {
        it->sandbox.chosen = it != alone && fits(&s->sandbox_plan, it->plan);
        if (!it->sandbox.chosen)
            continue;
        add_to_plan(&s->sandbox_plan, it);
        count++;
    }
    return count;
}

static void add_sandbox(struct session *s)
{
    struct item *it, *sandbox;
    struct plan_container *plan = &s->sandbox_plan;

    for (const char *const *arg = s->spec.sandbox_argv; *arg != NULL; arg++)
        strv_add(&plan->argv, *arg);
    strv_add(&plan->cap_drop, "ALL");
    plan->build = -1;
    plan->image = xstrdup(s->spec.sandbox_image);
    plan->read_only_root = plan->no_new_privileges = true;
    sandbox = item_new(s, ITEM_SANDBOX, plan);
    sandbox->name = "resources";
    session_add_item(s, sandbox);
    DL_FOREACH (s->items, it) {
        if (!it->sandbox.chosen)
            continue;
        it->sandbox.of = sandbox;
        item_mark_sandbox(it);
    }
}

/* Podman starts no container before the one whose network it shares is known
 * to it, and removes none that others depend on. */
void sandbox_lay_out(struct session *s)
{
    if (s->spec.podman || s->spec.templates == TEMPLATES_MAKE ||
        s->spec.sandbox_image == NULL)
        return;
    if (choose_members(s) >= MEMBERS_MIN)
        add_sandbox(s);
}

void sandbox_release(struct session *s)
{
    struct plan_container *plan = &s->sandbox_plan;

    free(plan->image);
    free(plan->ports.v);
    strv_release(&plan->argv);
    strv_release(&plan->aliases);
    strv_release(&plan->cap_drop);
}

/* ---- sharing ------------------------------------------------------------ */

void sandbox_share_ports(struct item *sandbox)
{
    struct item *it;

    DL_FOREACH (sandbox->s->items, it)
        if (it->sandbox.of == sandbox)
            item_share_ports(it, sandbox, it->sandbox.first_port);
}

bool sandbox_is_made(const struct item *it)
{
    const struct item *sandbox = it->sandbox.of;

    return sandbox == NULL || (sandbox->id != NULL && !sandbox->drop.dropping);
}

bool sandbox_is_up(const struct item *it)
{
    return it->sandbox.of == NULL || it->sandbox.of->state == ITEM_READY;
}

void sandbox_join(struct item *it)
{
    const struct item *sandbox = it->sandbox.of;

    free(it->sandbox.joined);
    it->sandbox.joined = sandbox == NULL ? NULL : xstrdup(sandbox->id);
}

bool sandbox_is_another(const struct item *it)
{
    const char *now = it->sandbox.of == NULL ? NULL : it->sandbox.of->id;

    if (it->sandbox.joined == NULL || now == NULL)
        return it->sandbox.joined != now;
    return strcmp(it->sandbox.joined, now) != 0;
}

/* Docker names the container that it cannot find, or says that it does not
 * run. */
bool sandbox_is_missing(const struct item *it, const struct err *err)
{
    return it->sandbox.of != NULL && it->exit.count < EXITS_MAX &&
           (engine_says(err->msg, REASON_JOIN_FAILED) ||
            strstr(err->msg, it->sandbox.joined) != NULL);
}

void sandbox_begin(struct item *it)
{
    it->sandbox.lost = false;
}

/* ---- its end ------------------------------------------------------------ */

void sandbox_end_member(struct item *it)
{
    if (!it->exit.died && it->sandbox.kill == NULL)
        it->sandbox.kill = engine_container_kill(it->s->spec.engine, it->id,
                                                 "KILL", on_killed, it);
}

void sandbox_stop_kill(struct item *it)
{
    if (it->sandbox.kill != NULL)
        engine_cancel(it->sandbox.kill);
    it->sandbox.kill = NULL;
}

/* The members are on no network any more, and do not know it. */
void sandbox_lost(struct item *sandbox)
{
    struct item *it;

    DL_FOREACH (sandbox->s->items, it) {
        if (it->sandbox.of != sandbox)
            continue;
        it->sandbox.lost = true;
        if (it->state == ITEM_CHECKING || it->state == ITEM_READY)
            sandbox_end_member(it);
    }
}

static void on_killed(const struct err *err, void *user)
{
    struct item *it = user;

    it->sandbox.kill = NULL;
    if (err != NULL)
        log_debug("run", "%s: kill: %s", it->source, err->msg);
}

bool sandbox_has_failed(const struct item *sandbox)
{
    return sandbox->exit.count >= EXITS_MAX;
}

void sandbox_give_up(struct item *sandbox, const char *why)
{
    struct item *it;

    log_info("run", "%s: %s: each gets its own", sandbox->source, why);
    sandbox_lost(sandbox);
    DL_FOREACH (sandbox->s->items, it)
        if (it->sandbox.of == sandbox)
            it->sandbox.of = NULL;
    sandbox->sandbox.given_up = true; /* item_poke() takes it down */
    session_poke(sandbox->s);
}
