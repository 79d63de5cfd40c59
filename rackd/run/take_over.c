/*
 * A session whose resources were made ahead and frozen (item_freeze.c) becomes
 * the session of a start: services are added, and the resources are thawed, or
 * made anew where their image was replaced meanwhile. prepared/ calls it.
 *
 * Whole sessions are made ahead, not single containers that join another's
 * network later: a connect or a disconnect costs a third of a container's
 * start each, an unpause a fiftieth.
 */
#include <string.h>
#include <utlist.h>

#include "base/env.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "run/image.h"
#include "run/item.h"
#include "run/item_drop.h"
#include "run/item_marks.h"
#include "run/item_ready.h"
#include "run/session.h"
#include "run/session_parts.h"
#include "run/template.h"
#include "run/volume.h"

/* In order of time: its image is looked at; it is thawed. */
static void thaw(struct item *it);
static void on_image(const struct engine_image *image, const struct err *err,
                     void *user);
static void on_thawed(const struct err *err, void *user);

static void take_spec(struct session *s, const struct session_spec *spec)
{
    s->spec = *spec;
    s->spec.freeze = false;
    free(s->release);
    s->release = xstrdup(spec->release);
    free(s->dir);
    s->dir = xstrdup(spec->dir);
    if (spec->client_env != NULL)
        env_merge(s->client_env, spec->client_env);
    session_set_state(s, SESSION_STARTING);
    s->calls_before = engine_calls(spec->engine);
}

void session_take_over(struct session *s, const struct session_spec *spec)
{
    struct item *it, *next;

    take_spec(s, spec);
    session_time_start(s);
    session_tell_resources(s);
    session_add_services(s);
    volumes_create(s);
    DL_FOREACH_SAFE (s->items, it, next)
        if (it->state == ITEM_FROZEN)
            thaw(it);
    session_poke(s);
}

static void thaw(struct item *it)
{
    it->call =
        engine_image_inspect(it->s->spec.engine, it->image->use, on_image, it);
}

/* As if it had not been made ahead. */
static void make_anew(struct item *it, const char *why)
{
    log_info("run", "%s: %s: it is made anew", it->source, why);
    template_expect_again(it);
    item_mark_from(it, "image");
    item_drop(it);
}

static void on_image(const struct engine_image *image, const struct err *err,
                     void *user)
{
    struct item *it = user;

    if (item_is_over(it))
        return;
    if (err != NULL || it->template.base_id == NULL ||
        strcmp(image->id, it->template.base_id) != 0)
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
    if (err != NULL || it->sandbox.lost)
        make_anew(it, err != NULL ? err->msg : "its network is gone");
    else
        item_await_ready(it);
}
