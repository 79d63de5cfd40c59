#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/httpc.h"
#include "net/httpd.h"
#include "net/httpd_conn.h"
#include "support/loop_fix.h"

/* A client that says exactly what it is told to. */
struct client {
    uv_pipe_t pipe;
    uv_connect_t connect;
    struct str in;
    bool connected, ended, closed;
    char chunk[65536];
};

struct fix {
    struct loop_fix base;
    struct httpd *server;
    bool server_closed, closed_by_test;
    struct client clients[3];
    int client_count;
    int requests, gones, drains, inside;
    bool was_gone, was_drained, close_in_request, answer_in_gone;
    bool on_gone_wanted;
    struct httpd_req *held;
    size_t big; /* size of the answer of /big */
    char method[16], body[64];
    size_t body_len;
    bool done;
    long status;
    struct str got;
};

static void on_closed(void *user)
{
    ((struct fix *)user)->server_closed = true;
}

static void on_gone(struct httpd_req *req, void *user)
{
    struct fix *f = user;

    f->gones++;
    f->was_gone = true;
    httpd_write(req, "late", 4); /* harmless */
    if (f->answer_in_gone)
        httpd_answer(req, 200, NULL, "", 0);
    f->held = NULL;
}

static void on_drain(struct httpd_req *req, void *user)
{
    struct fix *f = user;

    assert_int_equal(httpd_queued(req), 0);
    f->drains++;
    f->was_drained = true;
}

static void echo(struct fix *f, struct httpd_req *req)
{
    const char *x = httpd_query(req, "x");
    const char *test = httpd_header(req, "x-test");
    cleanup_free char *text =
        xasprintf("%s %s x=%s test=%s body=%s", httpd_method(req),
                  httpd_path(req), x != NULL ? x : "(none)",
                  test != NULL ? test : "(none)", httpd_body(req, NULL));

    httpd_body(req, &f->body_len);
    httpd_answer(req, 200, "text/plain", text, strlen(text));
}

static void on_request(struct httpd_req *req, void *user)
{
    struct fix *f = user;
    const char *path = httpd_path(req);

    assert_int_equal(f->inside++, 0); /* never from inside httpd_answer() */
    f->requests++;
    if (f->close_in_request) {
        httpd_on_gone(req, on_gone, f);
        httpd_close(f->server, on_closed, f);
    } else if (strcmp(path, "/stream") == 0) {
        f->held = req;
        httpd_on_gone(req, on_gone, f);
        httpd_stream(req, 200, "application/x-ndjson");
        httpd_write(req, "one\n", 4);
        httpd_write(req, "", 0);
    } else if (strcmp(path, "/later") == 0) {
        f->held = req;
        if (f->on_gone_wanted)
            httpd_on_gone(req, on_gone, f);
    } else if (strcmp(path, "/big") == 0) {
        cleanup_free char *big = xcalloc(1, f->big);

        httpd_answer(req, 200, NULL, big, f->big);
    } else if (strcmp(path, "/answer-held") == 0) {
        httpd_answer(f->held, 200, NULL, "first", 5);
        httpd_answer(req, 204, NULL, NULL, 0);
    } else if (strcmp(path, "/none") == 0) {
        httpd_answer(req, 204, NULL, NULL, 0);
    } else {
        echo(f, req);
    }
    f->inside--;
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
    struct client *c = container_of(h, struct client, pipe);

    (void)hint;
    *buf = uv_buf_init(c->chunk, sizeof(c->chunk));
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct client *c = container_of(stream, struct client, pipe);

    if (nread < 0) {
        c->ended = true;
        uv_read_stop(stream);
    } else {
        str_add_len(&c->in, buf->base, (size_t)nread);
    }
}

static void on_connected(uv_connect_t *req, int status)
{
    struct client *c = container_of(req, struct client, connect);

    c->connected = true;
    if (status < 0)
        c->ended = true;
    else
        uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read);
}

static struct client *client(struct fix *f)
{
    struct client *c = &f->clients[f->client_count++];

    uv_pipe_init(&f->base.loop, &c->pipe, 0);
    uv_pipe_connect(&c->connect, &c->pipe, f->base.path, on_connected);
    WAIT_FOR(&f->base.loop, c->connected);
    return c;
}

static void on_written(uv_write_t *req, int status)
{
    (void)status;
    free(req);
}

static void say_len(struct client *c, const char *text, size_t len)
{
    uv_write_t *req = xcalloc(1, sizeof(*req));
    uv_buf_t buf = uv_buf_init((char *)text, (unsigned)len);

    uv_write(req, (uv_stream_t *)&c->pipe, &buf, 1, on_written);
}

/* `text` must stay: it may be sent later. */
static void say(struct client *c, const char *text)
{
    say_len(c, text, strlen(text));
}

