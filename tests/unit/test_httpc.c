#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/endpoint.h"
#include "net/httpc.h"
#include "support/fake_unix.h"
#include "support/loop_fix.h"

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
    { "/head",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n"
      "API-Version: 1.41\r\nX-Empty:\r\nContent-Length: 2\r\n\r\nOK",
      FAKE_KEEP },
    { "/refused", "HTTP/1.1 500 No\r\nContent-Length: 6\r\n\r\nbroken",
      FAKE_KEEP },
    { "/nothing", "HTTP/1.1 204 No Content\r\n\r\n", FAKE_KEEP },
    { "/length", "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n",
      FAKE_KEEP },
    { "/hangup", "", FAKE_CLOSE },
    { "/half", "HTTP/1.1 200 OK\r\nServ", FAKE_CLOSE },
    { "/garbage", "SSH-2.0-OpenSSH\r\n\r\n", FAKE_KEEP },
    { "/open", "HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n",
      FAKE_KEEP },
    { NULL, NULL, FAKE_KEEP },
};

/* Everything a test needs; one per test, so tests share nothing. */
struct fix {
    struct loop_fix base;
    struct fake_unix *fake;
    struct httpc *client;
    bool done, closed, saw_data;
    int calls;
    long status;
    char body[64];
    struct err err;
    char data[64];
    bool cancel_in_data, start_in_data, close_in_done;
    bool cancel_in_head, pause_in_data, close_in_data;
    int heads, datas;
    long head_status;
    char header[64];
    size_t data_total;
    struct httpc_req *req;
    uv_timer_t timer;
    bool ticked;
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
        if (httpc_res_header(res->req, "api-version") != NULL)
            snprintf(f->header, sizeof(f->header), "%s",
                     httpc_res_header(res->req, "api-version"));
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
    f->datas++;
    f->data_total += len;
    if (f->cancel_in_data)
        httpc_cancel(req);
    if (f->pause_in_data)
        httpc_pause(req, true);
    if (f->close_in_data)
        httpc_close(f->client, on_closed, f);
    if (f->start_in_data)
        start(f, "/version", 1000);
    f->saw_data = true;
}

static void on_head(struct httpc_req *req, long status, void *user)
{
    struct fix *f = user;

    assert_int_equal(f->datas, 0);
    f->heads++;
    f->head_status = status;
    if (f->cancel_in_head)
        httpc_cancel(req);
}

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));
    struct err err;

    loop_fix_init(&f->base);
    f->fake = fake_unix_new(&f->base.loop, f->base.path, rules);
    *state = f;
    return httpc_new(&f->client, &f->base.loop, f->base.endpoint, NULL, &err);
}

/* Every test ends here: nothing may be left on the loop. */
static int teardown(void **state)
{
    struct fix *f = *state;

    if (!f->close_in_done && !f->close_in_data)
        httpc_close(f->client, on_closed, f);
    WAIT_FOR(&f->base.loop, f->closed);
    fake_unix_close(f->fake);
    loop_fix_release(&f->base);
    free(f);
    return 0;
}

static void stream_of(struct fix *f, const char *path)
{
    f->req = httpc_start(f->client, &(struct httpc_spec){ .method = "GET",
                                                          .path = path,
                                                          .on_head = on_head,
                                                          .on_data = on_data,
                                                          .on_done = on_done,
                                                          .user = f });
}

static void stream(struct fix *f)
{
    stream_of(f, "/stream");
}

/* The kernel and libcurl both hold some bytes: nothing moves for a while. */
static bool is_settled(struct fix *f)
{
    size_t before = f->data_total;

    loop_run_for(&f->base.loop, 50);
    return f->data_total == before;
}

static void get(struct fix *f, const char *path)
{
    start(f, path, 1000);
    assert_false(f->done); /* never from inside httpc_start() */
    WAIT_FOR(&f->base.loop, f->done);
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
    WAIT_FOR(&f->base.loop, f->done);
    assert_int_equal(f->err.code, ERR_TIMEOUT);
}

