#include "probe/health.h"

#include <llhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "probe/tls_probe.h"

/* Of an answer's body so much is read, to leave politely: a server whose
 * client hangs up in the middle tells its log about it. */
#define DRAIN_MAX ((size_t)1 << 20)

/* An interval of 0 must not become a flood. */
#define INTERVAL_MIN_MS 50U

enum ask_state {
    ASK_WAITING,
    ASK_CONNECTING,
    ASK_READING,
    ASK_DRAINING, /* the verdict is known */
    ASK_CLOSING,
};

enum verdict { VERDICT_NONE, VERDICT_WELL, VERDICT_UNWELL };

struct health {
    uv_timer_t timer; /* of the wait, or of the attempt */
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct sockaddr_storage addr;
    bool bad_addr, https, tcp_open, over;
    int handles;
    unsigned grace_ms, interval_ms, timeout_ms, wait_ms;
    health_cb on_change;
    void *user;

    enum ask_state state;
    struct str request;
    struct tls_probe *tls;
    llhttp_t parser;
    llhttp_settings_t settings;
    bool complete; /* the whole answer is here */
    size_t received;
    char in[16384];

    enum verdict verdict;
    bool was_well;
    int failures;
    uint64_t started, counted;       /* counted: when the last failure was */
    uint64_t connected_ns, spoke_ns; /* by uv_hrtime() */
    char why[160];
};

/* It waits, connects, asks and reads; the head of the answer is the verdict,
 * the rest is drained; the close callback waits for the next turn. */
static void on_timer(uv_timer_t *timer);
static void ask(struct health *h);
static void on_connect(uv_connect_t *req, int status);
static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf);
static void on_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf);
static int on_head(llhttp_t *parser);
static int on_complete(llhttp_t *parser);
static void on_tcp_closed(uv_handle_t *handle);
static void on_timer_closed(uv_handle_t *handle);

/* A path comes from the manifest: nothing in it may end the request's line. */
static void make_request(struct str *out, const char *path)
{
    str_add(out, "GET ");
    if (*path != '/')
        str_add_char(out, '/');
    for (; *path != '\0'; path++) {
        unsigned char c = (unsigned char)*path;

        if (c <= 0x20 || c >= 0x7f)
            str_printf(out, "%%%02X", c);
        else
            str_add_char(out, *path);
    }
    str_add(out, " HTTP/1.1\r\n"
                 "Host: localhost\r\n"
                 "User-Agent: cvx-health\r\n"
                 "Accept: */*\r\n"
                 "Connection: close\r\n\r\n");
}

static bool to_address(const struct health_spec *spec,
                       struct sockaddr_storage *to)
{
    return uv_ip4_addr(spec->host, spec->port, (struct sockaddr_in *)to) == 0 ||
           uv_ip6_addr(spec->host, spec->port, (struct sockaddr_in6 *)to) == 0;
}

struct health *health_start(uv_loop_t *loop, const struct health_spec *spec)
{
    struct health *h = xcalloc(1, sizeof(*h));

    h->bad_addr = !to_address(spec, &h->addr);
    h->https = spec->scheme != NULL && strcmp(spec->scheme, "https") == 0;
    h->grace_ms = spec->grace_ms;
    h->interval_ms = spec->interval_ms > INTERVAL_MIN_MS ? spec->interval_ms
                                                         : INTERVAL_MIN_MS;
    h->timeout_ms = spec->timeout_ms > 0 ? spec->timeout_ms : 1;
    h->wait_ms = spec->fast_ms > 0 ? spec->fast_ms : HEALTH_FAST_MS;
    h->on_change = spec->on_change;
    h->user = spec->user;
    make_request(&h->request, spec->path);
    llhttp_settings_init(&h->settings);
    h->settings.on_headers_complete = on_head;
    h->settings.on_message_complete = on_complete;
    h->started = uv_now(loop);
    h->handles = 1;
    uv_timer_init(loop, &h->timer);
    uv_timer_start(&h->timer, on_timer, 0, 0);
    return h;
}

