/* Starts rackd as a daemon: finds the program, forks twice, and waits for the
 * byte that says it listens. client.c calls it, with the lock held. */
#include "cli/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/when.h"

/* Bytes. A log that is larger is emptied when the next rackd starts. */
#define LOG_MAX ((off_t)1 << 20)

/* Bytes at the end of the log that are searched for its last line. */
#define TAIL_BYTES 4096

static bool is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
           access(path, X_OK) == 0;
}

/* Looks beside the running cvx, and where `make install` may put rackd. */
static char *find_beside(void)
{
    static const char *const places[] = { "rackd", "../libexec/cvx/rackd" };
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    if (n <= 0)
        return NULL;
    self[n] = '\0';
    slash = strrchr(self, '/');
    for (size_t i = 0; slash != NULL && i < 2; i++) {
        char *path = xasprintf("%.*s/%s", (int)(slash - self), self, places[i]);

        if (is_program(path))
            return path;
        free(path);
    }
    return NULL;
}

static char *find_in_path(const char *path)
{
    while (path != NULL && *path != '\0') {
        size_t len = strcspn(path, ":");

        /* A relative entry of PATH must not decide which daemon runs. */
        if (*path == '/') {
            char *full = xasprintf("%.*s/rackd", (int)len, path);

            if (is_program(full))
                return full;
            free(full);
        }
        path += len + (path[len] == ':' ? 1 : 0);
    }
    return NULL;
}

char *spawn_find(void)
{
    const char *given = getenv("CVX_RACKD");
    char *found = NULL;

    if (given != NULL && *given == '/' && is_program(given))
        return xstrdup(given);
    found = find_beside();
    return found != NULL ? found : find_in_path(getenv("PATH"));
}

static int open_log(const char *log, struct err *err)
{
    int fd =
        open(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    struct stat st;

    if (fd < 0 && errno == ELOOP)
        return err_set(err, ERR_INVALID, "a link, not a log: %s (remove it)",
                       log);
    if (fd < 0)
        return err_set(err, ERR_SYSTEM, "%s: %s", log, strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || fchmod(fd, 0600) < 0 ||
        (st.st_size > LOG_MAX && ftruncate(fd, 0) < 0)) {
        close(fd);
        return err_set(err, ERR_SYSTEM, "%s: not a log file of rackd", log);
    }
    return fd;
}

/* Number of the descriptor of the pipe in rackd. */
#define READY_FD 3

/* Runs in the child: becomes rackd, which keeps nothing of cvx but the
 * environment. All inherited descriptors are closed: a test runner or a CI job
 * waits until nobody has them open, and rackd stays. */
static void become_rackd(const char *program, const char *socket_path,
                         int log_fd, int ready_fd)
{
    char *const argv[] = { (char *)"rackd",     (char *)"--socket",
                           (char *)socket_path, (char *)"--ready-fd",
                           (char *)"3",         NULL };
    int null = open("/dev/null", O_RDONLY);
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (null < 0 || dup2(null, 0) < 0 || dup2(log_fd, 1) < 0 ||
        dup2(log_fd, 2) < 0 || chdir("/") < 0 ||
        (ready_fd != READY_FD && dup2(ready_fd, READY_FD) < 0) ||
        fcntl(READY_FD, F_SETFD, 0) < 0 ||
        close_range(READY_FD + 1, ~0U, 0) < 0)
        _exit(126);
    execv(program, argv);
    dprintf(READY_FD, "%s: %s", program, strerror(errno));
    _exit(127);
}

/* Forks twice: so rackd is not a child of cvx, and can never get a controlling
 * terminal. */
static int fork_twice(const char *program, const char *socket_path, int log_fd,
                      int ready_fd, struct err *err)
{
    pid_t pid = fork();

    if (pid < 0)
        return err_set(err, ERR_SYSTEM, "fork: %s", strerror(errno));
    if (pid > 0) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        return 0;
    }
    if (setsid() < 0)
        _exit(126);
    pid = fork();
    if (pid == 0)
        become_rackd(program, socket_path, log_fd, ready_fd);
    _exit(pid < 0 ? 126 : 0);
}

/* The last line that rackd wrote. Those of the reaper are skipped: it goes on
 * writing to the log once rackd is dead. */
static const char *last_line_of(char *text, size_t len)
{
    for (;;) {
        char *line;

        while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
            len--;
        text[len] = '\0';
        line = strrchr(text, '\n');
        line = line == NULL ? text : line + 1;
        if (!str_starts(line, "reaper: "))
            return line;
        len = (size_t)(line - text);
    }
}

char *spawn_last_line(const char *log)
{
    char buf[TAIL_BYTES + 1];
    int fd = open(log, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;

    if (fd >= 0 && lseek(fd, -TAIL_BYTES, SEEK_END) < 0)
        lseek(fd, 0, SEEK_SET);
    if (fd >= 0) {
        n = read(fd, buf, TAIL_BYTES);
        close(fd);
    }
    return xstrdup(last_line_of(buf, n > 0 ? (size_t)n : 0));
}

/* Reads what rackd says while it starts. `said` is empty when it ended without
 * a word; false when it said nothing in time. */
static bool read_ready(int fd, int timeout_ms, struct str *said)
{
    int64_t until = when_monotonic_ms() + timeout_ms;

    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int64_t left = until - when_monotonic_ms();
        char buf[1024];
        int n = poll(&p, 1, left > 0 ? (int)left : 0);
        ssize_t got;

        if (n == 0)
            return false;
        got = n < 0 ? -1 : read(fd, buf, sizeof(buf));
        if (got > 0)
            str_add_len(said, buf, (size_t)got);
        if (said->len == 1 || said->len > 4096 || got == 0 ||
            (got < 0 && errno != EINTR))
            return true;
    }
}

static int wait_ready(int fd, const char *log, int timeout_ms, struct err *err)
{
    cleanup_str struct str said = { 0 };
    bool in_time = read_ready(fd, timeout_ms, &said);
    cleanup_free char *last = NULL;

    if (said.len == 1)
        return 0;
    while (said.len > 0 && strchr("\r\n", said.s[said.len - 1]) != NULL)
        str_cut(&said, said.len - 1);
    if (said.len > 0)
        return err_set(err, ERR_UNAVAILABLE, "rackd cannot start: %s",
                       str_c(&said));
    last = spawn_last_line(log);
    return err_set(err, ERR_UNAVAILABLE, "rackd %s%s%s\n  its log: %s",
                   in_time ? "ended before it listened"
                           : "did not get ready in time",
                   *last == '\0' ? "" : ": ", last, log);
}

int spawn_rackd(const char *program, const char *socket_path, const char *log,
                int timeout_ms, struct err *err)
{
    int ready[2], status, log_fd = open_log(log, err);

    if (log_fd < 0)
        return -1;
    if (pipe2(ready, O_CLOEXEC) < 0) {
        close(log_fd);
        return err_set(err, ERR_SYSTEM, "pipe: %s", strerror(errno));
    }
    status = fork_twice(program, socket_path, log_fd, ready[1], err);
    close(log_fd);
    close(ready[1]);
    if (status == 0)
        status = wait_ready(ready[0], log, timeout_ms, err);
    close(ready[0]);
    return status;
}
