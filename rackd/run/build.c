/*
 * Builds a service's image on the engine. The Dockerfile is read and the
 * context packed off the loop; base images are made sure of in between, so that
 * stand-ins can replace them. session_poke() calls build_poke().
 */
#include "run/build.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/label.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/context.h"
#include "engine/engine.h"
#include "engine/reason.h"
#include "logs/hub.h"
#include "run/explain.h"
#include "run/image.h"
#include "run/session.h"
#include "run/session_parts.h"
#include "timing/marks.h"

#define DOCKERFILE_MAX ((size_t)1 << 20)

/* Where the Dockerfile has a stage of this name it is the one to build, as with
 * Convox. */
#define DEVELOPMENT "development"

struct build {
    struct session *s;
    const struct plan_build *plan;
    size_t mark; /* in the session's marks */
    enum build_state state;
    char *tag, *dir;
    char *image;     /* its id, once it is built */
    bool again;      /* somebody removed the image */
    struct strv env; /* the plan's build_env: borrowed by the worker */

    uv_work_t work;         /* reading or packing, off the loop */
    bool working, unqueued; /* unqueued: taken back before it ran */
    struct err err;         /* the worker's */

    struct dockerfile file;
    struct image **bases;
    struct strv replace; /* FROM=TO, where a stand-in is used */
    int context_fd;
    char *dockerfile_name;
    struct engine_call *call;
    struct engine_call *look; /* for the image that has the tag now */
    char *old_image;
};

/* In order of time. */
static void read_dockerfile(uv_work_t *work);
static void on_read(uv_work_t *work, int status);
static void pack(uv_work_t *work);
static void on_packed(uv_work_t *work, int status);
static void on_line(const char *line, size_t len, void *user);
static void on_looked(const struct engine_image *image, const struct err *err,
                      void *user);
static void on_built(const char *id, const struct err *err, void *user);
static void on_old_removed(const struct err *err, void *user);

static void forget_reading(struct build *b)
{
    dockerfile_release(&b->file);
    strv_release(&b->replace);
    free(b->bases);
    free(b->dockerfile_name);
    b->bases = NULL;
    b->dockerfile_name = NULL;
}

static void set_state(struct build *b, enum build_state state)
{
    static const char *const words[] = { "IDLE",    "READING", "BASES",
                                         "RUNNING", "DONE",    "FAILED" };

    log_debug("run", "build of %s: %s -> %s", b->plan->path, words[b->state],
              words[state]);
    b->state = state;
}

bool build_again(struct build *b)
{
    if (b->state != BUILD_DONE)
        return true;      /* another replica has asked for it */
    if (b->image == NULL) /* --no-build: we have not built it */
        return false;
    session_warn(b->s, "image %s was removed from outside; building it again",
                 b->tag);
    forget_reading(b);
    free(b->image);
    b->image = NULL;
    b->again = true;
    set_state(b, BUILD_IDLE);
    return true;
}

/* The same, and the watcher is told. */
static void tell_state(struct build *b, enum build_state state,
                       const char *word)
{
    cleanup_free char *names = strv_join(&b->plan->services, ", ");

    set_state(b, state);
    if (state == BUILD_READING)
        mark_phase(&b->s->marks, b->mark, MARK_BUILD);
    else
        mark_done(&b->s->marks, b->mark);
    session_emit(b->s, &(struct session_event){ .type = SESSION_EVENT_STATE,
                                                .kind = "build",
                                                .name = names,
                                                .state = word,
                                                .text = b->plan->path });
}

/* The same path and Dockerfile of the same app have the same tag, start after
 * start, so that old images do not pile up. Another rack on the engine has tags
 * of its own: what it built is not ours to replace, nor to start. */
static char *tag_of(const struct build *b)
{
    const char *app = b->s->spec.plan->app;
    cleanup_free char *key = xasprintf("%s %s %s", b->s->rack_id, b->plan->path,
                                       b->plan->dockerfile);

    return xasprintf(BUILD_REPOSITORY "%s:%s-%08" PRIx32, app,
                     b->plan->services.v[0], (uint32_t)hash_text(key));
}

/* "." is the app's own directory. The path appears in messages, so it is kept
 * short. */
static char *dir_of(const struct session *s, const char *path)
{
    while (path[0] == '.' && path[1] == '/')
        path += 2;
    if (path[0] == '/')
        return xstrdup(path);
    if (path[0] == '\0' || strcmp(path, ".") == 0)
        return xstrdup(s->dir);
    return xasprintf("%s/%s", s->dir, path);
}