static void missing_socket_is_unavailable(void **state)
{
    struct fix *f = *state;

    unlink(f->base.path);
    get(f, "/version");
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(f->err.msg, f->base.path));
}

static void cancelled_request_calls_nobody(void **state)
{
    struct fix *f = *state;

    httpc_cancel(start(f, "/silent", 0));
    assert_false(loop_run_until(&f->base.loop, &f->done, 30));
    assert_int_equal(f->calls, 0);
}

static void stream_can_be_cancelled_from_its_own_callback(void **state)
{
    struct fix *f = *state;

    f->cancel_in_data = true;
    stream(f);
    WAIT_FOR(&f->base.loop, f->saw_data);
    assert_string_equal(f->data, "one");
    WAIT_FOR(&f->base.loop, fake_unix_open(f->fake) == 0);
    assert_false(f->done);
}

static void request_can_be_started_from_on_data(void **state)
{
    struct fix *f = *state;

    f->start_in_data = true;
    stream(f);
    WAIT_FOR(&f->base.loop, f->done);
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

static void last_has(struct fix *f, const char *text)
{
    if (strcasestr(fake_unix_last(f->fake, NULL), text) == NULL)
        fail_msg("%s is not in %s", text, fake_unix_last(f->fake, NULL));
}

/* What the server saw behind the head. */
static const char *last_body(struct fix *f, size_t *len)
{
    size_t all;
    const char *text = fake_unix_last(f->fake, &all);
    const char *body = strstr(text, "\r\n\r\n");

    assert_non_null(body);
    *len = all - (size_t)(body + 4 - text);
    return body + 4;
}

static void send_spec(struct fix *f, struct httpc_spec spec)
{
    spec.on_done = on_done;
    spec.user = f;
    spec.timeout_ms = 5000;
    f->done = false;
    httpc_start(f->client, &spec);
    WAIT_FOR(&f->base.loop, f->done);
}

static void json_is_sent_with_its_type(void **state)
{
    struct fix *f = *state;
    size_t len;

    send_spec(f, (struct httpc_spec){
                     .method = "POST", .path = "/version", .json = "{}" });
    last_has(f, "POST /version HTTP/1.1\r\n");
    last_has(f, "Content-Type: application/json\r\n");
    assert_string_equal(last_body(f, &len), "{}");
}

static void data_may_hold_any_byte(void **state)
{
    struct fix *f = *state;
    size_t len;

    send_spec(f, (struct httpc_spec){ .method = "PUT",
                                      .path = "/version",
                                      .data = "a\0b",
                                      .data_len = 3,
                                      .type = "application/x-tar" });
    last_has(f, "PUT /version");
    last_has(f, "Content-Type: application/x-tar\r\n");
    assert_memory_equal(last_body(f, &len), "a\0b", 3);
    assert_int_equal(len, 3);
}

static void long_body_does_not_ask_for_permission(void **state)
{
    struct fix *f = *state;
    size_t len, size = (size_t)2 << 20;
    cleanup_free char *data = xcalloc(1, size);

    send_spec(f, (struct httpc_spec){ .method = "POST",
                                      .path = "/version",
                                      .data = data,
                                      .data_len = size });
    assert_null(strcasestr(fake_unix_last(f->fake, NULL), "Expect:"));
    last_body(f, &len);
    assert_int_equal(len, size);
}

static void extra_headers_are_sent(void **state)
{
    struct fix *f = *state;

    send_spec(f, (struct httpc_spec){
                     .method = "POST",
                     .path = "/version",
                     .headers = (const char *const[]){
                         "X-Registry-Auth: e30=", "X-Other: 1", NULL } });
    last_has(f, "\r\nX-Registry-Auth: e30=\r\n");
    last_has(f, "\r\nX-Other: 1\r\n");
}

static void path_is_sent_as_it_is(void **state)
{
    struct fix *f = *state;

    send_spec(f, (struct httpc_spec){
                     .method = "GET", .path = "/version", .timeout_ms = 1000 });
    start(f, "/a/../b?x=%2F..%20", 200);
    loop_run_until(&f->base.loop, &f->done, 5000);
    last_has(f, "GET /a/../b?x=%2F..%20 HTTP/1.1\r\n");
}

/* A file of `size` bytes, each known from its place, already unlinked. */
static int pattern_file(size_t size)
{
    char name[] = "/tmp/httpc-upload-XXXXXX";
    cleanup_free char *bytes = xcalloc(1, size + 1);
    int fd = mkstemp(name);

    assert_true(fd > 0);
    unlink(name);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 31 + (i >> 10));
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    return fd;
}

