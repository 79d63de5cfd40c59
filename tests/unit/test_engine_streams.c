#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "support/engine_fix.h"
#include "support/looptest.h"

#define RAW "Content-Type: application/vnd.docker.raw-stream\r\n"

/* ---- attach and logs ------------------------------------------------------
 */

static void attach(struct engine_fix *f)
{
    fake_engine_on(
        f->fake, "POST", "/containers/c1/attach",
        &(struct fake_answer){ .how = FAKE_ENGINE_OPEN, .headers = RAW });
    f->call = engine_container_attach(f->engine, "c1", fix_data, fix_ready,
                                      fix_done, f);
    fix_wait_text(f, strlen("[ready]"));
}

static void attach_is_ready_before_the_first_byte(void **state)
{
    struct engine_fix *f = *state;

    attach(f);
    assert_string_equal(str_c(&f->text), "[ready]");
    fake_engine_push(f->fake, "/containers/c1/attach", "one", 3);
    fix_wait_text(f, 10);
    fake_engine_push(f->fake, "/containers/c1/attach", "\0two", 4);
    fake_engine_finish(f->fake, "/containers/c1/attach");
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NONE);
    assert_int_equal(f->text.len, 14);
    assert_memory_equal(str_c(&f->text), "[ready]one\0two", 14);
    assert_string_equal(
        fake_engine_request(f->fake, 0)->path,
        "/v1.41/containers/c1/attach?stream=1&stdout=1&stderr=1");
    assert_null(strstr(fake_engine_request(f->fake, 0)->headers, "upgrade"));
}

static void attach_to_nothing_is_not_found_and_never_ready(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(
        f->fake, "POST", "/containers/c1/attach",
        &(struct fake_answer){
            .status = 404, .body = "{\"message\":\"No such container: c1\"}" });
    engine_container_attach(f->engine, "c1", fix_data, fix_ready, fix_done, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NOT_FOUND);
    assert_string_equal(f->err.msg, "No such container: c1");
    assert_int_equal(f->text.len, 0);
}

static void attach_can_be_cancelled_from_its_data(void **state)
{
    struct engine_fix *f = *state;

    attach(f);
    f->cancel_in_data = true;
    fake_engine_push(f->fake, "/containers/c1/attach", "x", 1);
    fix_wait_text(f, 8);
    fake_engine_push(f->fake, "/containers/c1/attach", "y", 1);
    fix_wait_let_go(f);
    assert_string_equal(str_c(&f->text), "[ready]x");
}

static void paused_attach_reads_nothing(void **state)
{
    struct engine_fix *f = *state;

    attach(f);
    engine_pause(f->call, true);
    fake_engine_push(f->fake, "/containers/c1/attach", "x", 1);
    fix_idle(f, 30); /* it had come by now */
    assert_string_equal(str_c(&f->text), "[ready]");
    engine_pause(f->call, false);
    fix_wait_text(f, 8);
    assert_string_equal(str_c(&f->text), "[ready]x");
}

static void streams_do_not_take_the_calls_connections(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(
        f->fake, "POST", "/containers/",
        &(struct fake_answer){ .how = FAKE_ENGINE_OPEN, .headers = RAW });
    for (int i = 0; i < 40; i++)
        engine_container_attach(f->engine, "c", fix_data, NULL, fix_done, f);
    fix_wait_requests(f, 40);
    assert_int_equal(fake_engine_conns(f->fake), 40);
    fake_engine_on(f->fake, "DELETE", "/", &(struct fake_answer){ 0 });
    engine_network_remove(f->engine, "n", fix_done, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NONE);
}

static void logs_end_with_the_answer(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, "GET", "/containers/c1/logs",
                   &(struct fake_answer){ .body = "so far" });
    engine_container_logs(f->engine, "c1", 20, fix_data, fix_done, f);
    fix_wait(f);
    engine_container_logs(f->engine, "c1", -1, fix_data, fix_done, f);
    fix_wait(f);
    assert_string_equal(str_c(&f->text), "so farso far");
    assert_string_equal(fake_engine_request(f->fake, 0)->path,
                        "/v1.41/containers/c1/logs?stdout=1&stderr=1&tail=20");
    assert_string_equal(fake_engine_request(f->fake, 1)->path,
                        "/v1.41/containers/c1/logs?stdout=1&stderr=1");
}

