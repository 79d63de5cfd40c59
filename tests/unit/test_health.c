#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "probe/health.h"
#include "support/fake_tcp.h"
#include "support/fake_tls.h"
#include "support/loop_fix.h"

#define OK_200                                                                 \
    {                                                                          \
        .asks_first = true,                                                    \
        .data = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"               \
    }
#define SAYS(text)                                                             \
    {                                                                          \
        .asks_first = true, .data = (text)                                     \
    }
#define FAILS SAYS("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")

struct fix {
    struct loop_fix base;
    struct fake_tcp *server;
    struct health *health;
    bool told, well;
    int calls;
    char why[160];
    bool cancel_in_callback;
    struct health_spec spec;
};

static void on_change(bool healthy, const char *why, void *user)
{
    struct fix *f = user;

    f->told = true;
    f->well = healthy;
    f->calls++;
    snprintf(f->why, sizeof(f->why), "%s", why);
    if (f->cancel_in_callback) {
        health_cancel(f->health);
        f->health = NULL;
    }
}

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));

    loop_fix_init(&f->base);
    f->spec = (struct health_spec){ .host = "127.0.0.1",
                                    .scheme = "http",
                                    .path = "/check",
                                    .interval_ms = 60,
                                    .timeout_ms = 100,
                                    .on_change = on_change,
                                    .user = f };
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;

    health_cancel(f->health);
    if (f->server != NULL)
        fake_tcp_close(f->server);
    loop_fix_release(&f->base);
    free(f);
    return 0;
}

static void start(struct fix *f, int port)
{
    f->spec.port = port;
    f->health = health_start(&f->base.loop, &f->spec);
    assert_false(f->told); /* never from inside health_start() */
}

static void serve(struct fix *f, const struct fake_answer *answers, int count)
{
    f->server = fake_tcp_new(&f->base.loop, 0, answers, count);
    start(f, fake_tcp_port(f->server));
}

/* Some intervals, in which nothing may be told. */
static void wait_ms(struct fix *f, unsigned ms)
{
    loop_run_for(&f->base.loop, ms);
}

static void expect_told(struct fix *f, bool well, const char *why)
{
    WAIT_FOR(&f->base.loop, f->told);
    assert_int_equal(f->well, well);
    assert_string_equal(f->why, why);
    f->told = false;
}

static void a_service_that_answers_200_is_well(void **state)
{
    const struct fake_answer answers[] = { OK_200 };
    struct fix *f = *state;
    size_t len;

    serve(f, answers, 1);
    expect_told(f, true, "HTTP 200");
    assert_string_equal(fake_tcp_request(f->server, &len),
                        "GET /check HTTP/1.1\r\nHost: localhost\r\n"
                        "User-Agent: cvx-health\r\nAccept: */*\r\n"
                        "Connection: close\r\n\r\n");
    wait_ms(f, 300);
    assert_int_equal(f->calls, 1); /* it says changes only */
    assert_true(fake_tcp_conns(f->server) >= 3);
}

static void a_redirect_is_well(void **state)
{
    const struct fake_answer answers[] = { SAYS(
        "HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n") };
    struct fix *f = *state;

    serve(f, answers, 1);
    expect_told(f, true, "HTTP 302");
}

