#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/build.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"
#include "cli/client.h"
#include "cli/http.h"
#include "cli/session.h"
#include "cli/term.h"
#include "cli/when.h"
#include "support/fake_rackd.h"
#include "support/golden.h"
#include "support/tmp_dir.h"

/* A home of its own for each test. */
struct place {
    struct tmp_dir dir;
    struct client client;
};

static int setup(void **state)
{
    struct place *p = xcalloc(1, sizeof(*p));

    tmp_dir_init(&p->dir);
    setenv("XDG_RUNTIME_DIR", p->dir.path, 1);
    setenv("FAKE_BUILD", cvx_build, 1);
    setenv("FAKE_SESSIONS", "0", 1);
    setenv("FAKE_MODE", "", 1);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    struct err err = { 0 };
    struct client c = { 0 };

    if (client_open(&c, CLIENT_FIND, &err) == 0)
        client_quit(&c, &err);
    client_release(&c);
    client_release(&p->client);
    tmp_dir_release(&p->dir);
    free(p);
    return 0;
}

/* What the fakes were asked, since the test began. */
static char *requests(struct place *p)
{
    cleanup_free char *path = tmp_dir_path(&p->dir, "cvx/rackd.sock.log");
    size_t len;

    return access(path, F_OK) < 0 ? xstrdup("") : golden_read(path, &len);
}

