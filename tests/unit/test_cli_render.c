#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/events.h"
#include "cli/render.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/term.h"
#include "cli/text.h"

/* A renderer, what it draws on, and all it ever wrote. */
struct screen {
    struct term out, err;
    struct strv only;
    struct render r;
    struct str stdout_text, stderr_text;
    int64_t now_ms;
};

static void screen_open(struct screen *s, bool tty)
{
    struct render_spec spec = {
        .out = &s->out, .err = &s->err, .only = &s->only, .logs = true
    };

    s->out = (struct term){ .is_tty = tty, .columns = 60, .rows = 24 };
    s->err = s->out;
    render_init(&s->r, &spec);
}

static int setup_plain(void **state)
{
    *state = xcalloc(1, sizeof(struct screen));
    screen_open(*state, false);
    return 0;
}

static int setup_tty(void **state)
{
    *state = xcalloc(1, sizeof(struct screen));
    screen_open(*state, true);
    return 0;
}

static int teardown(void **state)
{
    struct screen *s = *state;

    render_release(&s->r);
    strv_release(&s->only);
    str_release(&s->stdout_text);
    str_release(&s->stderr_text);
    free(s);
    return 0;
}

static void frame(struct screen *s)
{
    render_frame(&s->r, s->now_ms);
    str_add(&s->stdout_text, str_c(&s->r.out));
    str_add(&s->stdout_text, str_c(&s->r.tail));
    str_add(&s->stderr_text, str_c(&s->r.err));
    str_cut(&s->r.out, 0);
    str_cut(&s->r.tail, 0);
    str_cut(&s->r.err, 0);
}

static void feed(struct screen *s, const char *json)
{
    struct event e;

    assert_true(event_parse(&e, json, strlen(json)));
    render_event(&s->r, &e, s->now_ms);
    event_release(&e);
}

static void feed_log(struct screen *s, const char *source, const char *tag,
                     const char *line, bool partial)
{
    cJSON *json = cJSON_CreateObject();
    cleanup_free char *text = NULL;

    cJSON_AddStringToObject(json, "type", "log");
    cJSON_AddStringToObject(json, "source", source);
    cJSON_AddStringToObject(json, "tag", tag);
    cJSON_AddStringToObject(json, "line", line);
    if (partial)
        cJSON_AddBoolToObject(json, "partial", true);
    text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    feed(s, text);
}

static void assert_wrote(struct screen *s, const char *want)
{
    frame(s);
    assert_string_equal(str_c(&s->stdout_text), want);
    str_cut(&s->stdout_text, 0);
}

#define SESSION                                                                \
    "{\"type\":\"session\",\"ms\":0,\"session\":\"s1\",\"app\":\"shop\","      \
    "\"engine\":\"docker\",\"engine_version\":\"20.10\"}"
#define STATE(kind, name, state, text, ms)                                     \
    "{\"type\":\"state\",\"ms\":" #ms ",\"kind\":\"" kind                      \
    "\",\"name\":\"" name "\",\"replica\":0,\"state\":\"" state                \
    "\",\"text\":\"" text "\"}"
#define READY                                                                  \
    "{\"type\":\"ready\",\"ms\":1740,\"seconds\":1.74,\"services\":[{"         \
    "\"name\":\"web\",\"url\":\"http://127.0.0.1:4000\",\"ports\":[],"         \
    "\"replicas\":2,\"internal\":false},{\"name\":\"job\",\"url\":\"\","       \
    "\"ports\":[],\"replicas\":1,\"internal\":true}],\"resources\":[{"         \
    "\"name\":\"db\",\"type\":\"postgres\",\"url\":\"postgres://in\","         \
    "\"host_url\":\"postgres://app:pw@127.0.0.1:4001/app\"},{\"name\":"        \
    "\"ext\",\"type\":\"redis\",\"url\":\"redis://u:secret@h/0\","             \
    "\"host_url\":\"\",\"external\":true}]}"

