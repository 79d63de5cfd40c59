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
#include "base/str.h"
#include "net/hijack.h"
#include "net/httpd.h"
#include "support/fake_unix.h"
#include "support/loop_fix.h"

#define UPGRADED                                                               \
    "HTTP/1.1 101 UPGRADED\r\nContent-Type: "                                  \
    "application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\n"             \
    "Upgrade: tcp\r\n\r\n"

static const struct fake_rule rules[] = {
    { "/attach", UPGRADED, FAKE_KEEP },
    { "/talks", UPGRADED "hello", FAKE_KEEP },
    { "/short", UPGRADED "bye", FAKE_CLOSE },
    { "/plain",
      "HTTP/1.1 200 OK\r\nContent-Type: "
      "application/vnd.docker.raw-stream\r\n\r\nraw",
      FAKE_KEEP },
    { "/continue", "HTTP/1.1 100 Continue\r\n\r\n" UPGRADED "late", FAKE_KEEP },
    { "/missing",
      "HTTP/1.1 404 Not Found\r\nContent-Length: 27\r\n\r\n"
      "{\"message\":\"no such thing\"}\n",
      FAKE_KEEP },
    { "/conflict",
      "HTTP/1.1 409 Conflict\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nnot\r\n4\r\n now\r\n0\r\n\r\n",
      FAKE_KEEP },
    { "/broken", "HTTP/1.1 500 Oops\r\n\r\nuntil the end", FAKE_CLOSE },
    { "/cut", "HTTP/1.1 400 Bad\r\nContent-Length: 99\r\n\r\nhalf",
      FAKE_CLOSE },
    { "/wordless", "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
      FAKE_KEEP },
    { "/hangup", "", FAKE_CLOSE },
    { "/half", "HTTP/1.1 101 UPGR", FAKE_CLOSE },
    { "/garbage", "SSH-2.0-OpenSSH\r\n\r\n", FAKE_KEEP },
    { NULL, NULL, FAKE_KEEP },
};

struct fix {
    struct loop_fix base;
    struct fake_unix *fake;
    struct httpd *server;
    struct hijack *h;
    struct str data;
    int opens, ends, datas;
    bool opened, ended, saw_data;
    long status;
    struct err err;
    bool close_in_open, close_in_data, close_in_end, pause_in_open;
    bool write_in_open;
};

static void on_open(struct hijack *h, void *user)
{
    struct fix *f = user;

    assert_int_equal(f->datas, 0);
    f->opens++;
    f->opened = true;
    if (f->write_in_open)
        hijack_write(h, "ping", 4);
    if (f->pause_in_open)
        hijack_pause(h, true);
    if (f->close_in_open)
        hijack_close(h);
}

static void on_data(struct hijack *h, const char *data, size_t len, void *user)
{
    struct fix *f = user;

    assert_int_equal(f->opens, 1);
    f->datas++;
    f->saw_data = true;
    str_add_len(&f->data, data, len);
    if (f->close_in_data)
        hijack_close(h);
}

static void on_end(struct hijack *h, long status, const struct err *err,
                   void *user)
{
    struct fix *f = user;

    f->ends++;
    f->ended = true;
    f->status = status;
    if (err != NULL)
        f->err = *err;
    if (f->close_in_end)
        hijack_close(h);
    f->h = NULL;
}

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));

    loop_fix_init(&f->base);
    f->fake = fake_unix_new(&f->base.loop, f->base.path, rules);
    fake_unix_set_raw(f->fake);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;

    if (f->h != NULL)
        hijack_close(f->h);
    if (f->server != NULL)
        httpd_close(f->server, NULL, NULL);
    fake_unix_close(f->fake);
    loop_fix_release(&f->base);
    assert_true(f->ends <= 1);
    str_release(&f->data);
    free(f);
    return 0;
}

/* For what must not happen meanwhile. */
static void run_ms(struct fix *f, unsigned ms)
{
    loop_run_for(&f->base.loop, ms);
}

