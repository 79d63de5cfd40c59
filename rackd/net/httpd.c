/*
 * The server: its listeners, who may come in, and what it tells its owner.
 * One struct conn per client does the rest (httpd_conn.c).
 */
#include "net/httpd.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utlist.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/httpd_conn.h"

#define BACKLOG 128

/* Clients that may be told, at the same time, why they are turned away; any
 * more are dropped without a word. */
#define TURNED_AWAY_MAX 32

/* Rate limit of warnings that a client can trigger at will. */
#define WARN_EVERY_MS 1000

struct listener {
    struct httpd *server;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tcp_t tcp;
    } u;
    bool is_tcp;
    char *path;  /* of a unix socket */
    dev_t dev;   /* The socket is still ours when the path */
    ino_t inode; /* names this file. */
    struct listener *next;
};

struct httpd {
    uv_loop_t *loop;
    httpd_request_cb on_head, on_request;
    void *user;
    struct listener *listeners;
    struct conn *conns;
    size_t conn_count, turned_away; /* the first counts the second too */
    uint64_t warned;                /* loop clock; 0: never */
    uv_timer_t anchor; /* never started: there is always a handle to close */
    size_t open;       /* listeners, connections, the anchor */
    unsigned idle_ms;
    httpd_closed_cb on_closed;
    void *closed_user;
};

/* In order of time. */
static void on_connection(uv_stream_t *stream, int status);
static void on_listener_closed(uv_handle_t *handle);
static void on_anchor_closed(uv_handle_t *handle);
static void one_gone(struct httpd *d);

int httpd_new(struct httpd **out, uv_loop_t *loop, httpd_request_cb cb,
              void *user, struct err *err)
{
    struct httpd *d = xcalloc(1, sizeof(*d));

    (void)err;
    d->loop = loop;
    d->on_request = cb;
    d->user = user;
    d->idle_ms = HTTPD_IDLE_MS;
    uv_timer_init(loop, &d->anchor);
    d->open = 1;
    *out = d;
    return 0;
}

void httpd_on_head(struct httpd *d, httpd_request_cb cb)
{
    d->on_head = cb;
}

size_t httpd_conns(const struct httpd *d)
{
    return d->conn_count;
}

static void add_listener(struct httpd *d, struct listener *l)
{
    l->server = d;
    d->open++;
    LL_PREPEND(d->listeners, l);
}

static int start_listener(struct listener *l, const char *name, struct err *err)
{
    int rc = uv_listen(&l->u.stream, BACKLOG, on_connection);

    if (rc < 0)
        return err_set(err, ERR_SYSTEM, "cannot listen on %s: %s", name,
                       uv_strerror(rc));
    return 0;
}

/* Does anybody answer on this socket? */
static bool is_alive(const struct sockaddr_un *addr)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused;

    if (fd < 0)
        return true;
    refused = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 &&
              errno == ECONNREFUSED;
    close(fd);
    return !refused;
}

/*
 * A socket made by bind(2) gets the mode of the descriptor's own inode, less
 * the umask: set before bind, there is no moment at which others may connect,
 * and no need to change the umask of the whole process.
 */
static int bind_private(const struct sockaddr_un *addr)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int saved;

    if (fd < 0)
        return -1;
    if (fchmod(fd, 0600) == 0 &&
        bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int bind_unix(const char *path, struct err *err)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    struct stat st;
    int fd;

    if (strlen(path) >= sizeof(addr.sun_path))
        return err_set(err, ERR_INVALID, "socket path longer than %zu: %s",
                       sizeof(addr.sun_path) - 1, path);
    memcpy(addr.sun_path, path, strlen(path));
    fd = bind_private(&addr);
    if (fd < 0 && errno == EADDRINUSE) {
        if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
            return err_set(err, ERR_CONFLICT, "not a socket: %s", path);
        if (is_alive(&addr))
            return err_set(err, ERR_CONFLICT, "somebody listens on %s", path);
        unlink(path); /* a server that was killed has left it */
        fd = bind_private(&addr);
    }
    if (fd < 0)
        return err_set(err, ERR_SYSTEM, "cannot bind %s: %s", path,
                       strerror(errno));
    return fd;
}

int httpd_listen_unix(struct httpd *d, const char *path, struct err *err)
{
    struct listener *l;
    struct stat st = { 0 };
    int rc, fd = bind_unix(path, err);

    if (fd < 0)
        return -1;
    l = xcalloc(1, sizeof(*l));
    l->path = xstrdup(path);
    if (lstat(path, &st) == 0) {
        l->dev = st.st_dev;
        l->inode = st.st_ino;
    }
    uv_pipe_init(d->loop, &l->u.pipe, 0);
    add_listener(d, l);
    rc = uv_pipe_open(&l->u.pipe, fd);
    if (rc < 0) {
        close(fd);
        return err_set(err, ERR_SYSTEM, "cannot open %s: %s", path,
                       uv_strerror(rc));
    }
    return start_listener(l, path, err);
}

