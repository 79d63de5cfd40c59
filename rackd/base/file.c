/* Reads a small file whole: manifests, environments, Dockerfiles, the docker
 * CLI's configuration, state files, and files of /proc. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"

#define BLOCK 16384

static int too_large(const char *shown, long long size, size_t max,
                     struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "%s is too large: %lld bytes; at most %zu are read", shown,
                   size, max);
}

/* A file of /proc has size 0 and text all the same, and any file may grow
 * while it is read: the size that fstat() tells is only a first check. */
int file_read_fd(struct str *out, int fd, const char *shown, size_t max,
                 struct err *err)
{
    size_t before = out->len;
    char buf[BLOCK];
    struct stat st;
    ssize_t n;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "%s is not a file", shown);
    if ((unsigned long long)st.st_size > max)
        return too_large(shown, (long long)st.st_size, max, err);
    for (;;) {
        n = read(fd, buf, sizeof(buf));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_SYSTEM, "cannot read %s: %s", shown,
                           strerror(errno));
        if (n == 0)
            return 0;
        if (out->len - before + (size_t)n > max)
            return too_large(shown, (long long)(out->len - before) + n, max,
                             err);
        str_add_len(out, buf, (size_t)n);
    }
}

/* O_NONBLOCK, because opening a FIFO would wait for its other end. */
static int open_to_read(const char *path)
{
    int fd;

    do
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    return fd;
}

int file_read(struct str *out, const char *path, const char *shown, size_t max,
              struct err *err)
{
    int rc, fd = open_to_read(path);

    if (fd < 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "open %s: no such file or directory",
                       shown);
    if (fd < 0)
        return err_set(err, ERR_SYSTEM, "open %s: %s", shown, strerror(errno));
    rc = file_read_fd(out, fd, shown, max, err);
    close(fd);
    return rc;
}