static void plain_start_is_lines_and_no_cursor_moves(void **state)
{
    struct screen *s = *state;

    feed(s, SESSION);
    feed(s, STATE("network", "shop", "ready", "", 5));
    feed(s, STATE("service", "web", "waiting", "db", 6));
    feed(s, STATE("resource", "db", "creating", "", 10));
    feed(s, STATE("resource", "db", "checking", "", 500));
    feed(s, STATE("resource", "db", "ready", "", 1210));
    feed(s, STATE("service", "web", "starting", "", 1300));
    feed(s, STATE("service", "web", "ready", "", 1700));
    feed(s, READY);
    assert_wrote(s, "convox | starting shop on docker 20.10\n"
                    "convox | resource db: ready 1.2 s\n"
                    "convox | service web: ready 0.4 s\n"
                    "\n"
                    "NAME  TYPE         URL\n"
                    "web   service x 2  http://127.0.0.1:4000\n"
                    "job   service      internal\n"
                    "db    postgres     postgres://app:pw@127.0.0.1:4001/app\n"
                    "ext   redis        redis://u:****@h/0 (external)\n"
                    "\n"
                    "ready in 1.7 s\n"
                    "\n");
    assert_int_equal(render_wait(&s->r, 0), -1);
}

#define PROGRESS(ms, done, current)                                            \
    "{\"type\":\"progress\",\"ms\":" #ms ",\"name\":\"x:1\",\"text\":\"\","    \
    "\"layers\":4,\"layers_done\":" #done ",\"current\":" #current ","         \
    "\"total\":9000000}"

static void a_long_pull_is_told_now_and_then(void **state)
{
    struct screen *s = *state;

    feed(s, SESSION);
    feed(s, STATE("image", "x:1", "pulling", "", 1000));
    feed(s, PROGRESS(1010, 0, 0));
    feed(s, PROGRESS(5999, 1, 2000000));
    feed(s, PROGRESS(6000, 2, 4500000));
    feed(s, PROGRESS(6100, 3, 5000000));
    feed(s, STATE("image", "x:1", "ready", "", 7000));
    assert_wrote(s, "convox | starting shop on docker 20.10\n"
                    "convox | image x:1: pulling\n"
                    "convox | image x:1: pulling 2/4 layers 4.5/9.0 MB\n"
                    "convox | image x:1: ready 6.0 s\n");
}

static void log_lines_keep_every_byte_but_colours(void **state)
{
    struct screen *s = *state;
    size_t big = 5 << 20;
    cleanup_free char *line = xcalloc(1, big + 1);

    feed(s, SESSION);
    frame(s);
    str_cut(&s->stdout_text, 0);
    feed_log(s, "service/web/1", "web", "\tx\033[31mred\033[0m <b>é</b>\r",
             false);
    assert_wrote(s, "web    | \txred <b>é</b>\r\n");
    memset(line, 'x', big);
    feed_log(s, "service/web/1", "web", line, false);
    frame(s);
    assert_int_equal(s->stdout_text.len, big + strlen("web    | \n"));
}

static void pieces_of_a_line_are_joined(void **state)
{
    struct screen *s = *state;

    feed(s, SESSION);
    frame(s);
    str_cut(&s->stdout_text, 0);
    feed_log(s, "service/web/1", "web", "one ", true);
    feed_log(s, "service/web/1", "web", "two ", true);
    feed_log(s, "service/web/1", "web", "three", false);
    feed_log(s, "service/web/1", "web", "begun", true);
    feed_log(s, "service/job/1", "job", "other", false);
    assert_wrote(s, "web    | one two three\n"
                    "web    | begun\n"
                    "job    | other\n");
}

static void feed_text(struct screen *s, const char *text, bool partial)
{
    struct event e = { .type = EVENT_TEXT,
                       .tag = "web",
                       .source = "service/web/1",
                       .line = text,
                       .len = strlen(text),
                       .partial = partial };

    render_event(&s->r, &e, s->now_ms);
}

