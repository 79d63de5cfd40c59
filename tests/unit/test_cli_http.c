#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/events.h"
#include "cli/http.h"

struct pair {
    struct http http;
    int peer;
};

static int setup(void **state)
{
    struct pair *p = xcalloc(1, sizeof(*p));
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    http_attach(&p->http, fds[0]);
    p->peer = fds[1];
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct pair *p = *state;

    http_close(&p->http);
    if (p->peer >= 0)
        close(p->peer);
    free(p);
    return 0;
}

static void say(struct pair *p, const char *text)
{
    assert_int_equal(write(p->peer, text, strlen(text)), strlen(text));
}

static void hang_up(struct pair *p)
{
    close(p->peer);
    p->peer = -1;
}

static void assert_line(struct pair *p, const char *want)
{
    const char *line;
    size_t len;

    assert_true(http_line(&p->http, &line, &len));
    assert_int_equal(len, strlen(want));
    assert_memory_equal(line, want, len);
}

static void assert_no_line(struct pair *p)
{
    const char *line;
    size_t len;

    assert_false(http_line(&p->http, &line, &len));
}

static void an_answer_is_read_to_its_end(void **state)
{
    struct pair *p = *state;
    struct err err = { 0 };

    say(p, "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello");
    assert_int_equal(http_finish(&p->http, 1000, &err), 0);
    assert_int_equal(p->http.status, 404);
    assert_string_equal(str_c(&p->http.body), "hello");
}

static void lines_come_out_whole_however_they_arrive(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n"
                               "4\r\none\n\r\n7\r\ntwo\nthr\r\n"
                               "8\r\nee\n\nlast\r\n0\r\n\r\n";
    struct pair *p = *state;
    struct err err = { 0 };
    cleanup_str struct str got = { 0 };
    const char *line;
    size_t len;

    for (size_t i = 0; i < strlen(text); i++) {
        assert_int_equal(write(p->peer, text + i, 1), 1);
        assert_int_equal(http_feed(&p->http, &err), 0);
        while (http_line(&p->http, &line, &len)) {
            str_add_len(&got, line, len);
            str_add_char(&got, '|');
        }
    }
    assert_true(p->http.complete);
    assert_string_equal(str_c(&got), "one|two|three||last|");
    assert_no_line(p);
}