struct build *build_new(struct session *s, const struct plan_build *plan)
{
    struct build *b = xcalloc(1, sizeof(*b));
    cleanup_free char *names = strv_join(&plan->services, ", ");

    b->s = s;
    b->plan = plan;
    b->mark = mark_new(&s->marks, "build", names, 0);
    b->context_fd = -1;
    b->tag = tag_of(b);
    b->dir = dir_of(s, plan->path);
    strv_add_all(&b->env, &s->spec.plan->build_env);
    return b;
}

void build_free(struct build *b)
{
    if (b->context_fd >= 0)
        close(b->context_fd);
    dockerfile_release(&b->file);
    strv_release(&b->replace);
    strv_release(&b->env);
    free(b->bases);
    free(b->tag);
    free(b->old_image);
    free(b->image);
    free(b->dir);
    free(b->dockerfile_name);
    free(b);
}

enum build_state build_state(const struct build *b)
{
    return b->state;
}

size_t build_mark(const struct build *b)
{
    return b->mark;
}

const char *build_image(const struct build *b)
{
    return b->image != NULL ? b->image : b->tag;
}

bool build_cancel(struct build *b)
{
    if (b->call != NULL)
        engine_cancel(b->call);
    if (b->look != NULL)
        engine_cancel(b->look);
    b->call = b->look = NULL;
    if (b->working && !b->unqueued)
        b->unqueued = uv_cancel((uv_req_t *)&b->work) == 0;
    return !b->working;
}

static void fail(struct build *b, const char *why, const char *todo)
{
    cleanup_free char *names = strv_join(&b->plan->services, ", ");
    cleanup_free char *text = xasprintf("build of %s failed", names);

    tell_state(b, BUILD_FAILED, "failed");
    session_fail(b->s, 1, text, why, todo);
}

/* ---- the Dockerfile ---------------------------------------------------------
 */

static int read_file(const char *path, struct str *out, struct err *err)
{
    if (file_read(out, path, path, DOCKERFILE_MAX, err) == 0)
        return 0;
    return err->code == ERR_NOT_FOUND
               ? err_set(err, ERR_INVALID, "no such file: %s", path)
               : -1;
}

static void read_dockerfile(uv_work_t *work)
{
    struct build *b = container_of(work, struct build, work);
    cleanup_free char *path = xasprintf("%s/%s", b->dir, b->plan->dockerfile);
    cleanup_str struct str text = { 0 };

    if (read_file(path, &text, &b->err) == 0)
        dockerfile_parse(&b->file, str_c(&text), text.len, &b->env);
}

static bool is_debian(const char *ref)
{
    return strcmp(ref, "debian") == 0 || str_starts(ref, "debian:");
}

static void on_read(uv_work_t *work, int status)
{
    struct build *b = container_of(work, struct build, work);

    (void)status;
    b->working = false;
    if (b->s->state != SESSION_STOPPING && b->err.code != ERR_NONE) {
        fail(b, b->err.msg,
             "`build` in convox.yml names the directory, `build.manifest` "
             "the Dockerfile in it");
    } else if (b->s->state != SESSION_STOPPING) {
        b->bases = xcalloc(b->file.bases.len + 1, sizeof(struct image *));
        for (size_t i = 0; i < b->file.bases.len; i++) {
            b->bases[i] = image_get(
                b->s, b->file.bases.v[i],
                is_debian(b->file.bases.v[i]) ? "base" : NULL, "a build");
            mark_need(&b->s->marks, b->mark, MARK_WAIT, b->bases[i]->mark);
            if (b->again)
                image_check_again(b->bases[i]);
            else
                image_check(b->bases[i]);
        }
        set_state(b, BUILD_BASES);
        mark_phase(&b->s->marks, b->mark, MARK_WAIT);
    }
    session_poke(b->s);
}

/* ---- the context -------------------------------------------------------- */

static bool bases_are_ready(const struct build *b)
{
    for (size_t i = 0; i < b->file.bases.len; i++)
        if (b->bases[i]->state != IMAGE_READY)
            return false;
    return true;
}

static void pack(uv_work_t *work)
{
    struct build *b = container_of(work, struct build, work);

    context_pack(&b->context_fd, &b->dockerfile_name, b->dir,
                 b->plan->dockerfile, &b->replace, &b->err);
}

