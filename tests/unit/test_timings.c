#include "cli/timings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/events.h"
#include "cli/report.h"
#include "cli/term.h"
#include "cli/text.h"
#include "support/golden.h"

#define NOW_S 1000180

/* A start of a second: a database, an init container and a service. */
#define SPAN(phase, begin, end, critical, more)                                \
    "{\"phase\":\"" phase "\",\"begin_ms\":" begin ",\"end_ms\":" end          \
    ",\"critical\":" critical more "}"
#define WHO(kind, name)                                                        \
    "{\"kind\":\"" kind "\",\"name\":\"" name "\",\"replica\":0}"
#define ITEM(kind, name, own, critical, spans)                                 \
    "{\"kind\":\"" kind "\",\"name\":\"" name "\",\"replica\":0,"              \
    "\"own_ms\":" own ",\"usual_ms\":100,\"critical\":" critical               \
    ",\"spans\":[" spans "]}"

static const char
    answer[] = "{\"slower\":true,\"usual_ms\":400,\"compared\":4,"
               "\"culprit\":" WHO(
                   "resource",
                   "db") ","
                         "\"run\":{\"app\":\"demo\",\"engine\":\"Docker\","
                         "\"started\":1000000,"
                         "\"ready_ms\":1000,\"items\":[" ITEM(
                             "rackd", "rackd", "0.4", "true",
                             SPAN(
                                 "prepare", "0", "0.4", "true",
                                 "")) "," ITEM("network", "demo", "99.6",
                                               "true",
                                               SPAN(
                                                   "create", "0.4", "100",
                                                   "true",
                                                   "")) "," ITEM("resource",
                                                                 "db", "600",
                                                                 "true",
                                                                 SPAN(
                                                                     "wait", "0.4", "100", "false", ",\"for\":[" WHO("network", "demo") "]") "," SPAN("create", "100", "200", "true", "") "," SPAN("start", "200", "400", "true", "") "," SPAN("connect", "400", "650", "true", "") "," SPAN("answer",
                                                                                                                                                                                                                                                                                             "650",
                                                                                                                                                                                                                                                                                             "700", "true", "")) "," ITEM("init",
                                                                                                                                                                                                                                                                                                                          "web",
                                                                                                                                                                                                                                                                                                                          "200",
                                                                                                                                                                                                                                                                                                                          "false",
                                                                                                                                                                                                                                                                                                                          SPAN(
                                                                                                                                                                                                                                                                                                                              "create",
                                                                                                                                                                                                                                                                                                                              "100",
                                                                                                                                                                                                                                                                                                                              "150", "false", "") "," SPAN("run",
                                                                                                                                                                                                                                                                                                                                                           "150", "300", "false", "")) "," ITEM("service",
                                                                                                                                                                                                                                                                                                                                                                                                "web", "400", "true",
                                                                                                                                                                                                                                                                                                                                                                                                SPAN("create", "100", "200", "false", "") "," SPAN("wait",
                                                                                                                                                                                                                                                                                                                                                                                                                                                   "200",
                                                                                                                                                                                                                                                                                                                                                                                                                                                   "700",
                                                                                                                                                                                                                                                                                                                                                                                                                                                   "false",
                                                                                                                                                                                                                                                                                                                                                                                                                                                   ",\"for\":[" WHO("init", "web") "," WHO("resource", "db") "]") "," SPAN("start",
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           "700",
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           "1000",
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           "true",
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           "")) "]}}";

static struct term look_of(size_t columns, bool colour, bool utf8)
{
    return (struct term){ .columns = columns, .colour = colour, .utf8 = utf8 };
}

static void print_text(const char *json, struct term look, struct str *out)
{
    cJSON *a = cJSON_Parse(json);
    struct timings t;

    assert_non_null(a);
    timings_read(&t, a);
    timings_text(&t, &look, NOW_S, out);
    timings_release(&t);
    cJSON_Delete(a);
}

static void print_html(const char *json, struct str *out)
{
    cJSON *a = cJSON_Parse(json);
    struct timings t;

    assert_non_null(a);
    timings_read(&t, a);
    timings_html(&t, out);
    timings_release(&t);
    cJSON_Delete(a);
}

static void table_is_as_wide_as_the_window(void **state)
{
    static const size_t widths[] = { 8, 20, 33, 50, 64, 80, 132, 400 };

    (void)state;
    for (size_t i = 0; i < sizeof(widths) / sizeof(*widths); i++) {
        cleanup_str struct str out = { 0 };
        const char *line;

        print_text(answer, look_of(widths[i], true, true), &out);
        assert_null(strstr(str_c(&out), " \n"));
        line = strstr(str_c(&out), "OWN"); /* the head may wrap by itself */
        assert_non_null(line);
        for (; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
            size_t len;

            line += *line == '\n';
            len = strcspn(line, "\n");
            if (widths[i] >= 20)
                assert_true(text_width(line, len) <= widths[i]);
        }
    }
}