static void start_at(struct fix *f, const char *endpoint, const char *path,
                     const char *json)
{
    f->h =
        hijack_start(&f->base.loop, &(struct hijack_spec){ .endpoint = endpoint,
                                                           .path = path,
                                                           .json = json,
                                                           .on_open = on_open,
                                                           .on_data = on_data,
                                                           .on_end = on_end,
                                                           .user = f });
    assert_int_equal(f->opens + f->ends, 0); /* never from inside */
}

static void start(struct fix *f, const char *path)
{
    start_at(f, f->base.endpoint, path, NULL);
}

static void open_to(struct fix *f, const char *path)
{
    start(f, path);
    WAIT_FOR(&f->base.loop, f->opened);
}

static void gets(struct fix *f, const char *text)
{
    WAIT_FOR(&f->base.loop, strcmp(str_c(&f->data), text) == 0);
}

static void server_gets(struct fix *f, const char *text)
{
    WAIT_FOR(&f->base.loop, strcmp(fake_unix_raw(f->fake, NULL), text) == 0);
}

/* The server sees the end of our side. */
static void server_gets_end(struct fix *f)
{
    WAIT_FOR(&f->base.loop, fake_unix_eofs(f->fake) > 0);
    assert_int_equal(fake_unix_eofs(f->fake), 1);
}

static void ends_with(struct fix *f, const char *path, enum err_code code)
{
    start(f, path);
    WAIT_FOR(&f->base.loop, f->ended);
    assert_int_equal(f->err.code, code);
    assert_int_equal(f->opens, 0);
    assert_int_equal(f->datas, 0);
}

static void bytes_go_both_ways(void **state)
{
    struct fix *f = *state;

    open_to(f, "/attach");
    assert_int_equal(hijack_write(f->h, "a\0b", 3), 0);
    server_gets(f, "a");
    assert_memory_equal(fake_unix_raw(f->fake, NULL), "a\0b", 3);
    fake_unix_send(f->fake, "answer", 6);
    gets(f, "answer");
    assert_int_equal(f->ends, 0);
}

static void request_asks_for_the_upgrade(void **state)
{
    struct fix *f = *state;

    start_at(f, f->base.endpoint, "/attach", "{\"Tty\":false}");
    WAIT_FOR(&f->base.loop, f->opened);
    assert_string_equal(fake_unix_last(f->fake, NULL),
                        "POST /attach HTTP/1.1\r\nHost: engine\r\n"
                        "Connection: Upgrade\r\nUpgrade: tcp\r\n"
                        "Content-Length: 13\r\n"
                        "Content-Type: application/json\r\n\r\n"
                        "{\"Tty\":false}");
}

static void bytes_behind_the_head_are_kept(void **state)
{
    struct fix *f = *state;

    open_to(f, "/talks");
    gets(f, "hello");
    fake_unix_send(f->fake, " again", 6);
    gets(f, "hello again");
}

static void answer_200_is_a_raw_stream_too(void **state)
{
    struct fix *f = *state;

    open_to(f, "/plain");
    gets(f, "raw");
}

static void answer_100_is_skipped(void **state)
{
    struct fix *f = *state;

    open_to(f, "/continue");
    gets(f, "late");
    assert_int_equal(f->opens, 1);
}

static void end_of_the_peer_is_no_error(void **state)
{
    struct fix *f = *state;

    start(f, "/short");
    WAIT_FOR(&f->base.loop, f->ended);
    assert_string_equal(str_c(&f->data), "bye"); /* all of it, first */
    assert_int_equal(f->opens, 1);
    assert_int_equal(f->err.code, ERR_NONE);
    assert_int_equal(f->status, 101);
}

static void killed_engine_ends_the_stream(void **state)
{
    struct fix *f = *state;

    open_to(f, "/attach");
    fake_unix_drop(f->fake);
    WAIT_FOR(&f->base.loop, f->ended);
    assert_int_equal(f->ends, 1);
}

