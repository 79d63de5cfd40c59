#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/env.h"
#include "base/mem.h"
#include "base/str.h"
#include "manifest/interpolate.h"
#include "manifest/node.h"

/* One text, read. */
struct fixture {
    struct env env;
    struct interpolated src;
    struct node_pool pool;
    struct diags errors, warnings;
    struct node *root;
    int rc;
};

static int set_up(void **state)
{
    *state = xcalloc(1, sizeof(struct fixture));
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    node_pool_release(&f->pool);
    interpolated_release(&f->src);
    env_release(&f->env);
    diags_release(&f->errors);
    diags_release(&f->warnings);
    free(f);
    return 0;
}

static void read_text(struct fixture *f, const char *text)
{
    f->rc = interpolate(&f->src, text, strlen(text), &f->env, &f->errors,
                        &f->warnings);
    if (f->rc == 0)
        f->rc =
            node_parse(&f->pool, &f->src, &f->errors, &f->warnings, &f->root);
}

static const struct node *get(const struct node *map, const char *key)
{
    assert_int_equal(map->kind, NODE_MAP);
    for (size_t i = 0; i < map->entries.len; i++)
        if (!map->entries.v[i].hidden &&
            strcmp(map->entries.v[i].key->text, key) == 0)
            return map->entries.v[i].value;
    fail_msg("there is no %s", key);
    return NULL;
}

static void assert_pos(struct diag_pos pos, unsigned line, unsigned col)
{
    assert_int_equal(pos.line, line);
    assert_int_equal(pos.col, col);
}

static void plain_scalars_have_yaml_1_1_types(void **state)
{
    static const struct {
        const char *text;
        enum node_type type;
    } cases[] = {
        { "a", NODE_TEXT },
        { "no", NODE_BOOL },
        { "y", NODE_BOOL },
        { "On", NODE_BOOL },
        { "OFF", NODE_BOOL },
        { "True", NODE_BOOL },
        { "oN", NODE_TEXT },
        { "'no'", NODE_TEXT },
        { "\"true\"", NODE_TEXT },
        { "", NODE_NULL },
        { "~", NODE_NULL },
        { "null", NODE_NULL },
        { "nULL", NODE_TEXT },
        { "''", NODE_TEXT },
        { "5", NODE_INT },
        { "-5", NODE_INT },
        { "+5", NODE_INT },
        { "0x1F", NODE_INT },
        { "0b11", NODE_INT },
        { "0o17", NODE_INT },
        { "017", NODE_INT },
        { "1_000", NODE_INT },
        { "\"5\"", NODE_TEXT },
        { "5.5", NODE_FLOAT },
        { "10.10", NODE_FLOAT },
        { "1e5", NODE_FLOAT },
        { ".inf", NODE_FLOAT },
        { ".5", NODE_FLOAT },
        { "22:22", NODE_TEXT },
        { "1.2.3", NODE_TEXT },
        { "2001-01-01", NODE_TEXT },
        { "0x", NODE_TEXT },
        { "_1", NODE_TEXT },
        { "1-3", NODE_TEXT },
        { "!!str 5", NODE_TEXT },
        { "!!int \"5\"", NODE_INT },
        { "99999999999999999999", NODE_FLOAT },
        { "5 apples", NODE_TEXT },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        cleanup_free char *text = xasprintf("k: %s\n", cases[i].text);

        read_text(f, text);
        assert_int_equal(f->rc, 0);
        if (get(f->root, "k")->type != cases[i].type)
            fail_msg("%s is %d", cases[i].text, get(f->root, "k")->type);
        interpolated_release(&f->src);
    }
}

static void numbers_have_their_values(void **state)
{
    struct fixture *f = *state;

    read_text(f, "{a: 0x1F, b: 017, c: -0b11, d: 1_000, e: 0o17, f: -7, "
                 "g: 1.5, h: 9223372036854775807}");
    assert_int_equal(get(f->root, "a")->whole, 31);
    assert_int_equal(get(f->root, "b")->whole, 15);
    assert_int_equal(get(f->root, "c")->whole, -3);
    assert_int_equal(get(f->root, "d")->whole, 1000);
    assert_int_equal(get(f->root, "e")->whole, 15);
    assert_int_equal(get(f->root, "f")->whole, -7);
    assert_true(get(f->root, "g")->real == 1.5);
    assert_true(get(f->root, "h")->whole == INT64_MAX);
}

