/*
 * state_file -- private to store/: small files that are the user's alone, in
 * directories that are the user's alone.
 *
 * Every function refuses what somebody else may have put in a file's place: a
 * symbolic link, a FIFO, a directory, another user's file. A file or directory
 * of ours that others may read is closed to them on the way.
 */
#ifndef STORE_STATE_FILE_H
#define STORE_STATE_FILE_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct str;

/* Makes the directory and its parents (0700). */
int state_dir_make(const char *path, struct err *err);

/* An existing directory becomes 0700; an error when it is another user's. */
int state_dir_close(const char *path, struct err *err);

/* A descriptor for the caller to close; -1 with *err. `flags` as for open(). */
int state_file_open(const char *path, int flags, struct err *err);

/* Adds the file's text to `out`; a missing file is an empty one. A file of
 * more than 4 MiB is an error, because half of it would be written back one
 * day. */
int state_file_load(const char *path, struct str *out, struct err *err);

/*
 * Replaces the file at once (write, then rename): a reader sees the old text or
 * the new one. `lasting`: it is on the disk when this returns and survives a
 * power cut, which takes its time.
 */
int state_file_save(const char *path, const char *text, size_t len,
                    bool lasting, struct err *err);

#endif /* STORE_STATE_FILE_H */
