#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/context.h"
#include "support/tmp_dir.h"

/* A directory to pack, removed at the end. */
struct fix {
    struct tmp_dir dir;
    int fd;
    char *name;
    struct err err;
    struct str list; /* what is in the tar, readable */
};

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));

    tmp_dir_init(&f->dir);
    f->fd = -1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;

    tmp_dir_release(&f->dir);
    if (f->fd >= 0)
        close(f->fd);
    free(f->name);
    str_release(&f->list);
    free(f);
    return 0;
}

static void put(struct fix *f, const char *path, const char *text)
{
    tmp_dir_put(&f->dir, path, text, 0644);
}

/* "path mode=text" a line; directories end in '/', links have "->". */
static void list_tar(struct fix *f, struct archive *a)
{
    struct archive_entry *e;
    char text[256];

    while (archive_read_next_header(a, &e) == ARCHIVE_OK) {
        assert_int_equal(archive_entry_uid(e), 0);
        assert_int_equal(archive_entry_gid(e), 0);
        str_add(&f->list, archive_entry_pathname(e));
        if (archive_entry_symlink(e) != NULL) {
            str_printf(&f->list, " -> %s", archive_entry_symlink(e));
        } else if (archive_entry_filetype(e) == AE_IFREG) {
            la_ssize_t n = archive_read_data(a, text, sizeof(text));

            str_printf(&f->list, " %03o=", (unsigned)archive_entry_perm(e));
            str_add_len(&f->list, text, n > 0 ? (size_t)n : 0);
        }
        str_add(&f->list, "\n");
    }
    assert_int_equal(archive_errno(a), 0);
    archive_read_free(a);
}

static int pack_in(struct fix *f, const char *below, const char *dockerfile,
                   const struct strv *replace)
{
    cleanup_free char *dir = tmp_dir_path(&f->dir, below);
    struct archive *a;

    if (context_pack(&f->fd, &f->name, dir, dockerfile, replace, &f->err) < 0)
        return -1;
    assert_int_equal(lseek(f->fd, 0, SEEK_SET), 0);
    a = archive_read_new();
    archive_read_support_format_tar(a);
    assert_int_equal(archive_read_open_fd(a, f->fd, 10240), ARCHIVE_OK);
    list_tar(f, a);
    return 0;
}

static int pack(struct fix *f, const char *dockerfile,
                const struct strv *replace)
{
    return pack_in(f, "", dockerfile, replace);
}

static void entries_are_sorted_and_keep_modes_and_links(void **state)
{
    struct fix *f = *state;
    cleanup_free char *link = tmp_dir_path(&f->dir, "z");
    cleanup_free char *run = tmp_dir_path(&f->dir, "b/run.sh");
    cleanup_free char *empty = tmp_dir_path(&f->dir, "empty");

    put(f, "Dockerfile", "FROM scratch\n");
    put(f, "b/run.sh", "#!");
    put(f, "a.txt", "A");
    put(f, "b.txt", "");
    chmod(run, 0755);
    mkdir(empty, 0700);
    assert_int_equal(symlink("../no/where", link), 0);
    assert_int_equal(pack(f, NULL, NULL), 0);
    assert_string_equal(f->name, "Dockerfile");
    assert_string_equal(str_c(&f->list), "Dockerfile 644=FROM scratch\n\n"
                                         "a.txt 644=A\n"
                                         "b/\n"
                                         "b/run.sh 755=#!\n"
                                         "b.txt 644=\n"
                                         "empty/\n"
                                         "z -> ../no/where\n");
}

static void ignored_files_stay_out(void **state)
{
    struct fix *f = *state;

    put(f, "Dockerfile", "D");
    put(f, ".dockerignore", "*.log\nnode_modules\nsecret/*\n!secret/ok\n");
    put(f, "x.log", "");
    put(f, "node_modules/big/file", "");
    put(f, "secret/key", "");
    put(f, "secret/ok", "1");
    assert_int_equal(pack(f, NULL, NULL), 0);
    assert_string_equal(
        str_c(&f->list),
        ".dockerignore 644=*.log\nnode_modules\nsecret/*\n!secret/ok\n\n"
        "Dockerfile 644=D\n"
        "secret/\n"
        "secret/ok 644=1\n");
}

static void directories_above_what_comes_back_are_sent(void **state)
{
    struct fix *f = *state;

    put(f, "Dockerfile", "D");
    put(f, ".dockerignore", "*\n!a/b/c\n");
    put(f, "a/b/c", "1");
    put(f, "a/b/d", "2");
    put(f, "e/f", "3");
    assert_int_equal(pack(f, NULL, NULL), 0);
    assert_string_equal(str_c(&f->list),
                        ".dockerignore 644=*\n!a/b/c\n\nDockerfile 644=D\n"
                        "a/\na/b/\na/b/c 644=1\n");
}

