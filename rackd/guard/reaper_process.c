/*
 * Runs the reaper as a process beside rackd, from a file in memory, and holds
 * its stdin. guard.c starts it with the first session on a local engine.
 */
#include "guard/reaper_process.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strv.h"
#include "guard/reaper_blob.h"

struct reaper_process {
    uv_process_t process;
    uv_pipe_t stdin_pipe; /* its stdin */
    unsigned handles;
    bool closing;
    char byte; /* it writes nothing: reading only tells when it ends */
    reaper_process_cb on_lost, on_closed;
    void *user, *closed_user;
};

/* In order of time. */
static void on_detached(uv_process_t *process, int64_t status, int signal);
static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);
static void on_process_closed(uv_handle_t *handle);
static void on_stdin_closed(uv_handle_t *handle);

/* The program is read once. Its pages come from our own file, so that the
 * kernel can drop them from memory until they are read again. */
static void forget_program(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)reaper_blob + page - 1) & ~(page - 1);
    uintptr_t to = (uintptr_t)reaper_blob_end & ~(page - 1);

    if (to > from)
        madvise((void *)from, to - from, MADV_DONTNEED);
}

/* Puts the program into a file in memory; returns -1 with *err. */
static int open_program(struct err *err)
{
    size_t size = (size_t)(reaper_blob_end - reaper_blob);
    int fd = memfd_create("cvx-reaper", MFD_CLOEXEC);

    if (fd < 0)
        return err_set(err, ERR_SYSTEM, "memfd_create: %s", strerror(errno));
    errno = 0;
    if (write(fd, reaper_blob, size) != (ssize_t)size) {
        err_set(err, ERR_SYSTEM, "its program cannot be written: %s",
                errno == 0 ? "no room" : strerror(errno));
        close(fd);
        return -1;
    }
    forget_program();
    return fd;
}

/* Its environment is empty, since some CI systems find the processes that they
 * kill by variables in their environment. */
static int spawn(struct reaper_process *p, uv_loop_t *loop, int fd,
                 const struct strv *argv)
{
    static char *const none[] = { NULL };
    cleanup_free char *file = xasprintf("/proc/self/fd/%d", fd);
    uv_stdio_container_t stdio[3] = {
        { .flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE,
          .data.stream = (uv_stream_t *)&p->stdin_pipe },
        { .flags = UV_IGNORE },
        { .flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO },
    };

    return uv_spawn(loop, &p->process,
                    &(uv_process_options_t){ .exit_cb = on_detached,
                                             .file = file,
                                             .args = argv->v,
                                             .env = (char **)none,
                                             .cwd = "/",
                                             .stdio = stdio,
                                             .stdio_count = 3,
                                             .flags = UV_PROCESS_DETACHED });
}

int reaper_process_start(struct reaper_process **out, uv_loop_t *loop,
                         const char *socket_path, const struct strv *labels,
                         reaper_process_cb on_lost, void *user, struct err *err)
{
    cleanup_strv struct strv argv = { 0 };
    struct reaper_process *p;
    int fd = open_program(err), rc;

    if (fd < 0)
        return -1;
    p = xcalloc(1, sizeof(*p));
    p->on_lost = on_lost;
    p->user = user;
    p->handles = 2;
    strv_add(&argv, "cvx-reaper");
    strv_add(&argv, socket_path);
    strv_add_all(&argv, labels);
    uv_pipe_init(loop, &p->stdin_pipe, 0);
    rc = spawn(p, loop, fd, &argv);
    close(fd);
    if (rc < 0) {
        err_set(err, ERR_SYSTEM, "cannot run the reaper: %s", uv_strerror(rc));
        reaper_process_close(p, false, NULL, NULL);
        return -1;
    }
    uv_read_start((uv_stream_t *)&p->stdin_pipe, on_alloc, on_read);
    *out = p;
    return 0;
}

/* The first process ends as soon as it has left a child that is nobody's. */
static void on_detached(uv_process_t *process, int64_t status, int signal)
{
    (void)process;
    if (status != 0 || signal != 0)
        log_warn("reaper", "the process could not detach: status %d, signal %d",
                 (int)status, signal);
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    uv_pipe_t *pipe = (uv_pipe_t *)handle;
    struct reaper_process *p =
        container_of(pipe, struct reaper_process, stdin_pipe);

    (void)hint;
    *buf = uv_buf_init(&p->byte, 1);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    uv_pipe_t *pipe = (uv_pipe_t *)stream;
    struct reaper_process *p =
        container_of(pipe, struct reaper_process, stdin_pipe);

    (void)buf;
    if (nread >= 0)
        return;
    uv_read_stop(stream);
    if (!p->closing)
        p->on_lost(p->user);
}

void reaper_process_close(struct reaper_process *p, bool done,
                          reaper_process_cb cb, void *user)
{
    static const char word[] = "done\n";
    uv_buf_t buf = uv_buf_init((char *)word, sizeof(word) - 1);

    p->closing = true;
    p->on_closed = cb;
    p->closed_user = user;
    if (done)
        uv_try_write((uv_stream_t *)&p->stdin_pipe, &buf, 1);
    uv_close((uv_handle_t *)&p->process, on_process_closed);
    uv_close((uv_handle_t *)&p->stdin_pipe, on_stdin_closed);
}

static void one_closed(struct reaper_process *p)
{
    if (--p->handles > 0)
        return;
    if (p->on_closed != NULL)
        p->on_closed(p->closed_user);
    free(p);
}

static void on_process_closed(uv_handle_t *handle)
{
    uv_process_t *process = (uv_process_t *)handle;

    one_closed(container_of(process, struct reaper_process, process));
}

static void on_stdin_closed(uv_handle_t *handle)
{
    uv_pipe_t *pipe = (uv_pipe_t *)handle;

    one_closed(container_of(pipe, struct reaper_process, stdin_pipe));
}