static void without_rackd_nothing_runs_and_none_is_started(void **state)
{
    struct place *p = *state;
    struct err err = { 0 };
    cleanup_free char *log = tmp_dir_path(&p->dir, "cvx/rackd.log");

    assert_int_equal(client_open_app(&p->client, "shop", &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_string_equal(err.msg, "app not running: shop");
    assert_int_equal(access(log, F_OK), -1);
}

static void rackd_is_started_and_its_files_are_private(void **state)
{
    struct place *p = *state;
    struct err err = { 0 };
    cleanup_free char *asked = NULL;

    assert_int_equal(client_open(&p->client, CLIENT_START, &err), 0);
    asked = requests(p);
    assert_string_equal(asked, "started\nGET /version HTTP/1.1\n");
    assert_int_equal(tmp_dir_mode(&p->dir, "cvx"), 0700);
    assert_int_equal(tmp_dir_mode(&p->dir, "cvx/rackd.log"), 0600);
}

static void ten_clients_at_once_start_one_rackd(void **state)
{
    struct place *p = *state;
    cleanup_free char *asked = NULL;
    const char *first;

    for (int i = 0; i < 10; i++) {
        if (fork() == 0) {
            struct client c = { 0 };
            struct err err = { 0 };

            _exit(client_open(&c, CLIENT_START, &err) == 0 ? 0 : 1);
        }
    }
    for (int i = 0; i < 10; i++) {
        int status;

        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    asked = requests(p);
    first = strstr(asked, "started");
    assert_non_null(first);
    assert_null(strstr(first + 1, "started"));
}

static void a_socket_nobody_listens_on_is_replaced(void **state)
{
    struct place *p = *state;
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    struct err err = { 0 };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(client_paths(&p->client, &err), 0);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", p->client.socket_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    close(fd);
    client_release(&p->client);
    assert_int_equal(client_open(&p->client, CLIENT_START, &err), 0);
}

static void a_rackd_that_cannot_start_says_why(void **state)
{
    struct place *p = *state;
    struct err err = { 0 };

    setenv("FAKE_MODE", "refuse", 1);
    assert_int_equal(client_open(&p->client, CLIENT_START, &err), -1);
    assert_string_equal(err.msg, "rackd cannot start: no room");
}

static void a_rackd_that_dies_is_quoted_from_its_log(void **state)
{
    struct place *p = *state;
    struct err err = { 0 };
    cleanup_free char *want =
        xasprintf("rackd ended before it listened: the last words\n"
                  "  its log: %s/cvx/rackd.log",
                  p->dir.path);

    setenv("FAKE_MODE", "crash", 1);
    assert_int_equal(client_open(&p->client, CLIENT_START, &err), -1);
    assert_string_equal(err.msg, want);
}

static void rackd_inherits_no_descriptor(void **state)
{
    struct place *p = *state;
    struct err err = { 0 };
    cleanup_free char *asked = NULL;
    int fd = open("/dev/null", O_RDONLY);

    assert_int_equal(client_open(&p->client, CLIENT_START, &err), 0);
    close(fd);
    asked = requests(p);
    assert_null(strstr(asked, "inherited"));
}

static void a_directory_others_can_write_to_is_refused(void **state)
{
    struct place *p = *state;
    struct err err = { 0 };
    cleanup_free char *dir = tmp_dir_path(&p->dir, "cvx");

    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(chmod(dir, 0777), 0);
    assert_int_equal(client_open(&p->client, CLIENT_START, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.msg, "can be written to by others"));
}

static void a_link_instead_of_the_directory_is_refused(void **state)
{
    struct place *p = *state;
    struct err err = { 0 };
    cleanup_free char *dir = tmp_dir_path(&p->dir, "cvx");

    assert_int_equal(symlink("/tmp", dir), 0);
    assert_int_equal(client_open(&p->client, CLIENT_START, &err), -1);
    assert_non_null(strstr(err.msg, "is not a directory"));
}

static void a_directory_others_can_look_into_is_closed(void **state)
{
    struct place *p = *state;
    struct err err = { 0 };
    cleanup_free char *dir = tmp_dir_path(&p->dir, "cvx");

    assert_int_equal(mkdir(dir, 0755), 0);
    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(client_open(&p->client, CLIENT_START, &err), 0);
    assert_int_equal(tmp_dir_mode(&p->dir, "cvx"), 0700);
}

static void any_umask_gives_the_same_modes(void **state)
{
    static const mode_t masks[] = { 0, 0777, 0277 };
    struct place *p = *state;

    for (int i = 0; i < 3; i++) {
        cleanup_free char *clear = xasprintf("rm -rf '%s/cvx'", p->dir.path);
        struct err err = { 0 };
        mode_t before = umask(masks[i]);

        if (client_open(&p->client, CLIENT_START, &err) < 0)
            fail_msg("%s", err.msg);
        umask(before);
        assert_int_equal(tmp_dir_mode(&p->dir, "cvx"), 0700);
        assert_int_equal(tmp_dir_mode(&p->dir, "cvx/rackd.lock"), 0600);
        assert_int_equal(tmp_dir_mode(&p->dir, "cvx/rackd.log"), 0600);
        client_quit(&p->client, &err);
        client_release(&p->client);
        assert_int_equal(system(clear), 0);
    }
}

/* A link of that name in rackd's directory, to a file that must stay empty. */
static void assert_link_is_refused(struct place *p, const char *name,
                                   const char *text)
{
    cleanup_free char *dir = tmp_dir_path(&p->dir, "cvx");
    cleanup_free char *link = xasprintf("%s/%s", dir, name);
    cleanup_free char *aim = tmp_dir_path(&p->dir, "aim");
    struct err err = { 0 };
    struct stat st;

    mkdir(dir, 0700);
    assert_int_equal(close(open(aim, O_WRONLY | O_CREAT, 0644)), 0);
    assert_int_equal(symlink(aim, link), 0);
    assert_int_equal(client_open(&p->client, CLIENT_START, &err), -1);
    assert_non_null(strstr(err.msg, text));
    assert_non_null(strstr(err.msg, link));
    assert_int_equal(stat(aim, &st), 0);
    assert_int_equal(st.st_size, 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(unlink(link), 0);
    client_release(&p->client);
}

static void links_in_place_of_rackds_files_are_refused(void **state)
{
    assert_link_is_refused(*state, "rackd.sock", "a link, not a socket: ");
    assert_link_is_refused(*state, "rackd.lock", "a link, not a lock: ");
    assert_link_is_refused(*state, "rackd.log", "a link, not a log: ");
}

static void a_runtime_directory_that_is_not_there_means_home(void **state)
{
    struct place *p = *state;
    struct err err = { 0 };
    cleanup_free char *want = tmp_dir_path(&p->dir, ".cvx/run");

    setenv("XDG_RUNTIME_DIR", "/does/not/exist", 1);
    setenv("HOME", p->dir.path, 1);
    assert_int_equal(client_paths(&p->client, &err), 0);
    assert_string_equal(p->client.dir, want);
    assert_int_equal(tmp_dir_mode(&p->dir, ".cvx"), 0700);
}

static void an_idle_rackd_of_another_build_is_replaced(void **state)
{
    struct place *p = *state;
    struct err err = { 0 };
    cleanup_free char *asked = NULL;

    setenv("FAKE_BUILD", "old", 1);
    assert_int_equal(client_open(&p->client, CLIENT_START, &err), 0);
    client_release(&p->client);
    setenv("FAKE_BUILD", cvx_build, 1);
    asked = requests(p);
    assert_string_equal(asked, "started\nGET /version HTTP/1.1\n"
                               "POST /quit HTTP/1.1\nstarted\n");
}

static void a_busy_rackd_of_another_build_stays(void **state)
{
    struct place *p = *state;
    struct err err = { 0 };
    cleanup_free char *asked = NULL;

    setenv("FAKE_BUILD", "old", 1);
    setenv("FAKE_SESSIONS", "2", 1);
    assert_int_equal(client_open(&p->client, CLIENT_START, &err), 0);
    asked = requests(p);
    assert_string_equal(asked, "started\nGET /version HTTP/1.1\n");
}

static void answers_of_rackd_become_json_or_errors(void **state)
{
    struct place *p = *state;
    struct err err = { 0 };
    cJSON *json;

    assert_int_equal(client_open(&p->client, CLIENT_START, &err), 0);
    json = client_call(&p->client, "GET", "/version", NULL, &err);
    assert_non_null(json);
    cJSON_Delete(json);
    assert_null(client_call(&p->client, "GET", "/ps?app=x", NULL, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_string_equal(err.msg, "app not running: shop");
    assert_null(client_call(&p->client, "GET", "/odd", NULL, &err));
    assert_int_equal(err.code, ERR_PROTOCOL);
}

/* A start in a process of its own, and what it writes. */
struct run {
    pid_t pid;
    int fd;
    struct str text;
};

static void run_child(int fd, bool json)
{
    struct client c = { 0 };
    struct err err = { 0 };
    struct strv only = { 0 };
    struct term out, errors;
    cJSON *request = cJSON_CreateObject();
    struct session_spec spec = { .client = &c,
                                 .request = request,
                                 .out = &out,
                                 .err = &errors,
                                 .only = &only,
                                 .json = json };
    int status;

    term_init(&out, fd, TERM_NEVER);
    term_init(&errors, fd, TERM_NEVER);
    status = client_open(&c, CLIENT_START, &err);
    if (status == 0)
        status = session_run(&spec, &err);
    if (status < 0)
        dprintf(fd, "ERROR: %s\n", err.msg);
    _exit(status < 0 ? 1 : status);
}

static void run_start(struct run *r, const char *mode, bool json)
{
    int fds[2];

    setenv("FAKE_MODE", mode, 1);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    *r = (struct run){ .fd = fds[0], .pid = fork() };
    if (r->pid == 0) {
        close(fds[0]);
        run_child(fds[1], json);
    }
    close(fds[1]);
}

/* Read until `text` has come, or the end when it is NULL. */
static void read_until(struct run *r, const char *text)
{
    int64_t until = when_monotonic_ms() + 20000;
    char buf[4096];

    while (text == NULL || strstr(str_c(&r->text), text) == NULL) {
        struct pollfd p = { .fd = r->fd, .events = POLLIN };
        ssize_t n;

        assert_true(when_monotonic_ms() < until);
        if (poll(&p, 1, 100) <= 0)
            continue;
        n = read(r->fd, buf, sizeof(buf));
        if (n <= 0) {
            assert_null(text);
            return;
        }
        str_add_len(&r->text, buf, (size_t)n);
    }
}

static int exit_status(struct run *r)
{
    int status;

    assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
    if (r->fd >= 0)
        close(r->fd);
    str_release(&r->text);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The request log has the line; it is awaited. */
static void wait_request(struct place *p, const char *line)
{
    for (int i = 0; i < 2000; i++) {
        cleanup_free char *asked = requests(p);

        if (strstr(asked, line) != NULL)
            return;
        usleep(10000); /* the log is another process's: it is looked at */
    }
    fail_msg("never asked: %s", line);
}

/* Two within 50 ms are taken for one, so time has to pass before the next. */
static void ctrl_c_again(const struct run *r)
{
    usleep(60000);
    kill(r->pid, SIGINT);
}

static void ctrl_c_after_ready_tears_down_and_is_no_failure(void **state)
{
    struct run r;

    run_start(&r, "", false);
    read_until(&r, "ready in 0.5 s");
    kill(r.pid, SIGINT);
    read_until(&r, NULL);
    assert_non_null(strstr(str_c(&r.text), "convox | stopping\n"
                                           "removed 2 containers, 1 network, "
                                           "0 volumes in 0.1 s\n"));
    assert_int_equal(exit_status(&r), 0);
    wait_request(*state, "POST /sessions/s1/stop HTTP/1.1\n");
}

static void ctrl_c_before_ready_tears_down_and_exits_130(void **state)
{
    struct run r;

    (void)state;
    run_start(&r, "starting", false);
    read_until(&r, "starting shop");
    kill(r.pid, SIGINT);
    read_until(&r, "removed 2 containers");
    assert_int_equal(exit_status(&r), 130);
}

static void a_second_ctrl_c_asks_for_now(void **state)
{
    struct run r;

    run_start(&r, "now", false);
    read_until(&r, "ready in");
    kill(r.pid, SIGINT);
    wait_request(*state, "POST /sessions/s1/stop HTTP/1.1\n");
    ctrl_c_again(&r);
    read_until(&r, "removed 2 containers");
    wait_request(*state, "POST /sessions/s1/stop?now=1 HTTP/1.1\n");
    assert_int_equal(exit_status(&r), 0);
}

static void a_third_ctrl_c_leaves_at_once(void **state)
{
    struct run r;

    run_start(&r, "stuck", false);
    read_until(&r, "ready in");
    kill(r.pid, SIGINT);
    wait_request(*state, "POST /sessions/s1/stop HTTP/1.1\n");
    ctrl_c_again(&r);
    wait_request(*state, "POST /sessions/s1/stop?now=1 HTTP/1.1\n");
    ctrl_c_again(&r);
    assert_int_equal(exit_status(&r), 130);
}

static void ctrl_c_before_the_session_has_begun_leaves_at_once(void **state)
{
    struct run r;

    run_start(&r, "silent", false);
    wait_request(*state, "POST /start HTTP/1.1\n");
    kill(r.pid, SIGINT);
    assert_int_equal(exit_status(&r), 130);
}

static void sigterm_ends_a_session_as_ctrl_c_does(void **state)
{
    struct run r;

    (void)state;
    run_start(&r, "", false);
    read_until(&r, "ready in");
    kill(r.pid, SIGTERM);
    read_until(&r, "removed 2 containers");
    assert_int_equal(exit_status(&r), 0);
}

static void nobody_reading_any_more_ends_it(void **state)
{
    struct run r;

    (void)state;
    run_start(&r, "", false);
    read_until(&r, "ready in");
    close(r.fd);
    r.fd = -1;
    assert_int_equal(exit_status(&r), 128 + SIGPIPE);
}

static void a_rackd_that_vanishes_is_an_error(void **state)
{
    struct run r;

    (void)state;
    run_start(&r, "die", false);
    read_until(&r, NULL);
    assert_non_null(strstr(str_c(&r.text), "ERROR: rackd went away; what it "
                                           "had started is being removed"));
    assert_int_equal(exit_status(&r), 1);
}

static void the_sessions_status_is_ours(void **state)
{
    struct run r;

    (void)state;
    run_start(&r, "fails", false);
    read_until(&r, NULL);
    assert_int_equal(exit_status(&r), 3);
}

static void json_passes_the_events_on_and_nothing_else(void **state)
{
    struct run r;

    (void)state;
    run_start(&r, "fails", true);
    read_until(&r, NULL);
    assert_string_equal(
        str_c(&r.text),
        "{\"ms\":1,\"type\":\"session\",\"session\":\"s1\",\"app\":\"shop\"}\n"
        "{\"ms\":1,\"type\":\"ready\",\"seconds\":0.5,\"services\":[],"
        "\"resources\":[]}\n"
        "{\"ms\":1,\"type\":\"removed\",\"containers\":2,\"networks\":1,"
        "\"volumes\":0,\"seconds\":0.1}\n"
        "{\"ms\":1,\"type\":\"end\",\"status\":3}\n");
    assert_int_equal(exit_status(&r), 3);
}

#define placed(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        placed(without_rackd_nothing_runs_and_none_is_started),
        placed(rackd_is_started_and_its_files_are_private),
        placed(ten_clients_at_once_start_one_rackd),
        placed(a_socket_nobody_listens_on_is_replaced),
        placed(a_rackd_that_cannot_start_says_why),
        placed(a_rackd_that_dies_is_quoted_from_its_log),
        placed(rackd_inherits_no_descriptor),
        placed(a_directory_others_can_write_to_is_refused),
        placed(a_link_instead_of_the_directory_is_refused),
        placed(a_directory_others_can_look_into_is_closed),
        placed(any_umask_gives_the_same_modes),
        placed(links_in_place_of_rackds_files_are_refused),
        placed(a_runtime_directory_that_is_not_there_means_home),
        placed(an_idle_rackd_of_another_build_is_replaced),
        placed(a_busy_rackd_of_another_build_stays),
        placed(answers_of_rackd_become_json_or_errors),
        placed(ctrl_c_after_ready_tears_down_and_is_no_failure),
        placed(ctrl_c_before_ready_tears_down_and_exits_130),
        placed(a_second_ctrl_c_asks_for_now),
        placed(a_third_ctrl_c_leaves_at_once),
        placed(ctrl_c_before_the_session_has_begun_leaves_at_once),
        placed(sigterm_ends_a_session_as_ctrl_c_does),
        placed(nobody_reading_any_more_ends_it),
        placed(a_rackd_that_vanishes_is_an_error),
        placed(the_sessions_status_is_ours),
        placed(json_passes_the_events_on_and_nothing_else),
    };
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    (void)argc;
    if (fake_rackd_wanted(argv))
        return fake_rackd_main(argv);
    if (n <= 0)
        return 1;
    self[n] = '\0';
    setenv("CVX_RACKD", self, 1);
    alarm(100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
