/* Connects to a resource again and again until it answers in its own protocol.
 * run/ starts one of these when a resource's container runs. */
#include "probe/ready.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "probe/handshake.h"

/* Waits between attempts; they double up to the last. A refused connection is
 * cheap for everybody, so it is tried again soon. A connection that
 * docker-proxy accepts makes it try to reach the server, which is not. */
#define FIRST_WAIT_MS        2U
#define LAST_WAIT_MS         50U
#define LAST_WAIT_REFUSED_MS 10U

/* What the last attempt has seen, in the order of how much it tells about the
 * server: of two targets the one that tells more is reported. A refusal tells
 * more than a closed connection, which docker-proxy gives at any time. */
enum seen {
    SEEN_NONE,
    SEEN_UNREACHABLE,
    SEEN_CLOSED,
    SEEN_SILENT,
    SEEN_REFUSED,
    SEEN_ANSWERED,
};

enum try_state { TRY_WAITING, TRY_CONNECTING, TRY_ASKING, TRY_CLOSING };

/* One target: one attempt after the other, with the same handles. */
struct target {
    struct ready *ready;
    struct sockaddr_storage addr;
    uv_timer_t timer; /* until the next attempt, or for its timeout */
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    bool used, tcp_open;
    enum try_state state;
    unsigned wait_ms;
    enum seen seen;
    char why[160];
    uint64_t first_ns, last_ns; /* its first and last connection */
    char in[HANDSHAKE_MAX];
    size_t in_len;
};

struct ready {
    struct target targets[READY_TARGETS];
    enum plan_probe probe;
    unsigned timeout_ms;
    ready_cb on_ready;
    void *user;
    bool over;   /* answered or cancelled: only closing is left */
    int handles; /* not closed yet */
};

/* A target waits, connects, asks and reads; whatever goes wrong closes the
 * connection, and its close callback waits again. */
static void on_timer(uv_timer_t *timer);
static void try_connect(struct target *t);
static void on_connect(uv_connect_t *req, int status);
static void on_write(uv_write_t *req, int status);
static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf);
static void on_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf);
static void on_tcp_closed(uv_handle_t *h);
static void on_timer_closed(uv_handle_t *h);

static int to_address(const struct ready_target *from,
                      struct sockaddr_storage *to)
{
    const char *host =
        strcmp(from->host, "localhost") == 0 ? "127.0.0.1" : from->host;

    if (uv_ip4_addr(host, from->port, (struct sockaddr_in *)to) == 0)
        return 0;
    return uv_ip6_addr(host, from->port, (struct sockaddr_in6 *)to);
}

static void add_target(struct ready *r, uv_loop_t *loop, struct target *t,
                       const struct ready_target *from)
{
    t->ready = r;
    t->wait_ms = FIRST_WAIT_MS;
    if (to_address(from, &t->addr) < 0) {
        t->seen = SEEN_UNREACHABLE;
        snprintf(t->why, sizeof(t->why), "not an address: %s", from->host);
        return;
    }
    t->used = true;
    uv_timer_init(loop, &t->timer);
    r->handles++;
    uv_timer_start(&t->timer, on_timer, 0, 0);
}

struct ready *ready_start(uv_loop_t *loop, const struct ready_spec *spec)
{
    struct ready *r = xcalloc(1, sizeof(*r));

    r->probe = spec->probe;
    r->timeout_ms = spec->attempt_timeout_ms > 0 ? spec->attempt_timeout_ms
                                                 : READY_ATTEMPT_MS;
    r->on_ready = spec->on_ready;
    r->user = spec->user;
    for (size_t i = 0; i < READY_TARGETS; i++)
        if (spec->targets[i].host != NULL)
            add_target(r, loop, &r->targets[i], &spec->targets[i]);
    return r;
}

static void set_state(struct target *t, enum try_state state)
{
    static const char *const names[] = { "WAITING", "CONNECTING", "ASKING",
                                         "CLOSING" };

    log_debug("ready", "target %d: %s -> %s", (int)(t - t->ready->targets) + 1,
              names[t->state], names[state]);
    t->state = state;
}

static void fail(struct target *t, enum seen seen, const char *why)
{
    if (t->state == TRY_CLOSING)
        return;
    if (why != t->why)
        snprintf(t->why, sizeof(t->why), "%s", why);
    t->seen = seen;
    set_state(t, TRY_CLOSING);
    uv_timer_stop(&t->timer);
    uv_close((uv_handle_t *)&t->tcp, on_tcp_closed);
}

static void on_timer(uv_timer_t *timer)
{
    struct target *t = container_of(timer, struct target, timer);
    char why[64];

    if (t->state == TRY_WAITING) {
        try_connect(t);
        return;
    }
    snprintf(why, sizeof(why), "no answer within %u ms", t->ready->timeout_ms);
    fail(t, t->state == TRY_CONNECTING ? SEEN_UNREACHABLE : SEEN_SILENT, why);
}