static void lines_that_come_together_each_have_their_prefix(void **state)
{
    struct screen *s = *state;

    feed(s, SESSION);
    frame(s);
    str_cut(&s->stdout_text, 0);
    feed_text(s, "one\n\nthree", false);
    assert_wrote(s, "web    | one\n"
                    "web    | \n"
                    "web    | three\n");
    feed_text(s, "", false);
    feed_text(s, "plain\n\033[31mred\033[0m\nplain", false);
    assert_wrote(s, "web    | \n"
                    "web    | plain\n"
                    "web    | red\n"
                    "web    | plain\n");
    feed_text(s, "begun ", true);
    feed_text(s, "and ended\nnext", false);
    assert_wrote(s, "web    | begun and ended\n"
                    "web    | next\n");
}

static void resources_speak_only_when_asked(void **state)
{
    struct screen *s = *state;

    feed(s, SESSION);
    frame(s);
    str_cut(&s->stdout_text, 0);
    feed_log(s, "resource/db/1", "db", "noise", false);
    feed_log(s, "build/web", "build", "Step 1", false);
    assert_wrote(s, "build  | Step 1\n");
    strv_add(&s->only, "db");
    feed_log(s, "resource/db/1", "db", "wanted", false);
    feed_log(s, "service/web/1", "web", "not wanted", false);
    feed_log(s, "build/web", "build", "Step 2", false);
    assert_wrote(s, "db     | wanted\nbuild  | Step 2\n");
}

static void mishaps_after_ready_are_told(void **state)
{
    struct screen *s = *state;

    feed(s, SESSION);
    feed(s, READY);
    frame(s);
    str_cut(&s->stdout_text, 0);
    feed(s, "{\"type\":\"state\",\"ms\":9000,\"kind\":\"service\",\"name\":"
            "\"web\",\"replica\":2,\"state\":\"exited\",\"exit\":137,"
            "\"text\":\"killed\"}");
    feed(s, "{\"type\":\"lost\",\"ms\":9001,\"lines\":12}");
    feed(s, "{\"type\":\"never heard of\",\"ms\":1}");
    feed(s, "{\"type\":\"stopping\",\"ms\":9002,\"reason\":\"interrupted\"}");
    feed(s, "{\"type\":\"removed\",\"ms\":9003,\"containers\":6,\"networks\":1,"
            "\"volumes\":0,\"seconds\":0.61}");
    assert_wrote(s, "convox | service web/2: exited: killed\n"
                    "convox | 12 log lines dropped: they came faster than "
                    "they could be shown\n"
                    "convox | stopping: interrupted\n"
                    "removed 6 containers, 1 network, 0 volumes in 0.6 s\n");
}

static void errors_say_what_why_and_what_to_do(void **state)
{
    struct screen *s = *state;

    feed(s, SESSION);
    feed(s, "{\"type\":\"error\",\"ms\":900,\"text\":\"port 80 is taken\","
            "\"why\":\"nginx\\nholds it\\n\",\"todo\":\"stop it\","
            "\"diag_text\":\"convox.yml:3:7: bad port\\n\"}");
    frame(s);
    assert_string_equal(str_c(&s->stderr_text), "ERROR: port 80 is taken\n"
                                                "convox.yml:3:7: bad port\n"
                                                "  why  nginx\n"
                                                "       holds it\n"
                                                "  do   stop it\n");
}

static void quiet_prints_errors_only(void **state)
{
    struct screen *s = *state;

    s->r.spec.quiet = true;
    feed(s, SESSION);
    feed(s, STATE("resource", "db", "ready", "", 1210));
    feed(s, "{\"type\":\"error\",\"ms\":900,\"text\":\"no\"}");
    frame(s);
    assert_string_equal(str_c(&s->stdout_text), "");
    assert_string_equal(str_c(&s->stderr_text), "ERROR: no\n");
}