/* ---- hold -----------------------------------------------------------------
 */

#define HELD "/containers/c1/attach"

static void hold(struct engine_fix *f)
{
    fake_engine_on(
        f->fake, "POST", HELD,
        &(struct fake_answer){ .how = FAKE_ENGINE_OPEN, .headers = RAW });
    f->call = engine_container_attach_stdin(f->engine, "c1", fix_data,
                                            fix_ready, fix_done, f);
    assert_int_equal(f->text.len, 0);
    fix_wait_text(f, strlen("[ready]"));
}

static void wait_input(struct engine_fix *f, const char *text)
{
    WAIT_FOR(&f->base.loop, strcmp(fake_engine_input(f->fake), text) == 0);
}

static void held_container_is_spoken_to_and_heard(void **state)
{
    struct engine_fix *f = *state;

    hold(f);
    engine_write(f->call, "one\n", 4);
    wait_input(f, "one\n");
    fake_engine_push(f->fake, HELD, "\0two", 4);
    fix_wait_text(f, 11);
    assert_memory_equal(str_c(&f->text), "[ready]\0two", 11);
    engine_write(f->call, "three\n", 6);
    wait_input(f, "one\nthree\n");
    fake_engine_finish(f->fake, HELD);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NONE);
    assert_string_equal(
        fake_engine_request(f->fake, 0)->path,
        "/v1.41/containers/c1/attach?stream=1&stdin=1&stdout=1&stderr=1");
    assert_non_null(
        strstr(fake_engine_request(f->fake, 0)->headers, "upgrade: tcp\n"));
}

static void what_is_written_before_the_answer_is_not_lost(void **state)
{
    struct engine_fix *f = *state;
    char text[] = "early\n";

    fake_engine_on(f->fake, "POST", HELD,
                   &(struct fake_answer){ .how = FAKE_ENGINE_OPEN,
                                          .headers = RAW,
                                          .delay_ms = 50 });
    f->call = engine_container_attach_stdin(f->engine, "c1", fix_data, NULL,
                                            fix_done, f);
    engine_write(f->call, text, 6);
    memset(text, 'x', 6); /* it was copied */
    wait_input(f, "early\n");
}

static void hold_of_nothing_says_so_in_the_engines_words(void **state)
{
    static const struct {
        int status;
        enum err_code code;
    } all[] = { { 404, ERR_NOT_FOUND },
                { 409, ERR_CONFLICT },
                { 400, ERR_INVALID },
                { 500, ERR_SYSTEM } };
    struct engine_fix *f = *state;

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        fake_engine_on(f->fake, "POST", HELD,
                       &(struct fake_answer){ .status = all[i].status,
                                              .body = "{\"message\":\"no "
                                                      "c1\"}\n" });
        engine_container_attach_stdin(f->engine, "c1", fix_data, fix_ready,
                                      fix_done, f);
        fix_wait(f);
        assert_int_equal(f->err.code, all[i].code);
        assert_string_equal(f->err.msg, "no c1");
    }
    fix_wait_let_go(f);
    assert_int_equal(f->text.len, 0);
}

static void hold_without_an_engine_is_unavailable(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, "POST", HELD,
                   &(struct fake_answer){ .how = FAKE_ENGINE_RESET });
    engine_container_attach_stdin(f->engine, "c1", fix_data, fix_ready,
                                  fix_done, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    fake_engine_deaf(f->fake);
    engine_container_attach_stdin(f->engine, "c1", fix_data, fix_ready,
                                  fix_done, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    assert_int_equal(f->text.len, 0);
}

static void hold_ends_once_when_the_engine_goes_away(void **state)
{
    struct engine_fix *f = *state;

    hold(f);
    fake_engine_drop(f->fake);
    fix_wait(f);
    fix_wait_let_go(f);
}

static void cancelled_hold_lets_go_and_says_no_more(void **state)
{
    struct engine_fix *f = *state;

    hold(f);
    fake_engine_push(f->fake, HELD, "x", 1);
    engine_cancel(f->call);
    fix_wait_let_go(f); /* the end of its stdin */
    assert_string_equal(str_c(&f->text), "[ready]");
}

static void hold_can_be_cancelled_before_it_is_held(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, "POST", HELD,
                   &(struct fake_answer){ .how = FAKE_ENGINE_SILENT });
    engine_cancel(engine_container_attach_stdin(f->engine, "c1", fix_data,
                                                fix_ready, fix_done, f));
    f->call = engine_container_attach_stdin(f->engine, "c1", fix_data,
                                            fix_ready, fix_done, f);
    fix_wait_requests(f, 1);
    engine_cancel(f->call);
    fix_wait_let_go(f);
    assert_int_equal(f->text.len, 0);
}

