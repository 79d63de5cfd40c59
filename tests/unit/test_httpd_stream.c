/*
 * The server's streams: bodies that a handler takes as they come, and raw
 * bytes both ways behind a 101.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/httpd.h"
#include "net/httpd_conn.h"
#include "support/looptest.h"

#define MB ((size_t)1 << 20)

struct fix {
    uv_loop_t loop;
    char path[64];
    struct httpd *server;
    bool server_closed, closed_by_test;
    int fds[4];
    int fd_count;
    struct str in; /* what the client hears */
    bool in_ended;
    /* the handler */
    struct httpd_req *req;
    struct str body;
    size_t body_len, max_piece;
    int pieces, ends, gones, drains, raw_ends, requests;
    bool begun, ended, gone, drained, raw_ended, was_clean;
    bool pause_at_head, pause_each, pause_at_raw, keeps_nothing;
    uv_timer_t resume;
};

static void on_gone(struct httpd_req *req, void *user)
{
    struct fix *f = user;

    httpd_write(req, "late", 4); /* harmless */
    f->gones++;
    f->gone = true;
    f->req = NULL;
}

static void on_resume(uv_timer_t *timer)
{
    struct fix *f = container_of(timer, struct fix, resume);

    if (f->req != NULL)
        httpd_pause(f->req, false);
}

static void on_bytes(struct httpd_req *req, const char *data, size_t len,
                     void *user)
{
    struct fix *f = user;

    assert_ptr_equal(req, f->req);
    assert_int_equal(f->ends, 0); /* nothing follows the end */
    if (len == 0) {
        f->ends++;
        f->ended = true;
        return;
    }
    f->pieces++;
    f->body_len += len;
    f->max_piece = len > f->max_piece ? len : f->max_piece;
    if (!f->keeps_nothing)
        str_add_len(&f->body, data, len);
    if (f->pause_each) {
        httpd_pause(req, true);
        uv_timer_start(&f->resume, on_resume, 0, 0);
    }
}

static void on_raw_end(struct httpd_req *req, bool clean, void *user)
{
    struct fix *f = user;

    assert_ptr_equal(req, f->req);
    f->raw_ends++;
    f->raw_ended = true;
    f->was_clean = clean;
    httpd_write(req, "late", 4); /* harmless */
    f->req = NULL;
}

static void on_drain(struct httpd_req *req, void *user)
{
    struct fix *f = user;

    assert_int_equal(httpd_queued(req), 0);
    f->drains++;
    f->drained = true;
}

static void on_head(struct httpd_req *req, void *user)
{
    struct fix *f = user;
    const char *path = httpd_path(req);

    if (strcmp(path, "/refused") == 0) {
        httpd_answer(req, 413, NULL, "no", 2);
    } else if (strcmp(path, "/upload") == 0) {
        f->req = req;
        f->begun = true;
        httpd_on_gone(req, on_gone, f);
        httpd_receive(req, on_bytes, f);
        if (f->pause_at_head)
            httpd_pause(req, true);
    }
}

static bool upgrade(struct fix *f)
{
    const struct httpd_upgrade spec = { .on_data = on_bytes,
                                        .on_end = on_raw_end,
                                        .user = f };

    httpd_add_header(f->req, "X-Accept", "a\r\nb");
    return httpd_upgrade(f->req, "tcp", &spec);
}

static void on_request(struct httpd_req *req, void *user)
{
    struct fix *f = user;
    const char *path = httpd_path(req);
    size_t len;

    f->requests++;
    if (strcmp(path, "/raw") == 0) {
        f->req = req;
        f->begun = true;
        if (!upgrade(f))
            f->req = NULL;
        else if (f->pause_at_raw)
            httpd_pause(req, true);
    } else if (strcmp(path, "/later") == 0) {
        f->req = req;
        f->begun = true;
    } else {
        httpd_body(req, &len);
        httpd_answer(req, 200, NULL, "plain", 5);
    }
}

