/*
 * tar -- writes a tar, in GNU's format: names are bytes of any length.
 *
 *     struct tar tar = { .fd = fd };      or -1: it stays in tar.bytes
 *     tar_add(&tar, &(struct tar_entry){ .path = "a", .mode = S_IFREG | 0644,
 *                                        .size = 5 });
 *     tar_data(&tar, "hello", 5);
 *     tar_end(&tar);
 *     tar_release(&tar);
 *
 * Why no library: libarchive needs libxml2, ICU and libstdc++ for formats that
 * are not used here; 2.5 MB of a process that shall be small.
 */
#ifndef ENGINE_TAR_H
#define ENGINE_TAR_H

#include <sys/types.h>
#include <time.h>

#include "base/str.h"

struct tar {
    int fd;
    struct str bytes;        /* not written yet; in memory: all of it */
    unsigned long long left; /* bytes that the last entry lacks */
    unsigned padding;        /* and the zeros after them */
};

/* All borrowed for the call; unused fields are zero. */
struct tar_entry {
    const char *path; /* relative; directories get a "/" */
    mode_t mode;      /* with its type: S_IFREG, S_IFDIR or S_IFLNK */
    long long uid, gid, size;
    time_t mtime;
    const char *link; /* of a symlink */
};

/* All of these: -1 with errno where the file cannot be written. */
int tar_add(struct tar *t, const struct tar_entry *e);

/* An entry's contents, in as many pieces as they come. What is more than its
 * size is cut, what is less is filled up with zeros: files may change while
 * they are read. */
int tar_data(struct tar *t, const void *data, size_t len);

int tar_end(struct tar *t);

void tar_release(struct tar *t);

#endif /* ENGINE_TAR_H */