static void dockerfile_is_sent_even_if_ignored(void **state)
{
    struct fix *f = *state;

    put(f, "sub/Dockerfile.dev", "D");
    put(f, "sub/x", "");
    put(f, ".dockerignore", "sub\n");
    assert_int_equal(pack(f, "./sub/Dockerfile.dev", NULL), 0);
    assert_string_equal(f->name, "sub/Dockerfile.dev");
    assert_string_equal(str_c(&f->list), ".dockerignore 644=sub\n\nsub/\n"
                                         "sub/Dockerfile.dev 644=D\n");
}

static void dockerfile_may_have_its_own_ignore_file(void **state)
{
    struct fix *f = *state;

    put(f, "Dockerfile", "D");
    put(f, ".dockerignore", "a\n");
    put(f, "Dockerfile.dockerignore", "b\n.dockerignore\n");
    put(f, "a", "");
    put(f, "b", "");
    assert_int_equal(pack(f, NULL, NULL), 0);
    assert_non_null(strstr(str_c(&f->list), "\na 644="));
    assert_null(strstr(str_c(&f->list), "\nb 644="));
}

static void dockerfile_outside_of_the_context_is_put_in(void **state)
{
    struct fix *f = *state;

    put(f, "outer.Dockerfile", "OUT");
    put(f, "app/x", "1");
    assert_int_equal(pack_in(f, "app", "../outer.Dockerfile", NULL), 0);
    assert_string_equal(f->name, ".cvx.Dockerfile");
    assert_string_equal(str_c(&f->list), "x 644=1\n.cvx.Dockerfile 644=OUT\n");
}

static void missing_dockerfile_says_which(void **state)
{
    struct fix *f = *state;
    cleanup_free char *want =
        tmp_dir_path(&f->dir, "Dockerfile: there is no such Dockerfile");

    put(f, "x", "");
    assert_int_equal(pack(f, NULL, NULL), -1);
    assert_int_equal(f->err.code, ERR_INVALID);
    assert_string_equal(f->err.msg, want);
}

static void missing_directory_says_which(void **state)
{
    struct fix *f = *state;

    assert_int_equal(
        context_pack(&f->fd, &f->name, "/nonexistent/app", NULL, NULL, &f->err),
        -1);
    assert_int_equal(f->err.code, ERR_INVALID);
    assert_string_equal(f->err.msg,
                        "/nonexistent/app: there is no such directory");
}

static void names_may_be_long_and_of_any_bytes(void **state)
{
    struct fix *f = *state;
    static const char part[] =
        "directory-with-a-rather-long-name-of-fifty-chars";
    cleanup_free char *deep =
        xasprintf("%s/%s/%s/%s/f\xc3\xa9\xff", part, part, part, part);

    put(f, "Dockerfile", "D");
    put(f, deep, "deep");
    assert_int_equal(pack(f, NULL, NULL), 0);
    assert_non_null(strstr(str_c(&f->list), deep));
    assert_non_null(strstr(str_c(&f->list), "=deep\n"));
}

static void images_are_replaced_in_the_tar_only(void **state)
{
    struct fix *f = *state;
    struct strv replace = { 0 };

    strv_add(&replace, "debian:12=cvx/base:trixie");
    put(f, "Dockerfile", "FROM debian:12\nRUN x\n");
    assert_int_equal(pack(f, NULL, &replace), 0);
    assert_string_equal(str_c(&f->list),
                        "Dockerfile 644=FROM cvx/base:trixie\nRUN x\n\n");
    strv_release(&replace);
}

static void small_files_become_a_tar(void **state)
{
    struct fix *f = *state;
    struct strv paths = { 0 }, texts = { 0 };
    char *tar;
    size_t len;
    struct archive *a = archive_read_new();

    strv_add(&paths, "etc/one");
    strv_add(&texts, "1");
    strv_add(&paths, "init.sh");
    strv_add(&texts, "#!/bin/sh\n");
    assert_int_equal(context_files(&tar, &len, &paths, &texts, &f->err), 0);
    archive_read_support_format_tar(a);
    assert_int_equal(archive_read_open_memory(a, tar, len), ARCHIVE_OK);
    list_tar(f, a);
    assert_string_equal(str_c(&f->list),
                        "etc/one 644=1\ninit.sh 755=#!/bin/sh\n\n");
    free(tar);
    strv_release(&paths);
    strv_release(&texts);
}

/* ---- dockerfiles ----------------------------------------------------------
 */

static void parse(const char *text, const struct strv *args, const char *bases,
                  const char *names, const char *stages)
{
    struct dockerfile d;
    cleanup_free char *b = NULL, *n = NULL, *s = NULL;

    dockerfile_parse(&d, text, strlen(text), args);
    b = strv_join(&d.bases, " ");
    n = strv_join(&d.args, " ");
    s = strv_join(&d.stages, " ");
    assert_string_equal(b, bases);
    assert_string_equal(n, names);
    assert_string_equal(s, stages);
    dockerfile_release(&d);
}

