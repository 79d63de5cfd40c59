/*
 * tmp_dir -- a directory of a test's own, and files in it.
 *
 *     struct tmp_dir dir;
 *
 *     tmp_dir_init(&dir);
 *     tmp_dir_put(&dir, "app/convox.yml", "services:\n", 0644);
 *     ...
 *     tmp_dir_release(&dir);      with all that is in it
 */
#ifndef TESTS_TMP_DIR_H
#define TESTS_TMP_DIR_H

#include <sys/types.h>

struct tmp_dir {
    char path[40]; /* short: sockets are made in it */
};

/* Both fail the test when they cannot. */
void tmp_dir_init(struct tmp_dir *dir);
void tmp_dir_release(struct tmp_dir *dir);

/* The path of `name` in it, which need not exist ("": its own). The caller
 * frees it. */
char *tmp_dir_path(const struct tmp_dir *dir, const char *name);

/* The same, and the directories above it exist. */
char *tmp_dir_parents(const struct tmp_dir *dir, const char *name);

/* A file with this text and mode; the directories above it are made. */
void tmp_dir_put(const struct tmp_dir *dir, const char *name, const char *text,
                 mode_t mode);

/* The permission bits of what is there. */
mode_t tmp_dir_mode(const struct tmp_dir *dir, const char *name);

#endif /* TESTS_TMP_DIR_H */
