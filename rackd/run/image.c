/*
 * Sees to it that the engine has an image: it is pulled when a create or a
 * build misses it, and a stand-in is looked for when no registry answers.
 */
#include "run/image.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/label.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/reason.h"
#include "run/explain.h"
#include "run/image_notes.h"
#include "run/session.h"
#include "run/session_parts.h"
#include "timing/marks.h"

/* Between two reports of a pull's progress. */
#define PROGRESS_MS 100

/* What is known of a layer, by its short id. */
struct layer {
    char id[16];
    long long current, total;
    bool done;
};

#define LAYERS_MAX 256

/* In order of time. */
static void on_checked(const struct engine_image *image, const struct err *err,
                       void *user);
static void pull(struct image *img);
static void on_progress(const struct engine_progress *p, void *user);
static void on_pulled(const struct err *err, void *user);
static void on_standins(const struct engine_object *list, size_t count,
                        const struct err *err, void *user);

static uint64_t now_ms(const struct image *img)
{
    return uv_now(img->s->spec.loop);
}

void image_mark(struct image *img)
{
    img->mark = mark_new(&img->s->marks, "image", img->ref, 0);
}

static void set_state(struct image *img, enum image_state state)
{
    static const char *const words[] = { "ASSUMED",   "CHECKING", "PULLING",
                                         "SEARCHING", "READY",    "FAILED" };

    log_debug("run", "image %s: %s -> %s", img->ref, words[img->state],
              words[state]);
    img->state = state;
}

struct image *image_get(struct session *s, const char *ref, const char *standin,
                        const char *asked_by)
{
    struct image *img;
    const char *noted;

    for (size_t i = 0; i < s->image_count; i++)
        if (strcmp(s->images[i]->ref, ref) == 0) {
            if (s->images[i]->standin == NULL)
                s->images[i]->standin = standin;
            return s->images[i];
        }
    img = xcalloc(1, sizeof(*img));
    img->s = s;
    img->ref = xstrdup(ref);
    img->standin = standin;
    img->asked_by = xstrdup(asked_by);
    image_mark(img);
    noted = image_notes_get(s->spec.notes, ref, now_ms(img));
    img->use = xstrdup(noted == NULL ? ref : noted);
    if (s->image_count == s->image_cap) {
        s->image_cap = s->image_cap == 0 ? 8 : s->image_cap * 2;
        s->images = xrealloc(s->images, s->image_cap * sizeof(struct image *));
    }
    s->images[s->image_count++] = img;
    return img;
}

/* The same, and the watcher is told. */
static void tell_state(struct image *img, enum image_state state,
                       const char *word, const char *text)
{
    set_state(img, state);
    mark_done(&img->s->marks, img->mark);
    session_emit(img->s, &(struct session_event){ .type = SESSION_EVENT_STATE,
                                                  .kind = "image",
                                                  .name = img->ref,
                                                  .state = word,
                                                  .text = text });
}

void image_check(struct image *img)
{
    if (img->state != IMAGE_ASSUMED)
        return;
    set_state(img, IMAGE_CHECKING);
    img->call =
        engine_image_inspect(img->s->spec.engine, img->use, on_checked, img);
}

void image_check_again(struct image *img)
{
    if (img->state == IMAGE_READY)
        set_state(img, IMAGE_ASSUMED);
    image_check(img);
}

static void on_checked(const struct engine_image *image, const struct err *err,
                       void *user)
{
    struct image *img = user;

    (void)image;
    img->call = NULL;
    if (err == NULL) {
        set_state(img, IMAGE_READY);
        session_poke(img->s);
        return;
    }
    set_state(img, IMAGE_ASSUMED);
    image_missing(img);
}

void image_missing(struct image *img)
{
    if (img->state == IMAGE_READY)
        set_state(img, IMAGE_ASSUMED); /* it was removed meanwhile */
    if (img->state != IMAGE_ASSUMED)
        return;
    free(img->use); /* a noted stand-in may be what is missing */
    img->use = xstrdup(img->ref);
    pull(img);
}

/* ---- pull -------------------------------------------------------------------
 */

/* imagePullSecrets of the registry that `ref` names, or NULL. */
static const struct plan_registry_auth *auth_of(const struct image *img)
{
    const struct plan *p = img->s->spec.plan;

    for (size_t i = 0; i < p->auths.len; i++)
        if (engine_image_is_from(img->ref, p->auths.v[i].registry))
            return &p->auths.v[i];
    return NULL;
}

static void pull(struct image *img)
{
    const struct plan_registry_auth *a = auth_of(img);
    struct engine_auth auth = { 0 };

    if (a != NULL)
        auth = (struct engine_auth){ .registry = a->registry,
                                     .username = a->username,
                                     .password = a->password };
    if (img->layers == NULL)
        img->layers = xcalloc(LAYERS_MAX, sizeof(*img->layers));
    img->layer_count = img->layers_done = 0;
    tell_state(img, IMAGE_PULLING, "pulling", NULL);
    mark_phase(&img->s->marks, img->mark, MARK_PULL);
    img->call = engine_image_pull(img->s->spec.engine, img->ref,
                                  a == NULL ? NULL : &auth, img->s->client_env,
                                  on_progress, on_pulled, img);
}

static struct layer *layer_of(struct image *img, const char *id)
{
    for (unsigned i = 0; i < img->layer_count; i++)
        if (strcmp(img->layers[i].id, id) == 0)
            return &img->layers[i];
    if (img->layers == NULL || img->layer_count == LAYERS_MAX)
        return NULL;
    img->layers[img->layer_count] = (struct layer){ 0 };
    snprintf(img->layers[img->layer_count].id, sizeof(img->layers->id), "%s",
             id);
    return &img->layers[img->layer_count++];
}

