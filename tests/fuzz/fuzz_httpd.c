/*
 * The server side as a whole: connection, parser, router, JSON and form bodies,
 * uploads, and raw bytes behind a 101. The first byte says how the rest is cut
 * into pieces, and whether the client leaves without a word. What a client that
 * stays hears must not depend on the pieces.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "web/web.h"

/* Turns of the loop without a byte until nothing more is expected. */
#define QUIET_TURNS 6

/* A request that is answered, or goes on, in a later turn. */
struct later {
    uv_timer_t timer;
    struct web_req *req; /* NULL: the client has gone */
    bool is_pause;
    size_t received;
};

static uv_loop_t loop;
static struct web *web;
static bool refused_early; /* before the body's end: that depends on pieces */
static struct sockaddr_un addr = { .sun_family = AF_UNIX };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_timer_closed(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct later, timer));
}

static void later_end(struct later *l)
{
    uv_close((uv_handle_t *)&l->timer, on_timer_closed);
}

static struct later *later_new(struct web_req *req)
{
    struct later *l = xcalloc(1, sizeof(*l));

    l->req = req;
    uv_timer_init(&loop, &l->timer);
    return l;
}

/* Answers with all that a handler can read. */
static void answer(struct web_req *req, const char *word)
{
    static const char *const names[] = { "app", "pid", "key", "a" };
    struct cJSON *json = cJSON_CreateObject();
    cleanup_str struct str quoted = { 0 };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        web_put(json, names[i], web_arg(req, names[i]));
        web_put(json, "query", web_query(req, names[i]));
        web_put(json, "text", web_text(web_body(req), names[i]));
        for (size_t n = 0; web_form_nth(req, names[i], n) != NULL; n++)
            web_put(json, "form", web_form_nth(req, names[i], n));
    }
    web_quote(&quoted, web_header(req, "X-Test"),
              strlen(web_header(req, "X-Test")));
    web_put(json, "word", word);
    web_put(json, "test", str_c(&quoted));
    web_answer(req, json);
}

static void on_now(struct web_req *req, void *user)
{
    (void)user;
    answer(req, "now");
}

static void on_later_timer(uv_timer_t *timer)
{
    struct later *l = container_of(timer, struct later, timer);

    if (l->req != NULL)
        answer(l->req, "later");
    later_end(l);
}

static void on_later_gone(struct web_req *req, void *user)
{
    (void)req;
    ((struct later *)user)->req = NULL;
}

static void on_later(struct web_req *req, void *user)
{
    struct later *l = later_new(req);

    (void)user;
    web_on_gone(req, on_later_gone, l);
    uv_timer_start(&l->timer, on_later_timer, 0, 0);
}

static void on_stream(struct web_req *req, void *user)
{
    (void)user;
    web_stream(req, NULL, NULL);
    web_event(req, cJSON_CreateObject());
    web_end(req);
}

static void on_resume(uv_timer_t *timer)
{
    struct later *l = container_of(timer, struct later, timer);

    if (l->req != NULL)
        web_pause(l->req, false);
}

static void hold_back(struct later *l)
{
    web_pause(l->req, true);
    uv_timer_start(&l->timer, on_resume, 0, 0);
}

static void on_upload_gone(struct web_req *req, void *user)
{
    (void)req;
    later_end(user);
}

static void on_upload_bytes(struct web_req *req, const char *data, size_t len,
                            void *user)
{
    struct later *l = user;
    cleanup_free char *text = NULL;

    l->received += len;
    if (len > 0 && memchr(data, '!', len) != NULL) {
        refused_early = true;
        later_end(l);
        web_error(req, 413, "enough");
    } else if (len > 0) {
        hold_back(l);
    } else {
        text = xasprintf("%zu", l->received);
        later_end(l);
        answer(req, text);
    }
}

static void on_upload(struct web_req *req, void *user)
{
    struct later *l = later_new(req);

    (void)user;
    web_on_gone(req, on_upload_gone, l);
    web_receive(req, on_upload_bytes, l);
}

static void on_raw(struct web_req *req, const char *data, size_t len,
                   void *user)
{
    struct later *l = user;

    web_event_text(req, data, len);
    if (len == 0)
        web_shutdown(req);
    else
        hold_back(l);
}

static void on_raw_end(struct web_req *req, bool clean, void *user)
{
    (void)req;
    (void)clean;
    later_end(user);
}