static void assert_pattern(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != (char)(i * 31 + (i >> 10)))
            fail_msg("wrong byte at %zu", i);
}

static void file_is_uploaded_from_its_beginning(void **state)
{
    struct fix *f = *state;
    size_t len, size = 3000001;
    int fd = pattern_file(size);

    assert_true(lseek(fd, 0, SEEK_CUR) > 0); /* its place does not matter */
    send_spec(f, (struct httpc_spec){ .method = "POST",
                                      .path = "/version",
                                      .upload_fd = fd,
                                      .type = "application/x-tar" });
    assert_int_equal(f->err.code, ERR_NONE);
    assert_int_equal(f->status, 200);
    last_has(f, "POST /version");
    last_has(f, "Content-Length: 3000001\r\n");
    assert_pattern(last_body(f, &len), size);
    assert_int_equal(len, size);
    assert_int_equal(close(fd), 0); /* still ours */
}

static void upload_survives_closing_the_file(void **state)
{
    struct fix *f = *state;
    size_t len;
    int fd = pattern_file(1000);

    f->done = false;
    httpc_start(f->client, &(struct httpc_spec){ .method = "PUT",
                                                 .path = "/version",
                                                 .upload_fd = fd,
                                                 .on_done = on_done,
                                                 .user = f });
    close(fd);
    WAIT_FOR(&f->base.loop, f->done);
    assert_pattern(last_body(f, &len), 1000);
    assert_int_equal(len, 1000);
}

static void upload_is_rewound_when_libcurl_retries(void **state)
{
    struct fix *f = *state;
    size_t len, size = 500000;
    int fd = pattern_file(size);

    get(f, "/reset"); /* the kept connection dies under the upload */
    send_spec(f, (struct httpc_spec){
                     .method = "POST", .path = "/version", .upload_fd = fd });
    assert_int_equal(f->err.code, ERR_NONE);
    assert_int_equal(fake_unix_conns(f->fake), 2);
    assert_pattern(last_body(f, &len), size);
    assert_int_equal(len, size);
    close(fd);
}

static void two_uploads_of_one_file_do_not_disturb_each_other(void **state)
{
    struct fix *f = *state;
    size_t len, size = 800000;
    int fd = pattern_file(size);
    struct httpc_spec spec = { .method = "POST",
                               .path = "/silent",
                               .upload_fd = fd,
                               .on_done = on_done,
                               .user = f };

    httpc_start(f->client, &spec);
    spec.path = "/version";
    httpc_start(f->client, &spec);
    WAIT_FOR(&f->base.loop, f->done);
    assert_pattern(last_body(f, &len), size);
    close(fd);
}

static void upload_of_a_file_that_shrank_is_our_error(void **state)
{
    struct fix *f = *state;
    int fd = pattern_file(100000);

    f->done = false;
    httpc_start(f->client, &(struct httpc_spec){ .method = "PUT",
                                                 .path = "/version",
                                                 .upload_fd = fd,
                                                 .on_done = on_done,
                                                 .user = f });
    assert_int_equal(ftruncate(fd, 10), 0);
    WAIT_FOR(&f->base.loop, f->done);
    assert_int_equal(f->err.code, ERR_SYSTEM);
    close(fd);
}

