/*
 * Puts files into a container that has been created: first those of the plan,
 * then the owners of volumes, one archive after the other. item_create.c begins
 * it; item_wait() goes on when all is in.
 */
#include "run/item_files.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/strv.h"
#include "engine/context.h"
#include "engine/engine.h"
#include "plan/plan.h"
#include "run/item.h"
#include "run/item_depend.h"
#include "run/item_drop.h"
#include "run/session_parts.h"
#include "run/template.h"
#include "run/volume.h"

/* Docker 20.10 now and then says "Could not find the file / in container"
 * while other containers are being created: it is there the next moment. */
#define PUT_TRIES    20
#define PUT_AGAIN_MS 50

/* In order of time. */
static void put(struct item *it);
static void on_put(const struct err *err, void *user);
static void on_again(uv_timer_t *timer);

/* The tar of what must be in it before it starts; none where there is nothing.
 * With a template the data has been shaped already. */
static int add_files(struct item *it, struct err *err)
{
    cleanup_strv struct strv paths = { 0 }, texts = { 0 };

    for (size_t i = 0; i < it->plan->files.len && !template_is_in_use(it);
         i++) {
        strv_add(&paths, it->plan->files.v[i].path);
        strv_add(&texts, it->plan->files.v[i].text);
    }
    if (paths.len == 0)
        return 0;
    return context_files(&it->files.archive, &it->files.archive_len, &paths,
                         &texts, err);
}

/* An efs volume's root gets its owner and mode from the first that mounts it:
 * Docker extracts archives through the mounts of a created container. Podman
 * does not; it gives a new volume the owner and mode that the mount point has
 * in whichever container starts first, so there every container gets it. */
static int add_owner(struct item *it, struct err *err)
{
    struct item_files *f = &it->files;

    while (f->mounts_done < it->plan->mounts.len) {
        const struct plan_mount *m = &it->plan->mounts.v[f->mounts_done++];
        const struct plan_volume *v;

        if (m->volume < 0 ||
            (it->s->volumes.v[m->volume].owning && !it->s->spec.podman))
            continue;
        v = &it->s->spec.plan->volumes.v[m->volume];
        if (v->kind != PLAN_VOLUME_EFS || v->uid < 0)
            continue;
        f->owns = &it->s->volumes.v[m->volume];
        volume_own(f->owns);
        return context_directory(&f->archive, &f->archive_len, m->target,
                                 v->uid, v->gid, v->mode, err);
    }
    return 0;
}

void item_put_files(struct item *it)
{
    struct err err = { 0 };
    int rc = 0;

    if (it->state != ITEM_FILLING) {
        it->files.mounts_done = 0;
        rc = add_files(it, &err);
    }
    if (rc == 0 && it->files.archive == NULL)
        rc = add_owner(it, &err);
    if (rc < 0) {
        item_fail_step(it, "put files into", &err);
        return;
    }
    if (it->files.archive == NULL) {
        item_wait(it);
        return;
    }
    item_set_state(it, ITEM_FILLING, NULL);
    it->files.tries = 0;
    put(it);
}

static void put(struct item *it)
{
    it->call =
        engine_container_put(it->s->spec.engine, it->id, "/", it->files.archive,
                             it->files.archive_len, on_put, it);
}

static void on_put(const struct err *err, void *user)
{
    struct item *it = user;

    if (item_is_over(it))
        return;
    if (err != NULL && err->code == ERR_NOT_FOUND &&
        it->files.tries++ < PUT_TRIES) {
        uv_timer_start(&it->files.again.uv, on_again, PUT_AGAIN_MS, 0);
        return;
    }
    free(it->files.archive);
    it->files.archive = NULL;
    if (err != NULL) {
        item_fail_step(it, "put files into", err);
        return;
    }
    if (it->files.owns != NULL)
        volume_is_owned(it->files.owns);
    it->files.owns = NULL;
    item_put_files(it);
}

static void on_again(uv_timer_t *timer)
{
    put(container_of(timer, struct item, files.again.uv));
}

void item_files_stop(struct item *it)
{
    uv_timer_stop(&it->files.again.uv);
    free(it->files.archive);
    it->files.archive = NULL;
    if (it->files.owns != NULL)
        volume_disown(it->files.owns);
    it->files.owns = NULL;
}
