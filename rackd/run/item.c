/*
 * What every step of an item's life needs: its names, its state, its address,
 * and its beginning and end as a struct. Called from all of run/.
 */
#include "run/item.h"

#include <string.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/strv.h"
#include "engine/engine.h"
#include "plan/plan.h"
#include "run/image.h"
#include "run/item_marks.h"
#include "run/item_output.h"
#include "run/item_ports.h"
#include "run/session.h"
#include "run/session_parts.h"
#include "run/session_timer.h"

/* Bounds re-creation: an engine that always answers 404 would loop us, and
 * somebody who removes it each time before it is ready means it. */
#define REMADE_TRIES 3

/* "the network that cache, db share" */
static char *sandbox_title(const struct item *sandbox)
{
    cleanup_strv struct strv names = { 0 };
    cleanup_free char *list = NULL;

    for (struct item *it = sandbox->s->items; it != NULL; it = it->next)
        if (it->sandbox.of == sandbox)
            strv_add(&names, it->name);
    list = strv_join(&names, ", ");
    return xasprintf("the network that %s share", list);
}

char *item_title(const struct item *it)
{
    if (it->kind == ITEM_SANDBOX)
        return sandbox_title(it);
    return xasprintf("%s %s",
                     it->kind == ITEM_INIT ? "initContainer of service"
                                           : item_kind_word(it->kind),
                     it->name);
}

char *item_container_name(const struct item *it)
{
    const char *app = it->s->spec.plan->app;

    switch (it->kind) {
    case ITEM_RESOURCE:
        return xasprintf("%s-%s-resource-%s", app, it->s->id, it->name);
    case ITEM_INIT:
        return xasprintf("%s-%s-%s-init", app, it->s->id, it->name);
    case ITEM_SANDBOX:
        return xasprintf("%s-%s-sandbox", app, it->s->id);
    case ITEM_SERVICE:
        break;
    }
    return xasprintf("%s-%s-%s-%d", app, it->s->id, it->name,
                     it->replica > 0 ? it->replica : 1);
}

int item_rank(const struct item *it)
{
    if (it->kind == ITEM_SANDBOX)
        return 1;
    if (it->resource == NULL)
        return ITEM_RANKS - 1;
    if (it->resource->probe != PROBE_MYSQL)
        return 3;
    return strcmp(it->resource->kind, "mysql") == 0 ? 0 : 2;
}

/* ---- its state ---------------------------------------------------------- */

/* For the log; for the watcher. */
static const struct {
    const char *name, *word;
} states[] = {
    [ITEM_WAITING] = { "WAITING", "waiting" },
    [ITEM_CREATING] = { "CREATING", "creating" },
    [ITEM_FILLING] = { "FILLING", "creating" },
    [ITEM_CREATED] = { "CREATED", "waiting" },
    [ITEM_ATTACHING] = { "ATTACHING", "starting" },
    [ITEM_STARTING] = { "STARTING", "starting" },
    [ITEM_CHECKING] = { "CHECKING", "checking" },
    [ITEM_SAVING] = { "SAVING", "saving" },
    [ITEM_FROZEN] = { "FROZEN", "frozen" },
    [ITEM_READY] = { "READY", "ready" },
    [ITEM_BACKOFF] = { "BACKOFF", "restarting" },
    [ITEM_STOPPING] = { "STOPPING", "stopping" },
    [ITEM_REMOVING] = { "REMOVING", "stopping" },
    [ITEM_GONE] = { "GONE", "removed" },
};

const char *item_state_word(const struct item *it)
{
    return states[it->state].word;
}

static void change_state(struct item *it, enum item_state state,
                         const char *text)
{
    log_debug("run", "%s: %s -> %s%s%s", it->source, states[it->state].name,
              states[state].name, text == NULL ? "" : ": ",
              text == NULL ? "" : text);
    it->state = state;
    item_mark_state(it);
}

void item_set_state_quietly(struct item *it, enum item_state state)
{
    change_state(it, state, NULL);
}

