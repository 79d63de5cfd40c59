/* A blocking HTTP/1.1 client for rackd's unix socket, parsed by llhttp. cvx
 * does not use libcurl, which would cost it 7 ms at every start. */
#include "cli/http.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "cli/when.h"

#define READ_SIZE ((size_t)128 << 10)

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct http *h = container_of(parser, struct http, parser);

    if (h->body.len - h->taken + len > HTTP_BODY_MAX)
        return HPE_USER;
    str_add_len(&h->body, at, len);
    return 0;
}

static int on_head(llhttp_t *parser)
{
    container_of(parser, struct http, parser)->status = parser->status_code;
    return 0;
}

static int on_complete(llhttp_t *parser)
{
    container_of(parser, struct http, parser)->complete = true;
    return 0;
}

void http_attach(struct http *h, int fd)
{
    *h = (struct http){ .fd = fd };
    llhttp_settings_init(&h->settings);
    h->settings.on_headers_complete = on_head;
    h->settings.on_body = on_body;
    h->settings.on_message_complete = on_complete;
    llhttp_init(&h->parser, HTTP_RESPONSE, &h->settings);
}

/* Checks that rackd runs under our uid. The directory is ours, but a socket may
 * have been put there by other means. */
static int check_peer(struct http *h, const char *path, struct err *err)
{
    struct ucred peer = { 0 };
    socklen_t len = sizeof(peer);

    if (getsockopt(h->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return err_set(err, ERR_SYSTEM, "%s: %s", path, strerror(errno));
    if (peer.uid != geteuid())
        return err_set(err, ERR_INVALID,
                       "%s: rackd there belongs to another user (uid %u)", path,
                       (unsigned)peer.uid);
    h->pid = peer.pid;
    return 0;
}

/* True for a symbolic link. rackd makes none, so one at this place is an attack
 * or a mistake. */
static bool is_link(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

int http_open(struct http *h, const char *socket_path, struct err *err)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    size_t len = strlen(socket_path);
    int error;

    http_attach(h, -1);
    if (is_link(socket_path))
        return err_set(err, ERR_INVALID, "a link, not a socket: %s (remove it)",
                       socket_path);
    if (len >= sizeof(addr.sun_path))
        return err_set(err, ERR_INVALID,
                       "socket path too long (%zu of %zu bytes): %s", len,
                       sizeof(addr.sun_path) - 1, socket_path);
    memcpy(addr.sun_path, socket_path, len);
    h->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (h->fd < 0)
        return err_set(err, ERR_SYSTEM, "socket: %s", strerror(errno));
    if (connect(h->fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
        return check_peer(h, socket_path, err);
    error = errno;
    http_close(h);
    return err_set(err,
                   error == ENOENT || error == ECONNREFUSED ? ERR_UNAVAILABLE
                                                            : ERR_SYSTEM,
                   "%s: %s", socket_path, strerror(error));
}

static int went_away(struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE, "rackd went away");
}

static int write_all(struct http *h, const struct str *s, struct err *err)
{
    size_t done = 0;

    while (done < s->len) {
        ssize_t n = send(h->fd, s->s + done, s->len - done, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR)
            return went_away(err);
        if (n > 0)
            done += (size_t)n;
    }
    return 0;
}

int http_send(struct http *h, const char *method, const char *target,
              const char *body, size_t len, struct err *err)
{
    cleanup_str struct str s = { 0 };

    str_printf(&s, "%s %s HTTP/1.1\r\nHost: rackd\r\n", method, target);
    if (body != NULL)
        str_printf(&s,
                   "Content-Type: application/json\r\n"
                   "Content-Length: %zu\r\n",
                   len);
    str_add(&s, "\r\n");
    if (body != NULL)
        str_add_len(&s, body, len);
    return write_all(h, &s, err);
}

/* Drops the lines that were handed out. */
static void forget_taken(struct http *h)
{
    if (h->taken == 0)
        return;
    str_drop(&h->body, h->taken);
    h->scanned -= h->taken;
    h->taken = h->last = 0;
}

int http_feed(struct http *h, struct err *err)
{
    char buf[READ_SIZE];
    ssize_t n;
    llhttp_errno_t bad;

    forget_taken(h);
    do
        n = recv(h->fd, buf, sizeof(buf), 0);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        bad = llhttp_execute(&h->parser, buf, (size_t)n);
    else
        bad = n == 0 ? llhttp_finish(&h->parser) : HPE_OK;
    if (h->complete)
        return 0;
    if (n <= 0)
        return went_away(err);
    if (bad != HPE_OK)
        return err_set(err, ERR_PROTOCOL, "cannot read the answer of rackd: %s",
                       llhttp_errno_name(bad));
    return 0;
}

int http_finish(struct http *h, int timeout_ms, struct err *err)
{
    int64_t until = when_monotonic_ms() + timeout_ms;

    while (!h->complete) {
        struct pollfd p = { .fd = h->fd, .events = POLLIN };
        int64_t left = until - when_monotonic_ms();
        int n = poll(&p, 1, timeout_ms < 0 ? -1 : left > 0 ? (int)left : 0);

        if (n == 0)
            return err_set(err, ERR_TIMEOUT, "rackd does not answer");
        if (n > 0 && http_feed(h, err) < 0)
            return -1;
    }
    return 0;
}

bool http_line(struct http *h, const char **line, size_t *len)
{
    const char *text = str_c(&h->body);
    const char *nl = memchr(text + h->scanned, '\n', h->body.len - h->scanned);

    if (nl == NULL && !h->complete) {
        h->scanned = h->body.len; /* so a long line is searched only once */
        return false;
    }
    if (h->taken == h->body.len)
        return false;
    if (nl == NULL)
        nl = text + h->body.len;
    h->last = h->taken;
    *line = text + h->taken;
    *len = (size_t)(nl - *line);
    h->taken = (size_t)(nl - text);
    if (h->taken < h->body.len)
        h->taken++;
    h->scanned = h->taken;
    return true;
}

bool http_bytes(struct http *h, size_t len, const char **bytes)
{
    if (h->body.len - h->taken < len) {
        h->taken = h->scanned = h->last;
        return false;
    }
    *bytes = str_c(&h->body) + h->taken;
    h->taken = h->scanned = h->taken + len;
    return true;
}

void http_close(struct http *h)
{
    if (h->fd >= 0)
        close(h->fd);
    h->fd = -1;
    str_release(&h->body);
    h->taken = h->scanned = h->last = 0;
}
