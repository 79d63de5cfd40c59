#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "support/engine_fix.h"
#include "support/looptest.h"

/* ---- hello --------------------------------------------------------------- */

static void on_hello(const struct engine_info *info, const struct err *err,
                     void *user)
{
    struct engine_fix *f = user;

    if (info != NULL)
        str_printf(&f->text, "%s %s api=%s os=%s%s%s", info->name,
                   info->version, info->api, info->os,
                   info->podman ? " podman" : "",
                   info->buildkit ? " buildkit" : "");
    fix_end(f, err);
}

static void hello(struct engine_fix *f, const char *ping)
{
    fake_engine_on(f->fake, "GET", "/_ping",
                   &(struct fake_answer){ .file = ping });
    engine_hello(f->engine, on_hello, f);
    fix_wait(f);
}

static void hello_speaks_what_an_older_engine_speaks(void **state)
{
    struct engine_fix *f = *state;

    hello(f, "ping-20.10.http");
    assert_string_equal(str_c(&f->text),
                        "Docker 20.10.24+dfsg1 api=1.41 os=linux");
    assert_int_equal(engine_calls(f->engine), 1);
    assert_string_equal(fake_engine_request(f->fake, 0)->path, "/_ping");
}

static void hello_speaks_our_version_to_a_newer_engine(void **state)
{
    struct engine_fix *f = *state;

    hello(f, "ping-29.http");
    assert_string_equal(str_c(&f->text),
                        "Docker 29.0.1 api=1.44 os=linux buildkit");
    assert_string_equal(fake_engine_request(f->fake, 1)->path, "/v1.44/_ping");
    fake_engine_on(f->fake, "POST", "/containers/", &(struct fake_answer){ 0 });
    engine_container_start(f->engine, "c1", fix_done, f);
    fix_wait(f);
    assert_string_equal(fake_engine_request(f->fake, 2)->path,
                        "/v1.44/containers/c1/start");
}

static void hello_says_when_an_engine_dropped_our_version(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(
        f->fake, "GET", "/_ping",
        &(struct fake_answer){
            .status = 400,
            .body = "{\"message\":\"client version 1.44 is too old. Minimum "
                    "supported API version is 1.50\"}" });
    fake_engine_on(f->fake, "GET", "/_ping",
                   &(struct fake_answer){ .file = "ping-29.http", .times = 1 });
    engine_hello(f->engine, on_hello, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_PROTOCOL);
    assert_non_null(strstr(f->err.msg, "Minimum supported API version"));
}

static void hello_knows_podman(void **state)
{
    struct engine_fix *f = *state;

    hello(f, "ping-podman.http");
    assert_string_equal(str_c(&f->text),
                        "Podman 4.3.1 api=1.41 os=linux podman");
}

static void hello_asks_the_version_where_the_ping_has_no_name(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, "GET", "/_ping",
                   &(struct fake_answer){ .headers = "Api-Version: 1.43\r\n" });
    fake_engine_on(
        f->fake, "GET", "/version",
        &(struct fake_answer){ .body = "{\"Version\":\"5.0.2\",\"Components\":"
                                       "[{\"Name\":\"Podman Engine\"}]}\n" });
    engine_hello(f->engine, on_hello, f);
    fix_wait(f);
    assert_string_equal(str_c(&f->text),
                        "Podman 5.0.2 api=1.43 os=linux podman");
}

static void hello_refuses_an_engine_that_is_too_old(void **state)
{
    struct engine_fix *f = *state;
    cleanup_free char *want =
        xasprintf("the engine at %s: Docker 19.03.8 is too old: it speaks API "
                  "1.40, and Docker 20.10 (API 1.41) or newer is needed",
                  f->base.endpoint);

    hello(f, "ping-too-old.http");
    assert_int_equal(f->err.code, ERR_PROTOCOL);
    assert_string_equal(f->err.msg, want);
}

static void hello_refuses_a_server_that_is_no_engine(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, "GET", "/_ping",
                   &(struct fake_answer){ .body = "<html>hi</html>" });
    engine_hello(f->engine, on_hello, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_PROTOCOL);
}

