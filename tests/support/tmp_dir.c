#include "support/tmp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

void tmp_dir_init(struct tmp_dir *dir)
{
    snprintf(dir->path, sizeof(dir->path), "/tmp/cvx-test-XXXXXX");
    assert_non_null(mkdtemp(dir->path));
}

static int remove_one(const char *path, const struct stat *st, int flag,
                      struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void tmp_dir_release(struct tmp_dir *dir)
{
    assert_int_equal(nftw(dir->path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

char *tmp_dir_path(const struct tmp_dir *dir, const char *name)
{
    return xasprintf("%s%s%s", dir->path, *name == '\0' ? "" : "/", name);
}

char *tmp_dir_parents(const struct tmp_dir *dir, const char *name)
{
    char *full = tmp_dir_path(dir, name);

    for (char *p = full + strlen(dir->path) + 1; *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        mkdir(full, 0755);
        *p = '/';
    }
    return full;
}

void tmp_dir_put(const struct tmp_dir *dir, const char *name, const char *text,
                 mode_t mode)
{
    cleanup_free char *full = tmp_dir_parents(dir, name);
    FILE *file = fopen(full, "we");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(full, mode), 0);
}

mode_t tmp_dir_mode(const struct tmp_dir *dir, const char *name)
{
    cleanup_free char *full = tmp_dir_path(dir, name);
    struct stat st;

    assert_int_equal(stat(full, &st), 0);
    return st.st_mode & 07777;
}
