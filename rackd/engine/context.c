/* Packs a build's context into a tar (libarchive), and makes small tars in
 * memory. run/build.c calls context_pack() on a thread of libuv's pool, since
 * it reads the disk; the others return at once. */
#include "engine/context.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
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
#include "engine/dockerfile.h"
#include "engine/ignore.h"
#include "engine/path_clean.h"

/* No Dockerfile is larger, and no tree of a project is deeper. */
#define TEXT_MAX  ((size_t)4 << 20)
#define DEPTH_MAX 256

/* Name of the Dockerfile in the tar when it lies outside of the context. */
#define OUTSIDE ".cvx.Dockerfile"

struct pack {
    struct archive *tar;
    struct ignore *ignore;
    const char *dir;
    const char *name; /* name of the Dockerfile in the tar */
    const char *text; /* text of the Dockerfile, as it is to be written */
    size_t text_len;
    bool has_dockerfile; /* it has been written to the tar */
    struct err *err;
};

/* A directory that is being walked. Its own entry is written before the first
 * entry within it, and not at all when all of them are ignored. */
struct level {
    struct level *up;
    int fd;
    const char *path; /* "" at the top */
    struct stat st;
    bool written;
    unsigned depth;
};

static int walk(struct pack *p, struct level *level);

/* ---- entries ------------------------------------------------------------- */

static int tar_fail(struct pack *p, const char *path)
{
    return err_set(p->err, ERR_SYSTEM, "packing %s/%s: %s", p->dir, path,
                   archive_error_string(p->tar));
}

static int write_head(struct pack *p, const char *path, const struct stat *st,
                      const char *link, long long size)
{
    struct archive_entry *entry = archive_entry_new();
    int rc;

    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, st->st_mode & S_IFMT);
    archive_entry_set_perm(entry, st->st_mode & 07777);
    archive_entry_set_mtime(entry, st->st_mtime, 0);
    archive_entry_set_uid(entry, 0);
    archive_entry_set_gid(entry, 0);
    if (link != NULL)
        archive_entry_set_symlink(entry, link);
    archive_entry_set_size(entry, size);
    rc = archive_write_header(p->tar, entry);
    archive_entry_free(entry);
    return rc < ARCHIVE_WARN ? tar_fail(p, path) : 0;
}

/* NOLINTBEGIN(misc-no-recursion): a tree is walked, at most DEPTH_MAX deep. */
static int write_parents(struct pack *p, struct level *level)
{
    if (level->written)
        return 0;
    level->written = true;
    if (write_parents(p, level->up) < 0)
        return -1;
    return write_head(p, level->path, &level->st, NULL, 0);
}

/* NOLINTEND(misc-no-recursion) */

static int write_text(struct pack *p, const char *path, const char *text,
                      size_t len, mode_t mode)
{
    struct stat st = { .st_mode = S_IFREG | mode };

    if (write_head(p, path, &st, NULL, (long long)len) < 0)
        return -1;
    if (archive_write_data(p->tar, text, len) < 0)
        return tar_fail(p, path);
    return 0;
}

