/*
 * The rack's state directory: where it is, and what its files are called.
 * main.c opens the store before anything else; api/ and prepared/ call it.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/env.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "store/state_file.h"

/* So many rackds may share one directory. */
#define IDS_MAX 64

/* ---- the directory and the rack's identity ------------------------------- */

/* The file holds `len` hexadecimal digits; they are made up and stored on the
 * first use, and again when the file holds anything else. */
static int remember(const char *path, char *out, unsigned len, struct err *err)
{
    cleanup_str struct str text = { 0 };

    if (state_file_load(path, &text, err) < 0)
        return -1;
    if (text.len >= len && strspn(str_c(&text), RANDOM_HEX) >= len) {
        memcpy(out, str_c(&text), len);
        out[len] = '\0';
        return 0;
    }
    random_text(out, len, RANDOM_HEX);
    return state_file_save(path, out, len, true, err);
}

/* Two rackds may share this directory: two values of XDG_RUNTIME_DIR make two.
 * With one id each would remove the other's containers as leftovers, so each
 * takes the first id that is free and locks it for as long as it lives. */
static int take_id(struct store *st, struct err *err)
{
    for (int n = 1; n <= IDS_MAX; n++) {
        cleanup_free char *path = n == 1 ? xasprintf("%s/id", st->dir)
                                         : xasprintf("%s/id.%d", st->dir, n);
        cleanup_free char *lock = xasprintf("%s.lock", path);
        int fd = state_file_open(lock, O_RDWR | O_CREAT, err);

        if (fd < 0)
            return -1;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            st->lock_fd = fd;
            return remember(path, st->rack_id, sizeof(st->rack_id) - 1, err);
        }
        close(fd);
    }
    return err_set(err, ERR_CONFLICT, "%d racks run on %s already", IDS_MAX,
                   st->dir);
}

int store_open(struct store *st, const char *rack, struct err *err)
{
    const char *base = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    cleanup_free char *apps = NULL, *password = NULL;

    st->lock_fd = -1;
    if (base != NULL && base[0] == '/')
        st->dir = xasprintf("%s/cvx/%s", base, rack);
    else if (home != NULL && home[0] == '/')
        st->dir = xasprintf("%s/.local/state/cvx/%s", home, rack);
    else
        return err_set(err, ERR_SYSTEM,
                       "neither HOME nor XDG_STATE_HOME is "
                       "set: there is no place for state");
    apps = xasprintf("%s/apps", st->dir);
    password = xasprintf("%s/password", st->dir);
    if (state_dir_make(apps, err) < 0 || state_dir_close(st->dir, err) < 0 ||
        state_dir_close(apps, err) < 0 || take_id(st, err) < 0 ||
        remember(password, st->password, sizeof(st->password) - 1, err) < 0)
        return -1;
    return 0;
}

void store_release(struct store *st)
{
    if (st->dir != NULL && st->lock_fd >= 0)
        close(st->lock_fd);
    free(st->dir);
    *st = (struct store){ 0 };
}

/* ---- what is stored of an app -------------------------------------------- */

int store_env_load(const struct store *st, const char *app, struct env *env,
                   struct err *err)
{
    cleanup_free char *path = xasprintf("%s/apps/%s.env", st->dir, app);
    cleanup_str struct str text = { 0 };

    if (state_file_load(path, &text, err) < 0)
        return -1;
    env_parse(env, str_c(&text), text.len, false, STORE_ENV_SOURCE);
    return 0;
}

int store_env_save(const struct store *st, const char *app,
                   const struct env *env, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/apps/%s.env", st->dir, app);
    cleanup_str struct str text = { 0 };

    env_print(env, &text);
    return state_file_save(path, str_c(&text), text.len, true, err);
}

int store_timings_load(const struct store *st, const char *app, struct str *out,
                       struct err *err)
{
    cleanup_free char *path = xasprintf("%s/apps/%s.timings", st->dir, app);

    return state_file_load(path, out, err);
}

/* Losing the timings of one start to a power cut does no harm, so this does not
 * wait for the disk. */
int store_timings_save(const struct store *st, const char *app,
                       const struct str *text, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/apps/%s.timings", st->dir, app);

    return state_file_save(path, str_c(text), text->len, false, err);
}

/* ---- when a template was used -------------------------------------------- */

/* NULL when the name could lead out of the directory; else the caller frees
 * it. */
static char *mark_path(const struct store *st, const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *base = slash == NULL ? name : slash + 1;

    if (*base == '\0' || *base == '.')
        return NULL;
    return xasprintf("%s/templates/%s", st->dir, base);
}

int store_template_touch(const struct store *st, const char *name,
                         struct err *err)
{
    cleanup_free char *path = mark_path(st, name);
    cleanup_free char *dir = xasprintf("%s/templates", st->dir);
    int rc, fd;

    if (path == NULL)
        return err_set(err, ERR_INVALID, "not a template: \"%s\"", name);
    if (state_dir_make(dir, err) < 0 || state_dir_close(dir, err) < 0)
        return -1;
    fd = state_file_open(path, O_WRONLY | O_CREAT, err);
    if (fd < 0)
        return -1;
    rc = futimens(fd, NULL) == 0
             ? 0
             : err_set(err, ERR_SYSTEM, "cannot write %s: %s", path,
                       strerror(errno));
    close(fd);
    return rc;
}

int64_t store_template_used(const struct store *st, const char *name)
{
    cleanup_free char *path = mark_path(st, name);
    struct stat mark;

    if (path == NULL || lstat(path, &mark) < 0 || !S_ISREG(mark.st_mode))
        return 0;
    return mark.st_mtime;
}

void store_template_forget(const struct store *st, const char *name)
{
    cleanup_free char *path = mark_path(st, name);

    if (path != NULL)
        unlink(path);
}