static void upload_of_a_bad_descriptor_is_our_error(void **state)
{
    struct fix *f = *state;

    send_spec(f, (struct httpc_spec){
                     .method = "PUT", .path = "/version", .upload_fd = 9999 });
    assert_int_equal(f->err.code, ERR_SYSTEM);
    assert_non_null(strstr(f->err.msg, "Bad file descriptor"));
}

static void empty_file_is_an_empty_body(void **state)
{
    struct fix *f = *state;
    int fd = pattern_file(0);

    send_spec(f, (struct httpc_spec){
                     .method = "PUT", .path = "/version", .upload_fd = fd });
    last_has(f, "Content-Length: 0\r\n");
    assert_int_equal(f->status, 200);
    close(fd);
}

static void head_is_told_once_and_before_the_body(void **state)
{
    struct fix *f = *state;

    stream_of(f, "/head");
    assert_int_equal(f->heads, 0); /* never from inside httpc_start() */
    WAIT_FOR(&f->base.loop, f->done);
    assert_int_equal(f->heads, 1);
    assert_int_equal(f->head_status, 201); /* not the 100 */
    assert_int_equal(f->status, 201);
    assert_string_equal(f->data, "OK");
    assert_string_equal(f->body, "");
}

static void headers_are_found_in_any_case(void **state)
{
    struct fix *f = *state;

    get(f, "/head");
    assert_string_equal(f->header, "1.41");
    f->header[0] = '\0';
    get(f, "/version");
    assert_string_equal(f->header, "");
}

static void error_body_of_a_stream_is_collected(void **state)
{
    struct fix *f = *state;

    stream_of(f, "/refused");
    WAIT_FOR(&f->base.loop, f->done);
    assert_int_equal(f->head_status, 500);
    assert_int_equal(f->datas, 0);
    assert_int_equal(f->status, 500);
    assert_string_equal(f->body, "broken");
}

static void answer_without_a_body_ends(void **state)
{
    struct fix *f = *state;

    get(f, "/nothing");
    assert_int_equal(f->status, 204);
    assert_string_equal(f->body, "");
}

static void head_request_does_not_wait_for_a_body(void **state)
{
    struct fix *f = *state;

    send_spec(f, (struct httpc_spec){ .method = "HEAD", .path = "/length" });
    assert_int_equal(f->err.code, ERR_NONE);
    assert_int_equal(f->status, 200);
}

static void cancel_in_on_head_calls_nobody_again(void **state)
{
    struct fix *f = *state;

    f->cancel_in_head = true;
    stream_of(f, "/stream");
    WAIT_FOR(&f->base.loop, f->heads > 0 && fake_unix_open(f->fake) == 0);
    assert_int_equal(f->heads, 1);
    assert_int_equal(f->datas, 0);
    assert_int_equal(f->calls, 0);
}

static void close_in_on_data_calls_nobody_again(void **state)
{
    struct fix *f = *state;

    f->close_in_data = true;
    start(f, "/silent", 0);
    stream_of(f, "/stream");
    WAIT_FOR(&f->base.loop, f->closed);
    assert_int_equal(f->calls, 0);
    assert_int_equal(f->datas, 1);
}

static void hangup_without_an_answer_is_unavailable(void **state)
{
    struct fix *f = *state;

    get(f, "/hangup");
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(f->err.msg, "connection lost"));
}

static void garbage_is_a_protocol_error(void **state)
{
    struct fix *f = *state;

    get(f, "/garbage");
    assert_int_equal(f->err.code, ERR_PROTOCOL);
}

static void collected_body_is_bounded(void **state)
{
    struct fix *f = *state;
    size_t size = 9000000;
    cleanup_free char *bytes = xcalloc(1, size);

    start(f, "/open", 5000);
    WAIT_FOR(&f->base.loop, fake_unix_requests(f->fake) > 0);
    fake_unix_send(f->fake, bytes, size);
    WAIT_FOR(&f->base.loop, f->done);
    assert_int_equal(f->err.code, ERR_PROTOCOL);
    assert_non_null(strstr(f->err.msg, "larger than 8 MiB"));
}