static void hang_up(struct client *c)
{
    if (!c->closed)
        uv_close((uv_handle_t *)&c->pipe, NULL);
    c->closed = true;
}

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));
    struct err err;

    loop_fix_init(&f->base);
    f->on_gone_wanted = true;
    *state = f;
    assert_int_equal(httpd_new(&f->server, &f->base.loop, on_request, f, &err),
                     0);
    if (httpd_listen_unix(f->server, f->base.path, &err) < 0)
        fail_msg("%s", err.msg);
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;

    for (int i = 0; i < f->client_count; i++)
        hang_up(&f->clients[i]);
    if (!f->close_in_request && !f->closed_by_test)
        httpd_close(f->server, on_closed, f);
    WAIT_FOR(&f->base.loop, f->server_closed);
    assert_int_equal(access(f->base.path, F_OK),
                     -1); /* it cleans up behind it */
    loop_fix_release(&f->base);
    for (int i = 0; i < f->client_count; i++)
        str_release(&f->clients[i].in);
    str_release(&f->got);
    free(f);
    return 0;
}

/* For what must not happen meanwhile. */
static void run_ms(struct fix *f, unsigned ms)
{
    loop_run_for(&f->base.loop, ms);
}

static bool has_heard(const struct client *c, const char *text)
{
    return c->in.len > 0 &&
           memmem(c->in.s, c->in.len, text, strlen(text)) != NULL;
}

/* Run until the client has `text` in what it got. */
static void hears(struct fix *f, struct client *c, const char *text)
{
    WAIT_FOR(&f->base.loop, has_heard(c, text));
}

/* Run until a handler holds a request that it did not answer. */
static void wait_held(struct fix *f)
{
    WAIT_FOR(&f->base.loop, f->held != NULL);
}

static void wait_conns(struct fix *f, size_t count)
{
    WAIT_FOR(&f->base.loop, httpd_conns(f->server) == count);
}

static bool sees_end(struct fix *f, struct client *c)
{
    return loop_run_until(&f->base.loop, &c->ended, 3000);
}

static void request_is_answered_with_length_and_type(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    say(c, "GET /a HTTP/1.1\r\nHost: x\r\nX-TEST:  t \r\n\r\n");
    hears(f, c, "body=");
    assert_string_equal(str_c(&c->in),
                        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                        "Content-Length: 28\r\n\r\n"
                        "GET /a x=(none) test=t body=");
}

static void body_of_known_length_is_collected(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    say(c, "POST /a HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc");
    run_ms(f, 20); /* not before it is whole */
    assert_int_equal(f->requests, 0);
    say(c, "def");
    hears(f, c, "POST /a");
    hears(f, c, "body=abcdef");
}

static void chunked_body_is_collected(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    say(c, "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
           "3\r\nabc\r\n4;x=y\r\nde");
    run_ms(f, 20); /* not before it is whole */
    assert_int_equal(f->requests, 0);
    say(c, "fg\r\n0\r\nTrailer: 1\r\n\r\n");
    hears(f, c, "body=abcdefg");
    assert_int_equal(f->body_len, 7);
}

static void request_may_come_byte_by_byte(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);
    static const char text[] = "POST /a?x=1 HTTP/1.1\r\nX-Test: abc\r\n"
                               "Content-Length: 2\r\n\r\nOK";

    for (size_t i = 0; text[i] != '\0'; i++) {
        say_len(c, text + i, 1);
        uv_run(&f->base.loop, UV_RUN_NOWAIT);
        uv_run(&f->base.loop, UV_RUN_NOWAIT);
    }
    hears(f, c, "POST /a x=1 test=abc body=OK");
}

static void connection_is_kept(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    for (int i = 0; i < 5; i++) {
        str_cut(&c->in, 0);
        say(c, "GET /a HTTP/1.1\r\n\r\n");
        hears(f, c, "body=");
    }
    assert_false(c->ended);
    assert_int_equal(httpd_conns(f->server), 1);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    say(c, "GET /one HTTP/1.1\r\n\r\nPOST /two HTTP/1.1\r\nContent-Length: 1"
           "\r\n\r\nXGET /three HTTP/1.1\r\n\r\n");
    hears(f, c, "/three");
    assert_true(strstr(c->in.s, "/one") < strstr(c->in.s, "/two"));
    assert_true(strstr(c->in.s, "/two") < strstr(c->in.s, "/three"));
    assert_int_equal(f->requests, 3);
}

static void pipelined_request_waits_for_the_answer_before(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    say(c, "GET /later HTTP/1.1\r\n\r\nGET /two HTTP/1.1\r\n\r\nGET /th");
    wait_held(f);
    run_ms(f, 20); /* the second waits */
    assert_int_equal(f->requests, 1);
    httpd_answer(f->held, 200, NULL, "first", 5);
    assert_int_equal(f->requests, 1); /* not from inside httpd_answer() */
    say(c, "ree HTTP/1.1\r\n\r\n");
    hears(f, c, "GET /three");
    assert_true(strstr(c->in.s, "first") < strstr(c->in.s, "/two"));
    assert_int_equal(f->gones, 0);
}

/* What comes in the same turn as the answer must not overtake what waits. */
static void pipelined_pieces_keep_their_order(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f), *other = client(f);
    int fd, other_fd;

    uv_fileno((uv_handle_t *)&c->pipe, &fd);
    uv_fileno((uv_handle_t *)&other->pipe, &other_fd);
    say(c, "GET /later HTTP/1.1\r\n\r\nGET /two HT");
    wait_held(f);
    run_ms(f, 10); /* the rest of it has been read */
    assert_int_equal(write(other_fd, "GET /answer-held HTTP/1.1\r\n\r\n", 29),
                     29);
    assert_int_equal(write(fd, "TP/1.1\r\n\r\n", 10), 10);
    hears(f, c, "GET /two");
    assert_null(strstr(c->in.s, " 400 "));
}

