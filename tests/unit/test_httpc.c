#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/httpc.h"
#include "support/fake_unix.h"
#include "support/looptest.h"

static const struct fake_rule rules[] = {
    { "/version", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
      FAKE_KEEP },
    { "/missing", "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
      FAKE_KEEP },
    { "/bye", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", FAKE_CLOSE },
    { "/reset", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", FAKE_RESET },
    { "/cut", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", FAKE_CLOSE },
    { "/stream",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n",
      FAKE_KEEP },
    { NULL, NULL, FAKE_KEEP },
};

/* Everything a test needs; one per test, so tests share nothing. */
struct fix {
    uv_loop_t loop;
    char path[64], endpoint[80];
    struct fake_unix *fake;
    struct httpc *client;
    bool done, closed, saw_data;
    int calls;
    long status;
    char body[64];
    struct err err;
    char data[64];
    bool cancel_in_data, start_in_data, close_in_done;
};

static void on_closed(void *user)
{
    ((struct fix *)user)->closed = true;
}

static void on_done(const struct httpc_res *res, const struct err *err,
                    void *user)
{
    struct fix *f = user;

    f->done = true;
    f->calls++;
    if (err != NULL) {
        f->err = *err;
    } else {
        f->status = res->status;
        snprintf(f->body, sizeof(f->body), "%s", res->body);
    }
    if (f->close_in_done)
        httpc_close(f->client, on_closed, f);
}

static struct httpc_req *start(struct fix *f, const char *path,
                               unsigned timeout_ms)
{
    f->done = false;
    return httpc_start(f->client,
                       &(struct httpc_spec){ .method = "GET",
                                             .path = path,
                                             .timeout_ms = timeout_ms,
                                             .on_done = on_done,
                                             .user = f });
}

static void on_data(struct httpc_req *req, const char *data, size_t len,
                    void *user)
{
    struct fix *f = user;

    snprintf(f->data, sizeof(f->data), "%.*s", (int)len, data);
    if (f->cancel_in_data)
        httpc_cancel(req);
    if (f->start_in_data)
        start(f, "/version", 1000);
    f->saw_data = true;
}

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));
    struct err err;

    uv_loop_init(&f->loop);
    snprintf(f->path, sizeof(f->path), "/tmp/httpc-%d.sock", (int)getpid());
    f->fake = fake_unix_new(&f->loop, f->path, rules);
    *state = f;
    snprintf(f->endpoint, sizeof(f->endpoint), "unix://%s", f->path);
    return httpc_new(&f->client, &f->loop, f->endpoint, NULL, &err);
}

/* Every test ends here: nothing may be left on the loop. */
static int teardown(void **state)
{
    struct fix *f = *state;

    if (!f->close_in_done)
        httpc_close(f->client, on_closed, f);
    assert_true(loop_run_until(&f->loop, &f->closed, 1000));
    fake_unix_close(f->fake);
    assert_true(loop_ends_clean(&f->loop));
    unlink(f->path);
    free(f);
    return 0;
}

static void stream(struct fix *f)
{
    httpc_start(f->client, &(struct httpc_spec){ .method = "GET",
                                                 .path = "/stream",
                                                 .on_data = on_data,
                                                 .on_done = on_done,
                                                 .user = f });
}

static void get(struct fix *f, const char *path)
{
    start(f, path, 1000);
    assert_false(f->done); /* never from inside httpc_start() */
    assert_true(loop_run_until(&f->loop, &f->done, 2000));
}

static void answers_with_status_and_body(void **state)
{
    struct fix *f = *state;

    get(f, "/version");
    assert_int_equal(f->status, 200);
    assert_string_equal(f->body, "{\"a\":1}");
}

static void http_error_is_an_answer_not_a_failure(void **state)
{
    struct fix *f = *state;

    get(f, "/missing");
    assert_int_equal(f->err.code, ERR_NONE);
    assert_int_equal(f->status, 404);
}

static void requests_share_one_connection(void **state)
{
    struct fix *f = *state;

    for (int i = 0; i < 5; i++)
        get(f, "/version");
    assert_int_equal(fake_unix_requests(f->fake), 5);
    assert_int_equal(fake_unix_conns(f->fake), 1);
}

static void connection_closed_while_idle_is_retried(void **state)
{
    struct fix *f = *state;

    for (int i = 0; i < 20; i++) {
        get(f, "/bye");
        assert_int_equal(f->err.code, ERR_NONE);
    }
}

static void connection_reset_under_a_request_is_retried(void **state)
{
    struct fix *f = *state;

    get(f, "/reset");
    get(f, "/version"); /* is sent on the connection about to be reset */
    assert_int_equal(f->err.code, ERR_NONE);
    assert_string_equal(f->body, "{\"a\":1}");
    assert_int_equal(fake_unix_conns(f->fake), 2);
}

static void cut_body_is_a_protocol_error(void **state)
{
    struct fix *f = *state;

    get(f, "/cut");
    assert_int_equal(f->err.code, ERR_PROTOCOL);
}

static void silence_ends_in_a_timeout(void **state)
{
    struct fix *f = *state;

    start(f, "/silent", 50);
    assert_true(loop_run_until(&f->loop, &f->done, 1000));
    assert_int_equal(f->err.code, ERR_TIMEOUT);
}

static void missing_socket_is_unavailable(void **state)
{
    struct fix *f = *state;

    unlink(f->path);
    get(f, "/version");
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(f->err.msg, f->path));
}

static void cancelled_request_calls_nobody(void **state)
{
    struct fix *f = *state;

    httpc_cancel(start(f, "/silent", 0));
    assert_false(loop_run_until(&f->loop, &f->done, 30));
    assert_int_equal(f->calls, 0);
}

static void stream_can_be_cancelled_from_its_own_callback(void **state)
{
    struct fix *f = *state;

    f->cancel_in_data = true;
    stream(f);
    assert_true(loop_run_until(&f->loop, &f->saw_data, 1000));
    assert_string_equal(f->data, "one");
    assert_false(loop_run_until(&f->loop, &f->done, 30));
    assert_int_equal(fake_unix_open(f->fake), 0);
}

static void request_can_be_started_from_on_data(void **state)
{
    struct fix *f = *state;

    f->start_in_data = true;
    stream(f);
    assert_true(loop_run_until(&f->loop, &f->done, 1000));
    assert_int_equal(f->status, 200);
}

static void client_can_be_closed_from_on_done(void **state)
{
    struct fix *f = *state;

    start(f, "/silent", 0); /* must be dropped without a call */
    f->close_in_done = true;
    get(f, "/version");
    assert_int_equal(f->calls, 1);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(answers_with_status_and_body),
        T(http_error_is_an_answer_not_a_failure),
        T(requests_share_one_connection),
        T(connection_closed_while_idle_is_retried),
        T(connection_reset_under_a_request_is_retried),
        T(cut_body_is_a_protocol_error),
        T(silence_ends_in_a_timeout),
        T(missing_socket_is_unavailable),
        T(cancelled_request_calls_nobody),
        T(stream_can_be_cancelled_from_its_own_callback),
        T(request_can_be_started_from_on_data),
        T(client_can_be_closed_from_on_done),
    };

    return cmocka_run_group_tests_name("httpc", tests, NULL, NULL);
}
