#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "probe/handshake.h"
#include "probe/ready.h"
#include "support/fake_tcp.h"
#include "support/loop_fix.h"

#define PG_AUTH "R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0"
#define PG_ERROR(size, code, text)                                             \
    "E\0\0\0" size "SFATAL\0VFATAL\0C" code "\0M" text "\0Fpostmaster.c\0\0"
#define PG_STARTING                                                            \
    PG_ERROR("\x4c", "57P03", "the database system is starting up")
#define PG_NO_DATABASE PG_ERROR("\x3a", "3D000", "no such database")
#define MYSQL_GREETING                                                         \
    "\x4a\0\0\0\x0a"                                                           \
    "8.4.0\0\1\0\0\0"
#define MYSQL_FULL "\x17\0\0\0\xff\x10\x04Too many connections"

/* What a fake server does; the texts may have NUL bytes. */
#define GREETS(s) .data = (s), .len = sizeof(s) - 1
#define ASKED(s)  .asks_first = true, GREETS(s)
#define CLOSES                                                                 \
    {                                                                          \
        .data = NULL                                                           \
    }

struct fix {
    struct loop_fix base;
    struct fake_tcp *a, *b;
    struct ready *ready;
    bool done;
    int calls;
    bool cancel_in_callback;
    unsigned timeout_ms;
    uint64_t connected_ns, ready_ns; /* by uv_hrtime() */
};

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));

    loop_fix_init(&f->base);
    f->timeout_ms = 100;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;

    if (f->a != NULL)
        fake_tcp_close(f->a);
    if (f->b != NULL)
        fake_tcp_close(f->b);
    loop_fix_release(&f->base);
    free(f);
    return 0;
}

static void on_ready(void *user)
{
    struct fix *f = user;

    f->done = true;
    f->calls++;
    f->ready_ns = uv_hrtime();
    f->connected_ns = ready_connected_ns(f->ready);
    if (f->cancel_in_callback)
        ready_cancel(f->ready);
}

static void start_two(struct fix *f, enum plan_probe probe, const char *host_a,
                      int port_a, int port_b)
{
    f->ready = ready_start(
        &f->base.loop,
        &(struct ready_spec){
            .probe = probe,
            .targets = { { host_a, port_a },
                         { port_b > 0 ? "127.0.0.1" : NULL, port_b } },
            .attempt_timeout_ms = f->timeout_ms,
            .on_ready = on_ready,
            .user = f });
    assert_false(f->done); /* never from inside ready_start() */
}

static void start(struct fix *f, enum plan_probe probe,
                  const struct fake_answer *answers, int count)
{
    f->a = fake_tcp_new(&f->base.loop, 0, answers, count);
    start_two(f, probe, "127.0.0.1", fake_tcp_port(f->a), 0);
}

/* For what must not happen meanwhile. */
static void wait_ms(struct fix *f, unsigned ms)
{
    loop_run_for(&f->base.loop, ms);
}

/* Ready after exactly `conns` connections, and quiet from then on. */
static void expect_ready(struct fix *f, int conns)
{
    WAIT_FOR(&f->base.loop, f->done);
    wait_ms(f, 80); /* another attempt would have come */
    assert_int_equal(f->calls, 1);
    assert_int_equal(fake_tcp_conns(f->a), conns);
    assert_int_equal(fake_tcp_open(f->a), 0);
}

static bool has_error(const struct fix *f, const char *why)
{
    const char *error = ready_last_error(f->ready);

    return error != NULL && strcmp(error, why) == 0;
}

/* Not ready for this reason, and asked again. */
static void expect_not_yet(struct fix *f, const char *why)
{
    WAIT_FOR(&f->base.loop, has_error(f, why));
    WAIT_FOR(&f->base.loop, f->a == NULL || fake_tcp_conns(f->a) >= 3);
    assert_int_equal(f->calls, 0);
    assert_string_equal(ready_last_error(f->ready), why);
    ready_cancel(f->ready);
}