static void endless_pipelining_is_cut_off(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);
    cleanup_free char *noise = xcalloc(1, 200000);

    memset(noise, 'x', 200000);
    say(c, "GET /stream HTTP/1.1\r\n\r\n");
    hears(f, c, "one");
    say_len(c, noise, 200000);
    WAIT_FOR(&f->base.loop, f->was_gone);
    assert_int_equal(f->gones, 1);
    hang_up(c);
}

static void connection_close_is_obeyed(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    say(c, "GET /a HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert_true(sees_end(f, c));
    assert_non_null(strstr(c->in.s, "\r\nConnection: close\r\n"));
    assert_non_null(strstr(c->in.s, "body="));
}

static void http_1_0_is_answered_and_closed(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    say(c, "GET /a HTTP/1.0\r\n\r\n");
    assert_true(sees_end(f, c));
    assert_non_null(strstr(c->in.s, "GET /a"));
}

static void http_1_0_may_keep_the_connection(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    say(c, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    hears(f, c, "\r\nConnection: keep-alive\r\n");
    say(c, "GET /b HTTP/1.0\r\n\r\n");
    assert_true(sees_end(f, c));
    assert_non_null(strstr(c->in.s, "GET /b"));
}

static void http_1_0_stream_has_no_chunks(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    say(c, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    hears(f, c, "\r\n\r\none\n");
    assert_null(strstr(c->in.s, "chunked"));
    httpd_end(f->held);
    assert_true(sees_end(f, c));
    assert_true(str_ends(str_c(&c->in), "\r\n\r\none\n"));
    assert_int_equal(f->gones, 0);
}

static void head_is_answered_without_a_body(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    say(c, "HEAD /a HTTP/1.1\r\n\r\n");
    hears(f, c, "Content-Length: 34\r\n\r\n");
    assert_true(str_ends(c->in.s, "\r\n\r\n"));
    str_cut(&c->in, 0);
    say(c, "HEAD /stream HTTP/1.1\r\n\r\n");
    hears(f, c, "chunked\r\n\r\n");
    httpd_end(f->held);
    run_ms(f, 20); /* no chunk comes behind the head */
    assert_true(str_ends(c->in.s, "\r\n\r\n"));
    str_cut(&c->in, 0);
    say(c, "GET /b HTTP/1.1\r\n\r\n");
    hears(f, c, "GET /b");
    assert_true(str_starts(c->in.s, "HTTP/1.1 200"));
}

static void empty_answer_has_no_length(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    say(c, "GET /none HTTP/1.1\r\n\r\n");
    hears(f, c, "\r\n\r\n");
    assert_string_equal(c->in.s, "HTTP/1.1 204 No Content\r\n\r\n");
}

static void path_and_query_are_decoded(void **state)
{
    static const struct {
        const char *target, *answer;
    } rows[] = {
        { "/a%20b/c%2Fd", "GET /a b/c/d x=(none) " },
        { "/p?x=1", "GET /p x=1 " },
        { "/p?y=2&x=a%26b%3D+c", "GET /p x=a&b= c " },
        { "/p?x", "GET /p x= " },
        { "/p?x=", "GET /p x= " },
        { "/p?&&x=%c3%A9&", "GET /p x=\xc3\xa9 " },
        { "/p?x=1=2?3", "GET /p x=1=2?3 " },
        { "/p?X=1", "GET /p x=(none) " },
        { "/p?x=1&x=2", "GET /p x=1 " },
        { "http://host/p?x=3", "GET /p x=3 " },
        { "/a+b", "GET /a+b x=(none) " },
    };
    struct fix *f = *state;
    struct client *c = client(f);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_free char *text =
            xasprintf("GET %s HTTP/1.1\r\n\r\n", rows[i].target);

        str_cut(&c->in, 0);
        say(c, text);
        hears(f, c, rows[i].answer);
    }
}

/* Each on a new connection: 400, and the connection is closed. */
static void assert_refused(struct fix *f, const char *text, size_t len,
                           const char *status)
{
    struct client *c;

    f->client_count = 0;
    memset(&f->clients[0], 0, sizeof(f->clients[0]));
    c = client(f);
    say_len(c, text, len);
    if (!sees_end(f, c) || !str_starts(str_c(&c->in), status))
        fail_msg("%.60s: %s", text, str_c(&c->in));
    hang_up(c);
    wait_conns(f, 0);
    str_release(&c->in);
}

static void malformed_requests_are_refused(void **state)
{
#define HEAD(text) "GET / HTTP/1.1\r\n" text "\r\n\r\n"
    static const char *const bad[] = {
        "garbage\r\n\r\n",
        "\x16\x03\x01\x02\x01\x01\x01\xfc\x03\x03\r\n\r\n",
        "get / HTTP/1.1\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "GET / HTTP/0.9\r\n\r\n",
        "GET /\r\n\r\n",
        "GET  HTTP/1.1\r\n\r\n",
        "GET /a b HTTP/1.1\r\n\r\n",
        "GET a HTTP/1.1\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /%zz HTTP/1.1\r\n\r\n",
        "GET /%4 HTTP/1.1\r\n\r\n",
        "GET /%00 HTTP/1.1\r\n\r\n",
        "GET /?a=%0 HTTP/1.1\r\n\r\n",
        "GET /?a=%00 HTTP/1.1\r\n\r\n",
        "GET /#a HTTP/1.1\r\n\r\n",
        HEAD("Host : a"),
        HEAD("A: b\r\n folded"),
        HEAD("A: b\r\n\tfolded"),
        HEAD(" A: b"),
        HEAD("no colon"),
        HEAD("A\x01: b"),
        HEAD("A: b\x01"),
        HEAD(": b"),
        HEAD("Content-Length: x"),
        HEAD("Content-Length: -1"),
        HEAD("Content-Length: 1\r\nContent-Length: 2"),
        HEAD("Content-Length: 1\r\nTransfer-Encoding: chunked"),
        HEAD("Transfer-Encoding: gzip, x"),
        HEAD("Content-Length: 99999999999999999999999"),
        "GET / HTTP/1.1\nHost: a\n\n",
        HEAD("Transfer-Encoding: chunked") "xyz\r\n",
        HEAD("Transfer-Encoding: chunked") "1\r\nab\r\n0\r\n\r\n",
        HEAD("Transfer-Encoding: chunked") "fffffffffffffffff\r\n",
    };
    struct fix *f = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused(f, bad[i], strlen(bad[i]), "HTTP/1.1 400 ");
    assert_refused(f, "GET /\0 HTTP/1.1\r\n\r\n", 20, "HTTP/1.1 400 ");
    assert_refused(f, "GET / HTTP/1.1\r\nA: \0\r\n\r\n", 24, "HTTP/1.1 400 ");
    assert_int_equal(f->requests, 0);
}

/* We speak nothing else: asked to change, we just go on. */
static void upgrade_is_not_heeded(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    say(c, "GET /a HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
           "\r\nGET /b HTTP/1.1\r\n\r\n");
    hears(f, c, "GET /b");
    assert_int_equal(f->requests, 2);
}

static void large_head_is_refused(void **state)
{
    struct fix *f = *state;
    struct str head = { 0 };

    str_add(&head, "GET /");
    while (head.len <= HTTPD_HEAD_MAX)
        str_add(&head, "aaaaaaaaaaaaaaaa");
    str_add(&head, " HTTP/1.1\r\n\r\n");
    assert_refused(f, head.s, head.len, "HTTP/1.1 431 ");

    str_cut(&head, 0);
    str_add(&head, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < 2000; i++)
        str_printf(&head, "X-%d: y\r\n", i);
    str_add(&head, "\r\n");
    assert_refused(f, head.s, head.len, "HTTP/1.1 431 ");
    str_release(&head);
    assert_int_equal(f->requests, 0);
}

static void head_of_just_the_right_size_is_taken(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);
    struct str head = { 0 };

    str_add(&head, "GET /a HTTP/1.1\r\nX-Test: ");
    while (head.len < HTTPD_HEAD_MAX - 5)
        str_add_char(&head, 'a');
    str_add(&head, "\r\n\r\n");
    say_len(c, head.s, head.len);
    hears(f, c, "GET /a");
    str_release(&head);
}

static void large_body_is_refused_before_it_is_sent(void **state)
{
    struct fix *f = *state;
    static const char text[] = "POST / HTTP/1.1\r\nContent-Length: 8388609"
                               "\r\n\r\n";

    assert_refused(f, text, strlen(text), "HTTP/1.1 413 ");
}

static void large_chunked_body_is_refused(void **state)
{
    struct fix *f = *state;
    struct str all = { 0 };
    cleanup_free char *chunk = xcalloc(1, 1 << 20);

    str_add(&all, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 9; i++) {
        str_add(&all, "100000\r\n");
        str_add_len(&all, chunk, 1 << 20);
        str_add(&all, "\r\n");
    }
    str_add(&all, "0\r\n\r\n");
    assert_refused(f, all.s, all.len, "HTTP/1.1 413 ");
    str_release(&all);
    assert_int_equal(f->requests, 0);
}

static void largest_body_is_taken(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);
    cleanup_free char *body = xcalloc(1, HTTPD_BODY_MAX);

    say(c, "POST / HTTP/1.1\r\nContent-Length: 8388608\r\n\r\n");
    say_len(c, body, HTTPD_BODY_MAX);
    hears(f, c, "POST / ");
    assert_int_equal(f->body_len, HTTPD_BODY_MAX);
}

