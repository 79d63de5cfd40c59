#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/flags.h"
#include "cli/table.h"
#include "cli/tags.h"
#include "cli/term.h"
#include "cli/text.h"
#include "cli/when.h"

static size_t width(const char *s)
{
    return text_width(s, strlen(s));
}

static void width_counts_columns_not_bytes(void **state)
{
    (void)state;
    assert_int_equal(width("abc"), 3);
    assert_int_equal(width("äöü"), 3);
    assert_int_equal(width("日本語"), 6);
    assert_int_equal(width("e\u0301"), 1);
    assert_int_equal(width("🚀"), 2);
    assert_int_equal(width("\033[1;31mred\033[0m"), 3);
    assert_int_equal(width("\xff\xfe"), 2);
    assert_int_equal(width("\xe6\x97"), 2); /* cut in the middle */
    assert_int_equal(width("\033["), 0);
}

static void assert_fit(const char *s, size_t columns, bool ascii,
                       const char *want)
{
    cleanup_str struct str out = { 0 };

    text_fit(&out, s, columns, ascii);
    assert_string_equal(str_c(&out), want);
    assert_true(width(str_c(&out)) <= columns);
}

static void text_is_cut_by_display_width(void **state)
{
    (void)state;
    assert_fit("abcdef", 6, false, "abcdef");
    assert_fit("abcdef", 5, false, "abcd…");
    assert_fit("abcdef", 5, true, "abcd~");
    assert_fit("日本語", 5, false, "日本…");
    assert_fit("日本語", 4, false, "日…");
    assert_fit("abc", 0, false, "");
    assert_fit("abc", 1, false, "…");
}

static void colours_behind_the_cut_still_end(void **state)
{
    (void)state;
    assert_fit("\033[31mabcdef\033[0m", 3, false, "\033[31mab…\033[0m");
}

static void assert_strip(enum text_strip how, const char *want)
{
    static const char text[] = "a\033[31mb\033[2Jc\033]0;t\007d";
    cleanup_str struct str out = { 0 };

    text_strip(&out, text, strlen(text), how);
    assert_string_equal(str_c(&out), want);
}

static void only_the_sequences_meant_are_stripped(void **state)
{
    (void)state;
    assert_strip(TEXT_KEEP, "a\033[31mb\033[2Jc\033]0;t\007d");
    assert_strip(TEXT_NO_COLOUR, "ab\033[2Jc\033]0;t\007d");
    assert_strip(TEXT_NO_MOVES, "a\033[31mbc\033]0;t\007d");
    assert_strip(TEXT_NO_CSI, "abc\033]0;t\007d");
}

static void table_pads_all_but_the_last_column(void **state)
{
    cleanup_table struct table t = { .columns = 3 };
    cleanup_str struct str out = { 0 };

    (void)state;
    table_row(&t, "NAME", "TYPE", "URL");
    table_row(&t, "日本", "postgres", "postgres://x");
    table_row(&t, "cache", "redis", NULL);
    table_print(&t, &out);
    assert_string_equal(str_c(&out), "NAME   TYPE      URL\n"
                                     "日本   postgres  postgres://x\n"
                                     "cache  redis     \n");
}

static void info_values_of_several_lines_are_indented(void **state)
{
    cleanup_table struct table t = { .columns = 2 };
    cleanup_str struct str out = { 0 };

    (void)state;
    table_row(&t, "Name", "db");
    table_row(&t, "Options", "a=1\nb=2");
    table_print(&t, &out);
    assert_string_equal(str_c(&out), "Name     db\n"
                                     "Options  a=1\n"
                                     "         b=2\n");
}

