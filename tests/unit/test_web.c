#include "web/web.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/hijack.h"
#include "net/httpc.h"
#include "net/httphead.h"
#include "support/looptest.h"
#include "web/route.h"

struct fix {
    uv_loop_t loop;
    char path[64];
    struct web *web;
    struct httpc *client;
    struct httpc_req *asking;
    struct web_req *held; /* by a handler that answers later */
    struct str log;       /* what handlers saw */
    bool done, gone, drained, web_closed, client_closed;
    long status;
    struct str got;
    struct err err;
    char allow[64];
    size_t received;
    bool receive_later;
    struct hijack *raw;
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

    str_printf(&f->log, "stop %s", web_arg(req, "app"));
    web_error(req, 409, "busy: %s", web_arg(req, "app"));
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

static void on_form(struct web_req *req, void *user)
{
    static const char *const names[] = { "env", "empty", "bare" };
    struct fix *f = user;

    str_add(&f->log, "name=");
    for (size_t i = 0; web_form_nth(req, "name", i) != NULL; i++)
        str_printf(&f->log, "%s%s", i > 0 ? "," : "",
                   web_form_nth(req, "name", i));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = web_form(req, names[i]);

        str_printf(&f->log, " %s=%s", names[i],
                   value == NULL ? "(none)" : value);
    }
    str_add(&f->log, web_form(req, "none") == NULL ? " none" : " some");
    assert_int_equal(cJSON_GetArraySize(web_body(req)), 0);
    web_answer(req, cJSON_CreateObject());
}

static void on_object_bytes(struct web_req *req, const char *data, size_t len,
                            void *user)
{
    struct fix *f = user;

    (void)data;
    f->received += len;
    if (len == 0)
        web_answer(req, cJSON_CreateObject());
}

static void on_object(struct web_req *req, void *user)
{
    struct fix *f = user;

    str_printf(&f->log, "object %s", web_arg(req, "key"));
    if (f->receive_later)
        f->held = req;
    else
        web_receive(req, on_object_bytes, f);
}

static void on_echo_bytes(struct web_req *req, const char *data, size_t len,
                          void *user)
{
    (void)user;
    web_event_text(req, data, len);
    if (len == 0)
        web_shutdown(req);
}

static void on_echo_end(struct web_req *req, bool clean, void *user)
{
    struct fix *f = user;

    (void)req;
    str_add(&f->log, clean ? "; ended cleanly" : "; broken");
}

static void on_echo(struct web_req *req, void *user)
{
    struct fix *f = user;

    str_printf(&f->log, "echo %s", web_arg(req, "name"));
    if (!web_upgrade(req, "tcp",
                     &(struct web_upgrade){ .on_data = on_echo_bytes,
                                            .on_end = on_echo_end,
                                            .user = f }))
        str_add(&f->log, "; refused");
}

static const struct web_route routes[] = {
    { "GET", "/hello", on_hello },           { "POST", "/hello", on_hello },
    { "POST", "/apps/{app}/stop", on_stop }, { "GET", "/later", on_later },
    { "GET", "/stream", on_stream },         { "POST", "/form", on_form },
    { "POST", "/echo/{name}", on_echo },     { NULL, NULL, NULL },
};

static const struct web_route uploads[] = {
    { "PUT", "/objects/{key:*}", on_object },
    { NULL, NULL, NULL },
};

static void on_raw_data(struct hijack *h, const char *data, size_t len,
                        void *user)
{
    (void)h;
    str_add_len(&((struct fix *)user)->got, data, len);
}

static void on_raw_end(struct hijack *h, long status, const struct err *err,
                       void *user)
{
    struct fix *f = user;

    (void)h;
    assert_null(err);
    f->status = status;
    f->done = true;
}

/* ---- the fixture ----------------------------------------------------------
 */

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));
    cleanup_free char *endpoint = NULL;

    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&f->loop);
    snprintf(f->path, sizeof(f->path), "/tmp/web-%d.sock", (int)getpid());
    endpoint = xasprintf("unix://%s", f->path);
    *state = f;
    if (web_new(&f->web, &f->loop, routes, f, &f->err) < 0 ||
        web_listen(f->web, f->path, &f->err) < 0)
        return -1;
    web_uploads(f->web, uploads);
    return httpc_new(&f->client, &f->loop, endpoint, NULL, &f->err);
}