/* The lease of the reaper hangs on this: EOF there, and no earlier. */
static void half_close_ends_only_our_side(void **state)
{
    struct fix *f = *state;

    open_to(f, "/attach");
    hijack_write(f->h, "input", 5);
    server_gets(f, "input");
    run_ms(f, 20); /* an end would come behind it */
    assert_int_equal(fake_unix_eofs(f->fake), 0);
    hijack_shutdown(f->h);
    hijack_shutdown(f->h); /* twice is once */
    assert_int_equal(hijack_write(f->h, "more", 4), 0);
    server_gets_end(f);
    assert_string_equal(fake_unix_raw(f->fake, NULL), "input");
    fake_unix_send(f->fake, "output", 6);
    gets(f, "output");
    assert_int_equal(f->ends, 0);
    fake_unix_drop(f->fake);
    WAIT_FOR(&f->base.loop, f->ended);
    assert_int_equal(f->err.code, ERR_NONE);
}

static void bytes_written_early_are_sent_when_open(void **state)
{
    struct fix *f = *state;

    start(f, "/attach");
    assert_int_equal(hijack_write(f->h, "early ", 6), 6);
    hijack_write(f->h, "bird", 4);
    hijack_shutdown(f->h);
    server_gets(f, "early bird");
    server_gets_end(f);
    assert_string_equal(strstr(fake_unix_last(f->fake, NULL), "\r\n\r\n"),
                        "\r\n\r\n");
}

static void half_close_waits_for_what_is_queued(void **state)
{
    struct fix *f = *state;
    size_t size = 8 << 20, len = 0;
    cleanup_free char *big = xcalloc(1, size);

    open_to(f, "/attach");
    assert_true(hijack_write(f->h, big, size / 2) > size / 4);
    hijack_write(f->h, big, size / 2); /* waits behind the first */
    hijack_shutdown(f->h);
    server_gets_end(f);
    fake_unix_raw(f->fake, &len);
    assert_int_equal(len, size);
}

static void http_error_tells_what_the_engine_said(void **state)
{
    struct fix *f = *state;

    ends_with(f, "/missing", ERR_NOT_FOUND);
    assert_int_equal(f->status, 404);
    assert_string_equal(f->err.msg, "{\"message\":\"no such thing\"}");
}

static void chunked_http_error_is_read(void **state)
{
    struct fix *f = *state;

    ends_with(f, "/conflict", ERR_CONFLICT);
    assert_int_equal(f->status, 409);
    assert_string_equal(f->err.msg, "not now");
}

static void http_error_may_last_until_the_end(void **state)
{
    struct fix *f = *state;

    ends_with(f, "/broken", ERR_PROTOCOL);
    assert_int_equal(f->status, 500);
    assert_string_equal(f->err.msg, "until the end");
}

static void http_error_cut_short_still_says_something(void **state)
{
    struct fix *f = *state;

    ends_with(f, "/cut", ERR_INVALID);
    assert_string_equal(f->err.msg, "half");
}

static void http_error_without_words_has_its_number(void **state)
{
    struct fix *f = *state;

    ends_with(f, "/wordless", ERR_PROTOCOL);
    assert_non_null(strstr(f->err.msg, "HTTP 500"));
}

static void end_before_the_answer_is_unavailable(void **state)
{
    struct fix *f = *state;

    ends_with(f, "/hangup", ERR_UNAVAILABLE);
    assert_int_equal(f->status, 0);
    assert_non_null(strstr(f->err.msg, f->base.path));
}

static void end_inside_the_head_is_unavailable(void **state)
{
    ends_with(*state, "/half", ERR_UNAVAILABLE);
}

static void garbage_is_a_protocol_error(void **state)
{
    ends_with(*state, "/garbage", ERR_PROTOCOL);
}

static void missing_socket_is_unavailable(void **state)
{
    struct fix *f = *state;
    char want[128];

    unlink(f->base.path);
    ends_with(f, "/attach", ERR_UNAVAILABLE);
    snprintf(want, sizeof(want), "no such file: %s", f->base.path);
    assert_string_equal(f->err.msg, want);
}

static void bad_endpoints_end_from_the_loop(void **state)
{
    struct fix *f = *state;

    start_at(f, "https://", "/attach", NULL);
    WAIT_FOR(&f->base.loop, f->ended);
    assert_int_equal(f->err.code, ERR_INVALID);
    f->ended = false;
    f->ends = 0;
    start_at(f, "nonsense", "/attach", NULL);
    WAIT_FOR(&f->base.loop, f->ended);
    assert_int_equal(f->err.code, ERR_INVALID);
}

