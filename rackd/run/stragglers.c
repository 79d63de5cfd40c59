/*
 * One question to the engine at a session's end, so that nothing is left even
 * where our own books are wrong. teardown.c asks it when every item is gone.
 */
#include "run/stragglers.h"

#include "base/err.h"
#include "base/label.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "run/item_teardown.h"
#include "run/removal.h"
#include "run/session_parts.h"

/* In order of time. */
static void on_listed(const struct engine_state *list, size_t count,
                      const struct err *err, void *user);
static void on_removed(const struct err *err, void *user);

void stragglers_remove(struct session *s)
{
    cleanup_free char *label = xasprintf(LABEL_SESSION "=%s", s->id);

    if (s->stragglers.question == NULL && s->stragglers.v == NULL)
        s->stragglers.question =
            engine_container_list(s->spec.engine, label, on_listed, s);
}

static void on_listed(const struct engine_state *list, size_t count,
                      const struct err *err, void *user)
{
    struct session *s = user;
    struct session_stragglers *all = &s->stragglers;

    all->question = NULL;
    if (err != NULL && removal_try_again(s, err))
        return;
    if (err != NULL) {
        /* The engine does not say what is there: name what we know of. */
        log_warn("run", "session %s: what is left: %s", s->id, err->msg);
        items_name_left(s, err);
        all->gone = true;
    }
    all->gone |= count == 0;
    all->v = xcalloc(count + 1, sizeof(*all->v));
    all->count = all->left = count;
    for (size_t i = 0; i < count; i++) {
        struct straggler *one = &all->v[i];

        log_warn("run", "%s is still there: removing it", list[i].name);
        one->s = s;
        one->name = xstrdup(list[i].name);
        one->call = engine_container_remove(s->spec.engine, list[i].id,
                                            on_removed, one);
    }
    session_poke(s);
}

static void on_removed(const struct err *err, void *user)
{
    struct straggler *one = user;
    struct session *s = one->s;

    one->call = NULL;
    if (err != NULL)
        removal_failed(s, REMOVAL_CONTAINER, one->name, err);
    else
        removal_done(s, REMOVAL_CONTAINER);
    if (--s->stragglers.left > 0)
        return;
    s->stragglers.gone = true;
    session_poke(s);
}

void stragglers_give_up(struct session *s, const struct err *err)
{
    struct session_stragglers *all = &s->stragglers;

    if (all->question != NULL)
        engine_cancel(all->question);
    all->question = NULL;
    for (size_t i = 0; i < all->count; i++) {
        if (all->v[i].call == NULL)
            continue;
        engine_cancel(all->v[i].call);
        all->v[i].call = NULL;
        removal_failed(s, REMOVAL_CONTAINER, all->v[i].name, err);
    }
    all->left = 0;
    if (!all->gone && all->v == NULL)
        items_name_left(s, err);
    all->gone = true;
}

void stragglers_release(struct session *s)
{
    for (size_t i = 0; i < s->stragglers.count; i++)
        free(s->stragglers.v[i].name);
    free(s->stragglers.v);
}