static void dockerfile_names_its_bases_and_stages(void **state)
{
    (void)state;
    parse("", NULL, "", "", "");
    parse("FROM debian:12\n", NULL, "debian:12", "", "");
    parse("from --platform=linux/amd64 node:20 AS Build\n"
          "FROM build as Development\nFROM scratch\n"
          "COPY --from=build /a /b\nCOPY --chown=1:1 --from=nginx:1 /a /b\n"
          "COPY --from=0 x y\nFROM node:20\nCOPY --from=BUILD a b\n",
          NULL, "node:20 nginx:1", "", "build development");
}

static void dockerfile_args_have_defaults_and_are_given(void **state)
{
    struct strv given = { 0 };
    static const char text[] = "ARG TAG=12 NAME\nARG IMAGE=debian:${TAG}\n"
                               "FROM ${IMAGE}\nARG LATER=1\nARG TAG\n"
                               "FROM ${NONE:-alpine}:$TAG-${TAG:+x}\n"
                               "FROM \"quoted:$TAG\"\nFROM $NONE\n";

    (void)state;
    parse(text, NULL, "debian:12 alpine:12-x quoted:12", "TAG NAME IMAGE LATER",
          "");
    strv_add(&given, "TAG=13");
    strv_add(&given, "OTHER=1");
    parse(text, &given, "debian:13 alpine:13-x quoted:13",
          "TAG NAME IMAGE LATER", "");
    strv_release(&given);
}

static void dockerfile_lines_go_on_and_comments_do_not_count(void **state)
{
    (void)state;
    parse(
        "\xef\xbb\xbf# escape = `\n# FROM no\nFROM `\n# between\n\n  debian `\n"
        " AS one\r\nRUN a \\\nFROM two\n",
        NULL, "debian two", "", "one");
    parse("FROM a\nRUN x \\\n  FROM b\n  FROM c\n", NULL, "a c", "", "");
    parse("\n# escape=`\nFROM a\\\nb\n", NULL, "ab", "", "");
}

static void dockerfile_here_documents_are_passed_over(void **state)
{
    (void)state;
    parse("FROM a\nRUN <<EOF cat <<-'X' 2<<\"Y\"\nFROM b\nEOF\nFROM c\n\t\tX\n"
          "FROM d\nY\nFROM e\n",
          NULL, "a e", "", "");
    parse("FROM a\nRUN echo $((1<<2)) a<<b <<<c\nFROM e\n", NULL, "a e", "",
          "");
    parse("FROM a\nCOPY <<EOF /x", NULL, "a", "", "");
}

static void rewrite_changes_the_named_images_only(void **state)
{
    struct fix *f = *state;
    struct strv replace = { 0 };

    strv_add(&replace, "debian:12=cvx/base:trixie");
    strv_add(&replace, "nginx=cvx/nginx:1");
    put(f, "Dockerfile",
        "# syntax\nARG V=12\nFROM --platform=linux \\\n  debian:$V \\\n  AS b\n"
        "RUN a \\\n  b\n# keep\nCOPY --chown=1 --from=nginx /a /b\n"
        "COPY --from=b /c /d\nFROM debian:11");
    assert_int_equal(pack(f, NULL, &replace), 0);
    assert_string_equal(
        str_c(&f->list),
        "Dockerfile 644=# syntax\nARG V=12\n"
        "FROM --platform=linux   cvx/base:trixie   AS b\n"
        "RUN a \\\n  b\n# keep\nCOPY --chown=1 --from=cvx/nginx:1 /a /b\n"
        "COPY --from=b /c /d\nFROM debian:11\n");
    strv_release(&replace);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(entries_are_sorted_and_keep_modes_and_links),
        T(ignored_files_stay_out),
        T(directories_above_what_comes_back_are_sent),
        T(dockerfile_is_sent_even_if_ignored),
        T(dockerfile_may_have_its_own_ignore_file),
        T(dockerfile_outside_of_the_context_is_put_in),
        T(missing_dockerfile_says_which),
        T(missing_directory_says_which),
        T(names_may_be_long_and_of_any_bytes),
        T(images_are_replaced_in_the_tar_only),
        T(small_files_become_a_tar),
        cmocka_unit_test(dockerfile_names_its_bases_and_stages),
        cmocka_unit_test(dockerfile_args_have_defaults_and_are_given),
        cmocka_unit_test(dockerfile_lines_go_on_and_comments_do_not_count),
        cmocka_unit_test(dockerfile_here_documents_are_passed_over),
        T(rewrite_changes_the_named_images_only),
    };

    return cmocka_run_group_tests_name("context", tests, NULL, NULL);
}
