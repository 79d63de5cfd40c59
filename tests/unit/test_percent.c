/* Percent-encoding: what is kept, what is refused, and what a person may type.
 */
#include "base/percent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/str.h"

static void encoded(const char *text, const char *keep, const char *wanted)
{
    cleanup_str struct str out = { 0 };

    percent_encode(&out, text, keep);
    assert_string_equal(str_c(&out), wanted);
}

static void decoded(const char *text, enum percent_plus plus,
                    const char *wanted)
{
    cleanup_str struct str out = { 0 };

    if (wanted == NULL) {
        assert_false(percent_decode(&out, text, strlen(text), plus));
        return;
    }
    assert_true(percent_decode(&out, text, strlen(text), plus));
    assert_string_equal(str_c(&out), wanted);
}

static void lenient(const char *text, const char *wanted)
{
    cleanup_str struct str out = { 0 };

    percent_decode_lenient(&out, text, strlen(text));
    assert_string_equal(str_c(&out), wanted);
}

static void unreserved_characters_are_not_encoded(void **state)
{
    (void)state;
    encoded("", "", "");
    encoded("azAZ09-._~", "", "azAZ09-._~");
    encoded("a b/c?d&e=%+", "", "a%20b%2Fc%3Fd%26e%3D%25%2B");
    encoded("\xc3\xa9\x01\x7f\xff", "", "%C3%A9%01%7F%FF");
    encoded("a/b:c@d e", "/:", "a/b:c%40d%20e");
}

static void escapes_are_decoded_in_either_case(void **state)
{
    (void)state;
    decoded("", PERCENT_PATH, "");
    decoded("%41%c3%A9%2f", PERCENT_PATH, "A\xc3\xa9/");
    decoded("%2525", PERCENT_PATH, "%25"); /* once, not twice */
}

static void plus_is_a_blank_in_forms_only(void **state)
{
    (void)state;
    decoded("a+b%2B", PERCENT_PATH, "a+b+");
    decoded("a+b%2B", PERCENT_FORM, "a b+");
}

static void broken_escapes_and_nul_are_refused(void **state)
{
    static const char *const bad[] = { "%",   "a%4",   "%4g", "%g4", "%%41",
                                       "%00", "a%00b", "%-1", "% 1" };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        decoded(bad[i], PERCENT_FORM, NULL);
}

static void raw_nul_is_refused(void **state)
{
    cleanup_str struct str out = { 0 };

    (void)state;
    assert_false(percent_decode(&out, "a\0b", 3, PERCENT_PATH));
    assert_string_equal(str_c(&out), "a");
}

static void decoding_stops_at_its_length(void **state)
{
    cleanup_str struct str out = { 0 };

    (void)state;
    assert_false(percent_decode(&out, "%41", 2, PERCENT_PATH));
    percent_decode_lenient(&out, "%41", 2);
    assert_string_equal(str_c(&out), "%4");
}

static void what_people_type_is_taken_as_meant(void **state)
{
    (void)state;
    lenient("a%20b", "a b");
    lenient("100%", "100%");
    lenient("%zz%4", "%zz%4");
    lenient("a%00b+c", "a%00b+c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unreserved_characters_are_not_encoded),
        cmocka_unit_test(escapes_are_decoded_in_either_case),
        cmocka_unit_test(plus_is_a_blank_in_forms_only),
        cmocka_unit_test(broken_escapes_and_nul_are_refused),
        cmocka_unit_test(raw_nul_is_refused),
        cmocka_unit_test(decoding_stops_at_its_length),
        cmocka_unit_test(what_people_type_is_taken_as_meant),
    };

    return cmocka_run_group_tests_name("percent", tests, NULL, NULL);
}
