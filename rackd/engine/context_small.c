#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "engine/context.h"
#include "engine/tar.h"

/* In memory nothing can fail. */
static void add_text(struct tar *tar, const char *path, mode_t mode,
                     const void *text, size_t len)
{
    tar_add(tar, &(struct tar_entry){ .path = path,
                                      .mode = S_IFREG | mode,
                                      .size = (long long)len });
    tar_data(tar, text, len);
}

static char *take(struct tar *tar, size_t *len)
{
    tar_end(tar);
    *len = tar->bytes.len;
    return str_take(&tar->bytes);
}

char *context_files(size_t *len, const struct strv *paths,
                    const struct strv *texts)
{
    struct tar tar = { .fd = -1 };

    for (size_t i = 0; i < paths->len; i++)
        add_text(&tar, paths->v[i], str_starts(texts->v[i], "#!") ? 0755 : 0644,
                 texts->v[i], strlen(texts->v[i]));
    return take(&tar, len);
}

char *context_program(size_t *len, const char *name, const void *program,
                      size_t size)
{
    struct tar tar = { .fd = -1 };

    add_text(&tar, name, 0755, program, size);
    return take(&tar, len);
}

char *context_directory(size_t *len, const char *path, long uid, long gid,
                        unsigned mode)
{
    struct tar tar = { .fd = -1 };

    while (*path == '/')
        path++;
    tar_add(&tar, &(struct tar_entry){ .path = path,
                                       .mode = S_IFDIR | (mode & 07777),
                                       .uid = uid,
                                       .gid = gid });
    return take(&tar, len);
}