static void on_web_closed(void *user)
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
    assert_true(loop_run_until(&f->loop, &f->client_closed, 1000));
    if (!f->web_closed)
        web_close(f->web, on_web_closed, f);
    assert_true(loop_run_until(&f->loop, &f->web_closed, 1000));
    assert_true(loop_ends_clean(&f->loop));
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
    if (res != NULL && httpc_res_header(res->req, "Allow") != NULL)
        snprintf(f->allow, sizeof(f->allow), "%s",
                 httpc_res_header(res->req, "Allow"));
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
    assert_true(loop_run_until(&f->loop, &f->done, 2000));
}

static void wait_held(struct fix *f)
{
    for (int i = 0; i < 200 && f->held == NULL; i++)
        loop_run_for(&f->loop, 5);
    assert_non_null(f->held);
}

static void hang_up(struct fix *f)
{
    httpc_cancel(f->asking);
    f->asking = NULL;
    loop_run_for(&f->loop, 50);
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

static void named_segments_are_decoded_one_by_one(void **state)
{
    struct fix *f = *state;

    call(f, "POST", "/apps/my%2Dapp/stop", NULL);
    assert_int_equal(f->status, 409);
    assert_string_equal(str_c(&f->log), "stop my-app");
    assert_string_equal(str_c(&f->got), "{\"error\":\"busy: my-app\"}");
    str_cut(&f->log, 0);
    call(f, "POST", "/apps/a%2Fb/stop", NULL);
    assert_string_equal(str_c(&f->log), "stop a/b");
    call(f, "POST", "/apps//stop", NULL);
    assert_int_equal(f->status, 404);
    call(f, "POST", "/apps/a/b/stop", NULL);
    assert_int_equal(f->status, 404);
    call(f, "POST", "/apps/a/stop/now", NULL);
    assert_int_equal(f->status, 404);
}

static void fits(const char *pattern, const char *path, const char *wanted)
{
    struct httphead_fields args = { 0 };
    cleanup_str struct str got = { 0 };
    bool is_fit = route_fits(pattern, path, &args);

    for (size_t i = 0; is_fit && i < args.len; i++)
        str_printf(&got, "%s%s=%s", i > 0 ? " " : "",
                   args.text.s + args.v[i].name, args.text.s + args.v[i].value);
    httphead_fields_release(&args);
    if (is_fit != (wanted != NULL) ||
        (is_fit && strcmp(str_c(&got), wanted) != 0))
        fail_msg("%s %s: %s", pattern, path, is_fit ? str_c(&got) : "(none)");
}

static void paths_fit_patterns(void **state)
{
    (void)state;
    fits("/", "/", "");
    fits("/apps", "/apps", "");
    fits("/apps", "//apps", "");
    fits("/apps", "/%61pps", "");
    fits("/apps", "/apps/", NULL);
    fits("/apps", "/app", NULL);
    fits("/apps", "/appss", NULL);
    fits("/apps", "*", NULL);
    fits("/apps/{app}/processes/{pid}", "/apps/demo/processes/0123",
         "app=demo pid=0123");
    fits("/apps/{app}/processes/{pid}", "//apps///demo/processes/%C3%A9",
         "app=demo pid=\xc3\xa9");
    fits("/apps/{app}/processes/{pid}", "/apps/demo/processes/", NULL);
    fits("/apps/{app}/processes/{pid}", "/apps/demo/process/1", NULL);
    fits("/apps/{app}/processes/{pid}", "/apps/demo/processes/1/exec", NULL);
    fits("/apps/{app}/builds/{id}.tgz", "/apps/a/builds/B1.tgz", "app=a id=B1");
    fits("/apps/{app}/builds/{id}.tgz", "/apps/a/builds/.tgz", NULL);
    fits("/apps/{app}/builds/{id}.tgz", "/apps/a/builds/B1", NULL);
    fits("/apps/{app}/objects/{key:*}", "/apps/a/objects/x/y%2Fz",
         "app=a key=x/y/z");
    fits("/apps/{app}/objects/{key:*}", "/apps/a/objects/", "app=a key=");
    fits("/apps/{app}/objects/{key:*}", "/apps/a/objects", NULL);
    fits("/apps/{app}", "/apps/%00", NULL);
    fits("/apps/{app}", "/apps/%zz", NULL);
}

static void unknown_path_is_404(void **state)
{
    struct fix *f = *state;

    call(f, "GET", "/nowhere", NULL);
    assert_int_equal(f->status, 404);
    assert_string_equal(str_c(&f->got),
                        "{\"error\":\"no such request: GET /nowhere\"}");
    assert_int_equal(f->log.len, 0);
}

static void wrong_method_is_405_and_hears_which_are_right(void **state)
{
    struct fix *f = *state;

    call(f, "DELETE", "/hello", NULL);
    assert_int_equal(f->status, 405);
    assert_string_equal(f->allow, "GET, POST");
    assert_string_equal(
        str_c(&f->got),
        "{\"error\":\"DELETE is not allowed on /hello, but GET, POST\"}");
    call(f, "GET", "/objects/x", NULL); /* an upload's */
    assert_int_equal(f->status, 405);
    assert_string_equal(f->allow, "PUT");
    assert_int_equal(f->log.len, 0);
}

static void post(struct fix *f, const char *type, const char *body)
{
    f->done = false;
    str_cut(&f->got, 0);
    str_cut(&f->log, 0);
    httpc_start(f->client, &(struct httpc_spec){ .method = "POST",
                                                 .path = "/form",
                                                 .data = body,
                                                 .data_len = strlen(body),
                                                 .type = type,
                                                 .on_done = on_done,
                                                 .user = f });
    assert_true(loop_run_until(&f->loop, &f->done, 2000));
}

#define FORM "application/x-www-form-urlencoded"

static void form_is_read_like_a_query(void **state)
{
    struct fix *f = *state;

    post(f, FORM, "name=a+b%2Bc&empty=&env=A%3D1%0AB%3D2&bare&name=second");
    assert_int_equal(f->status, 200);
    assert_string_equal(str_c(&f->log),
                        "name=a b+c,second env=A=1\nB=2 empty= bare= none");
    post(f, "Application/X-WWW-Form-Urlencoded; charset=utf-8", "name=x");
    assert_string_equal(str_c(&f->log), "name=x env=(none) empty=(none) "
                                        "bare=(none) none");
    post(f, FORM, "");
    assert_int_equal(f->status, 200);
}

static void broken_form_is_400(void **state)
{
    static const char *const bad[] = { "name=%", "name=%4", "%zz=1",
                                       "name=%00" };
    struct fix *f = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        post(f, FORM, bad[i]);
        assert_int_equal(f->status, 400);
        assert_string_equal(str_c(&f->got),
                            "{\"error\":\"the body is not a form\"}");
    }
    post(f, FORM "ish", "name=x"); /* so it must be JSON */
    assert_int_equal(f->status, 400);
    assert_int_equal(f->log.len, 0);
}

