/* Finds the rackd of this user, starts or replaces it, and sends requests to
 * it. Every command that needs rackd goes through here. */
#include "cli/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/build.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/http.h"
#include "cli/spawn.h"

/* Milliseconds that rackd may take to listen, to answer a short question, and
 * to remove everything and end. */
#define READY_MS  15000
#define ANSWER_MS 60000
#define QUIT_MS   120000

static bool is_own_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
           st.st_uid == geteuid();
}

/* Sets mode 0700: the umask, or somebody by hand, may have made it another. */
static int close_dir(const char *path, const struct stat *st, struct err *err)
{
    if ((st->st_mode & 0777) == 0700 || chmod(path, 0700) == 0)
        return 0;
    return err_set(err, ERR_SYSTEM, "cannot make %s private: %s", path,
                   strerror(errno));
}

/* Makes the directory, or checks that it is ours and that nobody else can put a
 * socket there. */
static int own_dir(const char *path, struct err *err)
{
    struct stat st;

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return err_set(err, ERR_SYSTEM, "cannot make %s: %s", path,
                       strerror(errno));
    if (lstat(path, &st) < 0)
        return err_set(err, ERR_SYSTEM, "%s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID, "%s is not a directory", path);
    if (st.st_uid != geteuid())
        return err_set(err, ERR_INVALID, "%s belongs to another user (uid %u)",
                       path, (unsigned)st.st_uid);
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return err_set(err, ERR_INVALID,
                       "%s can be written to by others\n"
                       "  to fix it: chmod 700 %s",
                       path, path);
    return close_dir(path, &st, err);
}

/* ~/.cvx/run */
static char *home_dir(struct err *err)
{
    const char *home = getenv("HOME");
    cleanup_free char *top = NULL;

    if (home == NULL || *home != '/') {
        err_set(
            err, ERR_INVALID,
            "neither HOME nor XDG_RUNTIME_DIR is set: there is no place for "
            "the socket of rackd");
        return NULL;
    }
    top = xasprintf("%s/.cvx", home);
    if (own_dir(top, err) < 0)
        return NULL;
    return xasprintf("%s/run", top);
}

int client_paths(struct client *c, struct err *err)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    /* sudo and su may leave XDG_RUNTIME_DIR of another user in the environment;
     * that directory is not for us. */
    if (runtime != NULL && *runtime == '/' && is_own_dir(runtime))
        c->dir = xasprintf("%s/cvx", runtime);
    else
        c->dir = home_dir(err);
    if (c->dir == NULL || own_dir(c->dir, err) < 0)
        return -1;
    c->socket_path = xasprintf("%s/rackd.sock", c->dir);
    c->lock = xasprintf("%s/rackd.lock", c->dir);
    c->log = xasprintf("%s/rackd.log", c->dir);
    return 0;
}

static int take_lock(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0 && errno == ELOOP)
        return err_set(err, ERR_INVALID, "a link, not a lock: %s (remove it)",
                       path);
    if (fd < 0)
        return err_set(err, ERR_SYSTEM, "%s: %s", path, strerror(errno));
    fchmod(fd, 0600); /* a umask of 777 would keep us out the next time */
    while (flock(fd, LOCK_EX) < 0) {
        if (errno == EINTR)
            continue;
        close(fd);
        return err_set(err, ERR_SYSTEM, "%s: %s", path, strerror(errno));
    }
    return fd;
}

static int start_rackd(const struct client *c, struct err *err)
{
    cleanup_free char *program = spawn_find();

    if (program == NULL)
        return err_set(err, ERR_UNAVAILABLE,
                       "rackd not found: install it beside cvx or in PATH");
    return spawn_rackd(program, c->socket_path, c->log, READY_MS, err);
}

/* Connects, or starts rackd under the lock. Another cvx may have started it
 * while this one waited for the lock, so it tries once more before it starts
 * one. */
static int connect_or_start(const struct client *c, struct http *h,
                            struct err *err)
{
    int lock, status;

    if (http_open(h, c->socket_path, err) == 0)
        return 0;
    if (err->code != ERR_UNAVAILABLE)
        return -1;
    lock = take_lock(c->lock, err);
    if (lock < 0)
        return -1;
    status = http_open(h, c->socket_path, err);
    if (status < 0 && err->code == ERR_UNAVAILABLE) {
        status = start_rackd(c, err);
        if (status == 0)
            status = http_open(h, c->socket_path, err);
    }
    close(lock);
    return status;
}

static cJSON *answer_json(struct http *h, struct err *err)
{
    cJSON *json;

    if (http_finish(h, ANSWER_MS, err) < 0)
        return NULL;
    if (h->status >= 400) {
        client_refused(h, err);
        return NULL;
    }
    json = cJSON_ParseWithLength(str_c(&h->body), h->body.len);
    if (json == NULL)
        err_set(err, ERR_PROTOCOL, "the answer of rackd is not JSON");
    return json;
}

