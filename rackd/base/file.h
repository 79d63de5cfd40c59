/*
 * file -- a small file read whole.
 *
 *     cleanup_str struct str text = { 0 };
 *     if (file_read(&text, path, path, FILE_MAX, err) < 0)
 *         return -1;
 *
 * It blocks, as disks do: what may lie on a slow network is read from
 * uv_queue_work(). A FIFO or a device is refused instead of waited for.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>

struct err;
struct str;

/*
 * Adds the file's bytes to `out`; messages call it `shown`. Errors:
 * ERR_NOT_FOUND when there is none, ERR_INVALID when it is no regular file or
 * has more than `max` bytes, ERR_SYSTEM else. `out` may have part of the file
 * then.
 */
int file_read(struct str *out, const char *path, const char *shown, size_t max,
              struct err *err);

/* The same of a descriptor, from where it stands; it stays the caller's. */
int file_read_fd(struct str *out, int fd, const char *shown, size_t max,
                 struct err *err);

#endif /* BASE_FILE_H */