static void client_that_asks_may_continue(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    say(c, "POST /a HTTP/1.1\r\nExpect: 100-continue\r\n"
           "Content-Length: 2\r\n\r\n");
    hears(f, c, "HTTP/1.1 100 Continue\r\n\r\n");
    say(c, "O");
    run_ms(f, 10); /* in a packet of its own */
    say(c, "K");
    hears(f, c, "body=OK");
    assert_null(strstr(c->in.s + 10, " 100 ")); /* once */
}

static void stream_is_chunked_and_ends(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    say(c, "GET /stream HTTP/1.1\r\n\r\n");
    hears(f, c, "one");
    httpd_write(f->held, "second", 6);
    httpd_end(f->held);
    hears(f, c, "0\r\n\r\n");
    assert_string_equal(c->in.s, "HTTP/1.1 200 OK\r\n"
                                 "Content-Type: application/x-ndjson\r\n"
                                 "Transfer-Encoding: chunked\r\n\r\n"
                                 "4\r\none\n\r\n6\r\nsecond\r\n0\r\n\r\n");
    say(c, "GET /again HTTP/1.1\r\n\r\n");
    hears(f, c, "/again");
    assert_int_equal(f->gones, 0);
}

static void on_gone_runs_once_when_the_client_hangs_up(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    say(c, "GET /stream HTTP/1.1\r\n\r\n");
    hears(f, c, "one");
    hang_up(c);
    WAIT_FOR(&f->base.loop, f->was_gone);
    wait_conns(f, 0);
    run_ms(f, 20); /* and not again */
    assert_int_equal(f->gones, 1);
}