static void items_stand_below_the_lines_on_a_terminal(void **state)
{
    struct screen *s = *state;

    feed(s, SESSION);
    feed(s, STATE("resource", "db", "creating", "", 0));
    feed(s, STATE("service", "web", "waiting", "db", 0));
    s->now_ms = 1000;
    assert_wrote(s, "- resource db  1.0 s  creating\n"
                    ". service  web        waiting for db\n");
    feed_log(s, "build/web", "build", "Step 1", false);
    s->now_ms = 1100;
    assert_wrote(s, "\r\033[2A\033[J"
                    "build  | Step 1\n"
                    "\\ resource db  1.1 s  creating\n"
                    ". service  web        waiting for db\n");
    feed(s, STATE("resource", "db", "ready", "", 1200));
    feed(s, READY);
    frame(s);
    assert_true(str_starts(str_c(&s->stdout_text),
                           "\r\033[2A\033[J\nNAME  TYPE         URL\n"));
}

static void a_terminal_gets_at_most_15_frames_a_second(void **state)
{
    struct screen *s = *state;

    feed(s, SESSION);
    assert_int_equal(render_wait(&s->r, 0), 0);
    frame(s);
    assert_int_equal(render_wait(&s->r, 0), 100);
    feed_log(s, "build/web", "build", "Step 1", false);
    assert_int_equal(render_wait(&s->r, 0), 67);
    assert_int_equal(render_wait(&s->r, 66), 1);
    assert_int_equal(render_wait(&s->r, 70), 0);
    feed(s, READY);
    frame(s);
    assert_int_equal(render_wait(&s->r, 70), -1);
}

static void live_lines_never_wrap(void **state)
{
    struct screen *s = *state;
    const char *line;

    feed(s, SESSION);
    feed(s, STATE("resource", "a-very-long-resource-name-indeed", "checking",
                  "not yet: connection refused", 0));
    feed(s, STATE("service", "日本語日本語日本語", "waiting", "db", 0));
    for (size_t columns = 20; columns <= 100; columns++) {
        s->out.columns = columns;
        s->r.live.drawn.len = 0;
        str_cut(&s->stdout_text, 0);
        frame(s);
        for (line = str_c(&s->stdout_text); *line != '\0';) {
            size_t len = strcspn(line, "\n");

            assert_true(text_width(line, len) < columns);
            line += len + 1;
        }
    }
}

static void a_window_made_narrower_is_erased_as_it_folded(void **state)
{
    struct screen *s = *state;

    feed(s, SESSION);
    feed(s, STATE("resource", "db", "creating", "", 0));
    frame(s); /* 30 columns wide */
    str_cut(&s->stdout_text, 0);
    s->out.columns = 20;
    frame(s);
    assert_true(str_starts(str_c(&s->stdout_text), "\r\033[2A\033[J"));
}

static void many_items_fit_the_window(void **state)
{
    struct screen *s = *state;
    size_t lines = 0;
    const char *c;

    feed(s, SESSION);
    for (int i = 0; i < 100; i++) {
        char json[256];

        snprintf(json, sizeof(json),
                 "{\"type\":\"state\",\"ms\":0,\"kind\":\"service\",\"name\":"
                 "\"s%d\",\"replica\":0,\"state\":\"%s\",\"text\":\"\"}",
                 i, i < 50 ? "ready" : "starting");
        feed(s, json);
    }
    frame(s);
    for (c = str_c(&s->stdout_text); *c != '\0'; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 23);
    assert_non_null(strstr(str_c(&s->stdout_text), "  and 78 more\n"));
    assert_null(strstr(str_c(&s->stdout_text), "ready"));
}

static void a_failed_start_leaves_its_items_on_the_screen(void **state)
{
    struct screen *s = *state;

    feed(s, SESSION);
    feed(s, STATE("resource", "db", "failed", "exited", 400));
    frame(s);
    str_cut(&s->stdout_text, 0);
    feed(s, "{\"type\":\"error\",\"ms\":500,\"text\":\"no\"}");
    assert_wrote(s, "\r\033[1A\033[Jx resource db 0.0 s  failed exited\n");
    assert_wrote(s, "");
}