/* Back-pressure must reach the server: it cannot send any more. */
static void paused_stream_stops_the_server(void **state)
{
    struct fix *f = *state;
    size_t size = 9000000;
    cleanup_free char *bytes = xcalloc(1, size);

    f->pause_in_data = true;
    stream_of(f, "/open");
    WAIT_FOR(&f->base.loop, fake_unix_requests(f->fake) > 0);
    fake_unix_send(f->fake, bytes, size);
    WAIT_FOR(&f->base.loop, f->saw_data);
    assert_true(is_settled(f));
    assert_int_equal(f->datas, 1);
    assert_true(fake_unix_queued(f->fake) > size / 2);

    f->pause_in_data = false;
    httpc_pause(f->req, false);
    assert_int_equal(f->datas, 1); /* not from inside httpc_pause() */
    WAIT_FOR(&f->base.loop, f->done);
    assert_int_equal(f->data_total, size);
    assert_int_equal(f->err.code, ERR_NONE);
}

static void on_tick(uv_timer_t *timer)
{
    container_of(timer, struct fix, timer)->ticked = true;
}

static void paused_stream_does_not_spin(void **state)
{
    struct fix *f = *state;
    cleanup_free char *bytes = xcalloc(1, 3000000);
    int turns = 0;

    f->pause_in_data = true;
    stream_of(f, "/open");
    WAIT_FOR(&f->base.loop, fake_unix_requests(f->fake) > 0);
    fake_unix_send(f->fake, bytes, 3000000);
    WAIT_FOR(&f->base.loop, f->saw_data);
    assert_true(is_settled(f));

    /* Each turn waits for the next event: only the deadline is one. */
    uv_timer_init(&f->base.loop, &f->timer);
    uv_timer_start(&f->timer, on_tick, 100, 0);
    for (; !f->ticked; turns++)
        uv_run(&f->base.loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&f->timer, NULL);
    assert_true(turns < 10);
    assert_int_equal(f->datas, 1);
    httpc_cancel(f->req);
}

static void pausing_again_and_again_loses_nothing(void **state)
{
    struct fix *f = *state;
    size_t size = 9000000;
    int resumed = 0;
    cleanup_free char *bytes = xcalloc(1, size);

    f->pause_in_data = true;
    stream_of(f, "/open");
    WAIT_FOR(&f->base.loop, fake_unix_requests(f->fake) > 0);
    fake_unix_send(f->fake, bytes, size);
    for (; !f->done && resumed < 5000; resumed++) {
        f->saw_data = false;
        /* Data need not come: what is left may be the end. */
        loop_run_until(&f->base.loop, &f->saw_data, 20);
        if (!f->done)
            httpc_pause(f->req, false);
    }
    assert_true(f->done);
    assert_int_equal(f->data_total, size);
    assert_true(f->datas > 100);
}

static void paused_stream_can_be_cancelled(void **state)
{
    struct fix *f = *state;

    f->pause_in_data = true;
    stream(f);
    WAIT_FOR(&f->base.loop, f->saw_data);
    fake_unix_send(f->fake, "3\r\ntwo\r\n", 8);
    assert_true(is_settled(f));
    httpc_pause(f->req, false);
    httpc_cancel(f->req);
    assert_true(is_settled(f));
    assert_int_equal(f->datas, 1);
    assert_int_equal(f->calls, 0);
}

static void connections_are_limited(void **state)
{
    struct fix *f = *state;

    httpc_max_connections(f->client, 2);
    for (int i = 0; i < 8; i++)
        start(f, "/version", 1000);
    WAIT_FOR(&f->base.loop, f->calls == 8);
    assert_true(fake_unix_conns(f->fake) <= 2);
}

static void request_that_waits_for_a_connection_times_out(void **state)
{
    struct fix *f = *state;

    httpc_max_connections(f->client, 1);
    stream_of(f, "/silent");
    start(f, "/version", 50);
    WAIT_FOR(&f->base.loop, f->done);
    assert_int_equal(f->err.code, ERR_TIMEOUT);
}

