#include "web/web.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/httpc.h"
#include "support/loop_fix.h"

struct fix {
    struct loop_fix base;
    struct web *control;
    struct httpc *client;
    struct httpc_req *asking;
    struct web_req *held; /* by a handler that answers later */
    struct str log;       /* what handlers saw */
    bool done, gone, drained, web_closed, client_closed;
    long status;
    struct str got;
    struct err err;
};

/* ---- handlers -------------------------------------------------------------
 */

static void on_hello(struct web_req *req, void *user)
{
    struct fix *f = user;
    struct cJSON *a = cJSON_CreateObject();

    str_printf(&f->log, "hello %s ", web_query(req, "name"));
    str_printf(&f->log, "%s %d %g", web_text(web_body(req), "text"),
               web_bool(web_body(req), "flag"),
               web_number(web_body(req), "n", -1));
    web_put(a, "said", "bad \xff utf-8 \xc3\xa9");
    web_put(a, "null", NULL);
    web_answer(req, a);
}

static void on_stop(struct web_req *req, void *user)
{
    struct fix *f = user;

    str_printf(&f->log, "stop %s", web_arg(req));
    web_error(req, 409, "busy: %s", web_arg(req));
}

static void on_later(struct web_req *req, void *user)
{
    ((struct fix *)user)->held = req;
}

static void on_stream_gone(struct web_req *req, void *user)
{
    struct fix *f = user;

    assert_ptr_equal(req, f->held);
    f->held = NULL;
    f->gone = true;
}

static void on_stream(struct web_req *req, void *user)
{
    struct fix *f = user;

    f->held = req;
    web_stream(req, on_stream_gone, f);
}

static void on_drained(struct web_req *req, void *user)
{
    (void)req;
    ((struct fix *)user)->drained = true;
}

static const struct web_route routes[] = {
    { "GET", "/hello", on_hello },       { "POST", "/hello", on_hello },
    { "POST", "/apps/%/stop", on_stop }, { "GET", "/later", on_later },
    { "GET", "/stream", on_stream },     { NULL, NULL, NULL },
};

/* ---- the fixture ----------------------------------------------------------
 */

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));

    loop_fix_init(&f->base);
    *state = f;
    if (web_new(&f->control, &f->base.loop, routes, f, &f->err) < 0 ||
        web_listen(f->control, f->base.path, &f->err) < 0)
        return -1;
    return httpc_new(&f->client, &f->base.loop, f->base.endpoint, NULL,
                     &f->err);
}

static void on_control_closed(void *user)
{
    ((struct fix *)user)->web_closed = true;
}

static void on_client_closed(void *user)
{
    ((struct fix *)user)->client_closed = true;
}

static int teardown(void **state)
{
    struct fix *f = *state;

    httpc_close(f->client, on_client_closed, f);
    WAIT_FOR(&f->base.loop, f->client_closed);
    if (!f->web_closed)
        web_close(f->control, on_control_closed, f);
    WAIT_FOR(&f->base.loop, f->web_closed);
    loop_fix_release(&f->base);
    str_release(&f->log);
    str_release(&f->got);
    free(f);
    return 0;
}

static void on_data(struct httpc_req *req, const char *data, size_t len,
                    void *user)
{
    (void)req;
    str_add_len(&((struct fix *)user)->got, data, len);
}

static void on_done(const struct httpc_res *res, const struct err *err,
                    void *user)
{
    struct fix *f = user;

    f->done = true;
    f->asking = NULL;
    f->status = res == NULL ? 0 : res->status;
    if (res != NULL && res->body_len > 0)
        str_add_len(&f->got, res->body, res->body_len);
    if (err != NULL)
        f->err = *err;
}

static void ask(struct fix *f, const char *method, const char *path,
                const char *json)
{
    f->done = false;
    str_cut(&f->got, 0);
    f->asking = httpc_start(f->client, &(struct httpc_spec){ .method = method,
                                                             .path = path,
                                                             .json = json,
                                                             .on_data = on_data,
                                                             .on_done = on_done,
                                                             .user = f });
}