void item_set_state(struct item *it, enum item_state state, const char *text)
{
    const char *before = item_state_word(it);

    change_state(it, state, text);
    if ((strcmp(before, item_state_word(it)) == 0 && text == NULL) ||
        it->kind == ITEM_SANDBOX) /* of no use to anybody who watches */
        return;
    session_emit(it->s,
                 &(struct session_event){ .type = SESSION_EVENT_STATE,
                                          .kind = item_kind_word(it->kind),
                                          .name = it->name,
                                          .replica = it->replica,
                                          .state = item_state_word(it),
                                          .text = text });
}

/* ---- its container ------------------------------------------------------ */

bool item_may_be_remade(struct item *it)
{
    return it->remade++ < REMADE_TRIES;
}

void item_forgive_removals(struct item *it)
{
    it->remade = 0;
}

void item_cancel_call(struct item *it)
{
    if (it->call != NULL)
        engine_cancel(it->call);
    it->call = NULL;
}

void item_set_ip(struct item *it, const char *ip)
{
    char *copy = ip == NULL ? NULL : xstrdup(ip);

    free(it->ip);
    it->ip = copy;
}

void item_lose_ip(struct item *it)
{
    it->ip_is_engines = true;
}

void item_forget_container(struct item *it)
{
    free(it->id);
    it->id = NULL;
    if (it->ip_is_engines)
        item_set_ip(it, NULL);
    it->ip_is_engines = false;
}

void item_start_over(struct item *it)
{
    free(it->id);
    it->id = NULL;
    item_set_state(it, ITEM_WAITING, NULL);
    session_poke(it->s);
}

bool item_is_over(struct item *it)
{
    it->call = NULL;
    if (it->s->state != SESSION_STOPPING)
        return false;
    session_poke(it->s);
    return true;
}

bool items_are_gone(const struct session *s)
{
    for (struct item *it = s->items; it != NULL; it = it->next)
        if (it->state != ITEM_GONE)
            return false;
    return true;
}

/* ---- its beginning and end ---------------------------------------------- */

struct item *item_new(struct session *s, enum item_kind kind,
                      const struct plan_container *plan)
{
    struct item *it = xcalloc(1, sizeof(*it));

    it->s = s;
    it->kind = kind;
    it->plan = plan;
    item_ports_init(it);
    session_timer_init(s, &it->files.again);
    session_timer_init(s, &it->readiness.deadline);
    session_timer_init(s, &it->exit.last_words);
    session_timer_init(s, &it->exit.backoff);
    return it;
}

void session_add_item(struct session *s, struct item *it)
{
    const struct plan_container *p = it->plan;
    cleanup_free char *asked_by =
        xasprintf("%s %s", item_kind_word(it->kind), it->name);

    it->source = it->replica > 0
                     ? xasprintf("%s/%s/%d", item_kind_word(it->kind), it->name,
                                 it->replica)
                     : xasprintf("%s/%s", item_kind_word(it->kind), it->name);
    if (p->build < 0)
        it->image = image_get(
            s, p->image, it->resource == NULL ? NULL : it->resource->standin,
            asked_by);
    item_mark(it);
    DL_APPEND(s->items, it);
}

struct item *session_find_item(struct session *s, const char *id)
{
    struct item *it;

    DL_FOREACH (s->items, it)
        if (it->id != NULL && strcmp(it->id, id) == 0)
            return it;
    return NULL;
}

void item_close(struct item *it)
{
    session_timer_close(&it->files.again);
    session_timer_close(&it->readiness.deadline);
    session_timer_close(&it->exit.last_words);
    session_timer_close(&it->exit.backoff);
}

void item_free(struct item *it)
{
    item_output_release(it);
    item_ports_release(it);
    free(it->sandbox.joined);
    free(it->template.name);
    free(it->template.base_id);
    free(it->making.image_id);
    free(it->files.archive);
    free(it->source);
    free(it->id);
    free(it->ip);
    free(it);
}