static void on_packed(uv_work_t *work, int status)
{
    struct build *b = container_of(work, struct build, work);
    cleanup_strv struct strv args = { 0 }, labels = { 0 };
    struct session *s = b->s;

    (void)status;
    b->working = false;
    if (s->state == SESSION_STOPPING || b->err.code != ERR_NONE) {
        if (s->state != SESSION_STOPPING)
            fail(b, b->err.msg, "check `build` in convox.yml");
        session_poke(s);
        return;
    }
    for (size_t i = 0; i < b->env.len; i++) {
        cleanup_free char *key =
            str_dup_len(b->env.v[i], strcspn(b->env.v[i], "="));

        if (strv_has(&b->file.args, key))
            strv_add(&args, b->env.v[i]);
    }
    /* Containers inherit an image's labels, so it gets none of those by which
     * we find what to remove. */
    strv_printf(&labels, LABEL_BUILD "=%s", s->spec.plan->app);
    b->call = engine_build(
        s->spec.engine,
        &(struct engine_build){ .tag = b->tag,
                                .context_fd = b->context_fd,
                                .dockerfile = b->dockerfile_name,
                                .target = strv_has(&b->file.stages, DEVELOPMENT)
                                              ? DEVELOPMENT
                                              : NULL,
                                .args = &args,
                                .labels = &labels,
                                .no_cache = s->spec.no_cache },
        on_line, on_built, b);
}

/* ---- the build ---------------------------------------------------------- */

void build_poke(struct build *b)
{
    if (b->state == BUILD_IDLE && b->s->spec.no_build) {
        tell_state(b, BUILD_DONE, "built");
    } else if (b->state == BUILD_IDLE) {
        tell_state(b, BUILD_READING, "building");
        if (b->old_image == NULL)
            b->look =
                engine_image_inspect(b->s->spec.engine, b->tag, on_looked, b);
        b->working = true;
        uv_queue_work(b->s->spec.loop, &b->work, read_dockerfile, on_read);
    } else if (b->state == BUILD_BASES && bases_are_ready(b)) {
        for (size_t i = 0; i < b->file.bases.len; i++)
            if (strcmp(b->bases[i]->ref, b->bases[i]->use) != 0)
                strv_printf(&b->replace, "%s=%s", b->bases[i]->ref,
                            b->bases[i]->use);
        set_state(b, BUILD_RUNNING);
        mark_phase(&b->s->marks, b->mark, MARK_BUILD);
        b->working = true;
        uv_queue_work(b->s->spec.loop, &b->work, pack, on_packed);
    }
}

static void on_looked(const struct engine_image *image, const struct err *err,
                      void *user)
{
    struct build *b = user;

    b->look = NULL;
    if (err == NULL)
        b->old_image = xstrdup(image->id);
}

static void on_line(const char *line, size_t len, void *user)
{
    struct build *b = user;

    session_say(b->s, "build", "build", "%.*s", (int)len, line);
}

/* The new image has taken the old one's tag. Without this every rebuild would
 * leave an image that nothing names; one that something still uses stays,
 * because the engine refuses to remove it. */
void build_drop_old(struct build *b)
{
    if (b->old_image != NULL && b->image != NULL &&
        strcmp(b->old_image, b->image) != 0)
        engine_image_remove(b->s->spec.engine, b->old_image, on_old_removed,
                            NULL);
}

static void on_old_removed(const struct err *err, void *user)
{
    (void)user;
    if (err != NULL)
        log_debug("run", "an image of an earlier build stays: %s", err->msg);
}

static void on_built(const char *id, const struct err *err, void *user)
{
    struct build *b = user;
    cleanup_free char *why = NULL, *lines = NULL;

    b->call = NULL;
    close(b->context_fd);
    b->context_fd = -1;
    if (err == NULL) {
        b->image = xstrdup(id);
        tell_state(b, BUILD_DONE, "built");
        session_poke(b->s);
        return;
    }
    lines = hub_last(b->s->spec.hub, "build", 20);
    why = xasprintf("%s%s%s", err->msg,
                    lines == NULL ? "" : "\nthe build's last lines:\n",
                    lines == NULL ? "" : lines);
    fail(b, why,
         engine_says(why, REASON_DISK_FULL)
             ? explain_engine(why)
             : "the whole build log is above, with tag build");
}