/* Decides about a rackd that answers. 1: it is another build and idle, so it is
 * to be replaced; 0: it stays; -1 with *err set. */
static int judge_build(const cJSON *version, struct err *err)
{
    const cJSON *build = cJSON_GetObjectItemCaseSensitive(version, "build");
    const cJSON *n = cJSON_GetObjectItemCaseSensitive(version, "sessions");

    if (!cJSON_IsString(build))
        return err_set(err, ERR_PROTOCOL, "rackd does not say its build");
    if (strcmp(build->valuestring, cvx_build) == 0)
        return 0;
    if (cJSON_IsNumber(n) && n->valueint == 0)
        return 1;
    dprintf(STDERR_FILENO,
            "WARNING: the running rackd (%s) is of another build than this "
            "cvx (%s); it is replaced once its sessions have ended, or now: "
            "cvx rackd stop\n",
            build->valuestring, cvx_build);
    return 0;
}

/* Replaces an idle rackd, under the lock: another cvx may do so at the same
 * moment. */
static int replace_rackd(const struct client *c, struct err *err)
{
    struct err ignored = { 0 };
    int lock = take_lock(c->lock, err), status;

    if (lock < 0)
        return -1;
    client_quit(c, &ignored);
    status = start_rackd(c, err);
    close(lock);
    return status;
}

static int check_build(const struct client *c, struct http *h, struct err *err)
{
    cJSON *version;
    int verdict;

    if (http_send(h, "GET", "/version", NULL, 0, err) < 0)
        return -1;
    version = answer_json(h, err);
    if (version == NULL)
        return -1;
    verdict = judge_build(version, err);
    cJSON_Delete(version);
    http_close(h);
    return verdict > 0 ? replace_rackd(c, err) : verdict;
}

int client_open(struct client *c, enum client_mode mode, struct err *err)
{
    cleanup_http struct http h = { .fd = -1 };

    if (client_paths(c, err) < 0)
        return -1;
    if (mode == CLIENT_FIND)
        return http_open(&h, c->socket_path, err);
    if (connect_or_start(c, &h, err) < 0)
        return -1;
    return check_build(c, &h, err);
}

int client_open_app(struct client *c, const char *app, struct err *err)
{
    if (client_open(c, CLIENT_FIND, err) == 0)
        return 0;
    if (err->code == ERR_UNAVAILABLE)
        err_set(err, ERR_NOT_FOUND, "app not running: %s", app);
    return -1;
}

int client_request(const struct client *c, struct http *h, const char *method,
                   const char *target, const cJSON *body, struct err *err)
{
    cleanup_free char *text =
        body == NULL ? NULL : cJSON_PrintUnformatted(body);

    if (http_open(h, c->socket_path, err) < 0)
        return -1;
    return http_send(h, method, target, text, text == NULL ? 0 : strlen(text),
                     err);
}

int client_refused(const struct http *h, struct err *err)
{
    cJSON *json = cJSON_ParseWithLength(str_c(&h->body), h->body.len);
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(json, "error");
    enum err_code code = h->status == 404 ? ERR_NOT_FOUND : ERR_INVALID;

    if (cJSON_IsString(text))
        err_set(err, code, "%s", text->valuestring);
    else
        err_set(err, ERR_PROTOCOL, "rackd answered with HTTP status %d",
                h->status);
    cJSON_Delete(json);
    return -1;
}

cJSON *client_call(const struct client *c, const char *method,
                   const char *target, const cJSON *body, struct err *err)
{
    cleanup_http struct http h = { .fd = -1 };

    if (client_request(c, &h, method, target, body, err) < 0)
        return NULL;
    return answer_json(&h, err);
}

/* A pidfd of a process, which becomes readable when the process ends; -1 where
 * the kernel has none (Linux before 5.3). */
static int watch_process(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

int client_quit(const struct client *c, struct err *err)
{
    cleanup_http struct http h = { .fd = -1 };
    struct pollfd p = { .events = POLLIN };
    int n;

    if (http_open(&h, c->socket_path, err) < 0)
        return -1;
    p.fd = watch_process(h.pid);
    if (http_send(&h, "POST", "/quit", "{}", 2, err) < 0 ||
        http_finish(&h, QUIT_MS, err) < 0) {
        /* rackd may have ended before its answer was sent. */
        if (p.fd < 0 || err->code != ERR_UNAVAILABLE)
            return -1;
    }
    if (p.fd < 0)
        p.fd = dup(h.fd);
    do
        n = poll(&p, 1, QUIT_MS);
    while (n < 0 && errno == EINTR);
    close(p.fd);
    return n > 0 ? 0 : err_set(err, ERR_TIMEOUT, "rackd does not end");
}

void client_release(struct client *c)
{
    free(c->dir);
    free(c->socket_path);
    free(c->lock);
    free(c->log);
    *c = (struct client){ 0 };
}