static void raw_text_is_kept(void **state)
{
    struct fixture *f = *state;

    read_text(f, "version: 10.10\nother: 010\nyes: no\n");
    assert_string_equal(get(f->root, "version")->text, "10.10");
    assert_string_equal(get(f->root, "other")->text, "010");
    assert_string_equal(get(f->root, "yes")->text, "no");
}

static void places_count_bytes_past_wide_characters(void **state)
{
    struct fixture *f = *state;

    read_text(f, "# h\xc3\xa9llo\n\xe2\x82\xac: \xf0\x9f\x98\x80\n"
                 "a: [\xc3\xa9, x]\n");
    assert_pos(get(f->root, "\xe2\x82\xac")->pos, 2, 6);
    assert_pos(get(f->root, "a")->items.v[1]->pos, 3, 9);
}

static void places_are_those_of_the_file_not_of_the_replaced_text(void **state)
{
    struct fixture *f = *state;

    env_set(&f->env, "LONG", "a very long value: with\n- a list", "test");
    env_set(&f->env, "A", "x", "test");
    read_text(f, "a: \"${LONG}\"\nb: ${A}${A} # ${NONE}\nc: [${A}, y]\n");
    assert_int_equal(f->rc, 0);
    assert_pos(get(f->root, "b")->pos, 2, 4);
    assert_pos(get(f->root, "c")->items.v[0]->pos, 3, 5);
    assert_pos(get(f->root, "c")->items.v[1]->pos, 3, 11);
    assert_string_equal(get(f->root, "b")->text, "xx");
    assert_string_equal(get(f->root, "b")->written, "${A}${A}");
    assert_null(get(f->root, "c")->items.v[1]->written);
}

static void an_error_in_a_value_is_at_its_name(void **state)
{
    struct fixture *f = *state;

    env_set(&f->env, "BAD", "x: y: [", "test");
    read_text(f, "a: 1\nb: ${BAD}\n");
    assert_int_equal(f->rc, -1);
    assert_int_equal(f->errors.len, 1);
    assert_pos(f->errors.v[0].pos, 2, 4);
}

static void replacing_is_convoxs(void **state)
{
    struct fixture *f = *state;

    env_set(&f->env, "A", "1", "test");
    env_set(&f->env, "KEY", "key", "test");
    env_set(&f->env, "INJECT", "{x: [1, 2]}", "test");
    read_text(f, "${KEY}: $A ${A}\nb: ${INJECT}\nc: ${A:-2}\nd: ${ A }\n"
                 "e: \"${\"\n# ${COMMENT}\nf: ${D}${D}\n");
    assert_int_equal(f->rc, 0);
    assert_string_equal(get(f->root, "key")->text, "$A 1");
    assert_int_equal(get(get(f->root, "b"), "x")->items.len, 2);
    assert_true(node_is_null(get(f->root, "c")));
    assert_true(node_is_null(get(f->root, "d")));
    assert_string_equal(get(f->root, "e")->text, "${");
    assert_true(node_is_null(get(f->root, "f")));
    assert_int_equal(f->warnings.len, 3);
    assert_pos(f->warnings.v[0].pos, 3, 4);
    assert_non_null(strstr(f->warnings.v[0].text, "A:-2 is not set"));
    assert_pos(f->warnings.v[2].pos, 7, 4);
}