static void a_carriage_return_does_not_lose_the_tag(void **state)
{
    struct screen *s = *state;

    feed(s, SESSION);
    feed(s, READY);
    frame(s);
    str_cut(&s->stdout_text, 0);
    feed_log(s, "service/web/1", "web", "10%\r100%\r", false);
    assert_wrote(s, "web    | 10%\r\033[Kweb    | 100%\n");
}

static void colours_of_a_line_end_with_it(void **state)
{
    struct screen *s = *state;

    feed(s, SESSION);
    feed(s, READY);
    frame(s);
    str_cut(&s->stdout_text, 0);
    s->out.colour = true;
    feed_log(s, "service/web/1", "web", "\033[31mred\033[2J", false);
    assert_wrote(s, "web    | \033[31mred\033[0m\n");
}

static void broken_events_are_refused(void **state)
{
    static const char *const bad[] = {
        "", "{", "[]", "{}", "{\"type\":1}", "nonsense"
    };
    struct event e;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(event_parse(&e, bad[i], strlen(bad[i])));
    assert_true(
        event_parse(&e, "{\"type\":\"state\",\"name\":5,\"exit\":1e99}", 39));
    assert_string_equal(e.name, "");
    assert_int_equal(e.exit, 0);
    event_release(&e);
}

static void passwords_of_foreign_urls_are_masked(void **state)
{
    static const struct {
        const char *url, *want;
    } cases[] = {
        { "redis://u:p@h/0", "redis://u:****@h/0" },
        { "redis://u:p@w@h:1/0", "redis://u:****@h:1/0" },
        { "redis://h:6379/0?a=b:c@d", "redis://h:6379/0?a=b:c@d" },
        { "u:p@h", "u:****@h" },
        { "", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        cleanup_str struct str s = { 0 };

        report_masked(&s, cases[i].url);
        assert_string_equal(str_c(&s), cases[i].want);
    }
}

static void exit_status_tells_an_interrupt_from_a_failure(void **state)
{
    (void)state;
    assert_int_equal(session_status(3, true, 0), 3);
    assert_int_equal(session_status(0, true, 2), 0);
    assert_int_equal(session_status(130, true, 2), 0);
    assert_int_equal(session_status(1, true, 2), 1);
    assert_int_equal(session_status(0, false, 2), 130);
    assert_int_equal(session_status(0, false, 15), 143);
    assert_int_equal(session_status(1, false, 2), 1);
}

#define plain(test) cmocka_unit_test_setup_teardown(test, setup_plain, teardown)
#define tty(test)   cmocka_unit_test_setup_teardown(test, setup_tty, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        plain(plain_start_is_lines_and_no_cursor_moves),
        plain(a_long_pull_is_told_now_and_then),
        plain(log_lines_keep_every_byte_but_colours),
        plain(lines_that_come_together_each_have_their_prefix),
        plain(pieces_of_a_line_are_joined),
        plain(resources_speak_only_when_asked),
        plain(mishaps_after_ready_are_told),
        plain(errors_say_what_why_and_what_to_do),
        plain(quiet_prints_errors_only),
        tty(items_stand_below_the_lines_on_a_terminal),
        tty(a_terminal_gets_at_most_15_frames_a_second),
        tty(live_lines_never_wrap),
        tty(a_window_made_narrower_is_erased_as_it_folded),
        tty(many_items_fit_the_window),
        tty(a_failed_start_leaves_its_items_on_the_screen),
        tty(a_carriage_return_does_not_lose_the_tag),
        tty(colours_of_a_line_end_with_it),
        cmocka_unit_test(broken_events_are_refused),
        cmocka_unit_test(passwords_of_foreign_urls_are_masked),
        cmocka_unit_test(exit_status_tells_an_interrupt_from_a_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