static int write_file(struct pack *p, struct level *level, const char *name,
                      const char *path, const struct stat *st)
{
    int fd = openat(level->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char buf[65536];
    ssize_t n;
    int rc;

    if (fd < 0)
        return err_set(p->err, ERR_INVALID, "cannot read %s/%s: %s", p->dir,
                       path, strerror(errno));
    rc = write_head(p, path, st, NULL, st->st_size);
    /* A file may grow or shrink while it is read. libarchive cuts the one
     * and fills the other up with zeros, so that the size in its head stays
     * true. */
    while (rc == 0 && (n = read(fd, buf, sizeof(buf))) > 0) {
        if (archive_write_data(p->tar, buf, (size_t)n) < 0)
            rc = tar_fail(p, path);
    }
    close(fd);
    return rc;
}

static int write_link(struct pack *p, struct level *level, const char *name,
                      const char *path, const struct stat *st)
{
    char target[4097];
    ssize_t n = readlinkat(level->fd, name, target, sizeof(target) - 1);

    if (n < 0)
        return err_set(p->err, ERR_INVALID, "cannot read %s/%s: %s", p->dir,
                       path, strerror(errno));
    target[n] = '\0';
    return write_head(p, path, st, target, 0);
}

/* ---- the tree ------------------------------------------------------------ */

/* The engine needs both files, and removes them itself from what COPY sees: so
 * they are sent even when they are ignored. */
static bool is_needed(const struct pack *p, const char *path)
{
    return strcmp(path, p->name) == 0 || strcmp(path, ".dockerignore") == 0;
}

static bool is_above_dockerfile(const struct pack *p, const char *path)
{
    size_t len = strlen(path);

    return strncmp(p->name, path, len) == 0 && p->name[len] == '/';
}

/* NOLINTBEGIN(misc-no-recursion): as above. */
static int take_dir(struct pack *p, struct level *up, const char *name,
                    const char *path, const struct stat *st, bool ignored)
{
    struct level level = {
        .up = up, .path = path, .st = *st, .depth = up->depth + 1
    };
    int rc = 0;

    if (ignored && ignore_can_skip(p->ignore, path) &&
        !is_above_dockerfile(p, path))
        return 0;
    if (level.depth > DEPTH_MAX)
        return err_set(p->err, ERR_INVALID, "%s/%s: too deep", p->dir, path);
    if (!ignored)
        rc = write_parents(p, &level);
    level.fd =
        openat(up->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (rc == 0 && level.fd < 0)
        rc = err_set(p->err, ERR_INVALID, "cannot read %s/%s: %s", p->dir, path,
                     strerror(errno));
    if (rc == 0)
        rc = walk(p, &level);
    if (level.fd >= 0)
        close(level.fd);
    return rc;
}

static int take_entry(struct pack *p, struct level *level, const char *name)
{
    cleanup_free char *path = *level->path == '\0'
                                  ? xstrdup(name)
                                  : xasprintf("%s/%s", level->path, name);
    bool ignored = ignore_match(p->ignore, path) && !is_needed(p, path);
    struct stat st;

    if (fstatat(level->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0; /* removed since the directory was read */
    if (S_ISDIR(st.st_mode))
        return take_dir(p, level, name, path, &st, ignored);
    if (ignored)
        return 0;
    if (write_parents(p, level) < 0)
        return -1;
    if (strcmp(path, p->name) == 0) {
        p->has_dockerfile = true;
        return write_text(p, path, p->text, p->text_len, 0644);
    }
    if (S_ISREG(st.st_mode))
        return write_file(p, level, name, path, &st);
    if (S_ISLNK(st.st_mode))
        return write_link(p, level, name, path, &st);
    return 0; /* sockets, pipes and devices are of no use in an image */
}

static int walk(struct pack *p, struct level *level)
{
    cleanup_strv struct strv names = { 0 };
    int fd = dup(level->fd), rc = 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *d;

    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return err_set(p->err, ERR_SYSTEM, "cannot read %s/%s: %s", p->dir,
                       level->path, strerror(errno));
    }
    while ((d = readdir(dir)) != NULL) {
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            strv_add(&names, d->d_name);
    }
    closedir(dir);
    strv_sort(&names);
    for (size_t i = 0; rc == 0 && i < names.len; i++)
        rc = take_entry(p, level, names.v[i]);
    return rc;
}

/* NOLINTEND(misc-no-recursion) */

/* ---- a context ----------------------------------------------------------- */

/* Reads DOCKERFILE.dockerignore, else .dockerignore, else nothing. */
static struct ignore *read_ignore(const char *dir, const char *dockerfile)
{
    cleanup_str struct str text = { 0 };
    cleanup_free char *own = xasprintf("%s.dockerignore", dockerfile);
    cleanup_free char *path = xasprintf("%s/.dockerignore", dir);
    struct err err;

    if (file_read(&text, own, own, TEXT_MAX, &err) < 0) {
        str_cut(&text, 0);
        if (file_read(&text, path, path, TEXT_MAX, &err) < 0)
            str_cut(&text, 0);
    }
    return ignore_new(str_c(&text), text.len);
}

/* Opens a file without a name: it disappears with its descriptor, whatever ends
 * rackd. */
static int open_unlinked(struct err *err)
{
    const char *dir = getenv("TMPDIR");
    cleanup_free char *path = NULL;
    int fd;

    if (dir == NULL || *dir == '\0')
        dir = "/tmp";
    fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    path = xasprintf("%s/cvx-context-XXXXXX", dir);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return err_set(err, ERR_SYSTEM, "cannot make a file in %s: %s", dir,
                       strerror(errno));
    unlink(path);
    return fd;
}

static struct archive *tar_new(void)
{
    struct archive *tar = archive_write_new();

    /* The gnutar format takes names as bytes; pax would convert them from the
     * charset of the locale, and fail. */
    archive_write_set_format_gnutar(tar);
    archive_write_add_filter_none(tar);
    return tar;
}

static int write_tree(struct pack *p, int out)
{
    struct level top = { .path = "", .written = true };
    int rc;

    top.fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top.fd < 0)
        return err_set(p->err, ERR_INVALID, "cannot read directory %s: %s",
                       p->dir, strerror(errno));
    p->tar = tar_new();
    rc =
        archive_write_open_fd(p->tar, out) < ARCHIVE_WARN ? tar_fail(p, "") : 0;
    if (rc == 0)
        rc = walk(p, &top);
    if (rc == 0 && !p->has_dockerfile)
        rc = write_text(p, p->name, p->text, p->text_len, 0644);
    if (rc == 0 && archive_write_close(p->tar) < ARCHIVE_WARN)
        rc = tar_fail(p, "");
    archive_write_free(p->tar);
    close(top.fd);
    return rc;
}

int context_pack(int *fd, char **dockerfile_name, const char *dir,
                 const char *dockerfile, const struct strv *replace,
                 struct err *err)
{
    cleanup_free char *name =
        path_clean(dockerfile == NULL ? "Dockerfile" : dockerfile);
    cleanup_free char *path =
        *name == '/' ? xstrdup(name) : xasprintf("%s/%s", dir, name);
    cleanup_str struct str text = { 0 }, changed = { 0 };
    struct pack p = { .dir = dir, .name = name, .err = err };
    struct stat st;
    int rc;

    if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID, "%s: there is no such directory", dir);
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "%s: there is no such Dockerfile",
                       path);
    if (file_read(&text, path, path, TEXT_MAX, err) < 0)
        return -1;
    if (replace != NULL && replace->len > 0)
        dockerfile_rewrite(&changed, str_c(&text), text.len, replace);
    p.text = changed.len > 0 ? str_c(&changed) : str_c(&text);
    p.text_len = changed.len > 0 ? changed.len : text.len;
    if (*name == '/' || str_starts(name, "../"))
        p.name = OUTSIDE;
    *fd = open_unlinked(err);
    if (*fd < 0)
        return -1;
    p.ignore = read_ignore(dir, path);
    rc = write_tree(&p, *fd);
    ignore_free(p.ignore);
    if (rc < 0) {
        close(*fd);
        *fd = -1;
        return -1;
    }
    *dockerfile_name = xstrdup(p.name);
    return 0;
}