static void merge_keys_work_quoted_or_not(void **state)
{
    struct fixture *f = *state;

    read_text(f, "base: &base {a: 1, b: 2}\nother: &other {b: 3, c: 4}\n"
                 "plain: {<<: *base, b: 5}\nquoted: {\"<<\": *base, b: 5}\n"
                 "last: {b: 5, <<: *base}\nmany: {<<: [*base, *other]}\n"
                 "chain: {<<: {<<: *base, a: 9}}\nnone: {<<: }\n");
    assert_int_equal(f->rc, 0);
    assert_string_equal(get(get(f->root, "plain"), "a")->text, "1");
    assert_string_equal(get(get(f->root, "plain"), "b")->text, "5");
    assert_string_equal(get(get(f->root, "quoted"), "a")->text, "1");
    assert_string_equal(get(get(f->root, "quoted"), "b")->text, "5");
    assert_string_equal(get(get(f->root, "last"), "b")->text, "5");
    assert_string_equal(get(get(f->root, "many"), "b")->text, "2");
    assert_string_equal(get(get(f->root, "many"), "c")->text, "4");
    assert_string_equal(get(get(f->root, "chain"), "a")->text, "9");
    assert_string_equal(get(get(f->root, "chain"), "b")->text, "2");
    assert_int_equal(get(f->root, "none")->entries.len, 0);
    assert_int_equal(f->errors.len, 0);
}

static void merging_anything_else_is_an_error(void **state)
{
    struct fixture *f = *state;

    read_text(f, "a: {<<: text}\nb: {<<: [{a: 1}, 2]}\n");
    assert_int_equal(f->errors.len, 2);
    assert_pos(f->errors.v[0].pos, 1, 9);
    assert_pos(f->errors.v[1].pos, 2, 9);
}

static void the_last_of_equal_keys_wins_in_maps_of_any_size(void **state)
{
    struct fixture *f = *state;
    struct str text = { 0 };

    read_text(f, "{a: 1, b: 2, a: 3}");
    assert_string_equal(get(f->root, "a")->text, "3");
    assert_pos(f->root->entries.v[0].again->pos, 1, 14);
    interpolated_release(&f->src);

    for (int i = 0; i < 100; i++)
        str_printf(&text, "k%d: %d\n", i % 60, i);
    read_text(f, str_c(&text));
    assert_string_equal(get(f->root, "k5")->text, "65");
    assert_string_equal(get(f->root, "k50")->text, "50");
    assert_pos(f->root->entries.v[5].again->pos, 66, 1);
    str_release(&text);
}

static void an_alias_to_itself_or_to_nothing_is_an_error(void **state)
{
    struct fixture *f = *state;

    read_text(f, "a: &a [1, *a]\n");
    assert_int_equal(f->rc, -1);
    assert_pos(f->errors.v[0].pos, 1, 11);
    interpolated_release(&f->src);
    read_text(f, "a: *nothing\n");
    assert_int_equal(f->rc, -1);
    assert_non_null(strstr(f->errors.v[1].text, "&nothing"));
}

static void only_the_first_document_counts(void **state)
{
    struct fixture *f = *state;

    read_text(f, "a: 1\n---\na: 2\n");
    assert_int_equal(f->rc, 0);
    assert_string_equal(get(f->root, "a")->text, "1");
    assert_int_equal(f->warnings.len, 1);
    assert_pos(f->warnings.v[0].pos, 2, 1);
}

static void a_byte_order_mark_is_no_part_of_the_text(void **state)
{
    struct fixture *f = *state;

    read_text(f, "\xef\xbb\xbf"
                 "a: 1\n");
    assert_int_equal(f->rc, 0);
    assert_string_equal(get(f->root, "a")->text, "1");
}

static void nothing_is_nothing(void **state)
{
    struct fixture *f = *state;

    read_text(f, "");
    assert_int_equal(f->rc, 0);
    assert_null(f->root);
    interpolated_release(&f->src);
    read_text(f, "# only a comment\n\n");
    assert_int_equal(f->rc, 0);
    assert_null(f->root);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plain_scalars_have_yaml_1_1_types),
        TEST(numbers_have_their_values),
        TEST(raw_text_is_kept),
        TEST(places_count_bytes_past_wide_characters),
        TEST(places_are_those_of_the_file_not_of_the_replaced_text),
        TEST(an_error_in_a_value_is_at_its_name),
        TEST(replacing_is_convoxs),
        TEST(merge_keys_work_quoted_or_not),
        TEST(merging_anything_else_is_an_error),
        TEST(the_last_of_equal_keys_wins_in_maps_of_any_size),
        TEST(an_alias_to_itself_or_to_nothing_is_an_error),
        TEST(only_the_first_document_counts),
        TEST(a_byte_order_mark_is_no_part_of_the_text),
        TEST(nothing_is_nothing),
    };

    return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