static void timeouts_are_kept_in_order(void **state)
{
    struct fix *f = *state;

    start(f, "/silent", 5000);
    start(f, "/silent", 20);
    start(f, "/silent", 3000);
    start(f, "/silent", 21);
    WAIT_FOR(&f->base.loop, f->calls == 2);
    loop_run_for(&f->base.loop, 100); /* the others have time left */
    assert_int_equal(f->calls, 2);
    assert_int_equal(f->err.code, ERR_TIMEOUT);
}

static void refused_and_missing_sockets_are_told_apart(void **state)
{
    struct fix *f = *state;
    cleanup_free char *other = tmp_dir_path(&f->base.dir, "other");
    char want[128];

    fake_unix_close(f->fake);
    f->fake = fake_unix_new(&f->base.loop, other, rules);

    /* A socket file that nobody listens on. */
    unlink(f->base.path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->base.path);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    get(f, "/version");
    snprintf(want, sizeof(want), "connection refused: %s", f->base.path);
    assert_string_equal(f->err.msg, want);
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    close(fd);

    unlink(f->base.path);
    get(f, "/version");
    snprintf(want, sizeof(want), "no such file: %s", f->base.path);
    assert_string_equal(f->err.msg, want);
}

/* Root may connect to everything, so somebody else has to try. */
static void forbidden_socket_says_permission_denied(void **state)
{
    struct fix *f = *state;
    char want[128];

    if (geteuid() != 0) {
        print_message("not root: skipped\n");
        skip();
    }
    assert_int_equal(chmod(f->base.dir.path, 0755), 0);
    assert_int_equal(chmod(f->base.path, 0600), 0);
    assert_int_equal(seteuid(65534), 0);
    get(f, "/version");
    assert_int_equal(seteuid(0), 0);
    snprintf(want, sizeof(want), "permission denied: %s", f->base.path);
    assert_string_equal(f->err.msg, want);
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
}

static void closed_tcp_port_is_refused(void **state)
{
    struct fix *f = *state;
    struct err err;

    httpc_close(f->client, NULL, NULL);
    assert_int_equal(
        httpc_new(&f->client, &f->base.loop, "tcp://127.0.0.1:1", NULL, &err),
        0);
    get(f, "/version");
    assert_string_equal(f->err.msg, "connection refused: 127.0.0.1:1");
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
}

/* openssl's own server, which wants a certificate from us, too. */
static pid_t tls_server(const char *pem, int port)
{
    cleanup_free char *accept = xasprintf("127.0.0.1:%d", port);
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (freopen("/dev/null", "w", stdout) != NULL &&
            freopen("/dev/null", "w", stderr) != NULL)
            execlp("openssl", "openssl", "s_server", "-accept", accept, "-cert",
                   pem, "-key", pem, "-CAfile", pem, "-Verify", "1",
                   "-verify_return_error", "-www", NULL);
        _exit(127);
    }
    return pid;
}

static int free_port(void)
{
    struct sockaddr_in addr = { .sin_family = AF_INET };
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    close(fd);
    return ntohs(addr.sin_port);
}

static void make_certificate(const char *pem)
{
    cleanup_free char *cmd = xasprintf(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
        "-days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1 "
        "-keyout %s.key -out %s 2>/dev/null && cat %s.key >>%s && rm %s.key",
        pem, pem, pem, pem, pem);

    assert_int_equal(system(cmd), 0);
}

static void ask_tls(struct fix *f, const char *endpoint, const char *ca,
                    const char *own)
{
    struct httpc_tls tls = { .ca = ca, .cert = own, .key = own };
    struct err err;

    httpc_close(f->client, NULL, NULL);
    assert_int_equal(httpc_new(&f->client, &f->base.loop, endpoint, &tls, &err),
                     0);
    f->err.code = ERR_NONE;
    start(f, "/", 2000);
    WAIT_FOR(&f->base.loop, f->done);
}

