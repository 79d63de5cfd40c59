#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "base/random.h"
#include "base/sha256.h"
#include "base/str.h"

/* ---- hash ---------------------------------------------------------------- */

/* The published values: a stored tag must be found by the next release too. */
static void hash_is_fnv_1a(void **state)
{
    (void)state;
    assert_true(hash_bytes(HASH_BEGIN, "", 0) == UINT64_C(0xcbf29ce484222325));
    assert_true(hash_bytes(HASH_BEGIN, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(hash_bytes(HASH_BEGIN, "foobar", 6) ==
                UINT64_C(0x85944171f73967e8));
    assert_true(hash_text("a") ==
                (UINT64_C(0xaf63dc4c8601ec8c) ^ UINT64_C(0xaf63dc4c)));
}

static void hash_of_parts_is_that_of_the_whole(void **state)
{
    uint64_t hash = hash_bytes(HASH_BEGIN, "foo", 3);

    (void)state;
    assert_true(hash_bytes(hash, "bar", 3) ==
                hash_bytes(HASH_BEGIN, "foobar", 6));
}

static void low_bits_of_short_texts_differ(void **state)
{
    bool seen[16] = { false };
    size_t kinds = 0;

    (void)state;
    for (char c = 'a'; c <= 'z'; c++) {
        char text[] = { c, '\0' };

        seen[hash_text(text) % 16] = true;
    }
    for (size_t i = 0; i < 16; i++)
        kinds += seen[i] ? 1 : 0;
    assert_true(kinds >= 8);
}

static void sha256_is_hexadecimal_and_cut(void **state)
{
    char hex[SHA256_HEX_LEN + 1];

    (void)state;
    sha256_hex("abc", 3, hex, SHA256_HEX_LEN);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223"
                             "b00361a396177a9cb410ff61f20015ad");
    sha256_hex("", 0, hex, 16);
    assert_string_equal(hex, "e3b0c44298fc1c14");
    sha256_hex("abc", 3, hex, 5);
    assert_string_equal(hex, "ba781");
}

/* ---- random -------------------------------------------------------------- */

static void random_text_has_its_length_and_alphabet(void **state)
{
    char out[32];

    (void)state;
    memset(out, '#', sizeof(out));
    random_text(out, 20, "xyz");
    assert_int_equal(strlen(out), 20);
    assert_int_equal(strspn(out, "xyz"), 20);
    assert_int_equal(out[21], '#');
    random_text(out, 0, RANDOM_HEX);
    assert_string_equal(out, "");
}

static void random_text_does_not_repeat(void **state)
{
    char one[17], two[17];

    (void)state;
    random_text(one, 16, RANDOM_HEX);
    random_text(two, 16, RANDOM_HEX);
    assert_string_not_equal(one, two);
}

/* 26 letters do not divide 256: the first 22 would come 10 times where the
 * last 4 come 9 times. */
static void no_letter_is_likelier_than_another(void **state)
{
    enum { LEN = 260000 };
    char *out = xcalloc(1, LEN + 1);
    long counts[26] = { 0 }, first = 0, last = 0;

    (void)state;
    random_text(out, LEN, RANDOM_CAPITALS);
    for (size_t i = 0; i < LEN; i++)
        counts[out[i] - 'A']++;
    for (size_t i = 0; i < 4; i++) {
        first += counts[i];
        last += counts[25 - i];
    }
    free(out);
    /* Both are 40 000 give or take 200; with the fault they are 5 % apart. */
    assert_true(first - last < 1500 && last - first < 1500);
}

/* ---- nearest ------------------------------------------------------------- */

static const char *best_of(const char *word, size_t limit,
                           const char *const *words)
{
    struct nearest n = nearest_to(word, limit);

    for (; *words != NULL; words++)
        nearest_try(&n, *words);
    return n.best;
}

static void nearest_word_is_found_within_its_limit(void **state)
{
    static const char *const words[] = { "image", "scale", "resources", NULL };

    (void)state;
    assert_string_equal(best_of("imgae", 2, words), "image");
    assert_string_equal(best_of("SCALE", 0, words), "scale");
    assert_string_equal(best_of("resource", 1, words), "resources");
    assert_null(best_of("imgae", 1, words));
    assert_null(best_of("", 2, words));
}

static void first_of_two_as_near_is_kept(void **state)
{
    static const char *const words[] = { "cat", "cart", "car", NULL };

    (void)state;
    assert_string_equal(best_of("caa", 1, words), "cat");
}

static void word_without_end_is_like_nothing(void **state)
{
    char word[4096];
    const char *const words[] = { word, NULL };

    (void)state;
    memset(word, 'a', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    assert_null(best_of(word, 5000, (const char *const[]){ "a", NULL }));
    assert_null(best_of("a", 5000, words));
}

/* ---- file ---------------------------------------------------------------- */

struct files {
    char dir[64];
    char path[80];
};

static int setup(void **state)
{
    struct files *f = xcalloc(1, sizeof(*f));

    snprintf(f->dir, sizeof(f->dir), "/tmp/cvx-base-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/file", f->dir);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct files *f = *state;

    unlink(f->path);
    rmdir(f->dir);
    free(f);
    return 0;
}

static void write_file(const struct files *f, size_t len)
{
    int fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(write(fd, i % 2 == 0 ? "a" : "", 1), 1);
    close(fd);
}

static void expect_error(const struct files *f, size_t max, enum err_code code,
                         const char *want)
{
    cleanup_str struct str text = { 0 };
    struct err err = { 0 };

    assert_int_equal(file_read(&text, f->path, "shown", max, &err), -1);
    assert_int_equal(err.code, code);
    assert_string_equal(err.msg, want);
}

static void file_is_read_whole_and_added(void **state)
{
    struct files *f = *state;
    cleanup_str struct str text = { 0 };
    struct err err = { 0 };

    write_file(f, 40000);
    str_add(&text, "before ");
    assert_int_equal(file_read(&text, f->path, "shown", 40000, &err), 0);
    assert_int_equal(text.len, 7 + 40000);
    assert_memory_equal(text.s, "before a\0a\0a", 12);
}

static void empty_file_is_empty_text(void **state)
{
    struct files *f = *state;
    cleanup_str struct str text = { 0 };
    struct err err = { 0 };

    write_file(f, 0);
    assert_int_equal(file_read(&text, f->path, "shown", 0, &err), 0);
    assert_string_equal(str_c(&text), "");
}

static void larger_file_than_allowed_is_an_error(void **state)
{
    struct files *f = *state;

    write_file(f, 101);
    expect_error(f, 100, ERR_INVALID,
                 "shown is too large: 101 bytes; at most 100 are read");
}

static void missing_file_is_not_found(void **state)
{
    expect_error(*state, 100, ERR_NOT_FOUND,
                 "open shown: no such file or directory");
}

static void directory_and_fifo_are_no_files(void **state)
{
    struct files *f = *state;

    assert_int_equal(mkfifo(f->path, 0600), 0);
    expect_error(f, 100, ERR_INVALID, "shown is not a file");
    unlink(f->path);
    assert_int_equal(mkdir(f->path, 0700), 0);
    expect_error(f, 100, ERR_INVALID, "shown is not a file");
    rmdir(f->path);
}

/* Its size is 0 for fstat(), so only the bytes themselves count. */
static void file_of_proc_is_bounded_as_well(void **state)
{
    cleanup_str struct str text = { 0 };
    struct err err = { 0 };
    static const char path[] = "/proc/self/status";

    (void)state;
    assert_int_equal(file_read(&text, path, path, 1 << 20, &err), 0);
    assert_true(text.len > 100);
    assert_int_equal(file_read(&text, path, path, 100, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
}

static void descriptors_position_counts_and_stays_open(void **state)
{
    struct files *f = *state;
    cleanup_str struct str text = { 0 };
    struct err err = { 0 };
    int fd;

    write_file(f, 10);
    fd = open(f->path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(lseek(fd, 6, SEEK_SET), 6);
    assert_int_equal(file_read_fd(&text, fd, "shown", 10, &err), 0);
    assert_int_equal(text.len, 4);
    assert_int_equal(close(fd), 0);
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_is_fnv_1a),
        cmocka_unit_test(hash_of_parts_is_that_of_the_whole),
        cmocka_unit_test(low_bits_of_short_texts_differ),
        cmocka_unit_test(sha256_is_hexadecimal_and_cut),
        cmocka_unit_test(random_text_has_its_length_and_alphabet),
        cmocka_unit_test(random_text_does_not_repeat),
        cmocka_unit_test(no_letter_is_likelier_than_another),
        cmocka_unit_test(nearest_word_is_found_within_its_limit),
        cmocka_unit_test(first_of_two_as_near_is_kept),
        cmocka_unit_test(word_without_end_is_like_nothing),
        FILE_TEST(file_is_read_whole_and_added),
        FILE_TEST(empty_file_is_empty_text),
        FILE_TEST(larger_file_than_allowed_is_an_error),
        FILE_TEST(missing_file_is_not_found),
        FILE_TEST(directory_and_fifo_are_no_files),
        FILE_TEST(file_of_proc_is_bounded_as_well),
        FILE_TEST(descriptors_position_counts_and_stays_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