static void set_state(struct health *h, enum ask_state state)
{
    static const char *const names[] = { "WAITING", "CONNECTING", "READING",
                                         "DRAINING", "CLOSING" };

    log_debug("health", "%s -> %s", names[h->state], names[state]);
    h->state = state;
}

static void tell(struct health *h, enum verdict verdict, const char *why)
{
    if (h->verdict == verdict)
        return;
    h->verdict = verdict;
    h->on_change(verdict == VERDICT_WELL, why, h->user);
}

static bool counts(const struct health *h, uint64_t now)
{
    return now - h->started >= h->grace_ms &&
           (h->failures == 0 || now - h->counted >= h->interval_ms);
}

/* The verdict of one attempt. The caller may be cancelled when it returns. */
static void judge(struct health *h, bool well, const char *why)
{
    uint64_t now = uv_now(h->timer.loop);

    if (well) {
        h->was_well = true;
        h->failures = 0;
        h->why[0] = '\0';
        tell(h, VERDICT_WELL, why);
        return;
    }
    snprintf(h->why, sizeof(h->why), "%s", why);
    if (!counts(h, now))
        return;
    h->counted = now;
    if (h->failures < HEALTH_FAILURES)
        h->failures++;
    if (h->failures == HEALTH_FAILURES)
        tell(h, VERDICT_UNWELL, h->why);
}

static void end_attempt(struct health *h)
{
    if (h->over || h->state == ASK_CLOSING)
        return;
    set_state(h, ASK_CLOSING);
    uv_timer_stop(&h->timer);
    uv_close((uv_handle_t *)&h->tcp, on_tcp_closed);
}

/* Failures after the verdict was had are no news. */
static void fail(struct health *h, const char *why)
{
    if (h->state == ASK_CONNECTING || h->state == ASK_READING)
        judge(h, false, why);
    end_attempt(h);
}

static void on_timer(uv_timer_t *timer)
{
    struct health *h = container_of(timer, struct health, timer);
    char why[64];

    if (h->state == ASK_WAITING) {
        ask(h);
        return;
    }
    snprintf(why, sizeof(why), "no answer within %u ms", h->timeout_ms);
    fail(h, why);
}

static void ask(struct health *h)
{
    int rc = UV_EINVAL;

    set_state(h, ASK_CONNECTING);
    h->received = 0;
    h->complete = false;
    llhttp_init(&h->parser, HTTP_RESPONSE, &h->settings);
    uv_tcp_init(h->timer.loop, &h->tcp);
    h->tcp_open = true;
    h->handles++;
    uv_timer_start(&h->timer, on_timer, h->timeout_ms, 0);
    if (!h->bad_addr)
        rc = uv_tcp_connect(&h->connect, &h->tcp, (struct sockaddr *)&h->addr,
                            on_connect);
    if (rc < 0)
        fail(h, h->bad_addr ? "not an address" : uv_strerror(rc));
}

/* A request and a TLS flight are small: a fresh connection takes them whole. */
static void send_all(struct health *h, const char *data, size_t len)
{
    uv_buf_t buf = uv_buf_init((char *)data, (unsigned)len);
    int sent;

    if (len == 0)
        return;
    sent = uv_try_write((uv_stream_t *)&h->tcp, &buf, 1);
    if (sent < 0)
        fail(h, uv_strerror(sent));
    else if ((size_t)sent < len)
        fail(h, "the server takes no request");
}

static void parse(struct health *h, const char *data, size_t len)
{
    enum llhttp_errno rc = llhttp_execute(&h->parser, data, len);

    if (h->over)
        return;
    if (h->complete)
        end_attempt(h);
    else if (rc == HPE_PAUSED_UPGRADE)
        fail(h, "HTTP 101");
    else if (rc != HPE_OK)
        fail(h, "the answer is not HTTP");
    else if (h->received > DRAIN_MAX)
        fail(h, "the head of the answer has no end");
}

