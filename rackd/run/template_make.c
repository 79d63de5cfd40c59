/*
 * Makes a template: a server that has answered once is stopped cleanly, and
 * what it wrote becomes an image. item_ready.c calls it in a session that makes
 * templates (TEMPLATES_MAKE).
 *
 * The image has no name until all is known to be right, so that nobody starts
 * from half of one: what disappears while the engine reads, because somebody
 * removes the container, is left out without an error.
 */
#include "run/template_make.h"

#include <string.h>

#include "base/err.h"
#include "base/label.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/context.h"
#include "engine/engine.h"
#include "plan/plan.h"
#include "run/explain.h"
#include "run/image.h"
#include "run/item.h"
#include "run/session_parts.h"
#include "run/template.h"
#include "run/template_cert.h"

/* A database may have much to write to its disk before it ends. */
#define STOP_S 120

/* In order of time. */
static void on_stopped(const struct err *err, void *user);
static void on_end(const struct engine_state *state, const struct err *err,
                   void *user);
static void on_tls(const struct err *err, void *user);
static void commit(struct item *it);
static void on_committed(const char *id, const struct err *err, void *user);
static void on_still_there(const struct engine_state *state,
                           const struct err *err, void *user);
static void on_named(const struct err *err, void *user);
static void on_dropped(const struct err *err, void *user);

void template_make(struct item *it)
{
    item_set_state(it, ITEM_SAVING, NULL);
    it->call = engine_container_stop(it->s->spec.engine, it->id, STOP_S,
                                     on_stopped, it);
}

/* What is not right is removed, and not tried again for a while. */
static void fail(struct item *it, const char *why)
{
    cleanup_free char *text = NULL;

    if (it->making.image_id != NULL)
        engine_image_remove(it->s->spec.engine, it->making.image_id, on_dropped,
                            NULL);
    if (it->s->state == SESSION_STOPPING) {
        session_poke(it->s);
        return;
    }
    template_is_bad(it); /* or every start would try it again */
    text = xasprintf("cannot make a template for resource %s", it->name);
    session_fail(it->s, 1, text, why, explain_engine(why));
}

static void on_dropped(const struct err *err, void *user)
{
    (void)user;
    if (err != NULL)
        log_warn("run", "an unfinished template stays: %s", err->msg);
}

static bool goes_on(struct item *it, const struct err *err)
{
    it->call = NULL;
    if (err == NULL && it->s->state != SESSION_STOPPING)
        return true;
    fail(it, err == NULL ? "the session ends" : err->msg);
    return false;
}

static void on_stopped(const struct err *err, void *user)
{
    struct item *it = user;

    if (goes_on(it, err))
        it->call =
            engine_container_inspect(it->s->spec.engine, it->id, on_end, it);
}

static bool has_ended_well(const struct engine_state *state)
{
    return strcmp(state->state, "exited") == 0 && state->exit_code == 0;
}

/* "LABEL" or "ENV" lines that empty what the container had: none of it must
 * become part of the image, and passwords least of all. */
static void add_blanks(struct strv *out, const char *what,
                       const struct strv *pairs)
{
    for (size_t i = 0; i < pairs->len; i++)
        strv_printf(out, "%s %.*s=", what, (int)strcspn(pairs->v[i], "="),
                    pairs->v[i]);
}

static void add_changes(const struct item *it, struct strv *out)
{
    cleanup_strv struct strv labels = { 0 };

    session_labels(it->s, &labels, item_kind_word(it->kind), it->name);
    add_blanks(out, "LABEL", &labels);
    add_blanks(out, "ENV", &it->plan->env);
    strv_printf(out, "LABEL " LABEL_TEMPLATE "=%s",
                strrchr(it->template.name, ':') + 1);
    strv_printf(out, "LABEL " LABEL_TEMPLATE_RACK "=%s", it->s->rack_id);
    strv_printf(out, "LABEL " LABEL_TEMPLATE_KIND "=%s", it->resource->kind);
    strv_printf(out, "LABEL " LABEL_TEMPLATE_IMAGE "=%s", it->image->use);
    strv_printf(out, "LABEL " LABEL_TEMPLATE_BASE "=%s", it->template.base_id);
}

/* The server would make them itself at every start. */
static int put_tls(struct item *it, struct err *err)
{
    cleanup_strv struct strv paths = { 0 }, texts = { 0 };
    cleanup_str struct str pem = { 0 };
    cleanup_free char *tar = NULL;
    size_t len = 0;

    if (template_cert(&pem,
                      it->plan->aliases.len == 0 ? it->name
                                                 : it->plan->aliases.v[0],
                      err) < 0)
        return -1;
    strv_add(&paths, PLAN_TEMPLATE_TLS);
    strv_add(&texts, str_c(&pem));
    if (context_files(&tar, &len, &paths, &texts, err) < 0)
        return -1;
    it->call = engine_container_put(it->s->spec.engine, it->id, "/", tar, len,
                                    on_tls, it);
    return 0;
}

static void on_end(const struct engine_state *state, const struct err *err,
                   void *user)
{
    struct item *it = user;
    struct err failed = { 0 };

    if (!goes_on(it, err))
        return;
    if (!has_ended_well(state))
        fail(it, "the server did not end cleanly");
    else if (!it->resource->template_tls)
        commit(it);
    else if (put_tls(it, &failed) < 0)
        fail(it, failed.msg);
}

static void on_tls(const struct err *err, void *user)
{
    struct item *it = user;

    if (goes_on(it, err))
        commit(it);
}

static void commit(struct item *it)
{
    cleanup_strv struct strv changes = { 0 };

    add_changes(it, &changes);
    it->making.committing = true;
    it->call = engine_container_commit(it->s->spec.engine, it->id, NULL, NULL,
                                       &changes, on_committed, it);
}

static void on_committed(const char *id, const struct err *err, void *user)
{
    struct item *it = user;

    it->making.committing = false;
    if (err == NULL)
        it->making.image_id = xstrdup(id);
    if (goes_on(it, err))
        it->call = engine_container_inspect(it->s->spec.engine, it->id,
                                            on_still_there, it);
}

static void on_still_there(const struct engine_state *state,
                           const struct err *err, void *user)
{
    struct item *it = user;
    cleanup_free char *repo = NULL;
    const char *tag = strrchr(it->template.name, ':');

    if (!goes_on(it, err))
        return;
    if (!has_ended_well(state)) {
        fail(it, "its container was touched while it was read");
        return;
    }
    repo = xasprintf("%.*s", (int)(tag - it->template.name), it->template.name);
    it->call = engine_image_tag(it->s->spec.engine, it->making.image_id, repo,
                                tag + 1, on_named, it);
}

static void on_named(const struct err *err, void *user)
{
    struct item *it = user;

    if (!goes_on(it, err))
        return;
    template_emit(it, "made");
    item_set_state(it, ITEM_READY, NULL);
    session_poke(it->s);
}