static void on_closed(void *user)
{
    ((struct fix *)user)->server_closed = true;
}

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));
    struct err err;

    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&f->loop);
    uv_timer_init(&f->loop, &f->resume);
    snprintf(f->path, sizeof(f->path), "/tmp/httpd-s-%d.sock", (int)getpid());
    *state = f;
    assert_int_equal(httpd_new(&f->server, &f->loop, on_request, f, &err), 0);
    httpd_on_head(f->server, on_head);
    return httpd_listen_unix(f->server, f->path, &err);
}

static int teardown(void **state)
{
    struct fix *f = *state;

    for (int i = 0; i < f->fd_count; i++)
        close(f->fds[i]);
    uv_close((uv_handle_t *)&f->resume, NULL);
    if (!f->closed_by_test)
        httpd_close(f->server, on_closed, f);
    assert_true(loop_run_until(&f->loop, &f->server_closed, 5000));
    assert_true(loop_ends_clean(&f->loop));
    assert_true(f->gones <= 1 && f->raw_ends <= 1 && f->ends <= 1);
    str_release(&f->in);
    str_release(&f->body);
    free(f);
    return 0;
}

static void run_ms(struct fix *f, unsigned ms)
{
    loop_run_for(&f->loop, ms);
}

/* A client's socket, in the test's own hands. */
static int client(struct fix *f)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->path);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    f->fds[f->fd_count++] = fd;
    return fd;
}

static void say_len(struct fix *f, int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n > 0) {
            text += n;
            len -= (size_t)n;
        } else {
            assert_int_equal(errno, EAGAIN);
            uv_run(&f->loop, UV_RUN_NOWAIT);
        }
    }
}

static void say(struct fix *f, int fd, const char *text)
{
    say_len(f, fd, text, strlen(text));
    run_ms(f, 10);
}

static void listen_to(struct fix *f, int fd)
{
    char buf[65536];
    ssize_t n;

    while ((n = read(fd, buf, sizeof(buf))) > 0)
        str_add_len(&f->in, buf, (size_t)n);
    if (n == 0)
        f->in_ended = true;
}

static bool hears(struct fix *f, int fd, const char *text)
{
    for (int i = 0; i < 500; i++) {
        listen_to(f, fd);
        if (f->in.len > 0 &&
            memmem(f->in.s, f->in.len, text, strlen(text)) != NULL)
            return true;
        run_ms(f, 10);
    }
    print_message("heard: %s\n", str_c(&f->in));
    return false;
}

static bool hears_end(struct fix *f, int fd)
{
    for (int i = 0; i < 500 && !f->in_ended; i++) {
        listen_to(f, fd);
        run_ms(f, 10);
    }
    return f->in_ended;
}

/* In short runs: what a timer does at the beginning of a turn ends no turn. */
static bool wait_for(struct fix *f, const bool *what)
{
    for (int i = 0; i < 500 && !*what; i++)
        run_ms(f, 10);
    return *what;
}

/* ---- bodies -------------------------------------------------------------- */

static void body_is_handed_on_as_it_comes(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    say(f, fd, "PUT /upload HTTP/1.1\r\nContent-Length: 6\r\n\r\n");
    assert_true(f->begun); /* before any of it is here */
    assert_int_equal(f->pieces, 0);
    say(f, fd, "abc");
    assert_string_equal(str_c(&f->body), "abc");
    assert_false(f->ended);
    say(f, fd, "def");
    assert_string_equal(str_c(&f->body), "abcdef");
    assert_int_equal(f->ends, 1);
    httpd_answer(f->req, 200, NULL, "got it", 6);
    assert_true(hears(f, fd, "got it"));
    assert_null(strstr(f->in.s, "Connection: close"));
    assert_int_equal(f->requests + f->gones, 0);
}

static void chunked_body_is_handed_on(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    say(f, fd,
        "POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n4;x=y\r\nde");
    assert_string_equal(str_c(&f->body), "abcde");
    say(f, fd, "fg\r\n0\r\nTrailer: 1\r\n\r\n");
    assert_string_equal(str_c(&f->body), "abcdefg");
    assert_int_equal(f->ends, 1);
    httpd_answer(f->req, 204, NULL, NULL, 0);
    say(f, fd, "GET / HTTP/1.1\r\n\r\n"); /* the connection goes on */
    assert_true(hears(f, fd, "plain"));
}