static void cancel_it(const struct err *err, void *user)
{
    struct engine_fix *f = user;

    fix_ready(err, user);
    engine_cancel(f->call);
}

static void hold_can_be_cancelled_from_its_own_callbacks(void **state)
{
    struct engine_fix *f = *state;

    hold(f);
    f->cancel_in_data = true;
    fake_engine_push(f->fake, HELD, "x", 1);
    fix_wait_text(f, 8);
    f->call = engine_container_attach_stdin(f->engine, "c1", fix_data,
                                            cancel_it, fix_done, f);
    fix_wait_text(f, 15);
    f->cancel_in_data = false;
    f->call = engine_container_attach_stdin(f->engine, "c1", fix_data,
                                            fix_ready, fix_done, f);
    fix_wait_text(f, 22);
    f->cancel_in_done = true;
    fake_engine_finish(f->fake, HELD);
    fix_wait(f);
    fix_wait_let_go(f);
    assert_string_equal(str_c(&f->text), "[ready]x[ready][ready]");
}

static void holds_end_without_a_word_when_the_engine_is_closed(void **state)
{
    struct engine_fix *f = *state;

    hold(f);
    engine_container_attach_stdin(f->engine, "c1", fix_data, fix_ready,
                                  fix_done, f);
    f->close_in_done = true;
    fix_end(f, NULL);
    f->calls = 0;
    fix_wait_let_go(f);
    assert_string_equal(str_c(&f->text), "[ready]");
}

/* ---- exec -----------------------------------------------------------------
 */

static void on_status(int status, const struct err *err, void *user)
{
    struct engine_fix *f = user;

    str_printf(&f->text, "[exit %d]", status);
    fix_end(f, err);
}

static void exec_script(struct engine_fix *f)
{
    fake_engine_on(
        f->fake, "POST", "/containers/c1/exec",
        &(struct fake_answer){ .status = 201, .body = "{\"Id\":\"x1\"}\n" });
    fake_engine_on(f->fake, "POST", "/exec/x1/start",
                   &(struct fake_answer){ .headers = RAW, .body = "out" });
    fake_engine_on(
        f->fake, "GET", "/exec/x1/json",
        &(struct fake_answer){ .body = "{\"Running\":false,\"ExitCode\":3}" });
}

static void exec_start(struct engine_fix *f, unsigned timeout_ms)
{
    struct strv argv = { 0 };

    strv_add(&argv, "sh");
    strv_add(&argv, "-c");
    strv_add(&argv, "echo \"x\"");
    f->call =
        engine_exec(f->engine, "c1", &argv, timeout_ms, fix_data, on_status, f);
    strv_release(&argv);
}

static void exec_hands_out_output_then_the_status(void **state)
{
    struct engine_fix *f = *state;

    exec_script(f);
    exec_start(f, 0);
    fix_wait(f);
    assert_string_equal(str_c(&f->text), "out[exit 3]");
    assert_string_equal(fake_engine_request(f->fake, 0)->body,
                        "{\"AttachStdout\":true,\"AttachStderr\":true,\"Cmd\":"
                        "[\"sh\",\"-c\",\"echo \\\"x\\\"\"]}");
    assert_string_equal(fake_engine_request(f->fake, 1)->body,
                        "{\"Detach\":false,\"Tty\":false}");
}

static void exec_asks_again_while_the_engine_is_unsure(void **state)
{
    struct engine_fix *f = *state;

    exec_script(f);
    fake_engine_on(
        f->fake, "GET", "/exec/x1/json",
        &(struct fake_answer){ .body = "{\"Running\":true,\"ExitCode\":null}",
                               .times = 2 });
    exec_start(f, 1000);
    fix_wait(f);
    assert_string_equal(str_c(&f->text), "out[exit 3]");
    assert_int_equal(fake_engine_asked(f->fake, "/exec/x1/json"), 3);
}

