/* The tars that are written here, read by libarchive. */
#include "engine/tar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/context.h"

struct fix {
    struct tar tar;
    struct archive *reader;
    struct archive_entry *entry;
    char *bytes;
};

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));

    f->tar.fd = -1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;

    if (f->reader != NULL)
        archive_read_free(f->reader);
    tar_release(&f->tar);
    free(f->bytes);
    free(f);
    return 0;
}

static void open_reader(struct fix *f, const char *bytes, size_t len)
{
    f->reader = archive_read_new();
    archive_read_support_format_tar(f->reader);
    assert_int_equal(archive_read_open_memory(f->reader, bytes, len),
                     ARCHIVE_OK);
}

/* The next entry is this one. */
static void next_is(struct fix *f, const char *path)
{
    assert_int_equal(archive_read_next_header(f->reader, &f->entry),
                     ARCHIVE_OK);
    assert_string_equal(archive_entry_pathname(f->entry), path);
}

static void has_text(struct fix *f, const char *text, size_t len)
{
    char got[64];

    assert_int_equal(archive_read_data(f->reader, got, sizeof(got)), len);
    assert_memory_equal(got, text, len);
}

static void ends(struct fix *f)
{
    assert_int_equal(archive_read_next_header(f->reader, &f->entry),
                     ARCHIVE_EOF);
}

static void add(struct fix *f, const char *path, const char *text,
                long long size)
{
    struct tar_entry e = { .path = path, .mode = S_IFREG, .size = size };

    assert_int_equal(tar_add(&f->tar, &e), 0);
    assert_int_equal(tar_data(&f->tar, text, strlen(text)), 0);
}

static void end(struct fix *f)
{
    assert_int_equal(tar_end(&f->tar), 0);
    assert_int_equal(f->tar.bytes.len % 512, 0);
    open_reader(f, f->tar.bytes.s, f->tar.bytes.len);
}

static void contents_follow_their_entries(void **state)
{
    struct fix *f = *state;

    add(f, "one", "1", 1);
    add(f, "none", "", 0);
    add(f, "two", "22", 2);
    end(f);
    next_is(f, "one");
    has_text(f, "1", 1);
    next_is(f, "none");
    has_text(f, "", 0);
    next_is(f, "two");
    has_text(f, "22", 2);
    ends(f);
}

static void file_that_grew_is_cut_and_one_that_shrank_is_filled_up(void **state)
{
    struct fix *f = *state;

    add(f, "grew", "123456", 3);
    assert_int_equal(tar_data(&f->tar, "789", 3), 0);
    add(f, "shrank", "12", 5);
    add(f, "after", "x", 1);
    end(f);
    next_is(f, "grew");
    has_text(f, "123", 3);
    next_is(f, "shrank");
    has_text(f, "12\0\0\0", 5);
    next_is(f, "after");
    has_text(f, "x", 1);
    ends(f);
}

static void entry_keeps_its_type_mode_time_and_owner(void **state)
{
    struct fix *f = *state;
    struct tar_entry dir = { .path = "d",
                             .mode = S_IFDIR | 01750,
                             .uid = 1000,
                             .gid = 2000,
                             .mtime = 1700000000 };

    assert_int_equal(tar_add(&f->tar, &dir), 0);
    end(f);
    next_is(f, "d/");
    assert_int_equal(archive_entry_filetype(f->entry), AE_IFDIR);
    assert_int_equal(archive_entry_perm(f->entry), 01750);
    assert_int_equal(archive_entry_uid(f->entry), 1000);
    assert_int_equal(archive_entry_gid(f->entry), 2000);
    assert_int_equal(archive_entry_mtime(f->entry), 1700000000);
    ends(f);
}

/* Past what octal digits can say, and before 1970. */
static void numbers_may_be_large_and_negative(void **state)
{
    static const long long sizes[] = { 0777777777777, 01000000000000,
                                       1LL << 40 };
    struct tar_entry e = { .path = "e",
                           .mode = S_IFREG,
                           .uid = 4294967294,
                           .gid = 2097152,
                           .mtime = -2 };

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct fix *f = *state;

        e.size = sizes[i];
        f->tar.left = f->tar.padding = 0; /* nobody writes that much */
        assert_int_equal(tar_add(&f->tar, &e), 0);
        open_reader(f, f->tar.bytes.s, f->tar.bytes.len);
        next_is(f, "e");
        assert_int_equal(archive_entry_size(f->entry), sizes[i]);
        assert_int_equal(archive_entry_uid(f->entry), 4294967294);
        assert_int_equal(archive_entry_gid(f->entry), 2097152);
        assert_int_equal(archive_entry_mtime(f->entry), -2);
        archive_read_free(f->reader);
        f->reader = NULL;
        str_cut(&f->tar.bytes, 0);
    }
}