static void on_gone_runs_for_an_answer_that_never_began(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    say(c, "GET /later HTTP/1.1\r\n\r\n");
    wait_held(f);
    f->answer_in_gone = true; /* harmless, too */
    hang_up(c);
    WAIT_FOR(&f->base.loop, f->was_gone);
    assert_int_equal(f->gones, 1);
}

static void on_gone_does_not_run_after_the_end(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    say(c, "GET /stream HTTP/1.1\r\n\r\n");
    hears(f, c, "one");
    httpd_end(f->held);
    hang_up(c);
    wait_conns(f, 0);
    assert_int_equal(f->gones, 0);
}

/* It is found out by writing; the owner ends the answer before the loop can
 * tell: then it is complete. */
static void on_gone_does_not_run_when_the_end_comes_first(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);
    int fd;

    say(c, "GET /stream HTTP/1.1\r\n\r\n");
    hears(f, c, "one");
    assert_int_equal(uv_fileno((uv_handle_t *)&c->pipe, &fd), 0);
    assert_int_equal(shutdown(fd, SHUT_RDWR), 0);
    httpd_write(f->held, "x", 1);
    httpd_write(f->held, "x", 1);
    httpd_end(f->held);
    wait_conns(f, 0);
    assert_int_equal(f->gones, 0);
}

/* The lease: the kernel closes the sockets of one who was killed. */
static void on_gone_runs_when_the_client_is_killed(void **state)
{
    struct fix *f = *state;
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->base.path);
        if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
            write(fd, "GET /stream HTTP/1.1\r\n\r\n", 24) != 24)
            _exit(1);
        for (;;)
            pause();
    }
    wait_held(f);
    run_ms(f, 50); /* it lives, and nobody is told otherwise */
    assert_int_equal(f->gones, 0);
    kill(pid, SIGKILL);
    WAIT_FOR(&f->base.loop, f->was_gone);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(f->gones, 1);
}

static void on_gone_runs_when_the_server_closes(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    say(c, "GET /stream HTTP/1.1\r\n\r\n");
    hears(f, c, "one");
    httpd_close(f->server, on_closed, f);
    f->closed_by_test = true;
    assert_int_equal(f->gones, 0); /* from the loop */
    WAIT_FOR(&f->base.loop, f->server_closed);
    assert_int_equal(f->gones, 1);
}

static void server_can_be_closed_from_on_request(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    f->close_in_request = true;
    say(c, "GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
    WAIT_FOR(&f->base.loop, f->server_closed);
    assert_int_equal(f->requests, 1);
    assert_int_equal(f->gones, 1);
}

static void late_answer_to_one_who_left_is_harmless(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    f->on_gone_wanted = false;
    say(c, "POST /later HTTP/1.1\r\nContent-Length: 1\r\n\r\nx");
    wait_held(f);
    hang_up(c);
    wait_conns(f, 0);
    assert_string_equal(httpd_path(f->held), "/later");
    assert_string_equal(httpd_body(f->held, NULL), "");
    httpd_stream(f->held, 200, NULL);
    httpd_write(f->held, "x", 1);
    assert_int_equal(httpd_queued(f->held), 0);
    httpd_end(f->held); /* frees it */
}

static void half_closed_client_gets_its_answer(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);
    int fd;

    f->big = 3 << 20;
    say(c, "GET /big HTTP/1.1\r\n\r\n");
    run_ms(f, 0); /* a turn, in which it is sent */
    assert_int_equal(uv_fileno((uv_handle_t *)&c->pipe, &fd), 0);
    shutdown(fd, SHUT_WR);
    assert_true(sees_end(f, c));
    assert_true(c->in.len > f->big);
}