static void on_echo(struct web_req *req, void *user)
{
    struct later *l = later_new(req);
    const struct web_upgrade spec = { .on_data = on_raw,
                                      .on_end = on_raw_end,
                                      .user = l };

    (void)user;
    web_add_header(req, "X-App", web_arg(req, "app"));
    if (!web_upgrade(req, "tcp", &spec))
        later_end(l);
}

static const struct web_route routes[] = {
    { "GET", "/now", on_now },
    { "POST", "/now", on_now },
    { "POST", "/apps/{app}/processes/{pid}", on_now },
    { "GET", "/apps/{app}/builds/{a}.tgz", on_now },
    { "GET", "/later", on_later },
    { "POST", "/later", on_later },
    { "GET", "/stream", on_stream },
    { "GET", "/apps/{app}/echo", on_echo },
    { "POST", "/apps/{app}/echo", on_echo },
    { NULL, NULL, NULL },
};

static const struct web_route uploads[] = {
    { "PUT", "/apps/{app}/objects/{key:*}", on_upload },
    { NULL, NULL, NULL },
};

static void begin(void)
{
    struct err err;

    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&loop);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "/tmp/fuzz-httpd-%d.sock",
             (int)getpid());
    if (web_new(&web, &loop, routes, NULL, &err) < 0 ||
        web_listen(web, addr.sun_path, &err) < 0)
        abort();
    web_uploads(web, uploads);
}

/* Reads what is there; false: the server has ended its side. */
static bool hear(int fd, struct str *out)
{
    char buf[65536];
    ssize_t n = read(fd, buf, sizeof(buf));

    if (n > 0)
        str_add_len(out, buf, (size_t)n);
    return n > 0 || (n < 0 && errno == EAGAIN);
}

static bool settle(int fd, struct str *out)
{
    bool open = true;

    for (int quiet = 0; quiet < QUIET_TURNS; quiet++) {
        size_t before = out->len;

        uv_run(&loop, UV_RUN_NOWAIT);
        open = hear(fd, out);
        if (out->len > before)
            quiet = 0;
    }
    return open;
}

static void talk(const char *data, size_t size, size_t piece, bool leave,
                 struct str *out)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        abort();
    for (size_t at = 0; at < size; at += piece) {
        size_t some = size - at < piece ? size - at : piece;

        if (write(fd, data + at, some) < 0)
            break; /* it was refused and closed */
        uv_run(&loop, UV_RUN_NOWAIT);
        uv_run(&loop, UV_RUN_NOWAIT);
        hear(fd, out);
    }
    if (!leave && settle(fd, out)) {
        shutdown(fd, SHUT_WR);
        settle(fd, out);
    }
    close(fd);
    for (int i = 0; i < 100 && web_clients(web) > 0; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    uv_run(&loop, UV_RUN_NOWAIT);
    if (web_clients(web) > 0)
        abort();
}

/* Whether a client that asks is told to go on depends on what came already. */
static void without_continue(struct str *s)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    char *at;

    while (s->len > 0 &&
           (at = memmem(s->s, s->len, line, sizeof(line) - 1)) != NULL) {
        size_t rest = s->len - (size_t)(at - s->s) - (sizeof(line) - 1);

        memmove(at, at + sizeof(line) - 1, rest);
        str_cut(s, s->len - (sizeof(line) - 1));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str whole = { 0 }, pieces = { 0 };
    const char *text = (const char *)data + 1;
    size_t piece;
    bool leave;

    if (size < 2 || size > 8192)
        return 0;
    if (web == NULL)
        begin();
    refused_early = false;
    leave = (data[0] & 0x80) != 0;
    piece = 1 + (data[0] & 0x7f);
    if (size / piece > 500) /* or it takes too long */
        piece = 1 + size / 500;
    talk(text, size - 1, size, false, &whole);
    talk(text, size - 1, piece, leave, &pieces);
    without_continue(&whole);
    without_continue(&pieces);
    if (!leave && !refused_early &&
        (whole.len != pieces.len ||
         memcmp(str_c(&whole), str_c(&pieces), whole.len) != 0)) {
        fprintf(stderr, "whole:\n%s\npieces:\n%s\n", str_c(&whole),
                str_c(&pieces));
        abort();
    }
    str_release(&whole);
    str_release(&pieces);
    return 0;
}
