/*
 * Freezes a resource that was started before anybody asked for it: its session
 * (session_spec.freeze) waits like that until a start takes it over.
 * item_ready.c calls item_freeze() when the resource answers.
 */
#include "run/item_freeze.h"

#include "base/err.h"
#include "base/log.h"
#include "engine/engine.h"
#include "run/item.h"
#include "run/item_drop.h"
#include "run/session.h"
#include "run/session_parts.h"

/* In order of time: its memory is measured; it is frozen. */
static void on_memory(long long bytes, const struct err *err, void *user);
static void on_frozen(const struct err *err, void *user);

void item_freeze(struct item *it)
{
    item_set_state(it, ITEM_FROZEN, NULL);
    it->call =
        engine_container_memory(it->s->spec.engine, it->id, on_memory, it);
}

static void on_memory(long long bytes, const struct err *err, void *user)
{
    struct item *it = user;

    if (err != NULL)
        log_debug("run", "%s: its memory: %s", it->source, err->msg);
    it->freeze.memory = bytes;
    it->call =
        engine_container_pause(it->s->spec.engine, it->id, on_frozen, it);
}

static void on_frozen(const struct err *err, void *user)
{
    struct item *it = user;

    it->call = NULL;
    if (err != NULL)
        item_fail_step(it, "freeze", err);
    session_poke(it->s);
}

bool item_is_frozen(const struct item *it)
{
    return it->state == ITEM_FROZEN && it->call == NULL;
}

void item_lose_frozen(struct item *it)
{
    if (it->s->spec.freeze) {
        session_fail(it->s, 1, "a container made ahead is gone", it->name,
                     NULL);
        return;
    }
    item_cancel_call(it);
    item_drop(it);
}

long long session_memory(const struct session *s)
{
    long long sum = 0;

    for (struct item *it = s->items; it != NULL; it = it->next)
        sum += it->freeze.memory;
    return sum;
}