static void drain_is_told_once_when_all_is_taken(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);
    size_t size = 4 << 20;
    cleanup_free char *big = xcalloc(1, size);

    say(c, "GET /stream HTTP/1.1\r\n\r\n");
    hears(f, c, "one");
    httpd_on_drain(f->held, on_drain, f);
    assert_int_equal(f->drains, 0); /* from the loop, even with nothing due */
    WAIT_FOR(&f->base.loop, f->was_drained);

    uv_read_stop((uv_stream_t *)&c->pipe);
    httpd_write(f->held, big, size);
    httpd_write(f->held, "tail", 4);
    assert_true(httpd_queued(f->held) > size / 2);
    httpd_on_drain(f->held, on_drain, f);
    f->was_drained = false;
    assert_false(loop_run_until(&f->base.loop, &f->was_drained, 50));
    uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read);
    WAIT_FOR(&f->base.loop, f->was_drained);
    hears(f, c, "4\r\ntail\r\n");
    httpd_write(f->held, "x", 1);
    run_ms(f, 20); /* nobody asked to be told of this one */
    assert_int_equal(f->drains, 2);
    assert_int_equal(httpd_queued(f->held), 0);
}

static void client_that_never_reads_is_dropped(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);
    size_t size = 1 << 20;
    cleanup_free char *big = xcalloc(1, size);

    say(c, "GET /stream HTTP/1.1\r\n\r\n");
    hears(f, c, "one");
    uv_read_stop((uv_stream_t *)&c->pipe);
    for (int i = 0; i < 100; i++)
        httpd_write(f->held, big, size);
    assert_int_equal(f->gones, 0); /* not from inside httpd_write() */
    WAIT_FOR(&f->base.loop, f->was_gone);
    assert_int_equal(f->gones, 1);
}

static void answer_that_is_not_taken_times_out(void **state)
{
    struct fix *f = *state;
    struct client *c = client(f);

    httpd_set_idle_ms(f->server, 300);
    f->big = 4 << 20;
    uv_read_stop((uv_stream_t *)&c->pipe);
    say(c, "GET /big HTTP/1.1\r\n\r\n");
    WAIT_FOR(&f->base.loop, f->requests == 1);
    assert_int_equal(httpd_conns(f->server), 1);
    wait_conns(f, 0);
}

static void slow_request_is_dropped(void **state)
{
    struct fix *f = *state;
    struct client *c;

    httpd_set_idle_ms(f->server, 100);
    c = client(f);
    say(c, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < 30 && !c->ended; i++) {
        say(c, "A: b\r\n"); /* a sign of life does not help */
        run_ms(f, 10);      /* slowly */
    }
    assert_true(c->ended);
    assert_int_equal(f->requests, 0);
}

static void idle_connection_is_dropped_but_no_open_answer(void **state)
{
    struct fix *f = *state;
    struct client *idle, *waits, *streams;

    httpd_set_idle_ms(f->server, 300);
    idle = client(f);
    streams = client(f);
    say(streams, "GET /stream HTTP/1.1\r\n\r\n");
    hears(f, streams, "one");
    waits = client(f);
    say(waits, "GET /later HTTP/1.1\r\n\r\n");
    assert_true(sees_end(f, idle));
    run_ms(f, 400); /* longer than an idle one may stay */
    assert_false(waits->ended);
    assert_false(streams->ended);
    assert_int_equal(f->gones, 0);
}

static void socket_is_private_whatever_the_umask(void **state)
{
    struct fix *f = *state;
    mode_t old = umask(0);
    struct httpd *d;
    struct stat st;
    struct err err;
    char path[80];

    snprintf(path, sizeof(path), "%s.2", f->base.path);
    assert_int_equal(httpd_new(&d, &f->base.loop, on_request, f, &err), 0);
    assert_int_equal(httpd_listen_unix(d, path, &err), 0);
    umask(old);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    httpd_close(d, NULL, NULL);
}

static void live_socket_is_not_taken_over(void **state)
{
    struct fix *f = *state;
    struct httpd *d;
    struct err err;

    assert_int_equal(httpd_new(&d, &f->base.loop, on_request, f, &err), 0);
    assert_int_equal(httpd_listen_unix(d, f->base.path, &err), -1);
    assert_int_equal(err.code, ERR_CONFLICT);
    httpd_close(d, NULL, NULL);
    run_ms(f, 10); /* its end takes nobody else's socket away */
    assert_int_equal(access(f->base.path, F_OK), 0);
}

static void socket_of_a_dead_server_is_replaced(void **state)
{
    struct fix *f = *state;
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct httpd *d;
    struct err err;
    char path[80];

    snprintf(path, sizeof(path), "%s.3", f->base.path);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    close(fd);
    assert_int_equal(httpd_new(&d, &f->base.loop, on_request, f, &err), 0);
    assert_int_equal(httpd_listen_unix(d, path, &err), 0);
    httpd_close(d, NULL, NULL);
    WAIT_FOR(&f->base.loop, access(path, F_OK) < 0);
}

static void file_in_the_way_is_left_alone(void **state)
{
    struct fix *f = *state;
    struct httpd *d;
    struct err err;
    cleanup_free char *path = tmp_dir_path(&f->base.dir, "file");

    tmp_dir_put(&f->base.dir, "file", "", 0600);
    assert_int_equal(httpd_new(&d, &f->base.loop, on_request, f, &err), 0);
    assert_int_equal(httpd_listen_unix(d, path, &err), -1);
    assert_int_equal(err.code, ERR_CONFLICT);
    httpd_close(d, NULL, NULL);
    assert_int_equal(unlink(path), 0);
}