static void hello_tells_a_missing_socket_from_a_dead_one(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_deaf(f->fake);
    assert_int_equal(access(f->base.path, F_OK), -1);
    engine_hello(f->engine, on_hello, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(f->err.msg, "there is no such socket"));
    assert_non_null(strstr(f->err.msg, f->base.path));
}

static void hello_says_that_nobody_listens(void **state)
{
    struct engine_fix *f = *state;
    uv_pipe_t dead;

    /* libuv removes the path of a listener that it closes: leave one. */
    fake_engine_deaf(f->fake);
    uv_pipe_init(&f->base.loop, &dead, 0);
    assert_int_equal(uv_pipe_bind(&dead, f->base.path), 0);
    engine_hello(f->engine, on_hello, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(f->err.msg, "nobody listens on"));
    assert_non_null(strstr(f->err.msg, "systemctl start docker"));
    uv_close((uv_handle_t *)&dead, NULL);
    fix_idle(f, 0); /* one turn: the handle is on this stack */
}

static void hello_says_that_permission_is_missing(void **state)
{
    struct engine_fix *f = *state;

    if (getuid() != 0 || chmod(f->base.dir.path, 0755) < 0 ||
        seteuid(65534) < 0)
        skip();
    /* The socket is root's with mode 0755: a connection needs write. */
    engine_hello(f->engine, on_hello, f);
    loop_run_until(&f->base.loop, &f->done, 5000);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(f->err.msg, "permission denied on"));
    assert_non_null(strstr(f->err.msg, "usermod -aG docker"));
}

/* ---- the contract of calls ----------------------------------------------- */

static void answer_that_is_no_json_is_a_protocol_error(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, "POST", "/networks/create",
                   &(struct fake_answer){ .status = 201, .body = "{\"Id\":" });
    engine_network_create(f->engine, &(struct engine_network){ .name = "n" },
                          fix_id, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_PROTOCOL);
}

static void answer_without_an_id_is_a_protocol_error(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, "POST", "/networks/create",
                   &(struct fake_answer){ .status = 201, .body = "[1]" });
    engine_network_create(f->engine, &(struct engine_network){ .name = "n" },
                          fix_id, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_PROTOCOL);
}

static void error_status(struct engine_fix *f, int status, enum err_code code)
{
    fake_engine_on(
        f->fake, "POST", "/containers/",
        &(struct fake_answer){ .status = status,
                               .body = "{\"message\":\"said so\"}\n" });
    engine_container_start(f->engine, "c1", fix_done, f);
    fix_wait(f);
    assert_int_equal(f->err.code, code);
    assert_string_equal(f->err.msg, "said so");
}

static void statuses_become_codes_and_keep_the_engines_words(void **state)
{
    struct engine_fix *f = *state;

    error_status(f, 400, ERR_INVALID);
    error_status(f, 404, ERR_NOT_FOUND);
    error_status(f, 409, ERR_CONFLICT);
    error_status(f, 500, ERR_SYSTEM);
}

static void error_without_json_keeps_its_text(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, "POST", "/containers/",
                   &(struct fake_answer){ .status = 500, .body = "boom\n" });
    engine_container_start(f->engine, "c1", fix_done, f);
    fix_wait(f);
    assert_string_equal(f->err.msg, "boom");
    fake_engine_on(f->fake, "POST", "/containers/",
                   &(struct fake_answer){ .status = 502 });
    engine_container_start(f->engine, "c1", fix_done, f);
    fix_wait(f);
    assert_string_equal(f->err.msg, "the engine answered with HTTP status 502");
}

static void redirection_is_no_success(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(
        f->fake, "POST", "/containers/",
        &(struct fake_answer){ .status = 301, .headers = "Location: /x\r\n" });
    engine_container_start(f->engine, "", fix_done, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_PROTOCOL);
}

static void cancelled_call_calls_nobody(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, NULL, "/",
                   &(struct fake_answer){ .how = FAKE_ENGINE_SILENT });
    engine_cancel(engine_container_start(f->engine, "c1", fix_done, f));
    f->call = engine_container_start(f->engine, "c2", fix_done, f);
    fix_wait_requests(f, 1);
    engine_cancel(f->call);
    fix_wait_let_go(f);
}

static void cancel_from_the_own_callback_is_harmless(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, NULL, "/", &(struct fake_answer){ 0 });
    f->cancel_in_done = true;
    f->call = engine_container_start(f->engine, "c1", fix_done, f);
    fix_wait(f);
}

