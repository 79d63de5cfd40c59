/*
 * sandbox -- a container that only holds a network namespace, which resources
 * whose ports differ share: two thirds of what a container's start costs the
 * engine is its namespace (tests/bench/README.md), and resources are started
 * when the CPUs have most to do. Addresses, names and published ports are the
 * sandbox's; its resources join it, and are killed and started again with it.
 *
 * Its image is the reaper's, which a rack's first session imports: a create
 * that misses it, as anything else that fails, gives every resource a network
 * of its own.
 */
#include <string.h>
#include <utlist.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "guard/reaper.h"
#include "run/internal.h"

/* Fewer gain less than one more container costs. */
#define MEMBERS_MIN 3

/* Ends in a row before it is done without; times that it may be missing. */
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
    it->first_port = sandbox->ports.len;
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
        it->shares = it != alone && fits(&s->sandbox_plan, it->plan);
        if (!it->shares)
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

    strv_add(&plan->argv, REAPER_PROGRAM);
    strv_add(&plan->argv, "--pause");
    strv_add(&plan->cap_drop, "ALL");
    plan->build = -1;
    plan->image = reaper_image();
    plan->read_only_root = plan->no_new_privileges = true;
    sandbox = item_new(s, ITEM_SANDBOX, plan);
    sandbox->name = "resources";
    session_add_item(s, sandbox);
    DL_FOREACH (s->items, it) {
        if (!it->shares)
            continue;
        it->sandbox = sandbox;
        item_mark_sandbox(it);
    }
}

/* Podman starts no container before the one whose network it shares is known
 * to it, and removes none that others depend on. */
void sandbox_lay_out(struct session *s)
{
    if (s->spec.podman || s->spec.templates == TEMPLATES_MAKE ||
        !s->spec.sandbox)
        return;
    if (choose_members(s) >= MEMBERS_MIN)
        add_sandbox(s);
}

void sandbox_free(struct session *s)
{
    struct plan_container *plan = &s->sandbox_plan;

    free(plan->image);
    free(plan->ports.v);
    strv_release(&plan->argv);
    strv_release(&plan->aliases);
    strv_release(&plan->cap_drop);
}

/* ---- sharing ------------------------------------------------------------ */

char *sandbox_title(const struct item *sandbox)
{
    cleanup_strv struct strv names = { 0 };
    cleanup_free char *list = NULL;
    struct item *it;

    DL_FOREACH (sandbox->s->items, it)
        if (it->sandbox == sandbox)
            strv_add(&names, it->name);
    list = strv_join(&names, ", ");
    return xasprintf("the network that %s share", list);
}

void sandbox_share_ports(struct item *sandbox)
{
    struct item *it;

    DL_FOREACH (sandbox->s->items, it)
        if (it->sandbox == sandbox)
            memcpy(it->host_ports, sandbox->host_ports + it->first_port,
                   it->plan->ports.len * sizeof(*it->host_ports));
}

bool sandbox_is_made(const struct item *it)
{
    return it->sandbox == NULL ||
           (it->sandbox->id != NULL && !it->sandbox->dropping);
}

bool sandbox_is_up(const struct item *it)
{
    return it->sandbox == NULL || it->sandbox->state == ITEM_READY;
}

void sandbox_join(struct item *it)
{
    free(it->joined);
    it->joined = it->sandbox == NULL ? NULL : xstrdup(it->sandbox->id);
}

bool sandbox_is_another(const struct item *it)
{
    const char *now = it->sandbox == NULL ? NULL : it->sandbox->id;

    if (it->joined == NULL || now == NULL)
        return it->joined != now;
    return strcmp(it->joined, now) != 0;
}

bool sandbox_is_missing(const struct item *it, const struct err *err)
{
    return it->sandbox != NULL && it->exits < EXITS_MAX &&
           (strstr(err->msg, "join network of") != NULL ||
            strstr(err->msg, it->joined) != NULL);
}

/* ---- its end ------------------------------------------------------------ */

void sandbox_end_member(struct item *it)
{
    if (!it->died && it->mend == NULL)
        it->mend = engine_container_kill(it->s->spec.engine, it->id, "KILL",
                                         on_killed, it);
}

/* They are on no network any more, and do not know it. */
void sandbox_lost(struct item *sandbox)
{
    struct item *it;

    DL_FOREACH (sandbox->s->items, it) {
        if (it->sandbox != sandbox)
            continue;
        it->lost = true;
        if (it->state == ITEM_CHECKING || it->state == ITEM_READY)
            sandbox_end_member(it);
    }
}

static void on_killed(const struct err *err, void *user)
{
    struct item *it = user;

    it->mend = NULL;
    if (err != NULL)
        log_debug("run", "%s: kill: %s", it->source, err->msg);
}

bool sandbox_has_failed(const struct item *sandbox)
{
    return sandbox->exits >= EXITS_MAX;
}

void sandbox_give_up(struct item *sandbox, const char *why)
{
    struct item *it;

    log_info("run", "%s: %s: each gets its own", sandbox->source, why);
    sandbox_lost(sandbox);
    DL_FOREACH (sandbox->s->items, it)
        if (it->sandbox == sandbox)
            it->sandbox = NULL;
    item_take_down(sandbox, true);
    session_poke(sandbox->s);
}