static void table_of_a_pipe_is_plain(void **state)
{
    cleanup_str struct str out = { 0 };

    (void)state;
    print_text(answer, look_of(80, false, false), &out);
    for (size_t i = 0; i < out.len; i++)
        assert_true(out.s[i] == '\n' || (out.s[i] >= ' ' && out.s[i] < 0x7f));
    assert_true(golden_equal("fixtures/golden/timings/80.txt", str_c(&out)));
}

static void narrow_window_has_labels_on_lines_of_their_own(void **state)
{
    cleanup_str struct str out = { 0 };

    (void)state;
    print_text(answer, look_of(50, false, true), &out);
    assert_true(golden_equal("fixtures/golden/timings/50.txt", str_c(&out)));
}

static void colours_and_blocks_are_for_who_can_show_them(void **state)
{
    cleanup_str struct str blocks = { 0 }, letters = { 0 };

    (void)state;
    print_text(answer, look_of(80, true, true), &blocks);
    assert_non_null(strstr(str_c(&blocks), "█"));
    assert_non_null(strstr(str_c(&blocks), "▒")); /* not critical */
    print_text(answer, look_of(80, true, false), &letters);
    assert_null(strstr(str_c(&letters), "█"));
    assert_non_null(strstr(str_c(&letters), "\033["));
}

static void page_is_as_it_was(void **state)
{
    cleanup_str struct str out = { 0 };

    (void)state;
    print_html(answer, &out);
    assert_true(golden_equal("fixtures/golden/timings/page.html", str_c(&out)));
}

static void page_needs_nothing_else(void **state)
{
    static const char *const never[] = { "<script", "http:",   "https:",
                                         "src=",    "@import", "url(" };
    cleanup_str struct str out = { 0 };

    (void)state;
    print_html(answer, &out);
    for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++)
        assert_null(strstr(str_c(&out), never[i]));
    assert_non_null(strstr(str_c(&out), "prefers-color-scheme:dark"));
}

/* Whatever is in a name is text on the page, wherever it stands. */
static void names_are_escaped_in_the_page(void **state)
{
    static const char evil[] =
        "{\"slower\":true,\"usual_ms\":1,\"compared\":3,"
        "\"culprit\":" WHO(
            "image",
            "<em>&\\\"'") ","
                          "\"run\":{\"app\":\"<b>x</"
                          "b>\",\"engine\":\"<u>\",\"ready_ms\":100,"
                          "\"items\":[" ITEM(
                              "image", "\\\"><script>alert('1')</script>",
                              "100", "true",
                              SPAN("</style><p>", "0", "100", "true",
                                   ",\"for\":[" WHO("<s>", "&amp;") "]")) "]}}";
    cleanup_str struct str out = { 0 };

    (void)state;
    print_html(evil, &out);
    assert_null(strstr(str_c(&out), "<script"));
    assert_null(strstr(str_c(&out), "<b>x"));
    assert_null(strstr(str_c(&out), "<u>"));
    assert_null(strstr(str_c(&out), "<em>"));
    assert_null(strstr(str_c(&out), "<s>"));
    assert_null(strstr(str_c(&out), "</style><p>"));
    assert_non_null(strstr(str_c(&out), "&lt;b&gt;x&lt;/b&gt;: ready in"));
    assert_non_null(
        strstr(str_c(&out), "&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)"));
    assert_non_null(strstr(str_c(&out), "&amp;amp;"));
}

static void assert_from(const char *from, const char *text, const char *html)
{
    cleanup_free char *json =
        xasprintf("{\"run\":{\"app\":\"a\",\"ready_ms\":9,\"items\":["
                  "{\"kind\":\"resource\",\"name\":\"db\",\"from\":\"%s\","
                  "\"spans\":[" SPAN("start", "1", "9", "true", "") "]}]}}",
                  from);
    cleanup_str struct str out = { 0 }, page = { 0 };

    print_text(json, look_of(80, false, false), &out);
    assert_non_null(strstr(str_c(&out), text));
    print_html(json, &page);
    assert_non_null(strstr(str_c(&page), html));
}

