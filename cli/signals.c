/* Makes signals readable: the handler writes a byte to a pipe, which session.c
 * polls. Only an attached start installs the handlers. */
#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

/* Two signals within SAME_MS milliseconds count once; number LAST ends cvx at
 * once. */
#define SAME_MS 50
#define LAST    3

/* A signal handler gets no argument of ours, so these are global. */
static int wake_fd = -1;
static volatile sig_atomic_t count;
static volatile int64_t last_ms;

static bool is_same(int64_t now_ms)
{
    bool same = last_ms != 0 && now_ms - last_ms < SAME_MS;

    last_ms = now_ms;
    return same;
}

/* Calls only functions that POSIX allows in a signal handler. */
static void on_signal(int number)
{
    int saved = errno;
    unsigned char byte = (unsigned char)number;
    struct timespec t;

    if (number == SIGINT || number == SIGTERM) {
        clock_gettime(CLOCK_MONOTONIC, &t);
        if (is_same((int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000)) {
            errno = saved;
            return;
        }
        if (++count == LAST)
            _exit(128 + number);
    }
    /* If the pipe is full there is enough in it to wake us. */
    if (write(wake_fd, &byte, 1) < 0)
        errno = saved;
    errno = saved;
}

static int catch_signal(int number, struct err *err)
{
    struct sigaction old, act = { .sa_handler = on_signal };

    sigfillset(&act.sa_mask);
    /* nohup starts cvx with SIGHUP ignored, which must stay so. SIGINT is not
     * treated so: scripts start every `cmd &` with it ignored, and yet a `kill
     * -INT` is meant. */
    if (number == SIGHUP && sigaction(number, NULL, &old) == 0 &&
        old.sa_handler == SIG_IGN)
        return 0;
    if (sigaction(number, &act, NULL) < 0)
        return err_set(err, ERR_SYSTEM, "sigaction: %s", strerror(errno));
    return 0;
}

int signals_open(struct signals *s, struct err *err)
{
    static const int wanted[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH };
    int fds[2];

    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_set(err, ERR_SYSTEM, "pipe: %s", strerror(errno));
    *s = (struct signals){ .fd = fds[0] };
    wake_fd = fds[1];
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
        if (catch_signal(wanted[i], err) < 0)
            return -1;
    return 0;
}

void signals_take(struct signals *s)
{
    unsigned char buf[64];
    ssize_t n = read(s->fd, buf, sizeof(buf));

    for (ssize_t i = 0; i < n; i++) {
        if (buf[i] == SIGWINCH) {
            s->resized = true;
            continue;
        }
        if (s->interrupts == 0)
            s->first = buf[i];
        s->interrupts++;
    }
}