static void bytes_behind_a_line_come_with_it_or_not_at_all(void **state)
{
    static const char text[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 78\r\n\r\n"
        "{\"type\":\"text\",\"tag\":\"web\",\"bytes\":11}\na\nbb\n\n{}\nd"
        "\n\n\n{\"type\":\"end\",\"status\":7}\n";
    struct pair *p = *state;
    struct err err = { 0 };
    struct event e;
    const char *line;
    size_t len, seen = 0;

    for (size_t i = 0; i < strlen(text); i++) {
        assert_int_equal(write(p->peer, text + i, 1), 1);
        assert_int_equal(http_feed(&p->http, &err), 0);
        while (event_next(&e, &p->http, true, &line, &len)) {
            assert_int_equal(e.type, seen == 0 ? EVENT_TEXT : EVENT_END);
            if (seen++ == 0) {
                assert_string_equal(e.tag, "web");
                assert_int_equal(e.len, 10);
                assert_memory_equal(e.line, "a\nbb\n\n{}\nd\n", 11);
            } else {
                assert_int_equal(e.status, 7);
            }
            event_release(&e);
        }
    }
    assert_int_equal(seen, 2);
    assert_true(p->http.complete);
}

static void log_events_that_are_passed_on_are_not_decoded(void **state)
{
    static const char text[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 48\r\n\r\n"
        "{\"type\":\"log\",\"line\":\"x\"}\n{\"type\":\"logo\"}\nno\n  \n";
    struct pair *p = *state;
    struct err err = { 0 };
    struct event e;
    const char *line;
    size_t len;

    say(p, text);
    assert_int_equal(http_finish(&p->http, 1000, &err), 0);
    assert_true(event_next(&e, &p->http, true, &line, &len));
    assert_int_equal(e.type, EVENT_LOG);
    assert_null(e.json);
    assert_memory_equal(line, "{\"type\":\"log\",\"line\":\"x\"}", len);
    event_release(&e);
    assert_true(event_next(&e, &p->http, true, &line, &len));
    assert_int_equal(e.type, EVENT_OTHER);
    assert_non_null(e.json);
    event_release(&e);
    assert_false(event_next(&e, &p->http, true, &line, &len));
}

static void a_line_of_many_megabytes_is_one_line(void **state)
{
    struct pair *p = *state;
    struct err err = { 0 };
    size_t big = 20 << 20, len;
    const char *line;
    pid_t pid = fork();

    if (pid == 0) {
        char *text = xcalloc(1, big + 1);

        memset(text, 'x', big);
        text[big - 1] = '\n';
        say(p, "HTTP/1.1 200 OK\r\nContent-Length: 20971520\r\n\r\n");
        for (size_t done = 0; done < big;) {
            ssize_t n = write(p->peer, text + done, big - done);

            if (n <= 0)
                break;
            done += (size_t)n;
        }
        free(text);
        _exit(0);
    }
    while (!http_line(&p->http, &line, &len))
        assert_int_equal(http_feed(&p->http, &err), 0);
    assert_int_equal(len, big - 1);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_peer_that_goes_away_is_an_error(void **state)
{
    struct pair *p = *state;
    struct err err = { 0 };

    say(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
           "4\r\none\n\r\n");
    hang_up(p);
    assert_int_equal(http_finish(&p->http, 1000, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_string_equal(err.msg, "rackd went away");
    assert_line(p, "one");
    assert_no_line(p);
}

static void nonsense_is_an_error(void **state)
{
    struct pair *p = *state;
    struct err err = { 0 };

    say(p, "SSH-2.0-OpenSSH\r\n\r\n");
    assert_int_equal(http_finish(&p->http, 1000, &err), -1);
    assert_int_equal(err.code, ERR_PROTOCOL);
}

static void a_silent_peer_is_waited_for_only_so_long(void **state)
{
    struct pair *p = *state;
    struct err err = { 0 };

    assert_int_equal(http_finish(&p->http, 30, &err), -1);
    assert_int_equal(err.code, ERR_TIMEOUT);
}

static void a_request_is_written_whole(void **state)
{
    struct pair *p = *state;
    struct err err = { 0 };
    char buf[512];
    ssize_t n;

    assert_int_equal(http_send(&p->http, "POST", "/x?a=b", "{}", 2, &err), 0);
    n = read(p->peer, buf, sizeof(buf) - 1);
    assert_true(n > 0);
    buf[n] = '\0';
    assert_string_equal(buf, "POST /x?a=b HTTP/1.1\r\nHost: rackd\r\n"
                             "Content-Type: application/json\r\n"
                             "Content-Length: 2\r\n\r\n{}");
}

static void sending_to_nobody_is_an_error_not_a_signal(void **state)
{
    struct pair *p = *state;
    struct err err = { 0 };

    hang_up(p);
    assert_int_equal(http_send(&p->http, "GET", "/", NULL, 0, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
}

static void refusals_keep_rackds_own_words(void **state)
{
    struct pair *p = *state;
    struct err err = { 0 };

    say(p, "HTTP/1.1 404 X\r\nContent-Length: 23\r\n\r\n"
           "{\"error\":\"no app\\ntwo\"} ");
    assert_int_equal(http_finish(&p->http, 1000, &err), 0);
    assert_int_equal(client_refused(&p->http, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_string_equal(err.msg, "no app\ntwo");
}

#define paired(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        paired(an_answer_is_read_to_its_end),
        paired(lines_come_out_whole_however_they_arrive),
        paired(bytes_behind_a_line_come_with_it_or_not_at_all),
        paired(log_events_that_are_passed_on_are_not_decoded),
        paired(a_line_of_many_megabytes_is_one_line),
        paired(a_peer_that_goes_away_is_an_error),
        paired(nonsense_is_an_error),
        paired(a_silent_peer_is_waited_for_only_so_long),
        paired(a_request_is_written_whole),
        paired(sending_to_nobody_is_an_error_not_a_signal),
        paired(refusals_keep_rackds_own_words),
    };

    alarm(100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
