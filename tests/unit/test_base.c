#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/env.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"

static void str_grows_and_is_always_terminated(void **state)
{
    struct str s = { 0 };

    (void)state;
    assert_string_equal(str_c(&s), "");
    for (int i = 0; i < 1000; i++)
        str_printf(&s, "%d,", i % 10);
    assert_int_equal(s.len, 2000);
    assert_int_equal(strlen(str_c(&s)), 2000);
    str_drop(&s, 1998);
    assert_string_equal(str_c(&s), "9,");
    str_cut(&s, 1);
    assert_string_equal(str_c(&s), "9");
    str_release(&s);
}

static void strv_is_null_terminated_at_every_length(void **state)
{
    struct strv list = { 0 };

    (void)state;
    for (size_t i = 1; i < 70; i++) {
        strv_printf(&list, "%zu", i);
        assert_int_equal(list.len, i);
        assert_null(list.v[i]);
    }
    assert_string_equal(list.v[68], "69");
    strv_release(&list);
}

static void whole_numbers_only(void **state)
{
    long n = 7;

    (void)state;
    assert_true(str_to_long("-12", -20, 20, &n));
    assert_int_equal(n, -12);
    assert_false(str_to_long("12x", 0, 20, &n));
    assert_false(str_to_long("", 0, 20, &n));
    assert_false(str_to_long(" 1", 0, 20, &n));
    assert_false(str_to_long("21", 0, 20, &n));
    assert_false(str_to_long("99999999999999999999", 0, 20, &n));
    assert_int_equal(n, -12);
}

static void env_keeps_order_and_the_last_value(void **state)
{
    struct env env = { 0 };
    struct str out = { 0 };

    (void)state;
    env_set(&env, "B", "1", "a");
    env_set(&env, "A", "2", "a");
    env_set(&env, "B", "3", "b");
    env_set(&env, "C", "4", "b");
    env_unset(&env, "A");
    assert_int_equal(env.len, 2);
    assert_string_equal(env.v[0].key, "B");
    assert_string_equal(env.v[0].source, "b");
    assert_string_equal(env_get(&env, "C"), "4");
    assert_null(env_get(&env, "A"));
    env_print(&env, &out);
    assert_string_equal(str_c(&out), "B=3\nC=4\n");
    str_release(&out);
    env_release(&env);
}

static void env_file_lines(void **state)
{
    static const char text[] = "# comment\n\nA=1\r\nexport B = two words \n"
                               "C=\"quoted # kept\"\nD=a=b\nnothing\n=x\nE=";
    struct env env = { 0 };

    (void)state;
    env_parse(&env, text, strlen(text), true, ".env");
    assert_int_equal(env.len, 5);
    assert_string_equal(env_get(&env, "A"), "1");
    assert_string_equal(env_get(&env, "B"), " two words");
    assert_string_equal(env_get(&env, "C"), "quoted # kept");
    assert_string_equal(env_get(&env, "D"), "a=b");
    assert_string_equal(env_get(&env, "E"), "");
    env_release(&env);
}

static void stored_env_is_verbatim(void **state)
{
    static const char text[] = "A= \"x\" \n";
    struct env env = { 0 };

    (void)state;
    env_parse(&env, text, strlen(text), false, "env set");
    assert_string_equal(env_get(&env, "A"), " \"x\" ");
    env_release(&env);
}

static void diag_shows_the_line_and_a_caret(void **state)
{
    static const char source[] = "services:\n  web:\n\tport: \xc3\xa9 x\n";
    struct diags d = { 0 };
    struct str out = { 0 };

    (void)state;
    diags_add(&d, DIAG_ERROR, (struct diag_pos){ 3, 11 }, "no %s", "good");
    diags_add(&d, DIAG_ERROR, (struct diag_pos){ 2, 3 }, "first");
    diags_add(&d, DIAG_ERROR, (struct diag_pos){ 0, 0 }, "no place");
    diags_sort(&d);
    diags_print(&d, DIAG_ERROR, "f.yml", source, strlen(source), &out);
    assert_string_equal(str_c(&out), "f.yml:2:3: first\n"
                                     "     2 |   web:\n"
                                     "       |   ^\n"
                                     "f.yml:3:11: no good\n"
                                     "     3 |  port: \xc3\xa9 x\n"
                                     "       |          ^\n"
                                     "f.yml: no place\n");
    str_release(&out);
    diags_release(&d);
}

static void diag_counts_what_it_does_not_keep(void **state)
{
    struct diags d = { 0 };
    struct str out = { 0 };

    (void)state;
    for (int i = 0; i < DIAGS_MAX + 5; i++)
        diags_add(&d, DIAG_ERROR, (struct diag_pos){ 0, 0 }, "x");
    assert_int_equal(d.errors, DIAGS_MAX + 5);
    diags_print(&d, DIAG_ERROR, "f", NULL, 0, &out);
    assert_true(str_ends(str_c(&out), "f: 5 more are not shown\n"));
    str_release(&out);
    diags_release(&d);
}

static void diag_survives_any_bytes(void **state)
{
    static const char source[] = "\xff\xfe\x01\x80 \xf0\x9f\n";
    struct diags d = { 0 };
    struct str out = { 0 };

    (void)state;
    for (unsigned col = 0; col < 12; col++)
        diags_add(&d, DIAG_ERROR, (struct diag_pos){ 1, col }, "x");
    diags_add(&d, DIAG_ERROR, (struct diag_pos){ 9, 1 }, "past the end");
    diags_print(&d, DIAG_ERROR, "f", source, strlen(source), &out);
    assert_null(strchr(str_c(&out), '\x01'));
    str_release(&out);
    diags_release(&d);
}

static void wrapping_puts_the_context_in_front(void **state)
{
    struct err err = { 0 };

    (void)state;
    assert_int_equal(err_set(&err, ERR_SYSTEM, "disk %s", "full"), -1);
    assert_int_equal(err_wrap(&err, "service %s", "web"), -1);
    assert_string_equal(err.msg, "service web: disk full");
}

static char *only_stars(const char *text, void *user)
{
    struct str out = { 0 };

    str_printf(&out, "%s(%zu)", (const char *)user, strlen(text));
    return str_take(&out);
}

static void log_lines_pass_the_filter(void **state)
{
    int before = dup(STDERR_FILENO), ends[2];
    char mark[] = "***", got[512] = "";

    (void)state;
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    log_filter(only_stars, mark);
    log_warn("test", "open %s", "sesame");
    log_filter(NULL, NULL);
    log_warn("test", "plain\n");
    dup2(before, STDERR_FILENO);
    assert_true(read(ends[0], got, sizeof(got) - 1) > 0);
    assert_null(strstr(got, "sesame"));
    assert_non_null(strstr(got, "Z warn test: ***(11)\n"));
    assert_non_null(strstr(got, "Z warn test: plain\\x0a\n"));
    close(ends[0]);
    close(ends[1]);
    close(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(str_grows_and_is_always_terminated),
        cmocka_unit_test(strv_is_null_terminated_at_every_length),
        cmocka_unit_test(whole_numbers_only),
        cmocka_unit_test(env_keeps_order_and_the_last_value),
        cmocka_unit_test(env_file_lines),
        cmocka_unit_test(stored_env_is_verbatim),
        cmocka_unit_test(diag_shows_the_line_and_a_caret),
        cmocka_unit_test(diag_counts_what_it_does_not_keep),
        cmocka_unit_test(diag_survives_any_bytes),
        cmocka_unit_test(wrapping_puts_the_context_in_front),
        cmocka_unit_test(log_lines_pass_the_filter),
    };

    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
