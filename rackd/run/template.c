/*
 * Finds the image that holds a resource's data directory, initialised. Before
 * the create item_start.c asks template_is_known(); the create's answer comes
 * back here.
 *
 * The template's name is a hash of all that shapes the data: the id of the
 * resource's own image, the type, the whole environment (users, passwords), the
 * arguments and the files put into the container. So with a changed image,
 * version or password it has another name, and nothing needs to be compared or
 * forgotten. Nobody asks whether it is there: the container is created from it,
 * and the engine says so if it is not.
 */
#include "run/template.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/engine.h"
#include "run/image.h"
#include "run/image_notes.h"
#include "run/item.h"
#include "run/item_drop.h"
#include "run/item_marks.h"
#include "run/network.h"
#include "run/session.h"
#include "run/session_parts.h"

/* The number changes whenever templates are made differently, so that older
 * ones are not found. */
#define TEMPLATE_FORMAT "cvx template 2"

#define KEY_DIGITS  16
#define IMAGE_TRIES 3

/* What the notes say of a template that does not work. */
#define NOTE_BAD "bad template"

/* In order of time. */
static void on_image(const struct engine_image *image, const struct err *err,
                     void *user);
static void on_template(const struct engine_image *image, const struct err *err,
                        void *user);

/* ---- its name ------------------------------------------------------------ */

/* Its length is part of it, so that no two different lists read the same. */
static void add_part(struct str *out, const char *what, const char *text)
{
    str_printf(out, "%s %zu %s\n", what, strlen(text), text);
}

static void add_parts(struct str *out, const char *what,
                      const struct strv *list)
{
    for (size_t i = 0; i < list->len; i++)
        add_part(out, what, list->v[i]);
}

static char *name_of(const struct item *it, const char *image_id)
{
    const struct plan_container *c = it->plan;
    cleanup_str struct str text = { 0 };
    char key[KEY_DIGITS + 1];

    add_part(&text, "format", TEMPLATE_FORMAT);
    add_part(&text, "rack", it->s->rack_id);
    add_part(&text, "image", image_id);
    add_part(&text, "kind", it->resource->kind);
    add_parts(&text, "env", &c->env);
    add_parts(&text, "argument", &c->argv);
    for (size_t i = 0; i < c->files.len; i++) {
        add_part(&text, "path", c->files.v[i].path);
        add_part(&text, "file", c->files.v[i].text);
    }
    sha256_hex(str_c(&text), text.len, key, KEY_DIGITS);
    return xasprintf(TEMPLATE_REPOSITORY "%s:%s", it->resource->kind, key);
}

/* The official images' entrypoint only prepares what a template has already. An
 * entrypoint of the user's own may do anything, so it stays. */
static bool is_official(const struct engine_image *image)
{
    static const char script[] = "docker-entrypoint.sh";
    const char *word, *slash;

    if (image->entrypoint.len != 1)
        return false;
    word = image->entrypoint.v[0];
    slash = strrchr(word, '/');
    return strcmp(slash == NULL ? word : slash + 1, script) == 0;
}

/* ---- is there one? ------------------------------------------------------- */

void template_emit(struct item *it, const char *state)
{
    session_emit(it->s, &(struct session_event){ .type = SESSION_EVENT_TEMPLATE,
                                                 .name = it->name,
                                                 .state = state,
                                                 .text = it->template.name });
}

static const char *note_of(const struct item *it)
{
    return image_notes_get(it->s->spec.notes, it->template.name,
                           uv_now(it->s->spec.loop));
}

void template_expect(struct item *it)
{
    it->template.state = TEMPLATE_UNKNOWN;
}

void template_expect_again(struct item *it)
{
    if (it->template.state != TEMPLATE_NONE)
        it->template.state = TEMPLATE_UNKNOWN;
}

bool template_is_known(struct item *it)
{
    if (it->template.state == TEMPLATE_UNKNOWN) {
        it->template.state = TEMPLATE_ASKING;
        it->call = engine_image_inspect(it->s->spec.engine, it->image->use,
                                        on_image, it);
    }
    return it->template.state != TEMPLATE_ASKING;
}

/* Any other trouble with the image is reported by the create from it. */
static void no_image(struct item *it, const struct err *err)
{
    bool missing = err->code == ERR_NOT_FOUND;

    if (missing && it->template.image_tries++ < IMAGE_TRIES) {
        it->template.state = TEMPLATE_UNKNOWN;
        image_missing(it->image);
    } else {
        it->template.state = TEMPLATE_NONE;
        log_warn("run", "%s: its image: %s", it->source, err->msg);
    }
    session_poke(it->s);
}

static void learn(struct item *it, const struct engine_image *image)
{
    free(it->template.base_id);
    free(it->template.name);
    it->template.base_id = xstrdup(image->id);
    it->template.name = NULL;
    it->template.direct = is_official(image);
    if (it->resource->server.len == 0 || it->s->spec.templates == TEMPLATES_OFF)
        it->template.state = TEMPLATE_NONE;
    else
        it->template.name = name_of(it, image->id);
}

static void on_image(const struct engine_image *image, const struct err *err,
                     void *user)
{
    struct item *it = user;

    if (item_is_over(it))
        return;
    if (err != NULL) {
        no_image(it, err);
        return;
    }
    learn(it, image);
    if (it->template.state == TEMPLATE_NONE) {
        session_poke(it->s);
        return;
    }
    if (it->s->spec.templates == TEMPLATES_MAKE) {
        it->call = engine_image_inspect(it->s->spec.engine, it->template.name,
                                        on_template, it);
        return;
    }
    it->template.state =
        note_of(it) == NULL ? TEMPLATE_ASSUMED : TEMPLATE_MISSING;
    session_poke(it->s);
}

/* Before it is made: another session may have done so meanwhile. */
static void on_template(const struct engine_image *image, const struct err *err,
                        void *user)
{
    struct item *it = user;

    (void)image;
    if (item_is_over(it))
        return;
    it->template.state = TEMPLATE_MISSING;
    if (err == NULL || note_of(it) != NULL) {
        template_emit(it, err == NULL ? "there" : "bad");
        item_set_state(it, ITEM_READY, NULL);
    }
    session_poke(it->s);
}

/* ---- the create's answer, and later -------------------------------------- */

bool template_is_in_use(const struct item *it)
{
    return it->template.state == TEMPLATE_ASSUMED ||
           it->template.state == TEMPLATE_USED;
}

void template_is_there(struct item *it)
{
    if (it->template.state != TEMPLATE_ASSUMED)
        return;
    it->template.state = TEMPLATE_USED;
    item_mark_from(it, "template");
    template_emit(it, "used");
}

bool template_is_missing(struct item *it, const struct err *err)
{
    if (!template_is_in_use(it) || err->code != ERR_NOT_FOUND ||
        network_is_missing(err))
        return false;
    it->template.state = TEMPLATE_MISSING;
    template_emit(it, "missing");
    item_start_over(it);
    return true;
}

void template_is_bad(struct item *it)
{
    image_notes_put(it->s->spec.notes, it->template.name, NOTE_BAD,
                    uv_now(it->s->spec.loop));
}

void template_give_up(struct item *it, const char *why)
{
    session_warn(it->s,
                 "resource %s: its template does not work: %s; it starts from "
                 "its image",
                 it->name, why);
    it->template.state = TEMPLATE_MISSING;
    item_mark_from(it, "image");
    template_is_bad(it);
    template_emit(it, "bad");
    item_drop(it);
}
