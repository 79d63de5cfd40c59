/*
 * Asks one service over HTTP or HTTPS whether it is well. run/ starts one of
 * these for every service with a health check when its container runs, and
 * cancels it when the container ends. The requests are httpc's; this file knows
 * when to ask and what an answer means.
 */
#include "probe/health.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/percent.h"
#include "base/str.h"
#include "net/httpc.h"

/* How much of an answer's body is read. Nobody wants it, but many servers write
 * to their log when a client hangs up in the middle. */
#define DISCARD_MAX ((size_t)1 << 20)

/* The shortest interval: one of 0 would flood the service with requests. */
#define INTERVAL_MIN_MS 50U

/* What stays as it is in a path: all that is printable but a blank and '#'. */
#define PATH_KEPT "!\"$%&'()*+,/:;<=>?@[\\]^`{|}"

enum ask_state {
    ASK_WAITING, /* for the time of the next request */
    ASK_ASKING,  /* for the head of the answer, which is the verdict */
    ASK_DRAINING /* for the end of its body */
};

enum verdict { VERDICT_NONE, VERDICT_WELL, VERDICT_UNWELL };

struct health {
    uv_timer_t timer;     /* until the next request */
    struct httpc *client; /* of the request in flight; NULL: there is none */
    struct httpc_req *req;
    int handles;    /* the timer and clients that are not closed yet */
    bool over;      /* cancelled: no callback from now on */
    char *endpoint; /* NULL: the host is no address */
    bool tls;
    char *path;
    unsigned grace_ms, interval_ms, timeout_ms, wait_ms;
    health_cb on_change;
    void *user;

    enum ask_state state;
    enum verdict verdict;
    bool was_well;
    int failures;              /* in a row, those that count */
    uint64_t started, counted; /* counted: when the last failure was */
    uint64_t connected_ns;     /* of the first answer, by uv_hrtime() */
    char why[160];
};

/* In order of time; after the answer the timer waits for the next request. */
static void on_timer(uv_timer_t *timer);
static void ask(struct health *h);
static void on_head(struct httpc_req *req, long status, void *user);
static void on_done(const struct httpc_res *res, const struct err *err,
                    void *user);
static void on_client_closed(void *user);
static void on_timer_closed(uv_handle_t *handle);

/* A path comes from the manifest, encoded or not: nothing in it may end the
 * line of the request, and '#' would end the path of a URL. */
static char *path_of(const char *path)
{
    struct str out = { 0 };

    if (*path != '/')
        str_add_char(&out, '/');
    percent_encode(&out, path, PATH_KEPT);
    return str_take(&out);
}

/* For httpc_new(); NULL when the host is no address: a name would have to be
 * looked up. */
static char *endpoint_of(const struct health_spec *spec)
{
    unsigned char addr[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET6, spec->host, addr) == 1)
        return xasprintf("http://[%s]:%d", spec->host, spec->port);
    if (inet_pton(AF_INET, spec->host, addr) == 1)
        return xasprintf("http://%s:%d", spec->host, spec->port);
    return NULL;
}

struct health *health_start(uv_loop_t *loop, const struct health_spec *spec)
{
    struct health *h = xcalloc(1, sizeof(*h));

    h->path = path_of(spec->path);
    h->grace_ms = spec->grace_ms;
    h->interval_ms = spec->interval_ms > INTERVAL_MIN_MS ? spec->interval_ms
                                                         : INTERVAL_MIN_MS;
    h->timeout_ms = spec->timeout_ms > 0 ? spec->timeout_ms : 1;
    h->wait_ms = spec->fast_ms > 0 ? spec->fast_ms : HEALTH_FAST_MS;
    h->on_change = spec->on_change;
    h->user = spec->user;
    h->started = uv_now(loop);
    h->endpoint = endpoint_of(spec);
    h->tls = spec->scheme != NULL && strcmp(spec->scheme, "https") == 0;
    h->handles = 1;
    uv_timer_init(loop, &h->timer);
    uv_timer_start(&h->timer, on_timer, 0, 0);
    return h;
}

static void set_state(struct health *h, enum ask_state state)
{
    static const char *const names[] = { "WAITING", "ASKING", "DRAINING" };

    log_debug("health", "%s -> %s", names[h->state], names[state]);
    h->state = state;
}

/* ---- the verdict --------------------------------------------------------- */

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

/* The owner may cancel while it is told, so `h->over` is to be looked at
 * afterwards. */
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

/* ---- one request --------------------------------------------------------- */