static void postgres_that_asks_for_a_password_is_ready(void **state)
{
    const struct fake_answer answers[] = { { ASKED(PG_AUTH), .hold = true } };
    struct fix *f = *state;
    const char *sent;
    size_t len;

    start(f, PROBE_POSTGRES, answers, 1);
    expect_ready(f, 1);
    sent = fake_tcp_request(f->a, &len);
    assert_int_equal(len, 31);
    assert_memory_equal(sent, "\0\0\0\x1f\0\3\0\0user\0app\0database\0app\0\0",
                        31);
}

static void postgres_that_starts_up_is_not_ready_yet(void **state)
{
    const struct fake_answer answers[] = {
        { ASKED(PG_STARTING) },
        { ASKED(PG_STARTING) },
        { ASKED(PG_AUTH), .hold = true },
    };
    struct fix *f = *state;

    start(f, PROBE_POSTGRES, answers, 3);
    expect_ready(f, 3);
}

static void postgres_says_why_it_is_not_ready(void **state)
{
    const struct fake_answer answers[] = { { ASKED(PG_STARTING) } };
    struct fix *f = *state;

    start(f, PROBE_POSTGRES, answers, 1);
    expect_not_yet(f, "the database system is starting up");
}

static void any_other_error_of_postgres_is_an_answer(void **state)
{
    const struct fake_answer answers[] = { { ASKED(PG_NO_DATABASE) } };
    struct fix *f = *state;

    start(f, PROBE_POSTGRES, answers, 1);
    expect_ready(f, 1);
}

static void an_answer_in_single_bytes_is_an_answer(void **state)
{
    const struct fake_answer answers[] = {
        { ASKED(PG_STARTING), .in_bytes = true, .hold = true },
        { ASKED(PG_AUTH), .in_bytes = true, .hold = true },
    };
    struct fix *f = *state;

    f->timeout_ms = 2000; /* a hundred bytes, and a turn for each */
    start(f, PROBE_POSTGRES, answers, 2);
    expect_ready(f, 2);
}

static void mysql_is_ready_when_it_greets(void **state)
{
    const struct fake_answer answers[] = { { GREETS(MYSQL_GREETING),
                                             .hold = true } };
    struct fix *f = *state;
    size_t len;

    start(f, PROBE_MYSQL, answers, 1);
    expect_ready(f, 1);
    fake_tcp_request(f->a, &len);
    assert_int_equal(len, 0); /* the server speaks first and alone */
}

static void mysql_that_is_full_is_not_ready(void **state)
{
    const struct fake_answer answers[] = { { GREETS(MYSQL_FULL) } };
    struct fix *f = *state;

    start(f, PROBE_MYSQL, answers, 1);
    expect_not_yet(f, "Too many connections");
}

static void redis_is_ready_when_it_pongs(void **state)
{
    const struct fake_answer answers[] = {
        { ASKED("-LOADING Redis is loading the dataset in memory\r\n"),
          .hold = true },
        { ASKED("+PONG\r\n"), .hold = true },
    };
    struct fix *f = *state;
    size_t len;

    start(f, PROBE_REDIS, answers, 2);
    expect_ready(f, 2);
    assert_string_equal(fake_tcp_request(f->a, &len), "PING\r\n");
}

static void redis_that_wants_a_password_is_ready(void **state)
{
    const struct fake_answer answers[] = {
        { ASKED("-NOAUTH Authentication required.\r\n"), .hold = true }
    };
    struct fix *f = *state;

    start(f, PROBE_REDIS, answers, 1);
    expect_ready(f, 1);
}

static void redis_says_that_it_is_loading(void **state)
{
    const struct fake_answer answers[] = {
        { ASKED("-LOADING Redis is loading the dataset in memory\r\n"),
          .hold = true }
    };
    struct fix *f = *state;

    start(f, PROBE_REDIS, answers, 1);
    expect_not_yet(f, "LOADING Redis is loading the dataset in memory");
}

static void memcached_is_ready_when_it_tells_its_version(void **state)
{
    const struct fake_answer answers[] = { { ASKED("VERSION 1.6.38\r\n"),
                                             .hold = true } };
    struct fix *f = *state;
    size_t len;

    start(f, PROBE_MEMCACHED, answers, 1);
    expect_ready(f, 1);
    assert_string_equal(fake_tcp_request(f->a, &len), "version\r\n");
}