static void closed_engine_calls_nobody(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, NULL, "/",
                   &(struct fake_answer){ .how = FAKE_ENGINE_SILENT });
    fake_engine_on(f->fake, "POST", "/containers/last",
                   &(struct fake_answer){ .status = 204 });
    engine_container_start(f->engine, "c1", fix_done, f);
    engine_events(f->engine, "l", NULL, NULL, fix_done, f);
    engine_container_attach(f->engine, "c1", fix_data, NULL, fix_done, f);
    fix_wait_requests(f, 3);
    f->close_in_done = true;
    engine_container_start(f->engine, "last", fix_done, f);
    fix_wait(f);
    WAIT_FOR(&f->base.loop, f->closed);
    fix_wait_let_go(f);
}

static void dropped_connections_end_every_call_once(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, NULL, "/",
                   &(struct fake_answer){ .how = FAKE_ENGINE_RESET });
    engine_container_start(f->engine, "c1", fix_done, f);
    engine_container_remove(f->engine, "c2", fix_done, f);
    while (f->calls < 2) {
        WAIT_FOR(&f->base.loop, f->done);
        f->done = false;
        assert_int_not_equal(f->err.code, ERR_NONE);
    }
    f->calls = 0;
    fix_wait_let_go(f);
}

static void unknown_endpoints_are_refused(void **state)
{
    struct engine_fix *f = *state;
    struct engine *e;
    struct err err;

    assert_int_equal(
        engine_new(&e, &f->base.loop, "npipe:////./pipe/docker", NULL, &err),
        -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(engine_new(&e, &f->base.loop, "ssh://me@host", NULL, &err),
                     -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.msg, "ssh -nNT -L"));
}

static void ping_asks_without_a_version(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, "GET", "/_ping",
                   &(struct fake_answer){ .body = "OK" });
    engine_ping(f->engine, 1000, fix_done, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NONE);
    assert_string_equal(fake_engine_request(f->fake, 0)->path, "/_ping");
}

/* Calls that hang fill the queue of calls, and the ping must see that. */
static void ping_waits_behind_no_call_and_not_for_ever(void **state)
{
    struct engine_fix *f = *state;
    struct engine_call *calls[20];

    fake_engine_on(f->fake, NULL, "/",
                   &(struct fake_answer){ .how = FAKE_ENGINE_SILENT });
    for (size_t i = 0; i < 20; i++)
        calls[i] = engine_container_start(f->engine, "c", fix_done, f);
    engine_ping(f->engine, 200, fix_done, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_TIMEOUT);
    assert_int_equal(fake_engine_asked(f->fake, "/_ping"), 1);
    for (size_t i = 0; i < 20; i++)
        engine_cancel(calls[i]);
}

int main(void)
{
#define T(fn)                                                                  \
    cmocka_unit_test_setup_teardown(fn, engine_fix_setup, engine_fix_teardown)
    const struct CMUnitTest tests[] = {
        T(ping_asks_without_a_version),
        T(ping_waits_behind_no_call_and_not_for_ever),
        T(hello_speaks_what_an_older_engine_speaks),
        T(hello_speaks_our_version_to_a_newer_engine),
        T(hello_says_when_an_engine_dropped_our_version),
        T(hello_knows_podman),
        T(hello_asks_the_version_where_the_ping_has_no_name),
        T(hello_refuses_an_engine_that_is_too_old),
        T(hello_refuses_a_server_that_is_no_engine),
        T(hello_tells_a_missing_socket_from_a_dead_one),
        T(hello_says_that_nobody_listens),
        T(hello_says_that_permission_is_missing),
        T(answer_that_is_no_json_is_a_protocol_error),
        T(answer_without_an_id_is_a_protocol_error),
        T(statuses_become_codes_and_keep_the_engines_words),
        T(error_without_json_keeps_its_text),
        T(redirection_is_no_success),
        T(cancelled_call_calls_nobody),
        T(cancel_from_the_own_callback_is_harmless),
        T(closed_engine_calls_nobody),
        T(dropped_connections_end_every_call_once),
        T(unknown_endpoints_are_refused),
    };

    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