static void call(struct fix *f, const char *method, const char *path,
                 const char *json)
{
    ask(f, method, path, json);
    WAIT_FOR(&f->base.loop, f->done);
}

static void wait_held(struct fix *f)
{
    WAIT_FOR(&f->base.loop, f->held != NULL);
}

static void hang_up(struct fix *f)
{
    httpc_cancel(f->asking);
    f->asking = NULL;
    WAIT_FOR(&f->base.loop, web_clients(f->control) == 0);
}

/* ---- tests ----------------------------------------------------------------
 */

static void handler_reads_query_and_body(void **state)
{
    struct fix *f = *state;

    call(f, "POST", "/hello?name=a%20b",
         "{\"text\":\"t\",\"flag\":true,\"n\":4}");
    assert_int_equal(f->status, 200);
    assert_string_equal(str_c(&f->log), "hello a b t 1 4");
}

static void absent_members_have_their_defaults(void **state)
{
    struct fix *f = *state;

    call(f, "GET", "/hello", NULL);
    assert_string_equal(str_c(&f->log), "hello   0 -1");
    str_cut(&f->log, 0);
    call(f, "POST", "/hello", "{\"text\":1,\"flag\":\"true\",\"n\":\"1\"}");
    assert_string_equal(str_c(&f->log), "hello   0 -1");
}

static void bytes_that_are_no_utf8_are_replaced(void **state)
{
    struct fix *f = *state;

    call(f, "GET", "/hello", NULL);
    assert_string_equal(str_c(&f->got), "{\"said\":\"bad \xef\xbf\xbd utf-8 "
                                        "\xc3\xa9\",\"null\":\"\"}");
}

static void percent_is_one_segment(void **state)
{
    struct fix *f = *state;

    call(f, "POST", "/apps/my%2Dapp/stop", NULL);
    assert_int_equal(f->status, 409);
    assert_string_equal(str_c(&f->log), "stop my-app");
    assert_string_equal(str_c(&f->got), "{\"error\":\"busy: my-app\"}");
    call(f, "POST", "/apps//stop", NULL);
    assert_int_equal(f->status, 404);
    call(f, "POST", "/apps/a/b/stop", NULL);
    assert_int_equal(f->status, 404);
    call(f, "POST", "/apps/a/stop/now", NULL);
    assert_int_equal(f->status, 404);
}

static void unknown_path_and_method_are_404(void **state)
{
    struct fix *f = *state;

    call(f, "GET", "/nowhere", NULL);
    assert_int_equal(f->status, 404);
    assert_string_equal(str_c(&f->got),
                        "{\"error\":\"no such request: GET /nowhere\"}");
    call(f, "DELETE", "/hello", NULL);
    assert_int_equal(f->status, 404);
    assert_int_equal(f->log.len, 0);
}

static void body_must_be_an_object(void **state)
{
    static const char *const bad[] = { "[1]", "\"x\"", "{\"a\":", "{} {}",
                                       "nonsense" };
    struct fix *f = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        call(f, "POST", "/hello", bad[i]);
        assert_int_equal(f->status, 400);
        assert_string_equal(str_c(&f->got),
                            "{\"error\":\"the body is not a JSON object\"}");
    }
    assert_int_equal(f->log.len, 0);
}

static void stream_is_a_line_an_event(void **state)
{
    struct fix *f = *state;
    struct cJSON *e = cJSON_CreateObject();

    ask(f, "GET", "/stream", NULL);
    wait_held(f);
    web_put(e, "type", "one");
    web_event(f->held, e);
    web_event_text(f->held, "{\"type\":\"two\"}\n", 15);
    web_end(f->held);
    WAIT_FOR(&f->base.loop, f->done);
    assert_int_equal(f->status, 200);
    assert_string_equal(str_c(&f->got),
                        "{\"type\":\"one\"}\n{\"type\":\"two\"}\n");
    assert_false(f->gone);
}

static void client_that_leaves_a_stream_is_told_of(void **state)
{
    struct fix *f = *state;

    ask(f, "GET", "/stream", NULL);
    wait_held(f);
    hang_up(f);
    assert_true(f->gone);
}