static void without_a_probe_a_connection_is_enough(void **state)
{
    const struct fake_answer answers[] = { { .asks_first = true,
                                             .hold = true } };
    struct fix *f = *state;

    start(f, PROBE_NONE, answers, 1);
    expect_ready(f, 1);
}

static void a_proxy_that_accepts_and_closes_is_not_ready(void **state)
{
    const struct fake_answer answers[] = { CLOSES,
                                           CLOSES,
                                           { ASKED("+PONG\r\n") } };
    struct fix *f = *state;

    start(f, PROBE_REDIS, answers, 3);
    expect_ready(f, 3);
}

static void a_proxy_that_only_closes_is_said(void **state)
{
    const struct fake_answer answers[] = { CLOSES };
    struct fix *f = *state;

    start(f, PROBE_MYSQL, answers, 1);
    expect_not_yet(f, "the connection was closed without an answer");
}

static void half_an_answer_is_none(void **state)
{
    const struct fake_answer answers[] = { { ASKED("+PO") } };
    struct fix *f = *state;

    start(f, PROBE_REDIS, answers, 1);
    expect_not_yet(f, "the connection was closed in mid-answer");
}

static void a_silent_server_is_asked_again(void **state)
{
    const struct fake_answer answers[] = { { .asks_first = true, .hold = true },
                                           { ASKED("+PONG\r\n") } };
    struct fix *f = *state;

    start(f, PROBE_REDIS, answers, 2);
    expect_ready(f, 2);
}

static void a_silent_server_is_said(void **state)
{
    const struct fake_answer answers[] = { { .asks_first = true,
                                             .hold = true } };
    struct fix *f = *state;

    start(f, PROBE_REDIS, answers, 1);
    expect_not_yet(f, "no answer within 100 ms");
}

static void another_kind_of_server_is_said(void **state)
{
    const struct fake_answer answers[] = { { ASKED("HTTP/1.1 400 Bad\r\n") } };
    struct fix *f = *state;

    start(f, PROBE_POSTGRES, answers, 1);
    expect_not_yet(f, "the answer is not from a postgres server");
}

static void a_refused_connection_is_tried_until_someone_listens(void **state)
{
    const struct fake_answer answers[] = { { ASKED("+PONG\r\n") } };
    struct fix *f = *state;
    int port = fake_tcp_dead_port();

    start_two(f, PROBE_REDIS, "127.0.0.1", port, 0);
    WAIT_FOR(&f->base.loop, has_error(f, "connection refused"));
    assert_int_equal(f->calls, 0);
    f->a = fake_tcp_new(&f->base.loop, port, answers, 1);
    expect_ready(f, 1);
}

static void the_next_attempt_is_never_more_than_50_ms_away(void **state)
{
    const struct fake_answer answers[] = { CLOSES };
    struct fix *f = *state;

    start(f, PROBE_REDIS, answers, 1);
    wait_ms(f, 900); /* how many fit into this is what is counted */
    /* 2 + 4 + 8 + 16 + 32, then every 50 ms: 22, and fewer when busy; without
     * the limit it would be 9. */
    assert_in_range(fake_tcp_conns(f->a), 12, 23);
    ready_cancel(f->ready);
}

static void a_dead_target_does_not_hold_up_the_other(void **state)
{
    const struct fake_answer answers[] = { { ASKED("+PONG\r\n") } };
    struct fix *f = *state;

    /* TEST-NET-2: no route, no answer, or refused by a firewall. */
    f->timeout_ms = 5000;
    f->a = fake_tcp_new(&f->base.loop, 0, answers, 1);
    start_two(f, PROBE_REDIS, "198.51.100.1", 6379, fake_tcp_port(f->a));
    WAIT_FOR(&f->base.loop, f->done);
    expect_ready(f, 1);
}

static void the_first_of_two_answers_counts_once(void **state)
{
    const struct fake_answer answers[] = { { ASKED("+PONG\r\n") } };
    struct fix *f = *state;

    f->a = fake_tcp_new(&f->base.loop, 0, answers, 1);
    f->b = fake_tcp_new(&f->base.loop, 0, answers, 1);
    start_two(f, PROBE_REDIS, "127.0.0.1", fake_tcp_port(f->a),
              fake_tcp_port(f->b));
    WAIT_FOR(&f->base.loop, f->done);
    wait_ms(f, 80); /* the second answers, too */
    assert_int_equal(f->calls, 1);
}

