/* The reaper's HTTP client: blocking, several connections at a time in one
 * poll(). objects.c and main.c call it. */
#include "images/reaper/http.h"

#include <errno.h>
#include <llhttp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "images/reaper/clock.h"

/* One call in progress. */
struct conn {
    struct http_call *call; /* NULL: this place is free */
    int64_t deadline;
    struct str out;
    llhttp_t parser;
    int fd;
    bool whole; /* the answer is here to its end */
};

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct conn *c = container_of(parser, struct conn, parser);

    if (c->call->body.len + len > HTTP_BODY_MAX)
        return -1;
    str_add_len(&c->call->body, at, len);
    return 0;
}

/* Whatever follows is ignored: a call has one answer. */
static int on_complete(llhttp_t *parser)
{
    struct conn *c = container_of(parser, struct conn, parser);

    c->call->status = parser->status_code;
    c->whole = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t *settings(void)
{
    static llhttp_settings_t all;

    if (all.on_body == NULL) {
        llhttp_settings_init(&all);
        all.on_body = on_body;
        all.on_message_complete = on_complete;
    }
    return &all;
}

/* The call has ended; without a whole answer `why` says why. */
static void end(struct conn *c, const char *why)
{
    if (!c->whole) {
        c->call->status = 0;
        snprintf(c->call->why, sizeof(c->call->why), "%s", why);
    }
    if (c->fd >= 0)
        close(c->fd);
    str_release(&c->out);
    c->call = NULL;
}

static void begin(struct conn *c, const char *path, struct http_call *call,
                  int timeout_ms)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };

    *c = (struct conn){ .call = call, .deadline = clock_ms() + timeout_ms };
    llhttp_init(&c->parser, HTTP_RESPONSE, settings());
    str_printf(&c->out,
               "%s %s HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n"
               "Content-Length: 0\r\n\r\n",
               call->method, call->path);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (strlen(path) >= sizeof(addr.sun_path)) {
        end(c, "the socket's path is too long");
        return;
    }
    memcpy(addr.sun_path, path, strlen(path) + 1);
    /* A unix socket connects at once or fails. EAGAIN (its queue is full)
     * counts as a failure, because our callers try again anyway. */
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        end(c, strerror(errno));
}

static void send_some(struct conn *c)
{
    ssize_t n = send(c->fd, c->out.s, c->out.len, MSG_NOSIGNAL);

    if (n > 0)
        str_drop(&c->out, (size_t)n);
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        end(c, strerror(errno));
}

static void read_some(struct conn *c)
{
    char buf[16384];
    ssize_t n = recv(c->fd, buf, sizeof(buf), 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        llhttp_execute(&c->parser, buf, (size_t)n);
    else if (n == 0)
        llhttp_finish(&c->parser);
    if (c->whole)
        end(c, "");
    else if (n < 0)
        end(c, strerror(errno));
    else if (n == 0)
        end(c, "the answer was cut short");
    else if (llhttp_get_errno(&c->parser) != HPE_OK)
        end(c, "that is no HTTP answer");
}

/* Begins waiting calls in the free places; returns how many are in progress. */
static size_t begin_waiting(struct conn *conns, const char *path,
                            struct http_call *calls, size_t count, size_t *next,
                            int timeout_ms)
{
    size_t busy = 0;

    for (size_t i = 0; i < HTTP_AT_ONCE; i++) {
        while (conns[i].call == NULL && *next < count)
            begin(&conns[i], path, &calls[(*next)++], timeout_ms);
        busy += conns[i].call != NULL;
    }
    return busy;
}

static void wait_and_handle(struct conn *conns)
{
    struct pollfd p[HTTP_AT_ONCE];
    int64_t now;

    for (size_t i = 0; i < HTTP_AT_ONCE; i++) {
        bool busy = conns[i].call != NULL;

        p[i].fd = busy ? conns[i].fd : -1;
        p[i].events = busy && conns[i].out.len > 0 ? POLLOUT : POLLIN;
        p[i].revents = 0;
    }
    poll(p, HTTP_AT_ONCE, 100); /* not for ever, because of the deadlines */
    now = clock_ms();
    for (size_t i = 0; i < HTTP_AT_ONCE; i++) {
        if (conns[i].call == NULL)
            continue;
        if (p[i].revents != 0 && p[i].events == POLLOUT)
            send_some(&conns[i]);
        else if (p[i].revents != 0)
            read_some(&conns[i]);
        else if (now >= conns[i].deadline)
            end(&conns[i], "no answer in time");
    }
}

void http_run(const char *socket_path, struct http_call *calls, size_t count,
              int timeout_ms)
{
    struct conn conns[HTTP_AT_ONCE] = { 0 };
    size_t next = 0;

    while (begin_waiting(conns, socket_path, calls, count, &next, timeout_ms) >
           0)
        wait_and_handle(conns);
}

void http_release(struct http_call *call)
{
    str_release(&call->body);
    call->status = 0;
}
