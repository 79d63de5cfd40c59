/*
 * Creates the guard's container; imports its image first where the engine does
 * not have it. reaper.c calls it when the container is wanted.
 */
#include <stdlib.h>

#include "base/err.h"
#include "base/label.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "engine/context.h"
#include "engine/engine.h"
#include "guard/reaper_blob.h"
#include "guard/reaper_parts.h"

/* Where the socket is mounted, and the program is. */
#define SOCKET_INSIDE "/engine.sock"

/* In order of time; after an import it is created again. */
static void on_created(const char *id, const struct err *err, void *user);
static void on_imported(const struct err *err, void *user);

static void choose_name(struct reaper *r)
{
    char number[8 + 1];

    random_text(number, 8, RANDOM_HEX);
    free(r->name);
    r->name = xasprintf("cvx-reaper-%s", number);
}

static void add_args(const struct reaper *r, struct strv *argv)
{
    strv_add(argv, REAPER_PROGRAM);
    strv_add(argv, "--self");
    strv_add(argv, r->name);
    strv_printf(argv, "--patience=%u", r->spec.patience_ms);
    strv_add(argv, SOCKET_INSIDE);
    strv_add_all(argv, &r->labels);
}

char *reaper_image(void)
{
    return xasprintf("cvx/reaper:%s", reaper_tag);
}

void reaper_create(struct reaper *r)
{
    cleanup_strv struct strv argv = { 0 }, labels = { 0 }, drop = { 0 };
    struct engine_mount socket = { .kind = MOUNT_BIND,
                                   .source = r->socket_path,
                                   .target = SOCKET_INSIDE };

    choose_name(r);
    add_args(r, &argv);
    strv_add_all(&labels, &r->labels);
    strv_add(&labels, LABEL_KIND "=reaper");
    strv_add(&labels, LABEL_NAME "=reaper");
    strv_add(&drop, "ALL");
    r->started = false;
    reaper_set_state(r, REAPER_CREATING);
    r->call = engine_container_create(
        r->spec.engine,
        &(struct engine_container){ .name = r->name,
                                    .image = r->image,
                                    .argv = &argv,
                                    .labels = &labels,
                                    .mounts = &socket,
                                    .mount_count = 1,
                                    .network = "none",
                                    .read_only_root = true,
                                    .no_new_privileges = true,
                                    .uses_engine = true,
                                    .cap_drop = &drop,
                                    .open_stdin = true,
                                    .stdin_once = true,
                                    .restart = "on-failure" },
        on_created, r);
}

static void import(struct reaper *r)
{
    cleanup_strv struct strv labels = { 0 };
    struct err err = { 0 };
    size_t len;

    strv_add(&labels, LABEL_KIND "=reaper");
    if (context_program(&r->tar, &len, REAPER_PROGRAM + 1, reaper_blob,
                        (size_t)(reaper_blob_end - reaper_blob), &err) < 0) {
        reaper_fail(r, "its image", err.msg);
        return;
    }
    reaper_set_state(r, REAPER_IMPORTING);
    r->call = engine_image_import(r->spec.engine, r->image, &labels, r->tar,
                                  len, on_imported, r);
}

static void on_imported(const struct err *err, void *user)
{
    struct reaper *r = user;

    r->call = NULL;
    free(r->tar);
    r->tar = NULL;
    r->imported = err == NULL;
    if (err != NULL)
        reaper_fail_step(r, "its image cannot be imported", err);
    else
        reaper_go_on(r);
}

static void on_created(const char *id, const struct err *err, void *user)
{
    struct reaper *r = user;

    r->call = NULL;
    if (err == NULL)
        r->id = xstrdup(id);
    else if (reaper_is_away(err)) /* it may be there: known by name */
        r->id = xstrdup(r->name);
    if (!r->wanted)
        reaper_go_on(r);
    else if (err != NULL && reaper_is_away(err))
        reaper_try_again(r, REAPER_REPLACING);
    else if (err != NULL && err->code == ERR_NOT_FOUND && !r->imported)
        import(r);
    else if (err != NULL)
        reaper_fail_step(r, "it cannot be created", err);
    else
        reaper_lease(r);
}