static unsigned next_wait(struct health *h)
{
    unsigned wait = h->wait_ms;

    if (h->was_well)
        return h->interval_ms;
    h->wait_ms =
        wait * 2 > HEALTH_FAST_LAST_MS ? HEALTH_FAST_LAST_MS : wait * 2;
    return wait;
}

static void wait_for_next(struct health *h)
{
    if (h->over)
        return;
    set_state(h, ASK_WAITING);
    uv_timer_start(&h->timer, on_timer, next_wait(h), 0);
}

/* Each request has a client of its own. One that is kept between requests,
 * which are seconds apart, would hold 60 kB and two descriptors for nothing. */
static int open_client(struct health *h, struct err *err)
{
    static const struct httpc_tls any = { .unverified = "localhost" };

    if (h->endpoint == NULL)
        return err_set(err, ERR_INVALID, "not an address");
    if (httpc_new(&h->client, h->timer.loop, h->endpoint, h->tls ? &any : NULL,
                  err) < 0)
        return -1;
    h->handles++;
    return 0;
}

static void close_client(struct health *h)
{
    struct httpc *client = h->client;

    h->client = NULL;
    h->req = NULL;
    if (client != NULL)
        httpc_close(client, on_client_closed, h);
}

static void on_timer(uv_timer_t *timer)
{
    struct health *h = container_of(timer, struct health, timer);
    struct err err;

    if (open_client(h, &err) == 0) {
        ask(h);
        return;
    }
    judge(h, false, err.msg);
    wait_for_next(h);
}

static void ask(struct health *h)
{
    static const char *const headers[] = { "Host: localhost",
                                           "User-Agent: cvx-health",
                                           "Accept: */*", "Connection: close",
                                           NULL };

    set_state(h, ASK_ASKING);
    h->req = httpc_start(h->client,
                         &(struct httpc_spec){ .method = "GET",
                                               .path = h->path,
                                               .headers = headers,
                                               .timeout_ms = h->timeout_ms,
                                               .discard_max = DISCARD_MAX,
                                               .on_head = on_head,
                                               .on_done = on_done,
                                               .user = h });
}

static void on_head(struct httpc_req *req, long status, void *user)
{
    struct health *h = user;
    char why[32];

    if (h->connected_ns == 0)
        h->connected_ns = httpc_connected_ns(req);
    set_state(h, ASK_DRAINING);
    snprintf(why, sizeof(why), "HTTP %ld", status);
    /* 101 as well is no answer to a GET. */
    judge(h, status >= 200 && status < 400, why);
}

static void describe(const struct health *h, char *out, size_t size)
{
    struct httpc_why why = httpc_why(h->req);
    const char *text = why.text;

    switch (why.what) {
    case HTTPC_NOT_CONNECTED:
        if (why.os_errno != 0)
            text = uv_strerror(uv_translate_sys_error(why.os_errno));
        break;
    case HTTPC_NO_TLS:
        snprintf(out, size, "TLS: %s", text);
        return;
    case HTTPC_NO_ANSWER:
        text = "the connection was closed without an answer";
        break;
    case HTTPC_CUT_SHORT:
        text = "the connection was closed in mid-answer";
        break;
    case HTTPC_NOT_HTTP:
        text = "the answer is not HTTP";
        break;
    case HTTPC_HEAD_TOO_LARGE:
        text = "the head of the answer has no end";
        break;
    case HTTPC_TOO_LATE:
        snprintf(out, size, "no answer within %u ms", h->timeout_ms);
        return;
    case HTTPC_FAILED:
        break;
    }
    snprintf(out, size, "%s", text);
}

/* The head was the verdict; how the body ends does not matter. */
static void on_done(const struct httpc_res *res, const struct err *err,
                    void *user)
{
    struct health *h = user;
    char why[sizeof(h->why)];

    (void)res;
    if (err != NULL && h->state == ASK_ASKING) {
        describe(h, why, sizeof(why));
        judge(h, false, why);
    }
    if (h->over)
        return;
    close_client(h);
    wait_for_next(h);
}

/* ---- the end ------------------------------------------------------------- */

static void close_one(struct health *h)
{
    if (--h->handles > 0)
        return;
    free(h->endpoint);
    free(h->path);
    free(h);
}

static void on_client_closed(void *user)
{
    close_one(user);
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
    close_client(h);
}

const char *health_last_error(const struct health *h)
{
    return h->why;
}

uint64_t health_connected_ns(const struct health *h)
{
    return h->connected_ns;
}
