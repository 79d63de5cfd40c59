/* The process that guards (run/reaper_process.c), on a scripted engine. */
#include "guard/reaper_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strv.h"
#include "support/fake_engine.h"
#include "support/looptest.h"

struct fix {
    uv_loop_t loop;
    char path[64];
    struct fake_engine *fake;
    struct strv labels;
    struct reaper_process *p;
    bool inside; /* a call of ours */
    unsigned lost;
    bool was_lost, closed;
};

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));

    uv_loop_init(&f->loop);
    snprintf(f->path, sizeof(f->path), "/tmp/process-%d.sock", (int)getpid());
    f->fake = fake_engine_new(&f->loop, f->path);
    fake_engine_on(f->fake, "GET", "/containers/json",
                   &(struct fake_answer){ .body = "[]" });
    fake_engine_on(f->fake, "GET", "/networks",
                   &(struct fake_answer){ .body = "[]" });
    fake_engine_on(f->fake, "GET", "/volumes",
                   &(struct fake_answer){ .body = "{\"Volumes\":null}" });
    fake_engine_on(f->fake, "DELETE", "/",
                   &(struct fake_answer){ .status = 204 });
    strv_add(&f->labels, "cvx.rack=r1");
    strv_add(&f->labels, "cvx.owner=o1");
    *state = f;
    return 0;
}

/* Whole, with a NUL behind each word; its length. */
static size_t read_proc(const char *pid, const char *name, char *out,
                        size_t size)
{
    cleanup_free char *path = xasprintf("/proc/%s/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, size - 1);

    if (fd >= 0)
        close(fd);
    out[n < 0 ? 0 : n] = '\0';
    return n < 0 ? 0 : (size_t)n;
}

static bool is_it(const struct fix *f, const char *pid)
{
    char line[4096];
    size_t len = read_proc(pid, "cmdline", line, sizeof(line));

    return len > sizeof("cvx-reaper") && strcmp(line, "cvx-reaper") == 0 &&
           strcmp(line + sizeof("cvx-reaper"), f->path) == 0;
}

/* The process of this test; 0: there is none. */
static pid_t pid_of(const struct fix *f)
{
    DIR *dir = opendir("/proc");
    struct dirent *e;
    pid_t pid = 0;

    assert_non_null(dir);
    while (pid == 0 && (e = readdir(dir)) != NULL)
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && is_it(f, e->d_name))
            pid = (pid_t)strtol(e->d_name, NULL, 10);
    closedir(dir);
    return pid;
}

static void run_for(struct fix *f, unsigned ms)
{
    loop_run_for(&f->loop, ms);
}

static void wait_gone(struct fix *f)
{
    for (int i = 0; i < 300 && pid_of(f) != 0; i++)
        run_for(f, 10);
    assert_int_equal(pid_of(f), 0);
}

static void on_closed(void *user)
{
    struct fix *f = user;

    assert_false(f->inside);
    f->closed = true;
}

static void close_it(struct fix *f, bool done)
{
    f->inside = true;
    reaper_process_close(f->p, done, on_closed, f);
    f->inside = false;
    f->p = NULL;
    assert_true(loop_run_until(&f->loop, &f->closed, 1000));
}

/* One that works on for a while is ended here. */
static int teardown(void **state)
{
    struct fix *f = *state;
    pid_t pid;

    if (f->p != NULL)
        close_it(f, true);
    pid = pid_of(f);
    if (pid > 0)
        kill(pid, SIGKILL);
    wait_gone(f);
    fake_engine_close(f->fake);
    assert_true(loop_ends_clean(&f->loop));
    unlink(f->path);
    strv_release(&f->labels);
    free(f);
    return 0;
}

static void on_lost(void *user)
{
    struct fix *f = user;

    assert_false(f->inside);
    f->was_lost = true;
    f->lost++;
}

/* Until the first process has left the one that stays. */
static pid_t start(struct fix *f)
{
    struct err err = { 0 };
    pid_t pid;

    f->inside = true;
    assert_int_equal(reaper_process_start(&f->p, &f->loop, f->path, &f->labels,
                                          on_lost, f, &err),
                     0);
    f->inside = false;
    for (int i = 0; i < 300; i++) {
        run_for(f, 10);
        pid = pid_of(f);
        if (pid > 0 && waitpid(pid, NULL, WNOHANG) < 0 && getsid(pid) == pid)
            return pid;
    }
    fail_msg("there is no process");
    return 0;
}

/* ---- tests ----------------------------------------------------------------
 */