static void impossible_paths_are_errors(void **state)
{
    struct fix *f = *state;
    struct httpd *d;
    struct err err;
    char path[200];

    assert_int_equal(httpd_new(&d, &f->base.loop, on_request, f, &err), 0);
    assert_int_equal(httpd_listen_unix(d, "/nonexistent/x.sock", &err), -1);
    assert_int_equal(err.code, ERR_SYSTEM);
    snprintf(path, sizeof(path), "/tmp/%0150d", 1);
    assert_int_equal(httpd_listen_unix(d, path, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    httpd_close(d, NULL, NULL);
}

static void client_of_another_user_is_refused(void **state)
{
    struct fix *f = *state;
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int status = -1;
    pid_t pid;

    if (geteuid() != 0) {
        print_message("not root: skipped\n");
        skip();
    }
    assert_int_equal(chmod(f->base.dir.path, 0755), 0);
    assert_int_equal(chmod(f->base.path, 0666), 0); /* as if somebody had */
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        char buf[512] = "";

        snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->base.path);
        if (setuid(65534) < 0 ||
            connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
            write(fd, "GET /a HTTP/1.1\r\n\r\n", 19) < 0 ||
            read(fd, buf, sizeof(buf) - 1) <= 0)
            _exit(3);
        _exit(strncmp(buf, "HTTP/1.1 403 ", 13) == 0 &&
                      strstr(buf, "belongs to another user") != NULL
                  ? 0
                  : 4);
    }
    WAIT_FOR(&f->base.loop, waitpid(pid, &status, WNOHANG) != 0);
    assert_int_equal(status, 0);
    assert_int_equal(f->requests, 0);
}

/* So many connections, each heard by the server. */
static void connect_many(struct fix *f, int *fds, int count)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->base.path);
    for (int i = 0; i < count; i++) {
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        assert_int_equal(
            connect(fds[i], (struct sockaddr *)&addr, sizeof(addr)), 0);
        uv_run(&f->base.loop, UV_RUN_NOWAIT);
    }
    run_ms(f, 20); /* the last are accepted, or told and hung up on */
}

static void close_many(const int *fds, int count)
{
    for (int i = 0; i < count; i++)
        close(fds[i]);
}

static void one_client_too_many_is_told_so(void **state)
{
    struct fix *f = *state;
    struct client *stream = client(f);
    int fds[HTTPD_CONNS_MAX], more[2];
    size_t before;
    char buf[512] = "";

    say(stream, "GET /stream HTTP/1.1\r\n\r\n");
    hears(f, stream, "one");
    connect_many(f, fds, HTTPD_CONNS_MAX - 1);
    assert_int_equal(read(fds[HTTPD_CONNS_MAX - 2], buf, 1), -1);
    connect_many(f, more, 1);
    assert_true(read(more[0], buf, sizeof(buf) - 1) > 0);
    assert_int_equal(strncmp(buf, "HTTP/1.1 503 ", 13), 0);
    assert_non_null(strstr(buf, "\"error\":\"too many clients: 256 are "));

    /* Those who are there notice nothing, and one that leaves makes room. */
    httpd_write(f->held, "two\n", 4);
    hears(f, stream, "two");
    before = httpd_conns(f->server);
    close(fds[0]);
    wait_conns(f, before - 1);
    connect_many(f, &more[1], 1);
    assert_int_equal(write(more[1], "GET / HTTP/1.1\r\n\r\n", 18), 18);
    WAIT_FOR(&f->base.loop, read(more[1], buf, sizeof(buf) - 1) > 0);
    assert_int_equal(strncmp(buf, "HTTP/1.1 200 ", 13), 0);
    close_many(fds + 1, HTTPD_CONNS_MAX - 2);
    close_many(more, 2);
    wait_conns(f, 1);
}

static void those_turned_away_are_limited_too(void **state)
{
    enum { MANY = HTTPD_CONNS_MAX + 300 };
    struct fix *f = *state;
    int fds[MANY], told = 0, ended = 0;
    char c;

    connect_many(f, fds, MANY);
    assert_in_range(httpd_conns(f->server), HTTPD_CONNS_MAX,
                    HTTPD_CONNS_MAX + 32);
    for (int i = 0; i < MANY; i++) {
        ssize_t n = read(fds[i], &c, 1);

        told += n == 1;
        ended += n == 0;
    }
    assert_int_equal(told, 32);
    assert_int_equal(told + ended, 300);
    close_many(fds, MANY);
    wait_conns(f, 0);
}

static void no_descriptor_left_is_no_busy_loop(void **state)
{
    struct fix *f = *state;
    struct rlimit before, tight;
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    clock_t used;
    char buf[64] = "";

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->base.path);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    tight.rlim_cur = (rlim_t)fd + 1; /* what is open is all there can be */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    used = clock();
    run_ms(f, 300); /* a busy loop would use it all */
    used = clock() - used;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(used < CLOCKS_PER_SEC / 10);
    assert_int_equal(read(fd, buf, sizeof(buf)), 0); /* it is hung up on */
    close(fd);

    connect_many(f, &fd, 1);
    assert_int_equal(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
    WAIT_FOR(&f->base.loop, read(fd, buf, sizeof(buf) - 1) > 0);
    assert_int_equal(strncmp(buf, "HTTP/1.1 200 ", 13), 0);
    close(fd);
}

