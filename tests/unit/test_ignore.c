#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/ignore.h"
#include "engine/path_clean.h"

struct row {
    const char *text, *path;
    bool ignored;
};

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ignore *ig = ignore_new(rows[i].text, strlen(rows[i].text));

        if (ignore_match(ig, rows[i].path) != rows[i].ignored)
            fail_msg("pattern %s, path %s: expected %s", rows[i].text,
                     rows[i].path, rows[i].ignored ? "ignored" : "sent");
        ignore_free(ig);
    }
}

#define CHECK(rows) check(rows, sizeof(rows) / sizeof(*(rows)))

static void names_match_whole_paths_from_the_top(void **state)
{
    static const struct row rows[] = {
        { "", "a", false },
        { "tmp", "tmp", true },
        { "tmp", "tmp2", false },
        { "tmp", "x/tmp", false },
        { "tmp", "tmp/deep/er", true },
        { "tmp/cache", "tmp/cache/x", true },
        { "tmp/cache", "tmp/other", false },
        { "/tmp", "tmp", true },
        { "tmp/", "tmp", true },
        { "tmp/", "tmp/x", true },
        { "./tmp", "tmp", true },
        { "a/../tmp", "tmp", true },
        { "a//b", "a/b", true },
        { "../tmp", "tmp", false },
        { ".", "a", false },
        { "/", "a", false },
        { "  tmp \t\r", "tmp", true },
    };

    (void)state;
    CHECK(rows);
}

static void characters_of_regular_expressions_mean_themselves(void **state)
{
    static const struct row rows[] = {
        { "a.b", "a.b", true },
        { "a.b", "axb", false },
        { "a+", "a+", true },
        { "a+", "aa", false },
        { "x(1)|{2}$", "x(1)|{2}$", true },
        { "^a", "^a", true },
        { "a]", "a]", true },
        { "node-1.0+g12.whl", "node-1.0+g12.whl", true },
    };

    (void)state;
    CHECK(rows);
}

static void one_star_stays_within_a_directory(void **state)
{
    static const struct row rows[] = {
        { "*", "a", true },
        { "*", "a/b", true }, /* its parent matches */
        { "*.log", "x.log", true },
        { "*.log", "d/x.log", false },
        { "*.log", ".log", true },
        { "*.log", "x.logs", false },
        { "d/*.log", "d/x.log", true },
        { "d/*.log", "d/e/x.log", false },
        { "d/*/x", "d/e/x", true },
        { "d/*/x", "d/e/f/x", false },
        { "a*b*c", "aXbYc", true },
        { "a*b*c", "aXcYb", false },
        { "a*/f", "abc/f", true },
        { ".*", ".git", true },
        { ".*", "git", false },
        { "a?c", "abc", true },
        { "a?c", "ac", false },
        { "a?c", "a/c", false },
        { "a?c",
          "a\xc3\xa9"
          "c",
          true },
        { "a??c",
          "a\xc3\xa9"
          "c",
          false },
    };

    (void)state;
    CHECK(rows);
}

static void two_stars_cross_directories(void **state)
{
    static const struct row rows[] = {
        { "**", "a", true },
        { "**", "a/b/c", true },
        { "**/", "a/b", true },
        { "**/**", "a/b", true },
        { "**/node_modules", "node_modules", true },
        { "**/node_modules", "a/b/node_modules", true },
        { "**/node_modules", "a/node_modules/x", true },
        { "**/node_modules", "a/my_node_modules", false },
        { "**/*.md", "README.md", true },
        { "**/*.md", "a/b/README.md", true },
        { "**/*.md", "a/b/README.mdx", false },
        { "**/a/*", "x/a/y", true },
        { "**/a/**", "x/a/y/z", true },
        { "**/a/**", "x/b/y", false },
        { "d/**", "d", false },
        { "d/**", "d/x", true },
        { "d/**", "d/x/y", true },
        { "d/**", "dx/y", false },
        { "d/**/x", "d/x", true },
        { "d/**/x", "d/a/b/x", true },
        { "d/**/x", "d/ax", false },
        { "d**/x", "d/x", true },
        { "d**/x", "d/e/f/x", true },
        { "d**", "dog/x", true },
        { "**.log", "x.log", true },
        { "**.log", "a/x.log", true },
        { "**.log", "a/x.logs", false },
        { "**/.env", "a.env", false },
    };

    (void)state;
    CHECK(rows);
}

static void classes_and_escapes(void **state)
{
    static const struct row rows[] = {
        { "x[a-c]", "xb", true },  { "x[a-c]", "xd", false },
        { "x[^a-c]", "xd", true }, { "x[^a-c]", "xa", false },
        { "x[!a]", "x!", true },   { "x[!a]", "xb", false },
        { "[a-cx-z]", "y", true }, { "[\\]]", "]", true },
        { "[\\-]", "-", true },    { "[\xce\xb1-\xcf\x89]", "\xce\xb2", true },
        { "[.]x", ".x", true },    { "\\*", "*", true },
        { "\\*", "a", false },     { "\\!important", "!important", true },
        { "\\#x", "#x", true },    { "a\\?b", "a?b", true },
        { "a\\?b", "axb", false },
    };

    (void)state;
    CHECK(rows);
}