static void late_answer_to_a_lost_client_is_harmless(void **state)
{
    struct fix *f = *state;

    ask(f, "GET", "/later?x=1", NULL);
    wait_held(f);
    hang_up(f);
    /* Still a request, of nobody. */
    assert_string_equal(web_query(f->held, "x"), "");
    assert_int_equal(web_queued(f->held), 0);
    web_answer(f->held, cJSON_CreateObject());
}

static void late_answer_reaches_a_client_that_waits(void **state)
{
    struct fix *f = *state;

    ask(f, "GET", "/later?x=1", NULL);
    wait_held(f);
    assert_string_equal(web_query(f->held, "x"), "1");
    web_error(f->held, 500, "x\"y\n");
    WAIT_FOR(&f->base.loop, f->done);
    assert_string_equal(str_c(&f->got), "{\"error\":\"x\\\"y\\n\"}");
}

static void writer_is_told_when_all_is_taken(void **state)
{
    struct fix *f = *state;
    cleanup_free char *big = xcalloc(1, WEB_HIGH_WATER);

    memset(big, 'x', WEB_HIGH_WATER);
    ask(f, "GET", "/stream", NULL);
    wait_held(f);
    while (web_queued(f->held) < WEB_HIGH_WATER)
        web_event_text(f->held, big, WEB_HIGH_WATER);
    web_on_drain(f->held, on_drained, f);
    assert_false(f->drained);
    WAIT_FOR(&f->base.loop, f->drained);
    assert_int_equal(web_queued(f->held), 0);
    web_end(f->held);
    WAIT_FOR(&f->base.loop, f->done);
}

static void close_drops_clients_and_tells_streams(void **state)
{
    struct fix *f = *state;

    ask(f, "GET", "/stream", NULL);
    wait_held(f);
    assert_int_equal(web_clients(f->control), 1);
    web_close(f->control, on_control_closed, f);
    WAIT_FOR(&f->base.loop, f->web_closed);
    assert_true(f->gone);
    WAIT_FOR(&f->base.loop, f->done);
    assert_int_not_equal(f->err.code, ERR_NONE);
}

static void quoted(const char *text, size_t len, const char *wanted)
{
    cleanup_str struct str out = { 0 };

    web_quote(&out, text, len);
    assert_string_equal(str_c(&out), wanted);
}

static void quoting_is_json_whatever_the_bytes(void **state)
{
    cleanup_str struct str out = { 0 };
    char all[256];
    cJSON *json;

    (void)state;
    quoted("", 0, "\"\"");
    quoted("a\"b\\c", 5, "\"a\\\"b\\\\c\"");
    quoted("a\0b", 3, "\"a\\u0000b\"");
    quoted("\x1b[0m\t\x7f", 6, "\"\\u001b[0m\\u0009\\u007f\"");
    quoted("\xc3\xa9\xe2\x82\xac", 5, "\"\xc3\xa9\xe2\x82\xac\"");
    quoted("\xff", 1, "\"\xef\xbf\xbd\"");
    quoted("x\xe2\x82", 3, "\"x\xef\xbf\xbd\xef\xbf\xbd\""); /* cut short */
    quoted("\xed\xa0\x80", 3,
           "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""); /* half of a pair */
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    web_quote(&out, all, sizeof(all));
    json = cJSON_Parse(str_c(&out));
    assert_non_null(json);
    cJSON_Delete(json);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(handler_reads_query_and_body),
        T(absent_members_have_their_defaults),
        T(bytes_that_are_no_utf8_are_replaced),
        T(percent_is_one_segment),
        T(unknown_path_and_method_are_404),
        T(body_must_be_an_object),
        T(stream_is_a_line_an_event),
        T(client_that_leaves_a_stream_is_told_of),
        T(late_answer_to_a_lost_client_is_harmless),
        T(late_answer_reaches_a_client_that_waits),
        T(writer_is_told_when_all_is_taken),
        T(close_drops_clients_and_tells_streams),
        cmocka_unit_test(quoting_is_json_whatever_the_bytes),
    };

    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
