#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "engine/context.h"
#include "run/internal.h"

/* Docker 20.10 now and then says "Could not find the file / in container"
 * while other containers are being created: it is there the next moment. */
#define FILL_TRIES    20
#define FILL_AGAIN_MS 50

/*
 * In order of time: archives are put into the created container one after the
 * other, files first, then owners of volumes; then it may start.
 */
static void put(struct item *it);
static void on_put(const struct err *err, void *user);
static void on_again(uv_timer_t *timer);

/* The tar of what must be in it before it starts; none where there is nothing:
 * what shapes the data has done so where the data comes from a template. */
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
    return context_files(&it->archive, &it->archive_len, &paths, &texts, err);
}

/* An efs volume's root gets its owner and mode from the first that mounts it:
 * Docker extracts archives through the mounts of a created container. Podman
 * does not; it gives a new volume the owner and mode that the mount point has
 * in whichever container starts first, so there every container gets it. */
static int add_owner(struct item *it, struct err *err)
{
    while (it->mounts_filled < it->plan->mounts.len) {
        const struct plan_mount *m = &it->plan->mounts.v[it->mounts_filled++];
        const struct plan_volume *v;

        if (m->volume < 0 ||
            (it->s->volumes[m->volume].owning && !it->s->spec.podman))
            continue;
        v = &it->s->spec.plan->volumes.v[m->volume];
        if (v->kind != PLAN_VOLUME_EFS || v->uid < 0)
            continue;
        it->owns = &it->s->volumes[m->volume];
        it->owns->owning = true;
        return context_directory(&it->archive, &it->archive_len, m->target,
                                 v->uid, v->gid, v->mode, err);
    }
    return 0;
}

void item_fill(struct item *it)
{
    struct err err = { 0 };
    int rc = 0;

    if (it->state != ITEM_FILLING) {
        it->mounts_filled = 0;
        rc = add_files(it, &err);
    }
    if (rc == 0 && it->archive == NULL)
        rc = add_owner(it, &err);
    if (rc < 0) {
        item_fail_step(it, "put files into", &err);
        return;
    }
    if (it->archive == NULL) {
        item_wait(it);
        return;
    }
    it->state = ITEM_FILLING;
    item_mark_state(it);
    it->fill_tries = 0;
    put(it);
}

static void put(struct item *it)
{
    it->call = engine_container_put(it->s->spec.engine, it->id, "/",
                                    it->archive, it->archive_len, on_put, it);
}

static void on_put(const struct err *err, void *user)
{
    struct item *it = user;

    it->call = NULL;
    if (it->s->state == SESSION_STOPPING) {
        item_take_down(it, it->s->stop_now);
        return;
    }
    if (err != NULL && err->code == ERR_NOT_FOUND &&
        it->fill_tries++ < FILL_TRIES) {
        uv_timer_start(&it->timer, on_again, FILL_AGAIN_MS, 0);
        return;
    }
    free(it->archive);
    it->archive = NULL;
    if (err != NULL) {
        item_fail_step(it, "put files into", err);
        return;
    }
    if (it->owns != NULL)
        it->owns->owned = true;
    it->owns = NULL;
    item_fill(it);
}

static void on_again(uv_timer_t *timer)
{
    put(container_of(timer, struct item, timer));
}