static void container_that_is_not_from_an_image_says_so(void **state)
{
    (void)state;
    assert_from("image", "  resource db  *start 8 ms\n",
                "<td>resource db</td><td><b>");
    assert_from("template", "  resource db  from a template, *start 8 ms\n",
                "<td>resource db</td><td>from a template, <b>");
    assert_from("ahead", "  resource db  made ahead, *start 8 ms\n",
                "<td>resource db</td><td>made ahead, <b>");
    assert_from("<i>", "from a <i>,", "from a &lt;i&gt;, ");
}

/* rackd may be another one, or its file be written by hand. */
static void nonsense_makes_no_nonsense_of_the_page(void **state)
{
    static const char *const odd[] = {
        "{}",
        "{\"run\":7}",
        "{\"run\":{\"ready_ms\":-5,\"items\":{}}}",
        "{\"run\":{\"ready_ms\":1e300,\"items\":[{}]}}",
        "{\"run\":{\"ready_ms\":10,\"items\":[{\"kind\":\"service\","
        "\"name\":\"w\",\"spans\":[{\"phase\":\"create\",\"begin_ms\":9,"
        "\"end_ms\":2},{\"begin_ms\":-1,\"end_ms\":5},{\"begin_ms\":1,"
        "\"end_ms\":5000}]}]}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
        cleanup_str struct str html = { 0 }, text = { 0 };

        print_html(odd[i], &html);
        print_text(odd[i], look_of(80, true, true), &text);
        assert_null(strstr(str_c(&html), "nan"));
        assert_null(strstr(str_c(&html), "inf"));
        assert_null(strstr(str_c(&html), "left:-"));
        assert_non_null(strstr(str_c(&html), "</html>"));
    }
}

static void assert_duration(double ms, const char *want)
{
    cleanup_str struct str out = { 0 };

    timings_duration(&out, ms);
    assert_string_equal(str_c(&out), want);
}

static void durations_have_three_digits_or_so(void **state)
{
    (void)state;
    assert_duration(0, "0.0 ms");
    assert_duration(0.94, "0.9 ms");
    assert_duration(0.96, "1 ms");
    assert_duration(412.4, "412 ms");
    assert_duration(999.6, "1.00 s");
    assert_duration(1624, "1.62 s");
    assert_duration(9996, "10.0 s");
    assert_duration(40061, "40.1 s");
    assert_duration(65000, "1m05s");
}

static void assert_ready(const char *more, const char *want)
{
    cleanup_free char *line =
        xasprintf("{\"type\":\"ready\",\"ms\":1,\"seconds\":3.4%s}", more);
    struct term look = look_of(80, false, false);
    cleanup_str struct str out = { 0 };
    struct event e;

    assert_true(event_parse(&e, line, strlen(line)));
    report_ready(&e, &look, &out);
    assert_non_null(strstr(str_c(&out), want));
    event_release(&e);
}

static void slower_start_says_so_and_who_it_was(void **state)
{
    (void)state;
    assert_ready("", "ready in 3.4 s\n");
    assert_ready(",\"usual\":1.7", "ready in 3.4 s, usually 1.7 s\n");
    assert_ready(",\"usual\":1.7,\"culprit\":" WHO("resource", "mysql"),
                 "ready in 3.4 s, usually 1.7 s: mysql\n");
    assert_ready(",\"usual\":1.7,\"culprit\":" WHO("build", "web"),
                 "usually 1.7 s: build of web\n");
    assert_ready(",\"usual\":1.7,\"culprit\":" WHO("image", "redis:8"),
                 "usually 1.7 s: pull of redis:8\n");
    assert_ready(",\"usual\":1.7,\"culprit\":" WHO("init", "web"),
                 "usually 1.7 s: init container of web\n");
    assert_ready(",\"usual\":1.7,\"culprit\":{\"kind\":\"service\","
                 "\"name\":\"web\",\"replica\":2}",
                 "usually 1.7 s: web/2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_as_wide_as_the_window),
        cmocka_unit_test(table_of_a_pipe_is_plain),
        cmocka_unit_test(narrow_window_has_labels_on_lines_of_their_own),
        cmocka_unit_test(colours_and_blocks_are_for_who_can_show_them),
        cmocka_unit_test(page_is_as_it_was),
        cmocka_unit_test(page_needs_nothing_else),
        cmocka_unit_test(names_are_escaped_in_the_page),
        cmocka_unit_test(container_that_is_not_from_an_image_says_so),
        cmocka_unit_test(nonsense_makes_no_nonsense_of_the_page),
        cmocka_unit_test(durations_have_three_digits_or_so),
        cmocka_unit_test(slower_start_says_so_and_who_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