int httpd_listen_tcp(struct httpd *d, int *port, struct err *err)
{
    struct listener *l = xcalloc(1, sizeof(*l));
    cleanup_free char *name = xasprintf("127.0.0.1:%d", *port);
    struct sockaddr_in addr;
    int len = sizeof(addr), rc;

    l->is_tcp = true;
    uv_tcp_init(d->loop, &l->u.tcp);
    add_listener(d, l);
    uv_ip4_addr("127.0.0.1", *port, &addr);
    rc = uv_tcp_bind(&l->u.tcp, (struct sockaddr *)&addr, 0);
    if (rc < 0)
        return err_set(err, ERR_SYSTEM, "cannot bind %s: %s", name,
                       uv_strerror(rc));
    if (start_listener(l, name, err) < 0)
        return -1;
    uv_tcp_getsockname(&l->u.tcp, (struct sockaddr *)&addr, &len);
    *port = ntohs(addr.sin_port);
    return 0;
}

static bool may_warn(struct httpd *d)
{
    uint64_t now = uv_now(d->loop);

    if (d->warned != 0 && now - d->warned < WARN_EVERY_MS)
        return false;
    d->warned = now;
    return true;
}

/* Without a descriptor to spare libuv takes the client and hangs up on it, so
 * that its waiting does not keep the loop busy. */
static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *l = container_of(stream, struct listener, u.stream);

    if (status == 0)
        conn_accept(l->server, stream, l->is_tcp);
    else if (may_warn(l->server))
        log_warn("httpd", "cannot accept: %s", uv_strerror(status));
}

bool httpd_is_full(const struct httpd *d)
{
    return d->conn_count - d->turned_away > HTTPD_CONNS_MAX;
}

bool httpd_turn_away(struct conn *c)
{
    struct httpd *d = c->server;

    c->turned_away = true;
    return ++d->turned_away <= TURNED_AWAY_MAX;
}

/* The socket's mode keeps others out; this does where somebody changed it. */
bool httpd_may_enter(const struct conn *c, bool is_tcp)
{
    struct ucred peer = { .uid = (uid_t)-1 };
    socklen_t len = sizeof(peer);
    int fd;

    if (is_tcp)
        return true;
    if (uv_fileno(&c->u.handle, &fd) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return false;
    if (peer.uid != geteuid() && may_warn(c->server))
        log_warn("httpd", "refused a client of uid %d", (int)peer.uid);
    return peer.uid == geteuid();
}

void httpd_add(struct httpd *d, struct conn *c)
{
    DL_APPEND(d->conns, c);
    d->conn_count++;
    d->open++;
}

void httpd_remove(struct httpd *d, struct conn *c)
{
    DL_DELETE(d->conns, c);
    d->conn_count--;
    d->turned_away -= c->turned_away;
    one_gone(d);
}

unsigned httpd_idle_ms(const struct httpd *d)
{
    return d->idle_ms;
}

void httpd_set_idle_ms(struct httpd *d, unsigned ms)
{
    d->idle_ms = ms;
}

void httpd_deliver_head(struct httpd *d, struct httpd_req *req)
{
    if (d->on_head != NULL)
        d->on_head(req, d->user);
}

void httpd_deliver(struct httpd *d, struct httpd_req *req)
{
    d->on_request(req, d->user);
}

void httpd_close(struct httpd *d, httpd_closed_cb cb, void *user)
{
    struct listener *l;
    struct conn *c;

    d->on_closed = cb;
    d->closed_user = user;
    LL_FOREACH(d->listeners, l)
    {
        struct stat st;

        if (l->path != NULL && lstat(l->path, &st) == 0 &&
            st.st_dev == l->dev && st.st_ino == l->inode)
            unlink(l->path);
        uv_close(&l->u.handle, on_listener_closed);
    }
    DL_FOREACH (d->conns, c)
        conn_drop(c);
    uv_close((uv_handle_t *)&d->anchor, on_anchor_closed);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *l = container_of(handle, struct listener, u.handle);
    struct httpd *d = l->server;

    LL_DELETE(d->listeners, l);
    free(l->path);
    free(l);
    one_gone(d);
}

static void on_anchor_closed(uv_handle_t *handle)
{
    uv_timer_t *anchor = (uv_timer_t *)handle;

    one_gone(container_of(anchor, struct httpd, anchor));
}

/* The last close callback is the only place that frees a server. */
static void one_gone(struct httpd *d)
{
    if (--d->open > 0)
        return;
    if (d->on_closed != NULL)
        d->on_closed(d->closed_user);
    free(d);
}