static void closed_before_the_first_turn_calls_nobody(void **state)
{
    struct fix *f = *state;

    start(f, "/talks");
    hijack_close(f->h);
    f->h = NULL;
    run_ms(f, 30); /* nobody is called */
    assert_int_equal(f->opens + f->datas + f->ends, 0);
    assert_int_equal(fake_unix_requests(f->fake), 0);
}

static void closed_in_on_open_calls_nobody_again(void **state)
{
    struct fix *f = *state;

    f->close_in_open = true;
    open_to(f, "/talks");
    f->h = NULL;
    run_ms(f, 30); /* nobody is called */
    assert_int_equal(f->datas + f->ends, 0);
    assert_int_equal(fake_unix_open(f->fake) - fake_unix_eofs(f->fake), 0);
}

static void closed_in_on_data_calls_nobody_again(void **state)
{
    struct fix *f = *state;

    f->close_in_data = true;
    open_to(f, "/talks");
    WAIT_FOR(&f->base.loop, f->saw_data);
    f->h = NULL;
    fake_unix_send(f->fake, "more", 4);
    run_ms(f, 30); /* nobody is called */
    assert_int_equal(f->datas, 1);
    assert_int_equal(f->ends, 0);
}

static void closing_in_on_end_is_harmless(void **state)
{
    struct fix *f = *state;

    f->close_in_end = true;
    ends_with(f, "/missing", ERR_NOT_FOUND);
    run_ms(f, 10);
    assert_int_equal(f->ends, 1); /* and not again */
}

static void writing_in_on_open_works(void **state)
{
    struct fix *f = *state;

    f->write_in_open = true;
    open_to(f, "/attach");
    server_gets(f, "ping");
}

static void paused_stream_waits_and_loses_nothing(void **state)
{
    struct fix *f = *state;

    f->pause_in_open = true;
    open_to(f, "/talks"); /* some bytes are here already */
    fake_unix_send(f->fake, "-later", 6);
    run_ms(f, 30); /* it is there, and not handed out */
    assert_int_equal(f->datas, 0);
    hijack_pause(f->h, false);
    assert_int_equal(f->datas, 0); /* not from inside */
    gets(f, "hello-later");
    hijack_pause(f->h, true);
    fake_unix_send(f->fake, "-end", 4);
    run_ms(f, 30); /* paused, also when resumed in between */
    assert_string_equal(str_c(&f->data), "hello-later");
    hijack_pause(f->h, false);
    hijack_pause(f->h, true);
    run_ms(f, 30); /* paused, also when resumed in between */
    assert_string_equal(str_c(&f->data), "hello-later");
    hijack_pause(f->h, false);
    gets(f, "hello-later-end");
}

static void pausing_holds_the_server_back(void **state)
{
    struct fix *f = *state;
    size_t size = 8 << 20;
    cleanup_free char *big = xcalloc(1, size);

    f->pause_in_open = true;
    open_to(f, "/attach");
    fake_unix_send(f->fake, big, size);
    run_ms(f, 30); /* all that is taken has been by now */
    assert_true(fake_unix_queued(f->fake) > size / 2);
    hijack_pause(f->h, false);
    WAIT_FOR(&f->base.loop, f->data.len >= size);
    assert_int_equal(f->data.len, size);
}

static void queue_tells_its_length(void **state)
{
    struct fix *f = *state;
    size_t size = 4 << 20, first, second;
    cleanup_free char *big = xcalloc(1, size);

    open_to(f, "/attach");
    first = hijack_write(f->h, big, size);
    second = hijack_write(f->h, "x", 1);
    assert_true(first > 0 && first <= size);
    assert_int_equal(second, first + 1);
    WAIT_FOR(&f->base.loop, hijack_write(f->h, "", 0) == 0);
}

