/* Opens, reads and replaces the store's files. Called by store.c alone, from
 * the loop's thread: the files are small and on a local disk. */
#include "store/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

/* A file larger than this is not one of ours. */
#define STATE_FILE_MAX ((size_t)4 << 20)

static int make_one(const char *path, struct err *err)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return err_set(err, ERR_SYSTEM, "cannot make %s: %s", path,
                       strerror(errno));
    return 0;
}

int state_dir_make(const char *path, struct err *err)
{
    cleanup_free char *part = xstrdup(path);

    for (char *c = part + 1; *c != '\0'; c++) {
        if (*c != '/')
            continue;
        *c = '\0';
        if (make_one(part, err) < 0)
            return -1;
        *c = '/';
    }
    return make_one(part, err);
}

/* The user may have made it by hand, with the usual mode. */
int state_dir_close(const char *path, struct err *err)
{
    struct stat st;

    if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID, "not a directory: %s", path);
    if (st.st_uid != geteuid())
        return err_set(err, ERR_INVALID,
                       "%s belongs to another user (uid %u): is "
                       "XDG_STATE_HOME, or HOME, yours?",
                       path, (unsigned)st.st_uid);
    if ((st.st_mode & 0777) != 0700 && chmod(path, 0700) < 0)
        return err_set(err, ERR_SYSTEM, "others may read %s: %s", path,
                       strerror(errno));
    return 0;
}

/* -1 with errno: EPERM for what is no file of ours. */
static int open_private(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    struct stat st = { 0 };

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

int state_file_open(const char *path, int flags, struct err *err)
{
    int fd = open_private(path, flags);

    if (fd < 0)
        err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM,
                "cannot %s %s: %s",
                (flags & O_ACCMODE) == O_RDONLY ? "read" : "write", path,
                why_not(errno));
    return fd;
}

int state_file_load(const char *path, struct str *out, struct err *err)
{
    struct err local = { 0 };
    int rc, fd = state_file_open(path, O_RDONLY, &local);

    if (fd < 0 && local.code == ERR_NOT_FOUND)
        return 0;
    if (fd < 0) {
        *err = local;
        return -1;
    }
    rc = file_read_fd(out, fd, path, STATE_FILE_MAX, err);
    close(fd);
    return rc;
}

static bool write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

int state_file_save(const char *path, const char *text, size_t len,
                    bool lasting, struct err *err)
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