static void empty_body_has_an_end_too(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    say(f, fd, "POST /upload HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(f->ends, 1);
    assert_int_equal(f->pieces, 0);
    httpd_answer(f->req, 200, NULL, "empty", 5);
    assert_true(hears(f, fd, "empty"));
}

static void paused_body_waits_and_loses_nothing(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    f->pause_at_head = true;
    say(f, fd,
        "PUT /upload HTTP/1.1\r\nContent-Length: 6\r\n\r\nabcdef"
        "GET /next HTTP/1.1\r\n\r\n");
    run_ms(f, 20);
    assert_int_equal(f->pieces + f->ends, 0);
    httpd_pause(f->req, false);
    assert_int_equal(f->pieces + f->ends, 0); /* not from inside */
    assert_true(wait_for(f, &f->ended));
    assert_string_equal(str_c(&f->body), "abcdef");
    assert_int_equal(f->requests, 0);
    httpd_answer(f->req, 200, NULL, "upload", 6);
    assert_true(hears(f, fd, "plain")); /* the pipelined one */
}

static void end_waits_while_paused(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    f->pause_each = true;
    say(f, fd, "PUT /upload HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
    assert_true(wait_for(f, &f->ended));
    f->ended = false;
    assert_int_equal(f->pieces, 1);
    httpd_answer(f->req, 200, NULL, "", 0);
    assert_true(hears(f, fd, "200 OK"));
}

/*
 * Sends `size` bytes as fast as they are taken; says how many were on their way
 * at most: in the kernel, in the server, or held back by the handler.
 */
static size_t upload(struct fix *f, int fd, size_t size)
{
    size_t sent = 0, most = 0;
    cleanup_free char *block = xcalloc(1, MB);

    while (f->body_len < size) {
        size_t left = size - sent;
        ssize_t n = left == 0 ? 0 : write(fd, block, left < MB ? left : MB);

        if (n > 0)
            sent += (size_t)n;
        uv_run(&f->loop, UV_RUN_NOWAIT);
        if (sent - f->body_len > most)
            most = sent - f->body_len;
    }
    return most;
}

/* UPLOAD_MB says how much, for a trial by hand: 2048. */
static void archive_of_any_size_passes_through_little_memory(void **state)
{
    struct fix *f = *state;
    const char *text = getenv("UPLOAD_MB");
    size_t size = MB * (text == NULL ? 64 : strtoul(text, NULL, 10));
    size_t before, after, on_the_way;
    struct rusage use;
    char head[128];
    int fd = client(f);

    f->pause_each = f->keeps_nothing = true;
    snprintf(head, sizeof(head),
             "PUT /upload HTTP/1.1\r\nContent-Length: %zu\r\n\r\n", size);
    say(f, fd, head);
    before = mallinfo2().uordblks;
    on_the_way = upload(f, fd, size);
    after = mallinfo2().uordblks;
    assert_true(wait_for(f, &f->ended));
    assert_int_equal(f->body_len, size);
    assert_in_range(f->max_piece, 1, 65536);
    assert_in_range(on_the_way, 1, MB);
    assert_true(after < before + MB + MB / 4); /* MB: the client's block */
    httpd_answer(f->req, 200, NULL, "all of it", 9);
    assert_true(hears(f, fd, "all of it"));
    getrusage(RUSAGE_SELF, &use);
    if (text != NULL)
        print_message("%zu MB: at most %zu KiB on the way, %ld KiB resident\n",
                      size / MB, on_the_way / 1024, use.ru_maxrss);
}

static void paused_client_is_held_back(void **state)
{
    struct fix *f = *state;
    int fd = client(f);
    cleanup_free char *block = xcalloc(1, MB);
    size_t sent = 0;

    f->pause_at_head = true;
    say(f, fd, "PUT /upload HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n");
    for (int i = 0; i < 50; i++) {
        ssize_t n = write(fd, block, MB);

        sent += n > 0 ? (size_t)n : 0;
        run_ms(f, 1);
    }
    assert_true(sent < MB); /* what the kernel takes */
    assert_int_equal(f->pieces, 0);
    httpd_answer(f->req, 500, NULL, "", 0);
}

static void client_that_asks_may_continue_once_the_body_is_wanted(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    f->pause_at_head = true;
    say(f, fd,
        "PUT /upload HTTP/1.1\r\nExpect: 100-continue\r\n"
        "Content-Length: 2\r\n\r\n");
    run_ms(f, 20);
    listen_to(f, fd);
    assert_int_equal(f->in.len, 0);
    httpd_pause(f->req, false);
    assert_true(hears(f, fd, "HTTP/1.1 100 Continue\r\n\r\n"));
    say(f, fd, "O");
    say(f, fd, "K");
    assert_int_equal(f->ends, 1);
    httpd_answer(f->req, 200, NULL, "done", 4);
    assert_true(hears(f, fd, "done"));
    assert_null(strstr(f->in.s + 10, " 100 ")); /* once */
}

static void refused_client_is_not_told_to_continue(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    say(f, fd,
        "PUT /refused HTTP/1.1\r\nExpect: 100-continue\r\n"
        "Content-Length: 2000000000\r\n\r\n");
    assert_true(hears_end(f, fd));
    assert_true(str_starts(f->in.s, "HTTP/1.1 413 "));
}

static void early_answer_throws_the_rest_away_and_closes(void **state)
{
    struct fix *f = *state;
    int fd = client(f);
    cleanup_free char *block = xcalloc(1, MB);

    say(f, fd, "PUT /upload HTTP/1.1\r\nContent-Length: 2000000000\r\n\r\nab");
    httpd_answer(f->req, 413, NULL, "enough", 6);
    f->req = NULL;
    for (int i = 0; i < 4; i++) /* the client has not read it yet */
        say_len(f, fd, block, MB);
    assert_true(hears_end(f, fd));
    assert_non_null(strstr(f->in.s, "Connection: close\r\n"));
    assert_true(str_ends(f->in.s, "enough"));
    assert_string_equal(str_c(&f->body), "ab");
    assert_int_equal(f->gones + f->ends, 0);
}

static void early_answer_while_paused_closes_too(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    f->pause_at_head = true;
    say(f, fd, "PUT /upload HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc");
    httpd_answer(f->req, 409, NULL, "no", 2);
    f->req = NULL;
    say(f, fd, "defghi");
    assert_true(hears_end(f, fd));
    assert_int_equal(f->pieces, 0);
}

static void answer_at_the_head_keeps_a_connection_without_a_body(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    say(f, fd, "GET /refused HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    assert_true(hears(f, fd, "plain"));
    assert_true(str_starts(f->in.s, "HTTP/1.1 413 "));
    assert_null(strstr(f->in.s, "Connection: close"));
}

static void answer_may_begin_before_the_body_ends(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    say(f, fd,
        "PUT /upload HTTP/1.1\r\nExpect: 100-continue\r\n"
        "Content-Length: 6\r\n\r\nabc");
    httpd_stream(f->req, 200, NULL);
    httpd_write(f->req, "half", 4);
    assert_true(hears(f, fd, "half"));
    say(f, fd, "def");
    assert_int_equal(f->ends, 1);
    httpd_write(f->req, "whole", 5);
    httpd_end(f->req);
    f->req = NULL;
    assert_true(hears_end(f, fd));
    assert_true(str_ends(f->in.s, "4\r\nhalf\r\n5\r\nwhole\r\n0\r\n\r\n"));
    assert_null(strstr(f->in.s, " 100 "));
}

static void client_that_leaves_in_the_middle_is_told_of(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    say(f, fd, "PUT /upload HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc");
    shutdown(fd, SHUT_WR); /* it cannot send the rest any more */
    assert_true(wait_for(f, &f->gone));
    assert_int_equal(f->ends, 0);
}

static void broken_chunk_ends_the_upload_with_400(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    say(f, fd,
        "PUT /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n");
    say(f, fd, "nonsense\r\n");
    assert_true(hears_end(f, fd));
    assert_int_equal(f->gones, 1);
    assert_true(str_starts(f->in.s, "HTTP/1.1 400 "));
}

static void upload_must_get_on(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    httpd_set_idle_ms(f->server, 200);
    say(f, fd, "PUT /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 12; i++) { /* slow, but longer than the deadline */
        say(f, fd, "1\r\nx\r\n");
        run_ms(f, 30);
    }
    assert_int_equal(f->gones, 0);
    for (int i = 0; i < 50 && !f->gone; i++) {
        (void)!write(fd, "0", 1); /* bytes, but none of the body */
        run_ms(f, 10);
    }
    assert_true(f->gone);
}

static void paused_upload_has_all_the_time(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    httpd_set_idle_ms(f->server, 100);
    say(f, fd, "PUT /upload HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc");
    httpd_pause(f->req, true);
    run_ms(f, 250);
    assert_int_equal(f->gones, 0);
    httpd_pause(f->req, false);
    assert_true(wait_for(f, &f->gone)); /* the rest does not come */
}

static void other_routes_still_collect_and_are_bounded(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    say(f, fd, "PUT /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
    assert_true(hears(f, fd, "plain"));
    say(f, fd, "PUT /x HTTP/1.1\r\nContent-Length: 8388609\r\n\r\n");
    assert_true(hears(f, fd, "HTTP/1.1 413 "));
    assert_int_equal(f->requests, 1);
}

static void server_may_close_under_an_upload(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    say(f, fd, "PUT /upload HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc");
    httpd_close(f->server, on_closed, f);
    f->closed_by_test = true;
    assert_true(wait_for(f, &f->gone));
}

/* ---- raw bytes ----------------------------------------------------------- */

#define UPGRADE                                                                \
    "GET /raw HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"

static void open_raw(struct fix *f, int fd)
{
    say(f, fd, UPGRADE);
    assert_true(hears(f, fd, "\r\n\r\n"));
    assert_non_null(f->req);
}

static void upgrade_is_answered_with_101_and_headers(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    open_raw(f, fd);
    assert_string_equal(f->in.s,
                        "HTTP/1.1 101 Switching Protocols\r\nConnection: "
                        "Upgrade\r\nUpgrade: tcp\r\nX-Accept: a  b\r\n\r\n");
}

static void raw_bytes_go_both_ways(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    open_raw(f, fd);
    say_len(f, fd, "GET \0", 5);
    run_ms(f, 20);
    assert_int_equal(f->body.len, 5);
    httpd_write2(f->req, "an", 2, "swer", 4);
    assert_true(hears(f, fd, "\r\n\r\nanswer"));
    assert_int_equal(f->ends + f->raw_ends, 0);
}

static void bytes_behind_the_request_are_not_lost(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    say(f, fd, UPGRADE "early");
    say(f, fd, " bird");
    run_ms(f, 20);
    assert_string_equal(str_c(&f->body), "early bird");
}

static void bytes_sent_before_the_101_wait_without_limit(void **state)
{
    struct fix *f = *state;
    int fd = client(f);
    size_t size = 3 * MB, sent = 0;
    cleanup_free char *big = xcalloc(1, size);

    say(f, fd,
        "GET /later HTTP/1.1\r\nConnection: Upgrade\r\n"
        "Upgrade: tcp\r\n\r\n");
    for (int i = 0; i < 30; i++) {
        ssize_t n = write(fd, big + sent, size - sent);

        sent += n > 0 ? (size_t)n : 0;
        run_ms(f, 1);
    }
    assert_true(sent < MB); /* held back, not collected */
    assert_true(upgrade(f));
    assert_int_equal(f->pieces, 0); /* not from inside */
    say_len(f, fd, big + sent, size - sent);
    for (int i = 0; i < 300 && f->body.len < size; i++)
        run_ms(f, 10);
    assert_int_equal(f->body.len, size);
}

static void end_of_the_client_is_heard_while_we_still_write(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    open_raw(f, fd);
    say(f, fd, "last");
    shutdown(fd, SHUT_WR);
    assert_true(wait_for(f, &f->ended));
    assert_string_equal(str_c(&f->body), "last");
    run_ms(f, 20);
    assert_int_equal(f->raw_ends, 0);
    httpd_write(f->req, "still here", 10);
    assert_true(hears(f, fd, "still here"));
    httpd_shutdown(f->req);
    assert_true(wait_for(f, &f->raw_ended));
    assert_true(f->was_clean);
    assert_true(hears_end(f, fd));
}

static void our_end_is_heard_while_the_client_still_writes(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    open_raw(f, fd);
    httpd_write(f->req, "bye", 3);
    httpd_shutdown(f->req);
    httpd_shutdown(f->req); /* twice is once */
    httpd_write(f->req, "more", 4);
    assert_true(hears_end(f, fd));
    assert_true(str_ends(f->in.s, "\r\n\r\nbye"));
    say(f, fd, "still there");
    assert_string_equal(str_c(&f->body), "still there");
    assert_int_equal(f->raw_ends, 0);
    shutdown(fd, SHUT_WR);
    assert_true(wait_for(f, &f->raw_ended));
    assert_true(f->was_clean);
    assert_int_equal(f->ends, 1);
}

static void our_end_waits_for_what_is_queued(void **state)
{
    struct fix *f = *state;
    int fd = client(f);
    size_t size = 4 * MB;
    cleanup_free char *big = xcalloc(1, size);

    open_raw(f, fd);
    str_cut(&f->in, 0);
    httpd_write(f->req, big, size / 2);
    httpd_write(f->req, big, size / 2);
    assert_true(httpd_queued(f->req) > size / 4);
    httpd_on_drain(f->req, on_drain, f);
    httpd_shutdown(f->req);
    assert_true(hears_end(f, fd));
    assert_int_equal(f->in.len, size);
    assert_int_equal(f->drains, 1);
}

static void client_that_is_killed_ends_the_stream_uncleanly(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    open_raw(f, fd);
    httpd_write(f->req, "unread", 6); /* makes the end a reset */
    run_ms(f, 10);
    f->fd_count--;
    close(fd);
    assert_true(wait_for(f, &f->raw_ended));
    assert_false(f->was_clean);
}

static void paused_stream_holds_the_client_back(void **state)
{
    struct fix *f = *state;
    int fd = client(f);
    size_t size = 3 * MB, sent = 0;
    cleanup_free char *big = xcalloc(1, size);

    f->pause_at_raw = true;
    say(f, fd, UPGRADE "early");
    for (int i = 0; i < 30; i++) {
        ssize_t n = write(fd, big + sent, size - sent);

        sent += n > 0 ? (size_t)n : 0;
        run_ms(f, 1);
    }
    assert_true(sent < MB);
    assert_int_equal(f->pieces, 0);
    httpd_pause(f->req, false);
    say_len(f, fd, big + sent, size - sent);
    shutdown(fd, SHUT_WR);
    assert_true(wait_for(f, &f->ended));
    assert_int_equal(f->body.len, size + 5);
}

static void reader_that_is_slow_does_not_fill_memory(void **state)
{
    struct fix *f = *state;
    int fd = client(f);
    cleanup_free char *big = xcalloc(1, MB);

    open_raw(f, fd);
    for (int i = 0; i < 80; i++)
        httpd_write(f->req, big, MB);
    assert_int_equal(f->raw_ends, 0); /* not from inside */
    assert_true(wait_for(f, &f->raw_ended));
    assert_false(f->was_clean);
}

static void who_does_not_ask_is_told_so(void **state)
{
    static const char *const heads[] = {
        "GET /raw HTTP/1.1\r\n\r\n",
        "GET /raw HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcpx\r\n\r\n",
        "GET /raw HTTP/1.1\r\nUpgrade: tcp\r\n\r\n",
        "GET /raw HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
    };
    struct fix *f = *state;

    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        int fd = client(f);

        str_cut(&f->in, 0);
        say(f, fd, heads[i]);
        assert_true(hears(f, fd, "needs an upgrade to tcp"));
        assert_true(str_starts(f->in.s, "HTTP/1.1 426 "));
        assert_non_null(strstr(f->in.s, "\r\nUpgrade: tcp\r\n"));
        assert_null(f->req);
    }
}

static void protocol_may_be_one_of_several(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    say(f, fd,
        "POST /raw HTTP/1.1\r\nConnection: keep-alive, upgrade\r\n"
        "Upgrade: websocket, TCP\r\nContent-Length: 2\r\n\r\n{}raw");
    assert_true(hears(f, fd, " 101 "));
    run_ms(f, 20);
    assert_string_equal(str_c(&f->body), "raw"); /* and not "{}raw" */
}

static void dropped_stream_calls_nobody(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    open_raw(f, fd);
    httpd_drop(f->req);
    (void)!write(fd, "x", 1);
    assert_true(hears_end(f, fd));
    assert_int_equal(f->pieces + f->ends + f->raw_ends, 0);
}

static void upgrade_for_a_client_that_has_gone_is_nothing(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    say(f, fd,
        "GET /later HTTP/1.1\r\nConnection: Upgrade\r\n"
        "Upgrade: tcp\r\n\r\n");
    f->fd_count--;
    close(fd);
    run_ms(f, 20);
    assert_int_equal(httpd_conns(f->server), 0);
    assert_false(upgrade(f));
    assert_int_equal(f->raw_ends, 0);
}

static void server_may_close_under_a_stream(void **state)
{
    struct fix *f = *state;
    int fd = client(f);

    open_raw(f, fd);
    httpd_close(f->server, on_closed, f);
    f->closed_by_test = true;
    assert_true(wait_for(f, &f->raw_ended));
    assert_false(f->was_clean);
}

static void stream_has_no_deadline(void **state)
{
    struct fix *f = *state;
    int fd;

    httpd_set_idle_ms(f->server, 100);
    fd = client(f);
    open_raw(f, fd);
    run_ms(f, 250);
    assert_int_equal(f->raw_ends, 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(body_is_handed_on_as_it_comes),
        T(chunked_body_is_handed_on),
        T(empty_body_has_an_end_too),
        T(paused_body_waits_and_loses_nothing),
        T(end_waits_while_paused),
        T(archive_of_any_size_passes_through_little_memory),
        T(paused_client_is_held_back),
        T(client_that_asks_may_continue_once_the_body_is_wanted),
        T(refused_client_is_not_told_to_continue),
        T(early_answer_throws_the_rest_away_and_closes),
        T(early_answer_while_paused_closes_too),
        T(answer_at_the_head_keeps_a_connection_without_a_body),
        T(answer_may_begin_before_the_body_ends),
        T(client_that_leaves_in_the_middle_is_told_of),
        T(broken_chunk_ends_the_upload_with_400),
        T(upload_must_get_on),
        T(paused_upload_has_all_the_time),
        T(other_routes_still_collect_and_are_bounded),
        T(server_may_close_under_an_upload),
        T(upgrade_is_answered_with_101_and_headers),
        T(raw_bytes_go_both_ways),
        T(bytes_behind_the_request_are_not_lost),
        T(bytes_sent_before_the_101_wait_without_limit),
        T(end_of_the_client_is_heard_while_we_still_write),
        T(our_end_is_heard_while_the_client_still_writes),
        T(our_end_waits_for_what_is_queued),
        T(client_that_is_killed_ends_the_stream_uncleanly),
        T(paused_stream_holds_the_client_back),
        T(reader_that_is_slow_does_not_fill_memory),
        T(who_does_not_ask_is_told_so),
        T(protocol_may_be_one_of_several),
        T(dropped_stream_calls_nobody),
        T(upgrade_for_a_client_that_has_gone_is_nothing),
        T(server_may_close_under_a_stream),
        T(stream_has_no_deadline),
    };

    return cmocka_run_group_tests_name("httpd streams", tests, NULL, NULL);
}