static void a_refusal_tells_more_than_a_closing_proxy(void **state)
{
    const struct fake_answer closes[] = { CLOSES };
    struct fix *f = *state;

    f->a = fake_tcp_new(&f->base.loop, 0, closes, 1);
    start_two(f, PROBE_REDIS, "127.0.0.1", fake_tcp_dead_port(),
              fake_tcp_port(f->a));
    expect_not_yet(f, "connection refused");
}

static void an_answer_tells_more_than_a_refusal(void **state)
{
    const struct fake_answer loading[] = { { ASKED("-LOADING wait\r\n") } };
    struct fix *f = *state;

    f->a = fake_tcp_new(&f->base.loop, 0, loading, 1);
    start_two(f, PROBE_REDIS, "127.0.0.1", fake_tcp_dead_port(),
              fake_tcp_port(f->a));
    expect_not_yet(f, "LOADING wait");
}

static void a_name_instead_of_an_address_is_said(void **state)
{
    struct fix *f = *state;

    start_two(f, PROBE_REDIS, "no-such-host", 6379, 0);
    expect_not_yet(f, "not an address: no-such-host");
}

static void nothing_is_called_after_cancel(void **state)
{
    const struct fake_answer answers[] = { { ASKED("+PONG\r\n") } };
    struct fix *f = *state;

    start(f, PROBE_REDIS, answers, 1);
    ready_cancel(f->ready);
    wait_ms(f, 100); /* nobody is called */
    assert_int_equal(f->calls, 0);
}

static void cancel_is_possible_at_every_moment(void **state)
{
    const struct fake_answer answers[] = {
        CLOSES, { ASKED(PG_STARTING), .in_bytes = true, .hold = true }
    };
    struct fix *f = *state;

    f->a = fake_tcp_new(&f->base.loop, 0, answers, 2);
    for (int turns = 0; turns < 40; turns++) {
        start_two(f, PROBE_POSTGRES, "127.0.0.1", fake_tcp_port(f->a),
                  fake_tcp_port(f->a));
        for (int i = 0; i < turns; i++)
            uv_run(&f->base.loop, UV_RUN_NOWAIT);
        ready_cancel(f->ready);
    }
    wait_ms(f, 50); /* nobody is called */
    assert_int_equal(f->calls, 0);
}

static void cancel_inside_the_callback_does_nothing(void **state)
{
    const struct fake_answer answers[] = { { ASKED("+PONG\r\n") } };
    struct fix *f = *state;

    f->cancel_in_callback = true;
    start(f, PROBE_REDIS, answers, 1);
    expect_ready(f, 1);
}

static enum handshake verdict(enum plan_probe probe, const char *data,
                              size_t len)
{
    char why[160] = "";

    return handshake_answer(probe, data, len, why, sizeof(why));
}