static void tls_shows_and_asks_for_certificates(void **state)
{
    struct fix *f = *state;
    int port = free_port();
    cleanup_free char *pem = xasprintf("%s.pem", f->base.path);
    cleanup_free char *other = xasprintf("%s.other.pem", f->base.path);
    cleanup_free char *endpoint = xasprintf("tcp://127.0.0.1:%d", port);
    pid_t pid;

    if (system("openssl version >/dev/null 2>&1") != 0) {
        print_message("no openssl command: skipped\n");
        skip();
    }
    make_certificate(pem);
    make_certificate(other);
    pid = tls_server(pem, port);
    for (int i = 0; i < 50 && f->status != 200; i++) { /* while it starts */
        ask_tls(f, endpoint, pem, pem);
        loop_run_for(&f->base.loop, 50); /* it is no event of this loop */
    }
    assert_int_equal(f->status, 200);
    ask_tls(f, endpoint, other, pem);
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(f->err.msg, "no TLS with 127.0.0.1"));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    unlink(pem);
    unlink(other);
}

static void connection_closed_within_the_head_is_no_answer(void **state)
{
    struct fix *f = *state;

    start(f, "/half", 5000);
    WAIT_FOR(&f->base.loop, f->done);
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(f->err.msg, "closed in mid-answer"));
}

static void discard(struct fix *f, const char *path, size_t max)
{
    httpc_start(f->client, &(struct httpc_spec){ .method = "GET",
                                                 .path = path,
                                                 .timeout_ms = 5000,
                                                 .discard_max = max,
                                                 .on_head = on_head,
                                                 .on_done = on_done,
                                                 .user = f });
}

static void unwanted_body_is_thrown_away(void **state)
{
    struct fix *f = *state;

    discard(f, "/version", 1000);
    WAIT_FOR(&f->base.loop, f->done);
    assert_int_equal(f->status, 200);
    assert_string_equal(f->body, "");
}

static void unwanted_body_without_end_is_left(void **state)
{
    static const char bytes[2000] = "";
    struct fix *f = *state;

    discard(f, "/open", 1000);
    WAIT_FOR(&f->base.loop, f->heads == 1);
    assert_false(f->done);
    fake_unix_send(f->fake, bytes, sizeof(bytes));
    WAIT_FOR(&f->base.loop, f->done);
    assert_int_equal(f->err.code, ERR_NONE);
    assert_int_equal(f->status, 200);
}

static void on_failed(const struct httpc_res *res, const struct err *err,
                      void *user)
{
    struct fix *f = user;

    assert_null(res);
    assert_non_null(err);
    f->calls = (int)httpc_why(f->req).what;
    f->done = true;
}

static void owner_can_ask_why_it_failed(void **state)
{
    static const struct {
        const char *path;
        enum httpc_failure what;
    } cases[] = {
        { "/hangup", HTTPC_NO_ANSWER }, { "/half", HTTPC_CUT_SHORT },
        { "/cut", HTTPC_CUT_SHORT },    { "/garbage", HTTPC_NOT_HTTP },
        { "/silent", HTTPC_TOO_LATE },
    };
    struct fix *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        f->done = false;
        f->req =
            httpc_start(f->client, &(struct httpc_spec){ .method = "GET",
                                                         .path = cases[i].path,
                                                         .timeout_ms = 200,
                                                         .on_done = on_failed,
                                                         .user = f });
        WAIT_FOR(&f->base.loop, f->done);
        assert_int_equal(f->calls, cases[i].what);
    }
    f->done = false;
    unlink(f->base.path); /* the server has no name any more */
    f->req = httpc_start(f->client, &(struct httpc_spec){ .method = "GET",
                                                          .path = "/version",
                                                          .on_done = on_failed,
                                                          .user = f });
    WAIT_FOR(&f->base.loop, f->done);
    assert_int_equal(f->calls, HTTPC_NOT_CONNECTED);
}