static void try_connect(struct target *t)
{
    int rc;

    t->in_len = 0;
    set_state(t, TRY_CONNECTING);
    uv_tcp_init(t->timer.loop, &t->tcp);
    t->tcp_open = true;
    t->ready->handles++;
    uv_timer_start(&t->timer, on_timer, t->ready->timeout_ms, 0);
    rc = uv_tcp_connect(&t->connect, &t->tcp, (struct sockaddr *)&t->addr,
                        on_connect);
    if (rc < 0)
        fail(t, SEEN_UNREACHABLE, uv_strerror(rc));
}

/* Closes everything. The memory is freed in the last close callback, in a later
 * turn of the loop, so the owner can still be called back in this one. */
static void finish(struct ready *r)
{
    r->over = true;
    for (size_t i = 0; i < READY_TARGETS; i++) {
        struct target *t = &r->targets[i];

        if (!t->used)
            continue;
        uv_close((uv_handle_t *)&t->timer, on_timer_closed);
        if (t->tcp_open && !uv_is_closing((uv_handle_t *)&t->tcp))
            uv_close((uv_handle_t *)&t->tcp, on_tcp_closed);
    }
}

static void judge(struct target *t)
{
    struct ready *r = t->ready;
    char why[sizeof(t->why)] = "";

    switch (handshake_answer(r->probe, t->in, t->in_len, why, sizeof(why))) {
    case HANDSHAKE_READY:
        finish(r);
        r->on_ready(r->user);
        break;
    case HANDSHAKE_NOT_YET:
        fail(t, SEEN_ANSWERED, why);
        break;
    case HANDSHAKE_MORE:
        if (t->in_len == sizeof(t->in))
            fail(t, SEEN_ANSWERED, "an answer without end");
        break;
    }
}

static void on_connect(uv_connect_t *req, int status)
{
    struct target *t = container_of(req, struct target, connect);
    uv_buf_t buf;
    size_t len;

    if (t->ready->over)
        return;
    if (status < 0) {
        fail(t, status == UV_ECONNREFUSED ? SEEN_REFUSED : SEEN_UNREACHABLE,
             uv_strerror(status));
        return;
    }
    t->last_ns = uv_hrtime();
    if (t->first_ns == 0)
        t->first_ns = t->last_ns;
    set_state(t, TRY_ASKING);
    uv_read_start((uv_stream_t *)&t->tcp, on_alloc, on_read);
    buf.base = (char *)handshake_question(t->ready->probe, &len);
    buf.len = len;
    if (len > 0)
        uv_write(&t->write, (uv_stream_t *)&t->tcp, &buf, 1, on_write);
    judge(t); /* with PROBE_NONE a connection is enough */
}

/* A failed write is ignored: on_read() sees the broken connection as well. */
static void on_write(uv_write_t *req, int status)
{
    (void)req;
    (void)status;
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
    struct target *t = container_of(h, struct target, tcp);

    (void)hint;
    *buf =
        uv_buf_init(t->in + t->in_len, (unsigned)(sizeof(t->in) - t->in_len));
}

static void on_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf)
{
    struct target *t = container_of(s, struct target, tcp);

    (void)buf;
    if (nread > 0) {
        t->in_len += (size_t)nread;
        judge(t);
    } else if (nread < 0) {
        fail(t, SEEN_CLOSED,
             t->in_len > 0 ? "the connection was closed in mid-answer"
                           : "the connection was closed without an answer");
    }
}

static void close_one(struct ready *r)
{
    r->handles--;
    if (r->over && r->handles == 0)
        free(r);
}

static unsigned next_wait(const struct target *t)
{
    unsigned last =
        t->seen == SEEN_REFUSED ? LAST_WAIT_REFUSED_MS : LAST_WAIT_MS;

    return t->wait_ms * 2 > last ? last : t->wait_ms * 2;
}

static void on_tcp_closed(uv_handle_t *h)
{
    struct target *t = container_of(h, struct target, tcp);

    t->tcp_open = false;
    if (!t->ready->over) {
        set_state(t, TRY_WAITING);
        uv_timer_start(&t->timer, on_timer, t->wait_ms, 0);
        t->wait_ms = next_wait(t);
    }
    close_one(t->ready);
}

static void on_timer_closed(uv_handle_t *h)
{
    close_one(container_of(h, struct target, timer)->ready);
}

void ready_cancel(struct ready *r)
{
    if (r == NULL || r->over)
        return;
    finish(r);
    if (r->handles == 0) /* it never had a usable target */
        free(r);
}

const char *ready_last_error(const struct ready *r)
{
    const struct target *best = &r->targets[0];

    for (size_t i = 1; i < READY_TARGETS; i++)
        if (r->targets[i].seen > best->seen)
            best = &r->targets[i];
    return best->seen == SEEN_NONE ? "no attempt has ended yet" : best->why;
}

/* docker-proxy takes connections long before the server does. So the first
 * connection counts only for the first target, which is the server itself; for
 * the other one it is the connection that was answered. */
uint64_t ready_connected_ns(const struct ready *r)
{
    const struct target *server = &r->targets[0];

    return server->first_ns > 0 ? server->first_ns : r->targets[1].last_ns;
}
