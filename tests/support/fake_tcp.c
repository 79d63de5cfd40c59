#include "support/fake_tcp.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define MAX_PEERS 512

struct peer {
    uv_tcp_t tcp;
    uv_timer_t timer;
    struct fake_tcp *fake;
    const struct fake_answer *answer;
    size_t sent;
    bool spoke;
    uv_write_t write; /* of what is said again and again */
};

struct fake_tcp {
    uv_tcp_t listener;
    const struct fake_answer *answers;
    int count;
    struct peer *peers[MAX_PEERS];
    int conns;
    int handles; /* not closed yet; with the last one all is freed */
    char request[4096];
    size_t request_len;
    const struct peer *asker;
};

static void on_connection(uv_stream_t *server, int status);
static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);
static void speak(struct peer *p);
static void on_tick(uv_timer_t *timer);
static void say_again(struct peer *p);
static void on_said(uv_write_t *req, int status);
static void peer_close(struct peer *p);
static void on_peer_closed(uv_handle_t *h);
static void on_timer_closed(uv_handle_t *h);
static void on_listener_closed(uv_handle_t *h);

struct fake_tcp *fake_tcp_new(uv_loop_t *loop, int port,
                              const struct fake_answer *answers, int count)
{
    struct fake_tcp *f = xcalloc(1, sizeof(*f));
    struct sockaddr_in addr;

    f->answers = answers;
    f->count = count;
    uv_ip4_addr("127.0.0.1", port, &addr);
    uv_tcp_init(loop, &f->listener);
    f->handles = 1;
    if (uv_tcp_bind(&f->listener, (struct sockaddr *)&addr, 0) < 0 ||
        uv_listen((uv_stream_t *)&f->listener, 16, on_connection) < 0)
        abort();
    return f;
}

void fake_tcp_close(struct fake_tcp *f)
{
    for (int i = 0; i < f->conns; i++)
        peer_close(f->peers[i]);
    uv_close((uv_handle_t *)&f->listener, on_listener_closed);
}

int fake_tcp_port(const struct fake_tcp *f)
{
    struct sockaddr_in addr;
    int len = sizeof(addr);

    if (uv_tcp_getsockname(&f->listener, (struct sockaddr *)&addr, &len) < 0)
        abort();
    return ntohs(addr.sin_port);
}

int fake_tcp_conns(const struct fake_tcp *f)
{
    return f->conns;
}

int fake_tcp_open(const struct fake_tcp *f)
{
    int open = 0;

    for (int i = 0; i < f->conns; i++)
        open += !uv_is_closing((uv_handle_t *)&f->peers[i]->tcp);
    return open;
}

const char *fake_tcp_request(const struct fake_tcp *f, size_t *len)
{
    *len = f->request_len;
    return f->request;
}

int fake_tcp_dead_port(void)
{
    struct sockaddr_in addr = { .sin_family = AF_INET };
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
        abort();
    close(fd);
    return ntohs(addr.sin_port);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct fake_tcp *f = container_of(server, struct fake_tcp, listener);
    struct peer *p = xcalloc(1, sizeof(*p));
    int script = f->conns < f->count ? f->conns : f->count - 1;

    if (status < 0 || f->conns == MAX_PEERS)
        abort();
    p->fake = f;
    p->answer = &f->answers[script];
    f->peers[f->conns++] = p;
    uv_tcp_init(server->loop, &p->tcp);
    uv_timer_init(server->loop, &p->timer);
    f->handles += 2;
    uv_accept(server, (uv_stream_t *)&p->tcp);
    uv_read_start((uv_stream_t *)&p->tcp, on_alloc, on_read);
    if (!p->answer->asks_first)
        speak(p);
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
    struct peer *p = container_of(h, struct peer, tcp);
    struct fake_tcp *f = p->fake;

    (void)hint;
    if (f->asker != p)
        f->request_len = 0;
    f->asker = p;
    *buf = uv_buf_init(f->request + f->request_len,
                       (unsigned)(sizeof(f->request) - f->request_len - 1));
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct peer *p = container_of(stream, struct peer, tcp);

    (void)buf;
    if (nread < 0) {
        peer_close(p);
        return;
    }
    p->fake->request_len += (size_t)nread;
    p->fake->request[p->fake->request_len] = '\0';
    if (nread > 0 && p->answer->asks_first && !p->spoke)
        speak(p);
}

static size_t answer_len(const struct fake_answer *a)
{
    if (a->data == NULL)
        return 0;
    return a->len > 0 ? a->len : strlen(a->data);
}

static void say(struct peer *p, size_t len)
{
    uv_buf_t buf =
        uv_buf_init((char *)p->answer->data + p->sent, (unsigned)len);

    if (len > 0)
        uv_try_write((uv_stream_t *)&p->tcp, &buf, 1);
    p->sent += len;
    if (p->sent < answer_len(p->answer))
        return;
    if (p->answer->again != NULL)
        say_again(p);
    else if (!p->answer->hold)
        peer_close(p);
}

static void say_again(struct peer *p)
{
    uv_buf_t buf = uv_buf_init((char *)p->answer->again,
                               (unsigned)strlen(p->answer->again));

    uv_write(&p->write, (uv_stream_t *)&p->tcp, &buf, 1, on_said);
}

/* The client's going away ends it. */
static void on_said(uv_write_t *req, int status)
{
    struct peer *p = container_of(req, struct peer, write);

    if (status == 0 && !uv_is_closing((uv_handle_t *)&p->tcp))
        say_again(p);
}

static void speak(struct peer *p)
{
    p->spoke = true;
    if (p->answer->in_bytes)
        uv_timer_start(&p->timer, on_tick, 1, 1);
    else
        say(p, answer_len(p->answer));
}

static void on_tick(uv_timer_t *timer)
{
    struct peer *p = container_of(timer, struct peer, timer);

    if (p->sent < answer_len(p->answer))
        say(p, 1);
    else
        uv_timer_stop(timer);
}

/* The memory stays until the server goes, which counts its peers. */
static void peer_close(struct peer *p)
{
    if (uv_is_closing((uv_handle_t *)&p->tcp))
        return;
    uv_close((uv_handle_t *)&p->tcp, on_peer_closed);
    uv_close((uv_handle_t *)&p->timer, on_timer_closed);
}

static void close_one(struct fake_tcp *f)
{
    if (--f->handles > 0)
        return;
    for (int i = 0; i < f->conns; i++)
        free(f->peers[i]);
    free(f);
}

static void on_peer_closed(uv_handle_t *h)
{
    close_one(container_of(h, struct peer, tcp)->fake);
}

static void on_timer_closed(uv_handle_t *h)
{
    close_one(container_of(h, struct peer, timer)->fake);
}

static void on_listener_closed(uv_handle_t *h)
{
    close_one(container_of(h, struct fake_tcp, listener));
}