/* ---- small files --------------------------------------------------------- */

static la_ssize_t on_bytes(struct archive *tar, void *user, const void *data,
                           size_t len)
{
    (void)tar;
    str_add_len(user, data, len);
    return (la_ssize_t)len;
}

/* Opens a tar in memory. memory_close() hands out what was written to it, or
 * drops it when `rc` says that something failed. */
static int memory_open(struct pack *p, struct str *bytes, struct err *err)
{
    *p = (struct pack){ .tar = tar_new(), .dir = "", .err = err };
    archive_write_set_bytes_in_last_block(p->tar, 1);
    if (archive_write_open(p->tar, bytes, NULL, on_bytes, NULL) < ARCHIVE_WARN)
        return tar_fail(p, "");
    return 0;
}

static int memory_close(struct pack *p, struct str *bytes, int rc, char **out,
                        size_t *len)
{
    if (rc == 0 && archive_write_close(p->tar) < ARCHIVE_WARN)
        rc = tar_fail(p, "");
    archive_write_free(p->tar);
    if (rc < 0) {
        str_release(bytes);
        return -1;
    }
    *len = bytes->len;
    *out = str_take(bytes);
    return 0;
}

int context_files(char **out, size_t *len, const struct strv *paths,
                  const struct strv *texts, struct err *err)
{
    struct str bytes = { 0 };
    struct pack p;
    int rc = memory_open(&p, &bytes, err);

    for (size_t i = 0; rc == 0 && i < paths->len; i++)
        rc = write_text(&p, paths->v[i], texts->v[i], strlen(texts->v[i]),
                        str_starts(texts->v[i], "#!") ? 0755 : 0644);
    return memory_close(&p, &bytes, rc, out, len);
}

int context_program(char **out, size_t *len, const char *name,
                    const void *program, size_t size, struct err *err)
{
    struct str bytes = { 0 };
    struct pack p;
    int rc = memory_open(&p, &bytes, err);

    if (rc == 0)
        rc = write_text(&p, name, program, size, 0755);
    return memory_close(&p, &bytes, rc, out, len);
}