static void it_is_there_and_asks_nothing_while_it_is_held(void **state)
{
    struct fix *f = *state;
    pid_t pid = start(f);

    run_for(f, 200);
    assert_int_equal(pid_of(f), pid);
    assert_int_equal(fake_engine_requests(f->fake), 0);
    assert_int_equal(f->lost, 0);
    assert_int_not_equal(getsid(pid), getsid(0));
    assert_int_not_equal(getpgid(pid), getpgid(0));
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1); /* nobody's child */
}

/* Some CI systems find what to kill by the environment they gave it. */
static void it_has_no_environment_and_no_place(void **state)
{
    struct fix *f = *state;
    cleanup_free char *pid = NULL;
    char text[256], cwd[64] = "";
    cleanup_free char *link = NULL;

    setenv("BUILD_ID", "77", 1);
    pid = xasprintf("%d", (int)start(f));
    assert_int_equal(read_proc(pid, "environ", text, sizeof(text)), 0);
    link = xasprintf("/proc/%s/cwd", pid);
    assert_int_equal(readlink(link, cwd, sizeof(cwd) - 1), 1);
    assert_string_equal(cwd, "/");
    read_proc(pid, "comm", text, sizeof(text));
    assert_string_equal(text, "cvx-reaper\n");
}

/* A connection of ours that lived on in there would never be closed. */
static void it_has_none_of_our_files(void **state)
{
    struct fix *f = *state;
    int fds[2];
    char byte;

    assert_int_equal(pipe(fds), 0); /* no O_CLOEXEC */
    start(f);
    close(fds[1]);
    assert_int_equal(read(fds[0], &byte, 1), 0);
    close(fds[0]);
}

static void killed_it_is_lost_once(void **state)
{
    struct fix *f = *state;
    pid_t pid = start(f);

    kill(pid, SIGTERM); /* it heeds none of these */
    kill(pid, SIGHUP);
    kill(pid, SIGINT);
    run_for(f, 100);
    assert_int_equal(f->lost, 0);
    kill(pid, SIGKILL);
    assert_true(loop_run_until(&f->loop, &f->was_lost, 1000));
    run_for(f, 50);
    assert_int_equal(f->lost, 1);
    assert_int_equal(fake_engine_requests(f->fake), 0);
    close_it(f, false);
}

static void done_it_ends_without_a_look(void **state)
{
    struct fix *f = *state;

    start(f);
    close_it(f, true);
    wait_gone(f);
    assert_int_equal(fake_engine_requests(f->fake), 0);
    assert_int_equal(f->lost, 0); /* that was no loss */
}

static void not_done_it_removes_what_is_there(void **state)
{
    static const char mine[] =
        "[{\"Id\":\"c1\",\"Labels\":{\"cvx.rack\":\"r1\",\"cvx.owner\":"
        "\"o1\"}},{\"Id\":\"c2\",\"Labels\":{\"cvx.rack\":\"r1\"}}]";
    struct fix *f = *state;

    fake_engine_on(f->fake, "GET", "/containers/json",
                   &(struct fake_answer){ .body = mine, .times = 1 });
    start(f);
    close_it(f, false);
    for (int i = 0;
         i < 200 && fake_engine_asked(f->fake, "/containers/c1") == 0; i++)
        run_for(f, 10);
    assert_int_equal(fake_engine_asked(f->fake, "/containers/c1"), 1);
    assert_int_equal(fake_engine_asked(f->fake, "/containers/c2"), 0);
    assert_int_equal(f->lost, 0);
}

/* Before its child has left it: nothing falls between. */
static void closed_at_once_it_works_all_the_same(void **state)
{
    struct fix *f = *state;
    struct err err = { 0 };

    assert_int_equal(reaper_process_start(&f->p, &f->loop, f->path, &f->labels,
                                          on_lost, f, &err),
                     0);
    close_it(f, false);
    for (int i = 0; i < 200 && fake_engine_asked(f->fake, "/volumes") == 0; i++)
        run_for(f, 10);
    assert_true(fake_engine_asked(f->fake, "/volumes") > 0);
}

static void nobody_need_hear_of_its_close(void **state)
{
    struct fix *f = *state;

    start(f);
    reaper_process_close(f->p, true, NULL, NULL);
    f->p = NULL;
    wait_gone(f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_is_there_and_asks_nothing_while_it_is_held),
        T(it_has_no_environment_and_no_place),
        T(it_has_none_of_our_files),
        T(killed_it_is_lost_once),
        T(done_it_ends_without_a_look),
        T(not_done_it_removes_what_is_there),
        T(closed_at_once_it_works_all_the_same),
        T(nobody_need_hear_of_its_close),
    };

    return cmocka_run_group_tests_name("reaper, the process", tests, NULL,
                                       NULL);
}
