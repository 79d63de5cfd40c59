/*
 * What every way out of a refused step ends in: the container is removed and
 * another made, or the session fails with the engine's words.
 */
#include "run/item_drop.h"

#include "base/err.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "run/explain.h"
#include "run/item.h"
#include "run/item_output.h"
#include "run/sandbox.h"
#include "run/session_parts.h"

static void on_dropped(const struct err *err, void *user);

void item_drop(struct item *it)
{
    if (it->id == NULL) {
        item_start_over(it);
        return;
    }
    item_output_stop(it);
    it->drop.dropping = true;
    it->call =
        engine_container_remove(it->s->spec.engine, it->id, on_dropped, it);
}

static void on_dropped(const struct err *err, void *user)
{
    struct item *it = user;

    it->drop.dropping = false;
    if (item_is_over(it))
        return;
    if (err != NULL)
        item_fail_step(it, "remove", err);
    else
        item_start_over(it);
}

void item_fail_step(struct item *it, const char *step, const struct err *err)
{
    cleanup_free char *text =
        xasprintf("%s %s: cannot %s its container", item_kind_word(it->kind),
                  it->name, step);

    if (it->kind == ITEM_SANDBOX) {
        sandbox_give_up(it, err->msg);
        return;
    }
    session_fail(it->s, 1, text, err->msg,
                 it->plan->build >= 0 && err->code == ERR_NOT_FOUND &&
                         it->id == NULL
                     ? "its image is not built yet: start without --no-build"
                     : explain_step(it, err->msg));
}