/* A process that ended reads no input; its last words must not be lost. */
static void output_is_read_after_input_broke(void **state)
{
    struct fix *f = *state;

    f->pause_in_open = true;
    open_to(f, "/attach");
    fake_unix_send(f->fake, "last words", 10);
    fake_unix_drop(f->fake);
    WAIT_FOR(&f->base.loop, fake_unix_open(f->fake) == 0);
    hijack_write(f->h, "x", 1);
    hijack_write(f->h, "x", 1);
    run_ms(f, 20); /* both have failed by now, and that says nothing */
    hijack_pause(f->h, false);
    WAIT_FOR(&f->base.loop, f->ended);
    assert_string_equal(str_c(&f->data), "last words");
}

static void on_request(struct httpd_req *req, void *user)
{
    (void)user;
    httpd_answer(req, 404, NULL, "over tcp", 8);
}

static void listen_tcp(struct fix *f, int *port)
{
    struct err err;

    assert_int_equal(httpd_new(&f->server, &f->base.loop, on_request, f, &err),
                     0);
    assert_int_equal(httpd_listen_tcp(f->server, port, &err), 0);
}

static void tcp_endpoints_are_reached_by_address_and_name(void **state)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost" };
    struct fix *f = *state;
    int port = 0;

    listen_tcp(f, &port);
    for (int i = 0; i < 2; i++) {
        cleanup_free char *endpoint = xasprintf("tcp://%s:%d", hosts[i], port);

        f->ended = false;
        f->ends = 0;
        start_at(f, endpoint, "/x", NULL);
        WAIT_FOR(&f->base.loop, f->ended);
        assert_string_equal(f->err.msg, "over tcp");
    }
}

static void closed_tcp_port_is_refused(void **state)
{
    struct fix *f = *state;

    start_at(f, "tcp://127.0.0.1:1", "/x", NULL);
    WAIT_FOR(&f->base.loop, f->ended);
    assert_string_equal(f->err.msg, "connection refused: 127.0.0.1:1");
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
}

static void unknown_host_is_unavailable(void **state)
{
    struct fix *f = *state;

    start_at(f, "tcp://no-such-host.invalid:1", "/x", NULL);
    assert_true(loop_run_until(&f->base.loop, &f->ended, 20000));
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
}

static void closed_during_the_lookup_calls_nobody(void **state)
{
    struct fix *f = *state;

    start_at(f, "tcp://localhost:1", "/x", NULL);
    uv_run(&f->base.loop, UV_RUN_NOWAIT);
    hijack_close(f->h);
    f->h = NULL;
    run_ms(f, 100); /* the lookup ends meanwhile */
    assert_int_equal(f->ends, 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(bytes_go_both_ways),
        T(request_asks_for_the_upgrade),
        T(bytes_behind_the_head_are_kept),
        T(answer_200_is_a_raw_stream_too),
        T(answer_100_is_skipped),
        T(end_of_the_peer_is_no_error),
        T(killed_engine_ends_the_stream),
        T(half_close_ends_only_our_side),
        T(bytes_written_early_are_sent_when_open),
        T(half_close_waits_for_what_is_queued),
        T(http_error_tells_what_the_engine_said),
        T(chunked_http_error_is_read),
        T(http_error_may_last_until_the_end),
        T(http_error_cut_short_still_says_something),
        T(http_error_without_words_has_its_number),
        T(end_before_the_answer_is_unavailable),
        T(end_inside_the_head_is_unavailable),
        T(garbage_is_a_protocol_error),
        T(missing_socket_is_unavailable),
        T(bad_endpoints_end_from_the_loop),
        T(closed_before_the_first_turn_calls_nobody),
        T(closed_in_on_open_calls_nobody_again),
        T(closed_in_on_data_calls_nobody_again),
        T(closing_in_on_end_is_harmless),
        T(writing_in_on_open_works),
        T(paused_stream_waits_and_loses_nothing),
        T(pausing_holds_the_server_back),
        T(queue_tells_its_length),
        T(output_is_read_after_input_broke),
        T(tcp_endpoints_are_reached_by_address_and_name),
        T(closed_tcp_port_is_refused),
        T(unknown_host_is_unavailable),
        T(closed_during_the_lookup_calls_nobody),
    };

    return cmocka_run_group_tests_name("hijack", tests, NULL, NULL);
}