static void anything_from_400_is_unwell(void **state)
{
    const struct fake_answer answers[] = { SAYS(
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") };
    struct fix *f = *state;

    serve(f, answers, 1);
    expect_told(f, false, "HTTP 400");
}

static void it_is_asked_often_until_the_first_success(void **state)
{
    const struct fake_answer answers[] = { FAILS, FAILS, FAILS, OK_200 };
    struct fix *f = *state;

    f->spec.interval_ms = 5000;
    serve(f, answers, 4);
    /* 20 + 40 + 80 ms, not three intervals. */
    assert_true(loop_run_until(&f->base.loop, &f->told, 1500));
    assert_true(f->well);
    wait_ms(f, 300);
    assert_int_equal(fake_tcp_conns(f->server), 4); /* now per interval */
}

static void
a_service_is_unwell_after_three_failures_an_interval_apart(void **state)
{
    const struct fake_answer answers[] = { FAILS };
    struct fix *f = *state;
    uint64_t began;

    f->spec.interval_ms = 150;
    serve(f, answers, 1);
    began = uv_now(&f->base.loop);
    expect_told(f, false, "HTTP 503");
    assert_true(uv_now(&f->base.loop) - began >= 300);
    assert_string_equal(health_last_error(f->health), "HTTP 503");
    wait_ms(f, 300);
    assert_int_equal(f->calls, 1);
}

static void failures_within_the_grace_do_not_count(void **state)
{
    const struct fake_answer answers[] = { FAILS };
    struct fix *f = *state;
    uint64_t began;

    f->spec.grace_ms = 400;
    serve(f, answers, 1);
    began = uv_now(&f->base.loop);
    expect_told(f, false, "HTTP 503");
    assert_true(uv_now(&f->base.loop) - began >= 400 + 2 * 60);
}

static void two_failures_are_forgiven(void **state)
{
    const struct fake_answer answers[] = { OK_200, FAILS, FAILS, OK_200,
                                           FAILS,  FAILS, OK_200 };
    struct fix *f = *state;

    serve(f, answers, 7);
    WAIT_FOR(&f->base.loop, fake_tcp_conns(f->server) >= 8);
    assert_int_equal(f->calls, 1);
    assert_true(f->well);
}

static void a_service_falls_ill_and_recovers(void **state)
{
    const struct fake_answer answers[] = { OK_200, FAILS, FAILS, FAILS,
                                           OK_200 };
    struct fix *f = *state;

    serve(f, answers, 5);
    expect_told(f, true, "HTTP 200");
    expect_told(f, false, "HTTP 503");
    expect_told(f, true, "HTTP 200");
    assert_int_equal(f->calls, 3);
    assert_string_equal(health_last_error(f->health), "");
}

static void a_refused_connection_is_said(void **state)
{
    struct fix *f = *state;

    start(f, fake_tcp_dead_port());
    expect_told(f, false, "connection refused");
}

static void a_silent_server_is_said(void **state)
{
    const struct fake_answer answers[] = { { .asks_first = true,
                                             .hold = true } };
    struct fix *f = *state;

    serve(f, answers, 1);
    expect_told(f, false, "no answer within 100 ms");
}

static void a_closed_connection_is_said(void **state)
{
    const struct fake_answer answers[] = { { .data = NULL } };
    struct fix *f = *state;

    serve(f, answers, 1);
    expect_told(f, false, "the connection was closed without an answer");
}

static void half_a_head_is_no_answer(void **state)
{
    const struct fake_answer answers[] = { SAYS("HTTP/1.1 200 OK\r\nServ") };
    struct fix *f = *state;

    serve(f, answers, 1);
    expect_told(f, false, "the connection was closed in mid-answer");
}

static void another_protocol_is_said(void **state)
{
    const struct fake_answer answers[] = { { .data = "SSH-2.0-OpenSSH\r\n",
                                             .hold = true } };
    struct fix *f = *state;

    serve(f, answers, 1);
    expect_told(f, false, "the answer is not HTTP");
}

static void an_answer_in_single_bytes_after_a_100_is_an_answer(void **state)
{
    const struct fake_answer answers[] = {
        { .asks_first = true,
          .in_bytes = true,
          .data = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 Fine\r\n\r\n" }
    };
    struct fix *f = *state;

    f->spec.timeout_ms = 1000;
    serve(f, answers, 1);
    expect_told(f, true, "HTTP 204");
}

static void the_verdict_does_not_wait_for_an_endless_body(void **state)
{
    const struct fake_answer answers[] = {
        { .asks_first = true,
          .hold = true,
          .data =
              "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" }
    };
    struct fix *f = *state;

    f->spec.timeout_ms = 5000;
    serve(f, answers, 1);
    WAIT_FOR(&f->base.loop, f->told);
    assert_true(f->well);
    assert_int_equal(fake_tcp_open(f->server), 1); /* it is drained */
}

static void a_path_cannot_end_the_request_line(void **state)
{
    const struct fake_answer answers[] = { OK_200 };
    struct fix *f = *state;
    size_t len;

    f->spec.path = "a b\r\nX: \xc3\xa9?q=%20";
    serve(f, answers, 1);
    expect_told(f, true, "HTTP 200");
    assert_non_null(strstr(fake_tcp_request(f->server, &len),
                           "GET /a%20b%0D%0AX:%20%C3%A9?q=%20 HTTP/1.1\r\n"));
}

static void a_name_instead_of_an_address_is_said(void **state)
{
    struct fix *f = *state;

    f->spec.host = "no-such-host";
    start(f, 80);
    expect_told(f, false, "not an address");
}

static void garbage_is_no_answer(void **state)
{
    static const char *const garbage[] = {
        "HTTP/1.1 abc def\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon in this line\r\n\r\n",
        "\x16\x03\x01 what a TLS server might say\r\n\r\n",
        "<html>200 OK</html>\n",
    };
    struct fix *f = *state;

    for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++) {
        const struct fake_answer answers[] = {
            { .asks_first = true, .hold = true, .data = garbage[i] }
        };

        serve(f, answers, 1);
        expect_told(f, false, "the answer is not HTTP");
        health_cancel(f->health);
        f->health = NULL;
        fake_tcp_close(f->server);
        f->server = NULL;
    }
}

static void an_upgrade_is_no_answer_to_a_get(void **state)
{
    const struct fake_answer answers[] = { SAYS(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n") };
    struct fix *f = *state;

    serve(f, answers, 1);
    expect_told(f, false, "HTTP 101");
}

static void headers_without_end_are_said(void **state)
{
    const struct fake_answer answers[] = { {
        .asks_first = true,
        .data = "HTTP/1.1 200 OK\r\n",
        .again = "X-One: 0123456789012345678901234567890123456789\r\n"
                 "X-Two: 0123456789012345678901234567890123456789\r\n",
    } };
    struct fix *f = *state;

    f->spec.timeout_ms = 10000;
    f->spec.interval_ms = 50;
    serve(f, answers, 1);
    expect_told(f, false, "the head of the answer has no end");
}

static void headers_that_drip_are_too_late(void **state)
{
    const struct fake_answer answers[] = { {
        .asks_first = true,
        .in_bytes = true,
        .data = "HTTP/1.1 200 OK\r\nX-Long: 01234567890123456789012345678901"
                "23456789012345678901234567890123456789012345678901234567890"
                "23456789012345678901234567890123456789012345678901234567890"
                "23456789012345678901234567890123456789012345678901234567890",
    } };
    struct fix *f = *state;

    f->spec.timeout_ms = 50;
    serve(f, answers, 1);
    expect_told(f, false, "no answer within 50 ms");
}

/* A megabyte of it is read, and the next request does not wait for its end. */
static void a_body_without_end_is_left_in_the_middle(void **state)
{
    char page[8192];
    struct fake_answer answers[] = {
        { .asks_first = true, .data = "HTTP/1.1 500 Oh\r\n\r\n", .again = page }
    };
    struct fix *f = *state;

    memset(page, 'x', sizeof(page) - 1);
    page[sizeof(page) - 1] = '\0';
    f->spec.timeout_ms = 60000;
    serve(f, answers, 1);
    expect_told(f, false, "HTTP 500");
    assert_true(fake_tcp_conns(f->server) >= 3);
    assert_true(fake_tcp_open(f->server) <= 1);
}

/* Servers without IPv6 say so in words of their own. */
static void an_ipv6_address_is_asked(void **state)
{
    struct fix *f = *state;

    f->spec.host = "::1";
    start(f, fake_tcp_dead_port());
    assert_true(loop_run_until(&f->base.loop, &f->told, 2000));
    assert_string_not_equal(f->why, "not an address");
}

static void tls_that_never_answers_is_said(void **state)
{
    const struct fake_answer answers[] = { { .asks_first = true,
                                             .hold = true } };
    struct fix *f = *state;

    f->spec.scheme = "https";
    serve(f, answers, 1);
    expect_told(f, false, "no answer within 100 ms");
}

static void tls_that_hangs_up_is_said(void **state)
{
    const struct fake_answer answers[] = { { .asks_first = true } };
    struct fix *f = *state;

    f->spec.scheme = "https";
    serve(f, answers, 1);
    expect_told(f, false, "the connection was closed without an answer");
}

static void garbage_behind_tls_is_no_answer(void **state)
{
    struct fix *f = *state;
    struct fake_tls *tls = fake_tls_new("garbage\r\n\r\n");

    f->spec.scheme = "https";
    f->spec.timeout_ms = 10000;
    start(f, fake_tls_port(tls));
    expect_told(f, false, "the answer is not HTTP");
    health_cancel(f->health);
    f->health = NULL;
    wait_ms(f, 20);
    fake_tls_close(tls);
}

static void https_is_asked_without_looking_at_the_certificate(void **state)
{
    struct fix *f = *state;
    struct fake_tls *tls =
        fake_tls_new("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");

    f->spec.scheme = "https";
    f->spec.timeout_ms = 10000;
    start(f, fake_tls_port(tls));
    expect_told(f, true, "HTTP 200");
    wait_ms(f, 200);
    assert_int_equal(f->calls, 1);
    health_cancel(f->health);
    f->health = NULL;
    wait_ms(f, 20);
    assert_true(fake_tls_close(tls));
}

static void a_server_without_tls_is_said(void **state)
{
    const struct fake_answer answers[] = { OK_200 };
    struct fix *f = *state;

    f->spec.scheme = "https";
    serve(f, answers, 1);
    expect_told(f, false, "TLS: wrong version number");
}

static void nothing_is_called_after_cancel(void **state)
{
    const struct fake_answer answers[] = { OK_200 };
    struct fix *f = *state;

    serve(f, answers, 1);
    health_cancel(f->health);
    f->health = NULL;
    wait_ms(f, 100);
    assert_int_equal(f->calls, 0);
}

static void cancel_is_possible_at_every_moment(void **state)
{
    const struct fake_answer answers[] = { FAILS };
    struct fix *f = *state;

    f->spec.interval_ms = 10000;
    f->server = fake_tcp_new(&f->base.loop, 0, answers, 1);
    for (int i = 0; i < 40; i++) {
        f->spec.scheme = i % 2 == 0 ? "http" : "https";
        start(f, fake_tcp_port(f->server));
        for (int turns = 0; turns < i; turns++)
            uv_run(&f->base.loop, UV_RUN_NOWAIT);
        health_cancel(f->health);
    }
    f->health = NULL;
    wait_ms(f, 50);
    assert_int_equal(f->calls, 0);
}

static void cancel_inside_the_callback_ends_it(void **state)
{
    const struct fake_answer answers[] = { OK_200 };
    struct fix *f = *state;

    f->cancel_in_callback = true;
    serve(f, answers, 1);
    expect_told(f, true, "HTTP 200");
    wait_ms(f, 200);
    assert_int_equal(f->calls, 1);
    assert_int_equal(fake_tcp_conns(f->server), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* A connection that is closed without a word may have been docker-proxy's. */
static void connection_it_spoke_on_first_is_told(void **state)
{
    const struct fake_answer answers[] = {
        { .data = NULL },
        SAYS("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"),
        OK_200,
    };
    struct fix *f = *state;
    uint64_t begun_ns = uv_hrtime(), connected_ns;

    serve(f, answers, 3);
    assert_int_equal(health_connected_ns(f->health), 0);
    f->spec.grace_ms = 1000;
    expect_told(f, true, "HTTP 200");
    connected_ns = health_connected_ns(f->health);
    /* 20 ms from the first to the second, 40 to the third, by a clock of
     * whole milliseconds */
    assert_true(connected_ns - begun_ns > 15 * 1000000ULL);
    assert_true(uv_hrtime() - connected_ns > 35 * 1000000ULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_service_that_answers_200_is_well),
        TEST(a_redirect_is_well),
        TEST(anything_from_400_is_unwell),
        TEST(it_is_asked_often_until_the_first_success),
        TEST(a_service_is_unwell_after_three_failures_an_interval_apart),
        TEST(failures_within_the_grace_do_not_count),
        TEST(two_failures_are_forgiven),
        TEST(a_service_falls_ill_and_recovers),
        TEST(a_refused_connection_is_said),
        TEST(a_silent_server_is_said),
        TEST(a_closed_connection_is_said),
        TEST(half_a_head_is_no_answer),
        TEST(another_protocol_is_said),
        TEST(an_answer_in_single_bytes_after_a_100_is_an_answer),
        TEST(the_verdict_does_not_wait_for_an_endless_body),
        TEST(a_path_cannot_end_the_request_line),
        TEST(a_name_instead_of_an_address_is_said),
        TEST(garbage_is_no_answer),
        TEST(an_upgrade_is_no_answer_to_a_get),
        TEST(headers_without_end_are_said),
        TEST(headers_that_drip_are_too_late),
        TEST(a_body_without_end_is_left_in_the_middle),
        TEST(an_ipv6_address_is_asked),
        TEST(tls_that_never_answers_is_said),
        TEST(tls_that_hangs_up_is_said),
        TEST(garbage_behind_tls_is_no_answer),
        TEST(https_is_asked_without_looking_at_the_certificate),
        TEST(a_server_without_tls_is_said),
        TEST(nothing_is_called_after_cancel),
        TEST(cancel_is_possible_at_every_moment),
        TEST(cancel_inside_the_callback_ends_it),
        TEST(connection_it_spoke_on_first_is_told),
    };

    /* The TLS server's thread may write to a client that has gone. */
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