static void feed_tls(struct health *h, const char *data, size_t len)
{
    cleanup_str struct str plain = { 0 }, out = { 0 };
    struct err err = { 0 };
    int rc = tls_probe_feed(h->tls, data, len, &plain, &err);

    tls_probe_take(h->tls, &out);
    send_all(h, out.s, out.len);
    if (plain.len > 0 && !h->over && h->state != ASK_CLOSING)
        parse(h, plain.s, plain.len);
    if (rc < 0 && !h->over)
        fail(h, err.msg);
}

static void on_connect(uv_connect_t *req, int status)
{
    struct health *h = container_of(req, struct health, connect);

    if (h->over || h->state != ASK_CONNECTING)
        return;
    if (status < 0) {
        fail(h, uv_strerror(status));
        return;
    }
    h->connected_ns = uv_hrtime();
    set_state(h, ASK_READING);
    uv_read_start((uv_stream_t *)&h->tcp, on_alloc, on_read);
    if (h->https) {
        h->tls = tls_probe_new(str_c(&h->request));
        feed_tls(h, "", 0);
    } else {
        send_all(h, h->request.s, h->request.len);
    }
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    struct health *h = container_of(handle, struct health, tcp);

    (void)hint;
    *buf = uv_buf_init(h->in, sizeof(h->in));
}

static void on_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf)
{
    struct health *h = container_of(s, struct health, tcp);

    (void)buf;
    if (nread < 0) {
        fail(h, h->received > 0
                    ? "the connection was closed in mid-answer"
                    : "the connection was closed without an answer");
        return;
    }
    if (h->spoke_ns == 0 && nread > 0)
        h->spoke_ns = h->connected_ns;
    h->received += (size_t)nread;
    if (h->https)
        feed_tls(h, h->in, (size_t)nread);
    else
        parse(h, h->in, (size_t)nread);
}

static int on_head(llhttp_t *parser)
{
    struct health *h = container_of(parser, struct health, parser);
    unsigned status = parser->status_code;
    char why[32];

    if (h->state != ASK_READING || status < 200)
        return 0; /* 1xx: the answer is still to come */
    snprintf(why, sizeof(why), "HTTP %u", status);
    set_state(h, ASK_DRAINING);
    judge(h, status < 400, why);
    return 0;
}

static int on_complete(llhttp_t *parser)
{
    struct health *h = container_of(parser, struct health, parser);

    h->complete = h->state == ASK_DRAINING;
    return 0;
}

static void close_one(struct health *h)
{
    if (--h->handles > 0)
        return;
    tls_probe_free(h->tls);
    str_release(&h->request);
    free(h);
}

static unsigned next_wait(struct health *h)
{
    unsigned wait = h->wait_ms;

    if (h->was_well)
        return h->interval_ms;
    h->wait_ms =
        wait * 2 > HEALTH_FAST_LAST_MS ? HEALTH_FAST_LAST_MS : wait * 2;
    return wait;
}

static void on_tcp_closed(uv_handle_t *handle)
{
    struct health *h = container_of(handle, struct health, tcp);

    h->tcp_open = false;
    if (!h->over) {
        tls_probe_free(h->tls);
        h->tls = NULL;
        set_state(h, ASK_WAITING);
        uv_timer_start(&h->timer, on_timer, next_wait(h), 0);
    }
    close_one(h);
}

static void on_timer_closed(uv_handle_t *handle)
{
    close_one(container_of(handle, struct health, timer));
}

void health_cancel(struct health *h)
{
    if (h == NULL || h->over)
        return;
    h->over = true;
    uv_close((uv_handle_t *)&h->timer, on_timer_closed);
    if (h->tcp_open && !uv_is_closing((uv_handle_t *)&h->tcp))
        uv_close((uv_handle_t *)&h->tcp, on_tcp_closed);
}

const char *health_last_error(const struct health *h)
{
    return h->why;
}

uint64_t health_connected_ns(const struct health *h)
{
    return h->spoke_ns;
}
