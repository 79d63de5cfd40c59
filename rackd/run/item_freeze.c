/*
 * ahead -- a session whose resources are started before anybody asks for them:
 * they run on its network, under its id and labels, and are frozen. A start of
 * the same app takes the whole session over, and only has to thaw them.
 *
 * Whole sessions, not single containers that join another's network: a connect
 * or a disconnect costs a third of a container's start each, an unpause
 * a fiftieth.
 */
#include <string.h>
#include <utlist.h>

#include "base/env.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "run/internal.h"

/* In order of time: measured, frozen; looked at, thawed. */
static void on_memory(long long bytes, const struct err *err, void *user);
static void on_frozen(const struct err *err, void *user);
static void thaw(struct item *it);
static void on_image(const struct engine_image *image, const struct err *err,
                     void *user);
static void on_thawed(const struct err *err, void *user);

/* ---- frozen -------------------------------------------------------------- */

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
    it->memory = bytes;
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

/* Nobody has taken the session: it is worth nothing without it. */
void item_lost_frozen(struct item *it)
{
    if (it->s->spec.ahead) {
        session_fail(it->s, 1, "a container made ahead is gone", it->name,
                     NULL);
        return;
    }
    if (it->call != NULL)
        engine_cancel(it->call);
    it->call = NULL;
    item_drop(it);
}

long long session_memory(const struct session *s)
{
    long long sum = 0;

    for (struct item *it = s->items; it != NULL; it = it->next)
        sum += it->memory;
    return sum;
}

/* ---- taken over ---------------------------------------------------------- */

static void take_spec(struct session *s, const struct session_spec *spec)
{
    s->spec = *spec;
    s->spec.ahead = false;
    free(s->release);
    s->release = xstrdup(spec->release);
    free(s->dir);
    s->dir = xstrdup(spec->dir);
    if (spec->client_env != NULL)
        env_merge(s->client_env, spec->client_env);
    s->state = SESSION_STARTING;
    s->calls_before = engine_calls(spec->engine);
}

void session_take_over(struct session *s, const struct session_spec *spec)
{
    struct item *it, *next;

    take_spec(s, spec);
    session_time_start(s);
    session_tell_resources(s);
    session_add_services(s);
    net_make_volumes(s);
    DL_FOREACH_SAFE (s->items, it, next)
        if (it->state == ITEM_FROZEN)
            thaw(it);
    session_poke(s);
}

/* Its image may have been replaced since. */
static void thaw(struct item *it)
{
    it->call =
        engine_image_inspect(it->s->spec.engine, it->image->use, on_image, it);
}

/* As if it had not been made ahead. */
static void make_anew(struct item *it, const char *why)
{
    log_info("run", "%s: %s: it is made anew", it->source, why);
    if (it->template != TEMPLATE_NONE)
        it->template = TEMPLATE_UNKNOWN;
    item_mark_from(it, "image");
    item_drop(it);
}

static void on_image(const struct engine_image *image, const struct err *err,
                     void *user)
{
    struct item *it = user;

    if (item_is_over(it))
        return;
    if (err != NULL || it->base_id == NULL ||
        strcmp(image->id, it->base_id) != 0)
        make_anew(it, err == NULL ? "its image was replaced" : err->msg);
    else
        it->call =
            engine_container_unpause(it->s->spec.engine, it->id, on_thawed, it);
}

static void on_thawed(const struct err *err, void *user)
{
    struct item *it = user;

    if (item_is_over(it))
        return;
    if (err != NULL || it->lost)
        make_anew(it, err != NULL ? err->msg : "its network is gone");
    else
        item_attend(it);
}
