/* context_directory(): a tar of one directory entry. run/ extracts it into a
 * container to set the owner and mode of an efs volume. */
#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/context.h"

/* Room for one head and the two empty blocks at the end. */
#define TAR_MAX 4096

static void describe(struct archive_entry *entry, const char *path, long uid,
                     long gid, unsigned mode)
{
    while (*path == '/')
        path++;
    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, S_IFDIR);
    archive_entry_set_perm(entry, mode & 07777);
    archive_entry_set_uid(entry, uid);
    archive_entry_set_gid(entry, gid);
}

int context_directory(char **out, size_t *len, const char *path, long uid,
                      long gid, unsigned mode, struct err *err)
{
    struct archive *tar = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    char *bytes = xcalloc(1, TAR_MAX);
    int rc;

    archive_write_set_format_pax_restricted(tar);
    archive_write_set_bytes_in_last_block(tar, 1);
    describe(entry, path, uid, gid, mode);
    rc = archive_write_open_memory(tar, bytes, TAR_MAX, len);
    if (rc == ARCHIVE_OK)
        rc = archive_write_header(tar, entry);
    if (rc == ARCHIVE_OK)
        rc = archive_write_close(tar);
    if (rc != ARCHIVE_OK)
        err_set(err, ERR_SYSTEM, "cannot write a tar: %s",
                archive_error_string(tar));
    archive_entry_free(entry);
    archive_write_free(tar);
    if (rc == ARCHIVE_OK)
        *out = bytes;
    else
        free(bytes);
    return rc == ARCHIVE_OK ? 0 : -1;
}