static void too_many_form_fields_are_400(void **state)
{
    struct fix *f = *state;
    cleanup_str struct str body = { 0 };

    for (int i = 0; i < 129; i++)
        str_printf(&body, "n%d=1&", i);
    post(f, FORM, str_c(&body));
    assert_int_equal(f->status, 400);
}

static void upload_comes_in_pieces(void **state)
{
    struct fix *f = *state;
    size_t size = 20 << 20; /* more than a collected body may have */
    cleanup_free char *big = xcalloc(1, size);

    f->done = false;
    httpc_start(f->client, &(struct httpc_spec){ .method = "PUT",
                                                 .path = "/objects/a/b",
                                                 .data = big,
                                                 .data_len = size,
                                                 .on_done = on_done,
                                                 .user = f });
    assert_true(loop_run_until(&f->loop, &f->done, 5000));
    assert_int_equal(f->status, 200);
    assert_int_equal(f->received, size);
    assert_string_equal(str_c(&f->log), "object a/b");
}

static void upload_waits_until_it_is_wanted(void **state)
{
    struct fix *f = *state;

    f->receive_later = true;
    ask(f, "PUT", "/objects/x", "{\"some\":\"text\"}");
    wait_held(f);
    loop_run_for(&f->loop, 30);
    assert_int_equal(f->received, 0);
    web_receive(f->held, on_object_bytes, f);
    assert_int_equal(f->received, 0); /* not from inside */
    assert_true(loop_run_until(&f->loop, &f->done, 1000));
    assert_int_equal(f->received, 15);
}