static void exec_that_hangs_ends_in_a_timeout(void **state)
{
    struct engine_fix *f = *state;

    exec_script(f);
    fake_engine_on(f->fake, "POST", "/exec/x1/start",
                   &(struct fake_answer){ .how = FAKE_ENGINE_OPEN,
                                          .headers = RAW,
                                          .body = "half" });
    exec_start(f, 500);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_TIMEOUT);
    assert_string_equal(str_c(&f->text), "half[exit -1]");
    assert_int_equal(fake_engine_asked(f->fake, "/exec/x1/json"), 0);
}

static void exec_whose_end_is_never_told_ends_in_a_timeout(void **state)
{
    struct engine_fix *f = *state;

    exec_script(f);
    fake_engine_on(f->fake, "GET", "/exec/x1/json",
                   &(struct fake_answer){ .body = "{\"Running\":true}" });
    exec_start(f, 200);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_TIMEOUT);
}

static void exec_in_a_dead_container_keeps_the_engines_words(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(
        f->fake, "POST", "/containers/c1/exec",
        &(struct fake_answer){ .status = 409,
                               .body = "{\"message\":\"Container c1 is not "
                                       "running\"}" });
    exec_start(f, 0);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_CONFLICT);
    assert_string_equal(f->err.msg, "Container c1 is not running");
}

static void exec_can_be_cancelled_at_every_step(void **state)
{
    struct engine_fix *f = *state;
    static const char *const steps[] = { "/containers/c1/exec",
                                         "/exec/x1/start", "/exec/x1/json" };
    size_t seen = 0;

    for (size_t i = 0; i < 3; i++) {
        exec_script(f);
        fake_engine_on(
            f->fake, NULL, steps[i],
            &(struct fake_answer){ .how = FAKE_ENGINE_SILENT, .times = 1 });
        exec_start(f, 5000);
        seen += i + 1;
        fix_wait_requests(f, seen);
        engine_cancel(f->call);
        fix_idle(f, 20); /* the connection stays: it was an ordinary call's */
    }
}

/* ---- events ---------------------------------------------------------------
 */

static void on_event(const struct engine_event *e, void *user)
{
    struct engine_fix *f = user;

    str_printf(&f->text, "%s %s %.4s exit=%d %s/%s/%s %lld\n", e->type,
               e->action, e->id, e->exit_code, e->session, e->kind, e->name,
               e->time_ns);
    if (f->cancel_in_data)
        engine_cancel(f->call);
}

static void events_are_read_with_labels_and_exit_codes(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, "GET", "/events",
                   &(struct fake_answer){ .file = "events.http" });
    engine_events(f->engine, "cvx.rack=r", on_event, fix_ready, fix_done, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NONE);
    assert_string_equal(
        str_c(&f->text),
        "[ready]container create bfa4 exit=0 s1/service/web "
        "1795452466114606282\n"
        "container start bfa4 exit=0 s1/service/web 1795452466774471867\n"
        "container exec_create: /tiny echo hi bfa4 exit=0 s1/service/web "
        "1795452467099319139\n"
        "container exec_start: /tiny echo hi bfa4 exit=0 s1/service/web "
        "1795452467125401877\n"
        "container exec_die bfa4 exit=0 s1/service/web 1795452467184752898\n"
        "container kill bfa4 exit=0 s1/service/web 1795452467362458690\n"
        "container die bfa4 exit=137 s1/service/web 1795452467408768126\n"
        "container destroy bfa4 exit=0 s1/service/web 1795452467666632857\n");
    assert_string_equal(fake_engine_request(f->fake, 0)->path,
                        "/v1.41/events?filters="
                        "%7B%22label%22:%5B%22cvx.rack%3Dr%22%5D%7D");
}

static void events(struct engine_fix *f)
{
    fake_engine_on(f->fake, "GET", "/events",
                   &(struct fake_answer){ .how = FAKE_ENGINE_OPEN });
    f->call = engine_events(f->engine, "l", on_event, fix_ready, fix_done, f);
    fix_wait_text(f, strlen("[ready]"));
    assert_string_equal(str_c(&f->text), "[ready]");
    str_cut(&f->text, 0);
}

/* As a packet of its own: time passes until the next. */
static void push(struct engine_fix *f, const char *text)
{
    fake_engine_push(f->fake, "/events", text, strlen(text));
    fix_idle(f, 20);
}

