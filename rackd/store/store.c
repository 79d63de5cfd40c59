#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/env.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"

/* So many rackds may share one directory. */
#define IDS_MAX 64

/* A stored environment larger than this is not ours. */
#define STATE_FILE_MAX ((size_t)4 << 20)

static int make_dirs(const char *path, struct err *err)
{
    cleanup_free char *part = xstrdup(path);

    for (char *c = part + 1; *c != '\0'; c++) {
        if (*c != '/')
            continue;
        *c = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return err_set(err, ERR_SYSTEM, "cannot make %s: %s", part,
                           strerror(errno));
        *c = '/';
    }
    if (mkdir(part, 0700) < 0 && errno != EEXIST)
        return err_set(err, ERR_SYSTEM, "cannot make %s: %s", part,
                       strerror(errno));
    return 0;
}

/* It may have been made by hand. */
static int make_private(const char *dir, struct err *err)
{
    struct stat st;

    if (lstat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID, "not a directory: %s", dir);
    if (st.st_uid != geteuid())
        return err_set(err, ERR_INVALID,
                       "%s belongs to another user (uid %u): is "
                       "XDG_STATE_HOME, or HOME, yours?",
                       dir, (unsigned)st.st_uid);
    if ((st.st_mode & 0777) != 0700 && chmod(dir, 0700) < 0)
        return err_set(err, ERR_SYSTEM, "others may read %s: %s", dir,
                       strerror(errno));
    return 0;
}

/* Ours alone, and no link to elsewhere; -1 with errno. */
static int open_private(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
        ((st.st_mode & 0777) == 0600 || fchmod(fd, 0600) == 0))
        return fd;
    close(fd);
    errno = S_ISDIR(st.st_mode) ? EISDIR : EPERM;
    return -1;
}

static const char *why_not(int code)
{
    return code == ELOOP   ? "it is a link: remove it"
           : code == EPERM ? "it is no file of yours: remove it"
                           : strerror(code);
}

/* A missing file is an empty one. */
static int load(const char *path, struct str *out, struct err *err)
{
    int rc, fd = open_private(path, O_RDONLY);

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return err_set(err, ERR_SYSTEM, "cannot read %s: %s", path,
                       why_not(errno));
    rc = file_read_fd(out, fd, path, STATE_FILE_MAX, err);
    close(fd);
    return rc;
}

static bool write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* `lasting`: it must be there after the power went, which takes its time. */
static int save(const char *path, const char *text, size_t len, bool lasting,
                struct err *err)
{
    cleanup_free char *temp = xasprintf("%s.new", path);
    bool ok;
    int fd;

    unlink(temp); /* what a write that was cut short left, or a link */
    fd = open_private(temp, O_WRONLY | O_CREAT | O_EXCL);
    ok = fd >= 0 && write_all(fd, text, len) && (!lasting || fsync(fd) == 0);
    if (fd >= 0)
        close(fd);
    if (ok && rename(temp, path) == 0)
        return 0;
    return err_set(err, ERR_SYSTEM, "cannot write %s: %s", path,
                   strerror(errno));
}

/* The file's first `len` characters, made up and stored on the first use. */
static int remember(const char *path, char *out, unsigned len, struct err *err)
{
    cleanup_str struct str text = { 0 };

    if (load(path, &text, err) < 0)
        return -1;
    if (text.len >= len && strspn(str_c(&text), RANDOM_HEX) >= len) {
        memcpy(out, str_c(&text), len);
        out[len] = '\0';
        return 0;
    }
    random_text(out, len, RANDOM_HEX);
    return save(path, out, len, true, err);
}

/* Two rackds may share this directory (two values of XDG_RUNTIME_DIR). They
 * must not share an id, or each would sweep the other's containers away as
 * leftovers; so the first free id is taken, and locked as long as we live. */
static int take_id(struct store *st, struct err *err)
{
    for (int n = 1; n <= IDS_MAX; n++) {
        cleanup_free char *path = n == 1 ? xasprintf("%s/id", st->dir)
                                         : xasprintf("%s/id.%d", st->dir, n);
        cleanup_free char *lock = xasprintf("%s.lock", path);
        int fd = open_private(lock, O_RDWR | O_CREAT);

        if (fd < 0)
            return err_set(err, ERR_SYSTEM, "cannot write %s: %s", lock,
                           why_not(errno));
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
    if (make_dirs(apps, err) < 0 || make_private(st->dir, err) < 0 ||
        make_private(apps, err) < 0 || take_id(st, err) < 0 ||
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

int store_env_load(const struct store *st, const char *app, struct env *env,
                   struct err *err)
{
    cleanup_free char *path = xasprintf("%s/apps/%s.env", st->dir, app);
    cleanup_str struct str text = { 0 };

    if (load(path, &text, err) < 0)
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
    return save(path, str_c(&text), text.len, true, err);
}

int store_timings_load(const struct store *st, const char *app, struct str *out,
                       struct err *err)
{
    cleanup_free char *path = xasprintf("%s/apps/%s.timings", st->dir, app);

    return load(path, out, err);
}

/* One start's less is no loss: the disk is not waited for. */
int store_timings_save(const struct store *st, const char *app,
                       const struct str *text, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/apps/%s.timings", st->dir, app);

    return save(path, str_c(text), text->len, false, err);
}