static void upload_may_be_refused_late(void **state)
{
    struct fix *f = *state;

    f->receive_later = true;
    ask(f, "PUT", "/objects/x", "{\"some\":\"text\"}");
    wait_held(f);
    web_error(f->held, 413, "too much");
    assert_true(loop_run_until(&f->loop, &f->done, 1000));
    assert_int_equal(f->status, 413);
    assert_int_equal(f->received, 0);
}

static void upgraded_request_is_a_raw_stream(void **state)
{
    struct fix *f = *state;
    cleanup_free char *endpoint = xasprintf("unix://%s", f->path);

    f->raw =
        hijack_start(&f->loop, &(struct hijack_spec){ .endpoint = endpoint,
                                                      .path = "/echo/me",
                                                      .on_data = on_raw_data,
                                                      .on_end = on_raw_end,
                                                      .user = f });
    hijack_write(f->raw, "hello", 5);
    hijack_shutdown(f->raw);
    assert_true(loop_run_until(&f->loop, &f->done, 2000));
    assert_int_equal(f->status, 101);
    assert_string_equal(str_c(&f->got), "hello");
    loop_run_for(&f->loop, 20);
    assert_string_equal(str_c(&f->log), "echo me; ended cleanly");
}

static void request_without_an_upgrade_is_426(void **state)
{
    struct fix *f = *state;

    call(f, "POST", "/echo/me", NULL);
    assert_int_equal(f->status, 426);
    assert_string_equal(str_c(&f->log), "echo me; refused");
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
    assert_true(loop_run_until(&f->loop, &f->done, 1000));
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
    assert_true(loop_run_until(&f->loop, &f->done, 1000));
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
    assert_true(loop_run_until(&f->loop, &f->drained, 5000));
    assert_int_equal(web_queued(f->held), 0);
    web_end(f->held);
    assert_true(loop_run_until(&f->loop, &f->done, 1000));
}

static void close_drops_clients_and_tells_streams(void **state)
{
    struct fix *f = *state;

    ask(f, "GET", "/stream", NULL);
    wait_held(f);
    assert_int_equal(web_clients(f->web), 1);
    web_close(f->web, on_web_closed, f);
    assert_true(loop_run_until(&f->loop, &f->web_closed, 1000));
    assert_true(f->gone);
    assert_true(loop_run_until(&f->loop, &f->done, 1000));
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
        T(named_segments_are_decoded_one_by_one),
        cmocka_unit_test(paths_fit_patterns),
        T(unknown_path_is_404),
        T(wrong_method_is_405_and_hears_which_are_right),
        T(form_is_read_like_a_query),
        T(broken_form_is_400),
        T(too_many_form_fields_are_400),
        T(upload_comes_in_pieces),
        T(upload_waits_until_it_is_wanted),
        T(upload_may_be_refused_late),
        T(upgraded_request_is_a_raw_stream),
        T(request_without_an_upgrade_is_426),
        T(body_must_be_an_object),
        T(stream_is_a_line_an_event),
        T(client_that_leaves_a_stream_is_told_of),
        T(late_answer_to_a_lost_client_is_harmless),
        T(late_answer_reaches_a_client_that_waits),
        T(writer_is_told_when_all_is_taken),
        T(close_drops_clients_and_tells_streams),
        cmocka_unit_test(quoting_is_json_whatever_the_bytes),
    };

    return cmocka_run_group_tests_name("web", tests, NULL, NULL);
}