static void durations_are_parsed_strictly(void **state)
{
    static const char *const bad[] = {
        "", "x", "-1", "1x", "1h30", "1.5h", "1 h", "1e99", "h", "99999999d"
    };
    int64_t ms;

    (void)state;
    assert_true(when_parse("90", &ms) && ms == 90000);
    assert_true(when_parse("90s", &ms) && ms == 90000);
    assert_true(when_parse("250ms", &ms) && ms == 250);
    assert_true(when_parse("1h30m", &ms) && ms == 5400000);
    assert_true(when_parse("2d", &ms) && ms == 172800000);
    assert_true(when_parse("0", &ms) && ms == 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(when_parse(bad[i], &ms));
}

static void assert_ago(int64_t gone, const char *want)
{
    cleanup_str struct str s = { 0 };

    when_ago(&s, 1000000, 1000000 + gone);
    assert_string_equal(str_c(&s), want);
}

static void times_are_humanised_as_convox_does(void **state)
{
    (void)state;
    assert_ago(0, "now");
    assert_ago(1, "1 second ago");
    assert_ago(59, "59 seconds ago");
    assert_ago(60, "1 minute ago");
    assert_ago(200, "3 minutes ago");
    assert_ago(7200, "2 hours ago");
    assert_ago(86400 * 8, "1 week ago");
    assert_ago(-120, "in 2 minutes");
}

static void assert_elapsed(int64_t ms, const char *want)
{
    cleanup_str struct str s = { 0 };

    when_elapsed(&s, ms);
    assert_string_equal(str_c(&s), want);
}

static void elapsed_time_stays_short(void **state)
{
    cleanup_str struct str s = { 0 };

    (void)state;
    assert_elapsed(1740, "1.7 s");
    assert_elapsed(59999, "59.9 s");
    assert_elapsed(65000, "1m05s");
    assert_elapsed(7384000, "2h03m");
    assert_elapsed(-5, "0.0 s");
    when_rfc3339(&s, 1767366245000);
    assert_string_equal(str_c(&s), "2026-01-02T15:04:05Z");
}

static void twelve_names_have_twelve_colours(void **state)
{
    struct tags t;

    (void)state;
    tags_init(&t, true);
    tags_know(&t, "convox");
    for (int i = 0; i < TAGS_COLOURS; i++) {
        cleanup_free char *name = xasprintf("service-%d", i);

        tags_know(&t, name);
    }
    assert_int_equal(t.len, TAGS_COLOURS + 1);
    for (size_t i = 1; i < t.len; i++)
        for (size_t j = 1; j < i; j++)
            assert_int_not_equal(t.v[i].colour, t.v[j].colour);
    tags_release(&t);
}

static void a_name_keeps_its_colour_from_start_to_start(void **state)
{
    struct tags a, b;

    (void)state;
    tags_init(&a, true);
    tags_init(&b, true);
    tags_know(&a, "web");
    tags_know(&b, "convox");
    tags_know(&b, "web");
    assert_int_equal(a.v[0].colour, b.v[1].colour);
    tags_release(&a);
    tags_release(&b);
}

static void colour_covers_tag_and_padding_but_not_the_bar(void **state)
{
    cleanup_str struct str out = { 0 };
    cleanup_free char *want = NULL;
    struct tags t;

    (void)state;
    tags_init(&t, true);
    tags_prefix(&t, "web", &out);
    want = xasprintf("\033[38;5;%dmweb   \033[0m | ", t.v[0].colour);
    assert_string_equal(str_c(&out), want);
    str_cut(&out, 0);
    tags_prefix(&t, "convox", &out);
    assert_string_equal(str_c(&out), "\033[1mconvox\033[0m | ");
    tags_release(&t);
}

static void colours_follow_flag_then_environment_then_terminal(void **state)
{
    (void)state;
    assert_true(term_wants_colour(TERM_AUTO, true, NULL, NULL, "xterm"));
    assert_false(term_wants_colour(TERM_AUTO, false, NULL, NULL, "xterm"));
    assert_false(term_wants_colour(TERM_AUTO, true, "1", NULL, "xterm"));
    assert_true(term_wants_colour(TERM_AUTO, true, "", NULL, "xterm"));
    assert_false(term_wants_colour(TERM_AUTO, true, NULL, NULL, "dumb"));
    assert_true(term_wants_colour(TERM_AUTO, false, NULL, "1", "xterm"));
    assert_false(term_wants_colour(TERM_AUTO, false, NULL, "0", "xterm"));
    assert_false(term_wants_colour(TERM_AUTO, false, "1", "1", "xterm"));
    assert_true(term_wants_colour(TERM_ALWAYS, false, "1", NULL, "dumb"));
    assert_false(term_wants_colour(TERM_NEVER, true, NULL, "1", "xterm"));
}

static const struct flag some_flags[] = {
    { 'a', "app", "APP", "" },
    { 'e', "env", "K=V", "" },
    { 'f', "follow", NULL, "" },
    { 0, NULL, NULL, NULL },
};

static void flags_and_arguments_come_in_any_order(void **state)
{
    const char *argv[] = { "web", "-a",      "one", "--env=A=1", "-eB=2", "-f",
                           "job", "--app=x", "--",  "-z",        NULL };
    struct flags f = { 0 };
    struct err err = { 0 };
    cleanup_strv struct strv env = { 0 };

    (void)state;
    assert_int_equal(flags_parse(&f, some_flags, (char **)argv, &err), 0);
    assert_string_equal(flags_get(&f, "app"), "x");
    assert_true(flags_has(&f, "follow"));
    flags_all(&f, "env", &env);
    assert_int_equal(env.len, 2);
    assert_string_equal(env.v[0], "A=1");
    assert_string_equal(env.v[1], "B=2");
    assert_int_equal(f.args.len, 3);
    assert_string_equal(f.args.v[2], "-z");
    flags_release(&f);
}

static void assert_bad_flags(const char *word, const char *want)
{
    const char *argv[] = { word, NULL };
    struct flags f = { 0 };
    struct err err = { 0 };

    assert_int_equal(flags_parse(&f, some_flags, (char **)argv, &err), -1);
    assert_string_equal(err.msg, want);
    flags_release(&f);
}

static void wrong_flags_are_named(void **state)
{
    (void)state;
    assert_bad_flags("--nope", "unknown flag: --nope");
    assert_bad_flags("--nope=1", "unknown flag: --nope");
    assert_bad_flags("-fx", "unknown flag: -x");
    assert_bad_flags("--app", "flag needs a value: --app APP");
    assert_bad_flags("-a", "flag needs a value: -a APP");
    assert_bad_flags("--follow=1", "flag takes no value: --follow");
}

static void values_leave_the_command_line(void **state)
{
    char words[][24] = { "A=secret", "-e",        "B=secret=1",   "-eC=secret",
                         "-e=D=se",  "--env=E=s", "--env-file=f", "web" };
    char *argv[9] = { NULL };
    cleanup_strv struct strv left = { 0 };
    cleanup_free char *all = NULL;

    (void)state;
    for (int i = 0; i < 8; i++)
        argv[i] = words[i];
    flags_hide(argv);
    for (int i = 0; i < 8; i++)
        strv_add(&left, argv[i]);
    all = strv_join(&left, " ");
    assert_string_equal(all, "A=****** -e B=******** -eC=****** -e=D=** "
                             "--env=E=* --env-file=f web");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(width_counts_columns_not_bytes),
        cmocka_unit_test(text_is_cut_by_display_width),
        cmocka_unit_test(colours_behind_the_cut_still_end),
        cmocka_unit_test(only_the_sequences_meant_are_stripped),
        cmocka_unit_test(table_pads_all_but_the_last_column),
        cmocka_unit_test(info_values_of_several_lines_are_indented),
        cmocka_unit_test(durations_are_parsed_strictly),
        cmocka_unit_test(times_are_humanised_as_convox_does),
        cmocka_unit_test(elapsed_time_stays_short),
        cmocka_unit_test(twelve_names_have_twelve_colours),
        cmocka_unit_test(a_name_keeps_its_colour_from_start_to_start),
        cmocka_unit_test(colour_covers_tag_and_padding_but_not_the_bar),
        cmocka_unit_test(colours_follow_flag_then_environment_then_terminal),
        cmocka_unit_test(flags_and_arguments_come_in_any_order),
        cmocka_unit_test(wrong_flags_are_named),
        cmocka_unit_test(values_leave_the_command_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