static void later_lines_win(void **state)
{
    static const struct row rows[] = {
        { "*\n!a", "a", false },
        { "*\n!a", "b", true },
        { "*\n!a", "a/x", false },
        { "!a\n*", "a", true },
        { "docs\n!docs/README.md", "docs/README.md", false },
        { "docs\n!docs/README.md", "docs/x", true },
        { "docs/*\n! docs/README.md ", "docs/README.md", false },
        { "**\n!app/web\napp/web/tmp", "app/web/x", false },
        { "**\n!app/web\napp/web/tmp", "app/web/tmp", true },
        { "*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true },
        { "*.md\n!README*.md\nREADME-secret.md", "README-x.md", false },
        { "!/a\n*\n!/b", "b", false },
    };

    (void)state;
    CHECK(rows);
}

static void comments_blank_lines_and_a_bom_say_nothing(void **state)
{
    static const struct row rows[] = {
        { "# tmp\ntmp", "# tmp", false },
        { "# tmp\ntmp", "tmp", true },
        { "\n\n  \ntmp\n\n", "tmp", true },
        { " # tmp", "# tmp", true }, /* only at the line's very beginning */
        { "\xef\xbb\xbf"
          "tmp\n",
          "tmp", true },
        { "\xef\xbb\xbf#x\ntmp", "tmp", true },
        { "a\r\nb\r\n", "b", true },
        { "a\r\nb\r\n", "a", true },
    };

    (void)state;
    CHECK(rows);
}

static void unreadable_patterns_are_counted_and_skipped(void **state)
{
    static const char text[] = "[\n!\n[]a]\n[x-]\n[-x]\na\\\n[a-b-c]\n[^\nok";
    struct ignore *ig = ignore_new(text, strlen(text));
    struct str many = { 0 };

    (void)state;
    assert_int_equal(ignore_bad_patterns(ig), 8);
    assert_true(ignore_match(ig, "ok"));
    ignore_free(ig);
    for (int i = 0; i < 2000; i++)
        str_add(&many, "*a");
    ig = ignore_new(str_c(&many), many.len);
    assert_int_equal(ignore_bad_patterns(ig), 1);
    ignore_free(ig);
    str_release(&many);
}

static void hostile_patterns_take_no_time(void **state)
{
    static const char text[] = "a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b\n"
                               "**/a**/a**/a**/a**/a**/a**/a**/b";
    struct ignore *ig = ignore_new(text, strlen(text));
    struct str path = { 0 };

    (void)state;
    for (int i = 0; i < 500; i++)
        str_add(&path, "aaaaaaa/");
    str_add(&path, "a");
    assert_false(ignore_match(ig, str_c(&path)));
    str_release(&path);
    ignore_free(ig);
}

static void directories_are_skipped_unless_something_may_come_back(void **state)
{
    static const struct {
        const char *text, *dir;
        bool skip;
    } rows[] = {
        { "*", "a", true },
        { "*\n!a/b", "a", false },
        { "*\n!a/b", "b", true },
        { "*\n!a/b", "a/b/c", false },
        { "*\n!a/b", "a/c", true },
        { "*\n!a/*/c", "a/x", false },
        { "*\n!a/*/c", "b/x", true },
        { "*\n!**/*.md", "x/y/z", false },
        { "*\n!*/x", "y", false },
        { "*\n!a*/x", "ab", false },
        { "*\n!a/**/x", "a/b/c", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct ignore *ig = ignore_new(rows[i].text, strlen(rows[i].text));

        if (ignore_can_skip(ig, rows[i].dir) != rows[i].skip)
            fail_msg("%s, %s", rows[i].text, rows[i].dir);
        ignore_free(ig);
    }
}

static void paths_are_cleaned_as_go_does_it(void **state)
{
    static const struct {
        const char *path, *clean;
    } rows[] = {
        { "", "." },
        { ".", "." },
        { "/", "/" },
        { "//", "/" },
        { "a/", "a" },
        { "a//b", "a/b" },
        { "./a", "a" },
        { "a/./b", "a/b" },
        { "a/..", "." },
        { "a/../b", "b" },
        { "../a", "../a" },
        { "../../a", "../../a" },
        { "a/../../b", "../b" },
        { "/..", "/" },
        { "/../a", "/a" },
        { "/a/../b/", "/b" },
        { "a/b/../../c", "c" },
        { "...", "..." },
        { "..a/b", "..a/b" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        cleanup_free char *got = path_clean(rows[i].path);

        assert_string_equal(got, rows[i].clean);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_match_whole_paths_from_the_top),
        cmocka_unit_test(characters_of_regular_expressions_mean_themselves),
        cmocka_unit_test(one_star_stays_within_a_directory),
        cmocka_unit_test(two_stars_cross_directories),
        cmocka_unit_test(classes_and_escapes),
        cmocka_unit_test(later_lines_win),
        cmocka_unit_test(comments_blank_lines_and_a_bom_say_nothing),
        cmocka_unit_test(unreadable_patterns_are_counted_and_skipped),
        cmocka_unit_test(hostile_patterns_take_no_time),
        cmocka_unit_test(
            directories_are_skipped_unless_something_may_come_back),
        cmocka_unit_test(paths_are_cleaned_as_go_does_it),
    };

    return cmocka_run_group_tests_name("ignore", tests, NULL, NULL);
}