static void on_answer(const struct httpc_res *res, const struct err *err,
                      void *user)
{
    struct fix *f = user;

    if (err != NULL)
        fail_msg("%s", err->msg);
    f->status = res->status;
    str_add_len(&f->got, res->body, res->body_len);
    f->done = true;
}

static void tcp_is_served_on_the_loopback(void **state)
{
    struct fix *f = *state;
    cleanup_free char *endpoint = NULL;
    cleanup_free char *body = xcalloc(1, 3 << 20);
    struct httpc *c;
    struct err err;
    int port = 0;

    assert_int_equal(httpd_listen_tcp(f->server, &port, &err), 0);
    assert_true(port > 0);
    endpoint = xasprintf("tcp://127.0.0.1:%d", port);
    assert_int_equal(httpc_new(&c, &f->base.loop, endpoint, NULL, &err), 0);
    httpc_start(c, &(struct httpc_spec){ .method = "POST",
                                         .path = "/t?x=1",
                                         .data = body,
                                         .data_len = 3 << 20,
                                         .on_done = on_answer,
                                         .user = f });
    WAIT_FOR(&f->base.loop, f->done);
    assert_int_equal(f->status, 200);
    assert_int_equal(f->body_len, 3 << 20);
    assert_string_equal(str_c(&f->got), "POST /t x=1 test=(none) body=");
    httpc_close(c, NULL, NULL);
}

/* Over tcp a reset would take the answer back that explains it. */
static void refusal_reaches_a_client_that_still_sends(void **state)
{
    struct fix *f = *state;
    struct sockaddr_in addr = { .sin_family = AF_INET };
    struct err err;
    int port = 0, status = -1;
    pid_t pid;

    assert_int_equal(httpd_listen_tcp(f->server, &port, &err), 0);
    addr.sin_port = htons((uint16_t)port);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        static char junk[12 << 20], buf[13];

        memcpy(junk, "POST / HTTP/1.1\r\nContent-Length: 12582868\r\n\r\n", 45);
        if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
            write(fd, junk, sizeof(junk)) != sizeof(junk))
            _exit(3);
        usleep(50000); /* it is late in reading: a reset would be here */
        if (read(fd, buf, 12) != 12)
            _exit(4);
        _exit(strcmp(buf, "HTTP/1.1 413") == 0 ? 0 : 5);
    }
    WAIT_FOR(&f->base.loop, waitpid(pid, &status, WNOHANG) != 0);
    assert_int_equal(status, 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(request_is_answered_with_length_and_type),
        T(body_of_known_length_is_collected),
        T(chunked_body_is_collected),
        T(request_may_come_byte_by_byte),
        T(connection_is_kept),
        T(pipelined_requests_are_answered_in_order),
        T(pipelined_request_waits_for_the_answer_before),
        T(pipelined_pieces_keep_their_order),
        T(endless_pipelining_is_cut_off),
        T(connection_close_is_obeyed),
        T(http_1_0_is_answered_and_closed),
        T(http_1_0_may_keep_the_connection),
        T(http_1_0_stream_has_no_chunks),
        T(head_is_answered_without_a_body),
        T(empty_answer_has_no_length),
        T(path_and_query_are_decoded),
        T(malformed_requests_are_refused),
        T(upgrade_is_not_heeded),
        T(large_head_is_refused),
        T(head_of_just_the_right_size_is_taken),
        T(large_body_is_refused_before_it_is_sent),
        T(large_chunked_body_is_refused),
        T(largest_body_is_taken),
        T(client_that_asks_may_continue),
        T(stream_is_chunked_and_ends),
        T(on_gone_runs_once_when_the_client_hangs_up),
        T(on_gone_runs_for_an_answer_that_never_began),
        T(on_gone_does_not_run_after_the_end),
        T(on_gone_does_not_run_when_the_end_comes_first),
        T(on_gone_runs_when_the_client_is_killed),
        T(on_gone_runs_when_the_server_closes),
        T(server_can_be_closed_from_on_request),
        T(late_answer_to_one_who_left_is_harmless),
        T(half_closed_client_gets_its_answer),
        T(drain_is_told_once_when_all_is_taken),
        T(client_that_never_reads_is_dropped),
        T(answer_that_is_not_taken_times_out),
        T(slow_request_is_dropped),
        T(idle_connection_is_dropped_but_no_open_answer),
        T(socket_is_private_whatever_the_umask),
        T(live_socket_is_not_taken_over),
        T(socket_of_a_dead_server_is_replaced),
        T(file_in_the_way_is_left_alone),
        T(impossible_paths_are_errors),
        T(client_of_another_user_is_refused),
        T(one_client_too_many_is_told_so),
        T(those_turned_away_are_limited_too),
        T(no_descriptor_left_is_no_busy_loop),
        T(tcp_is_served_on_the_loopback),
        T(refusal_reaches_a_client_that_still_sends),
    };

    return cmocka_run_group_tests_name("httpd", tests, NULL, NULL);
}