static char *repeat(char c, size_t len)
{
    char *text = xcalloc(1, len + 1);

    memset(text, c, len);
    return text;
}

static void names_and_links_of_every_length_come_back(void **state)
{
    static const size_t lengths[] = { 1, 98, 99, 100, 101, 511, 512, 4000 };
    const size_t count = sizeof(lengths) / sizeof(*lengths);
    struct fix *f = *state;

    for (size_t i = 0; i < count; i++) {
        cleanup_free char *name = repeat('n', lengths[i]);
        cleanup_free char *link = repeat('l', lengths[i]);
        struct tar_entry e = { .path = name, .mode = S_IFLNK, .link = link };

        add(f, name, "x", 1);
        assert_int_equal(tar_add(&f->tar, &e), 0);
    }
    end(f);
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *name = repeat('n', lengths[i]);
        cleanup_free char *link = repeat('l', lengths[i]);

        next_is(f, name);
        has_text(f, "x", 1);
        next_is(f, name);
        assert_string_equal(archive_entry_symlink(f->entry), link);
    }
    ends(f);
}

static void large_file_goes_to_the_descriptor(void **state)
{
    struct fix *f = *state;
    size_t size = 300001, len;
    cleanup_free char *data = xcalloc(1, size), *got = xcalloc(1, size);

    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 7);
    f->tar.fd = memfd_create("tar", MFD_CLOEXEC);
    tar_add(&f->tar, &(struct tar_entry){ .path = "large",
                                          .mode = S_IFREG,
                                          .size = (long long)size });
    for (size_t at = 0; at < size; at += len) {
        len = size - at < 10000 ? size - at : 10000;
        assert_int_equal(tar_data(&f->tar, data + at, len), 0);
        assert_true(f->tar.bytes.len < 128 << 10);
    }
    assert_int_equal(tar_end(&f->tar), 0);
    len = (size_t)lseek(f->tar.fd, 0, SEEK_END);
    f->bytes = xcalloc(1, len);
    assert_int_equal(pread(f->tar.fd, f->bytes, len, 0), len);
    close(f->tar.fd);
    open_reader(f, f->bytes, len);
    next_is(f, "large");
    assert_int_equal(archive_read_data(f->reader, got, size), size);
    assert_memory_equal(got, data, size);
    ends(f);
}

static void full_disk_is_an_error(void **state)
{
    struct fix *f = *state;

    f->tar.fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(f->tar.fd >= 0);
    add(f, "a", "a", 1);
    assert_int_equal(tar_end(&f->tar), -1);
    assert_int_equal(errno, ENOSPC);
    close(f->tar.fd);
}

static void directory_has_its_owner_and_mode(void **state)
{
    struct fix *f = *state;
    size_t len;

    f->bytes = context_directory(&len, "/var/data", 999, 998, 0750);
    open_reader(f, f->bytes, len);
    next_is(f, "var/data/");
    assert_int_equal(archive_entry_filetype(f->entry), AE_IFDIR);
    assert_int_equal(archive_entry_perm(f->entry), 0750);
    assert_int_equal(archive_entry_uid(f->entry), 999);
    assert_int_equal(archive_entry_gid(f->entry), 998);
    ends(f);
}

static void program_is_executable(void **state)
{
    struct fix *f = *state;
    size_t len;

    f->bytes = context_program(&len, "reaper", "\177ELF", 4);
    open_reader(f, f->bytes, len);
    next_is(f, "reaper");
    assert_int_equal(archive_entry_perm(f->entry), 0755);
    has_text(f, "\177ELF", 4);
    ends(f);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(contents_follow_their_entries),
        T(file_that_grew_is_cut_and_one_that_shrank_is_filled_up),
        T(entry_keeps_its_type_mode_time_and_owner),
        T(numbers_may_be_large_and_negative),
        T(names_and_links_of_every_length_come_back),
        T(large_file_goes_to_the_descriptor),
        T(full_disk_is_an_error),
        T(directory_has_its_owner_and_mode),
        T(program_is_executable),
    };

    return cmocka_run_group_tests_name("tar", tests, NULL, NULL);
}