static void on_network_event(const struct engine_event *e, void *user)
{
    struct engine_fix *f = user;

    str_printf(&f->text, "%s %s %s of %s\n", e->type, e->action, e->container,
               e->id);
}

static void events_of_a_network_name_the_container(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, "GET", "/events",
                   &(struct fake_answer){
                       .body =
                           "{\"Type\":\"network\",\"Action\":\"disconnect\","
                           "\"Actor\":{\"ID\":\"net1\",\"Attributes\":{"
                           "\"container\":\"c1\"}},\"time\":1}\n" });
    engine_network_events(f->engine, "net1", on_network_event, fix_done, f);
    fix_wait(f);
    assert_string_equal(str_c(&f->text), "network disconnect c1 of net1\n");
    assert_string_equal(fake_engine_request(f->fake, 0)->path,
                        "/v1.41/events?filters="
                        "%7B%22network%22:%5B%22net1%22%5D%7D");
}

static void events_may_come_in_pieces_and_as_a_json_sequence(void **state)
{
    struct engine_fix *f = *state;

    events(f);
    push(f, "\x1e{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":"
            "\"abcdef\",\"Attributes\":{\"containerExit");
    assert_int_equal(f->text.len, 0);
    push(f, "Code\":\"137\"}},\"time\":1,\"timeNano\":1763816000123456789}\n"
            "not json\n\n{\"Type\":\"image\",\"time\":2}\n"
            "{\"Type\":\"container\",\"Action\":\"remove\",\"time\":3}\n");
    fix_wait_text(f, 110);
    assert_string_equal(str_c(&f->text),
                        "container die abcd exit=137 // 1763816000123456789\n"
                        "image   exit=0 // 2000000000\n"
                        "container destroy  exit=0 // 3000000000\n");
}

static void events_can_be_cancelled_between_two_of_one_packet(void **state)
{
    struct engine_fix *f = *state;

    events(f);
    f->cancel_in_data = true;
    push(f, "{\"Type\":\"a\",\"time\":1}\n{\"Type\":\"b\",\"time\":1}\n");
    fix_wait_text(f, 20);
    fix_wait_let_go(f);
    assert_string_equal(str_c(&f->text), "a   exit=0 // 1000000000\n");
}

static void events_end_when_the_engine_goes_away(void **state)
{
    struct engine_fix *f = *state;

    events(f);
    fake_engine_drop(f->fake);
    fix_wait(f);
    assert_int_not_equal(f->err.code, ERR_NONE);
}

int main(void)
{
#define T(fn)                                                                  \
    cmocka_unit_test_setup_teardown(fn, engine_fix_setup, engine_fix_teardown)
    const struct CMUnitTest tests[] = {
        T(attach_is_ready_before_the_first_byte),
        T(attach_to_nothing_is_not_found_and_never_ready),
        T(attach_can_be_cancelled_from_its_data),
        T(paused_attach_reads_nothing),
        T(streams_do_not_take_the_calls_connections),
        T(logs_end_with_the_answer),
        T(held_container_is_spoken_to_and_heard),
        T(what_is_written_before_the_answer_is_not_lost),
        T(hold_of_nothing_says_so_in_the_engines_words),
        T(hold_without_an_engine_is_unavailable),
        T(hold_ends_once_when_the_engine_goes_away),
        T(cancelled_hold_lets_go_and_says_no_more),
        T(hold_can_be_cancelled_before_it_is_held),
        T(hold_can_be_cancelled_from_its_own_callbacks),
        T(holds_end_without_a_word_when_the_engine_is_closed),
        T(exec_hands_out_output_then_the_status),
        T(exec_asks_again_while_the_engine_is_unsure),
        T(exec_that_hangs_ends_in_a_timeout),
        T(exec_whose_end_is_never_told_ends_in_a_timeout),
        T(exec_in_a_dead_container_keeps_the_engines_words),
        T(exec_can_be_cancelled_at_every_step),
        T(events_are_read_with_labels_and_exit_codes),
        T(events_of_a_network_name_the_container),
        T(events_may_come_in_pieces_and_as_a_json_sequence),
        T(events_can_be_cancelled_between_two_of_one_packet),
        T(events_end_when_the_engine_goes_away),
    };

    return cmocka_run_group_tests_name("engine_streams", tests, NULL, NULL);
}