static void tell_progress(struct image *img, const char *text)
{
    long long current = 0, total = 0;

    for (unsigned i = 0; img->layers != NULL && i < img->layer_count; i++) {
        current += img->layers[i].current;
        total += img->layers[i].total;
    }
    session_emit(img->s,
                 &(struct session_event){ .type = SESSION_EVENT_PROGRESS,
                                          .kind = "image",
                                          .name = img->ref,
                                          .text = text,
                                          .current = current,
                                          .total = total,
                                          .layers = img->layer_count,
                                          .layers_done = img->layers_done });
}

static void layer_is_done(struct image *img, struct layer *l)
{
    l->current = l->total;
    if (!l->done)
        img->layers_done++;
    l->done = true;
}

/* Only bytes that were fetched are counted: unpacking counts from zero again,
 * and one engine counts it in seconds. */
static void note_layer(struct image *img, const struct engine_progress *p)
{
    struct layer *l = *p->layer == '\0' ? NULL : layer_of(img, p->layer);

    if (l == NULL)
        return;
    switch (engine_layer(p->status)) {
    case LAYER_DOWNLOADING:
        l->total = p->total > p->current ? p->total : p->current;
        l->current = p->current;
        break;
    case LAYER_DOWNLOADED:
        l->current = l->total;
        break;
    case LAYER_DONE:
        layer_is_done(img, l);
        break;
    case LAYER_OTHER:
        break;
    }
}

static void on_progress(const struct engine_progress *p, void *user)
{
    struct image *img = user;

    note_layer(img, p);
    if (now_ms(img) - img->last_progress_ms < PROGRESS_MS)
        return;
    img->last_progress_ms = now_ms(img);
    tell_progress(img, p->status);
}

/* The engine does not report the end of every layer, and most of its reports
 * are not passed on: tell the watcher that all of it is there. */
static void tell_all_is_there(struct image *img)
{
    for (unsigned i = 0; i < img->layer_count; i++)
        layer_is_done(img, &img->layers[i]);
    if (img->layer_count > 0)
        tell_progress(img, "Pull complete");
}

static void fail(struct image *img, const char *todo)
{
    cleanup_free char *text = xasprintf(
        "image %s %s, needed by %s", img->ref,
        engine_says(img->pull_error, REASON_DISK_FULL) ? "cannot be pulled"
                                                       : "not found",
        img->asked_by);

    tell_state(img, IMAGE_FAILED, "failed", img->pull_error);
    session_fail(img->s, 1, text, img->pull_error, todo);
}

static void on_pulled(const struct err *err, void *user)
{
    struct image *img = user;
    cleanup_free char *label = NULL;

    img->call = NULL;
    if (err == NULL) {
        tell_all_is_there(img);
        tell_state(img, IMAGE_READY, "ready", NULL);
        session_poke(img->s);
        return;
    }
    free(img->pull_error);
    img->pull_error = xstrdup(err->msg);
    if (engine_says(err->msg, REASON_DISK_FULL)) {
        fail(img, explain_engine(err->msg));
        return;
    }
    if (err->code != ERR_UNAVAILABLE) {
        fail(img, "check the name and tag; for a private registry: docker "
                  "login, or imagePullSecrets in convox.yml");
        return;
    }
    if (img->standin == NULL) {
        fail(img, "no registry answers: check the network connection");
        return;
    }
    set_state(img, IMAGE_SEARCHING);
    label = xasprintf(LABEL_STANDIN "=%s", img->standin);
    img->call = engine_image_list(img->s->spec.engine, label, on_standins, img);
}

/* ---- stand-ins ---------------------------------------------------------- */

/* How many leading characters the tags of two references share. */
static size_t likeness(const char *ref, const char *name)
{
    const char *a = strrchr(ref, ':'), *b = strrchr(name, ':');
    size_t n = 0;

    if (a == NULL || b == NULL)
        return 0;
    while (a[n] != '\0' && a[n] == b[n])
        n++;
    return n;
}

/* What a user builds from a stand-in inherits its labels, but not its name. */
static bool is_standin(const char *name)
{
    return strncmp(name, "cvx/", strlen("cvx/")) == 0;
}

static const char *nearest(const char *ref, const struct engine_object *list,
                           size_t count)
{
    const char *best = NULL;

    for (size_t i = 0; i < count; i++)
        if (is_standin(list[i].name) &&
            (best == NULL || likeness(ref, list[i].name) > likeness(ref, best)))
            best = list[i].name;
    return best;
}

static void on_standins(const struct engine_object *list, size_t count,
                        const struct err *err, void *user)
{
    struct image *img = user;
    const char *found = err == NULL ? nearest(img->ref, list, count) : NULL;
    cleanup_free char *todo = NULL;

    img->call = NULL;
    if (found == NULL) {
        todo = xasprintf("no registry answers: check the network connection, "
                         "or build the stand-in: images/build.sh %s",
                         img->standin);
        fail(img, todo);
        return;
    }
    free(img->use);
    img->use = xstrdup(found);
    image_notes_put(img->s->spec.notes, img->ref, found, now_ms(img));
    session_warn(img->s,
                 "%s: no registry answers; %s, made from Debian's packages, "
                 "stands in",
                 img->ref, found);
    tell_state(img, IMAGE_READY, "ready", found);
    session_poke(img->s);
}

void image_cancel(struct image *img)
{
    if (img->call != NULL)
        engine_cancel(img->call);
    img->call = NULL;
}

void image_free(struct image *img)
{
    free(img->ref);
    free(img->use);
    free(img->layers);
    free(img->pull_error);
    free(img->asked_by);
    free(img);
}