static void endpoints_that_are_none_are_invalid(void **state)
{
    static const char *const bad[] = {
        "",          "unix://",    "ssh://host",     "tcp://",
        "tcp://:1",  "tcp://h:0",  "tcp://h:65536",  "tcp://h:x",
        "tcp://a b", "tcp://u@h",  "http://h:1/p",   "tcp://[::1",
        "npipe://x", "tcp://h:1:", "http://h:1/?q=", "/var/run/x",
    };
    struct fix *f = *state;
    struct httpc *c = NULL;
    struct httpc_tls half = { .ca = "/x" };
    char *path = xcalloc(1, 4000);
    struct err err;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err.code = ERR_NONE;
        assert_int_equal(httpc_new(&c, &f->base.loop, bad[i], NULL, &err), -1);
        assert_int_equal(err.code, ERR_INVALID);
    }
    snprintf(path, 4000, "unix:///%0200d", 1);
    assert_int_equal(httpc_new(&c, &f->base.loop, path, NULL, &err), -1);
    snprintf(path, 4000, "tcp://%0300d:1", 1);
    assert_int_equal(httpc_new(&c, &f->base.loop, path, NULL, &err), -1);
    assert_int_equal(httpc_new(&c, &f->base.loop, "tcp://h:1", &half, &err),
                     -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_null(c);
    free(path);
}

static void endpoints_have_dockers_ports(void **state)
{
    static const struct {
        const char *text;
        bool tls;
        const char *shown;
    } rows[] = {
        { "tcp://h", false, "h:2375" },   { "tcp://h", true, "h:2376" },
        { "tcp://h:9/", true, "h:9" },    { "http://h", false, "h:80" },
        { "https://h", false, "h:443" },  { "tcp://[::1]:5", false, "[::1]:5" },
        { "unix:///a/b", false, "/a/b" },
    };
    struct endpoint e;
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(endpoint_parse(&e, rows[i].text, rows[i].tls, &err),
                         0);
        assert_string_equal(e.shown, rows[i].shown);
        endpoint_release(&e);
    }
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
        T(json_is_sent_with_its_type),
        T(data_may_hold_any_byte),
        T(long_body_does_not_ask_for_permission),
        T(extra_headers_are_sent),
        T(path_is_sent_as_it_is),
        T(file_is_uploaded_from_its_beginning),
        T(upload_survives_closing_the_file),
        T(upload_is_rewound_when_libcurl_retries),
        T(two_uploads_of_one_file_do_not_disturb_each_other),
        T(upload_of_a_file_that_shrank_is_our_error),
        T(upload_of_a_bad_descriptor_is_our_error),
        T(empty_file_is_an_empty_body),
        T(head_is_told_once_and_before_the_body),
        T(headers_are_found_in_any_case),
        T(error_body_of_a_stream_is_collected),
        T(answer_without_a_body_ends),
        T(head_request_does_not_wait_for_a_body),
        T(cancel_in_on_head_calls_nobody_again),
        T(close_in_on_data_calls_nobody_again),
        T(hangup_without_an_answer_is_unavailable),
        T(garbage_is_a_protocol_error),
        T(collected_body_is_bounded),
        T(paused_stream_stops_the_server),
        T(paused_stream_does_not_spin),
        T(pausing_again_and_again_loses_nothing),
        T(paused_stream_can_be_cancelled),
        T(connections_are_limited),
        T(request_that_waits_for_a_connection_times_out),
        T(timeouts_are_kept_in_order),
        T(refused_and_missing_sockets_are_told_apart),
        T(forbidden_socket_says_permission_denied),
        T(closed_tcp_port_is_refused),
        T(tls_shows_and_asks_for_certificates),
        T(connection_closed_within_the_head_is_no_answer),
        T(unwanted_body_is_thrown_away),
        T(unwanted_body_without_end_is_left),
        T(owner_can_ask_why_it_failed),
        T(endpoints_that_are_none_are_invalid),
        T(endpoints_have_dockers_ports),
    };

    return cmocka_run_group_tests_name("httpc", tests, NULL, NULL);
}