static void verdicts_are_the_same_however_little_has_come(void **state)
{
    static const struct {
        enum plan_probe probe;
        const char *data;
        size_t len;
        enum handshake verdict;
    } cases[] = {
        { PROBE_POSTGRES, PG_AUTH, sizeof(PG_AUTH) - 1, HANDSHAKE_READY },
        { PROBE_POSTGRES, PG_STARTING, sizeof(PG_STARTING) - 1,
          HANDSHAKE_NOT_YET },
        { PROBE_POSTGRES, PG_NO_DATABASE, sizeof(PG_NO_DATABASE) - 1,
          HANDSHAKE_READY },
        { PROBE_POSTGRES, "Ecould not fork new process\n", 28,
          HANDSHAKE_NOT_YET },
        { PROBE_MYSQL, MYSQL_GREETING, sizeof(MYSQL_GREETING) - 1,
          HANDSHAKE_READY },
        { PROBE_MYSQL, MYSQL_FULL, sizeof(MYSQL_FULL) - 1, HANDSHAKE_NOT_YET },
        { PROBE_REDIS, "+PONG\r\n", 7, HANDSHAKE_READY },
        { PROBE_REDIS, "-NOAUTH x\r\n", 11, HANDSHAKE_READY },
        { PROBE_REDIS, "-DENIED x\r\n", 11, HANDSHAKE_NOT_YET },
        { PROBE_MEMCACHED, "VERSION 1.6\r\n", 13, HANDSHAKE_READY },
        { PROBE_MEMCACHED, "CLIENT_ERROR unauthenticated\r\n", 30,
          HANDSHAKE_READY },
        { PROBE_MEMCACHED, "SERVER_ERROR out of memory\r\n", 28,
          HANDSHAKE_NOT_YET },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        enum handshake v = HANDSHAKE_MORE;

        for (size_t n = 0; n <= cases[i].len && v == HANDSHAKE_MORE; n++)
            v = verdict(cases[i].probe, cases[i].data, n);
        assert_int_equal(v, cases[i].verdict);
        assert_int_equal(verdict(cases[i].probe, cases[i].data, cases[i].len),
                         cases[i].verdict);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* It takes connections long before it answers. */
static void first_connection_is_told_not_that_which_was_answered(void **state)
{
    const struct fake_answer answers[] = {
        CLOSES, CLOSES, CLOSES, { GREETS(MYSQL_GREETING) }
    };
    struct fix *f = *state;
    uint64_t begun_ns = uv_hrtime();

    start(f, PROBE_MYSQL, answers, 4);
    expect_ready(f, 4);
    assert_true(f->connected_ns > begun_ns);
    /* three waits lie between: 2, 4 and 8 ms, by a clock of whole ones */
    assert_true(f->ready_ns - f->connected_ns > 10 * 1000000ULL);
}

/* docker-proxy takes connections before anybody listens behind it. */
static void
connection_to_what_stands_between_counts_only_if_answered(void **state)
{
    const struct fake_answer answers[] = {
        CLOSES, CLOSES, CLOSES, { GREETS(MYSQL_GREETING) }
    };
    struct fix *f = *state;
    uint64_t begun_ns = uv_hrtime();

    f->a = fake_tcp_new(&f->base.loop, 0, answers, 4);
    start_two(f, PROBE_MYSQL, "not an address", 1, fake_tcp_port(f->a));
    expect_ready(f, 4);
    assert_true(f->connected_ns - begun_ns > 10 * 1000000ULL);
    assert_true(f->connected_ns <= f->ready_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(postgres_that_asks_for_a_password_is_ready),
        TEST(postgres_that_starts_up_is_not_ready_yet),
        TEST(postgres_says_why_it_is_not_ready),
        TEST(any_other_error_of_postgres_is_an_answer),
        TEST(an_answer_in_single_bytes_is_an_answer),
        TEST(mysql_is_ready_when_it_greets),
        TEST(mysql_that_is_full_is_not_ready),
        TEST(redis_is_ready_when_it_pongs),
        TEST(redis_that_wants_a_password_is_ready),
        TEST(redis_says_that_it_is_loading),
        TEST(memcached_is_ready_when_it_tells_its_version),
        TEST(without_a_probe_a_connection_is_enough),
        TEST(a_proxy_that_accepts_and_closes_is_not_ready),
        TEST(a_proxy_that_only_closes_is_said),
        TEST(half_an_answer_is_none),
        TEST(a_silent_server_is_asked_again),
        TEST(a_silent_server_is_said),
        TEST(another_kind_of_server_is_said),
        TEST(a_refused_connection_is_tried_until_someone_listens),
        TEST(the_next_attempt_is_never_more_than_50_ms_away),
        TEST(a_dead_target_does_not_hold_up_the_other),
        TEST(the_first_of_two_answers_counts_once),
        TEST(a_refusal_tells_more_than_a_closing_proxy),
        TEST(an_answer_tells_more_than_a_refusal),
        TEST(a_name_instead_of_an_address_is_said),
        TEST(nothing_is_called_after_cancel),
        TEST(cancel_is_possible_at_every_moment),
        TEST(cancel_inside_the_callback_does_nothing),
        cmocka_unit_test(verdicts_are_the_same_however_little_has_come),
        TEST(first_connection_is_told_not_that_which_was_answered),
        TEST(connection_to_what_stands_between_counts_only_if_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
