/* The reaper's program (images/reaper) against a scripted engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "support/fake_engine.h"
#include "support/looptest.h"

#define RACK  "cvx.rack=r1"
#define OWNER "cvx.owner=o1"
#define OURS                                                                   \
    "\"Labels\":{\"cvx.rack\":\"r1\",\"cvx.owner\":\"o1\","                    \
    "\"cvx.session\":\"s1\"}"

struct fix {
    uv_loop_t loop;
    char path[64];
    struct fake_engine *fake;
    pid_t pid;
    int in, out;
    struct str said;
};

static void answer(struct fix *f, const char *method, const char *path,
                   int status, const char *body, unsigned times)
{
    fake_engine_on(f->fake, method, path,
                   &(struct fake_answer){
                       .status = status, .body = body, .times = times });
}

/* An engine that has nothing of ours, and us as container "me". */
static void script(struct fix *f)
{
    answer(f, "GET", "/containers/json", 200, "[]", 0);
    answer(f, "GET", "/networks", 200, "[]", 0);
    answer(f, "GET", "/volumes", 200, "{\"Volumes\":null}", 0);
    answer(f, "GET", "/containers/me/json", 200, "{\"Id\":\"me\"}", 0);
    answer(f, "DELETE", "/", 204, NULL, 0);
}

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));

    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&f->loop);
    snprintf(f->path, sizeof(f->path), "/tmp/reaper-%d.sock", (int)getpid());
    f->fake = fake_engine_new(&f->loop, f->path);
    script(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;
    bool clean;

    if (f->in >= 0)
        close(f->in);
    if (f->out > 0)
        close(f->out);
    if (f->pid > 0) {
        kill(f->pid, SIGKILL);
        waitpid(f->pid, NULL, 0);
    }
    fake_engine_close(f->fake);
    clean = loop_ends_clean(&f->loop);
    unlink(f->path);
    str_release(&f->said);
    free(f);
    return clean ? 0 : -1;
}

/* Beside the test's own program. */
static char *program(void)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    assert_true(n > 0);
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    return xasprintf("%s/cvx-reaper", self);
}

/* `more` are its first arguments, NULL terminated. */
static void run(struct fix *f, const char *const *more)
{
    cleanup_free char *file = program();
    const char *argv[12] = { "cvx-reaper" };
    int in[2], out[2], n = 1;

    while (*more != NULL)
        argv[n++] = *more++;
    argv[n++] = f->path;
    argv[n++] = RACK;
    argv[n] = OWNER;
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe2(out, O_NONBLOCK), 0);
    f->pid = fork();
    if (f->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(out[1], 2);
        close(in[1]);
        close(out[0]);
        execv(file, (char *const *)argv);
        _exit(126);
    }
    close(in[0]);
    close(out[1]);
    f->in = in[1];
    f->out = out[0];
}

static void run_container(struct fix *f)
{
    static const char *const args[] = { "--self", "me", "--grace", "200",
                                        NULL };

    run(f, args);
}

static void let_go(struct fix *f)
{
    close(f->in);
    f->in = -1;
}

static void run_for(struct fix *f, unsigned ms)
{
    loop_run_for(&f->loop, ms);
}

static void wait_asked(struct fix *f, const char *path, size_t times)
{
    for (int i = 0; i < 500 && fake_engine_asked(f->fake, path) < times; i++)
        run_for(f, 10);
    assert_true(fake_engine_asked(f->fake, path) >= times);
}

/* The lease is taken, and its answer read. */
static void lease(struct fix *f, const char *label)
{
    cleanup_free char *line = xasprintf("lease %s\n", label);
    char buf[256] = "";
    ssize_t n = 0;

    assert_int_equal(write(f->in, line, strlen(line)), strlen(line));
    for (int i = 0;
         i < 500 && strstr(buf, "ok\n") == NULL && strstr(buf, "no ") == NULL;
         i++) {
        ssize_t got = read(f->out, buf + n, sizeof(buf) - (size_t)n);

        n += got > 0 ? got : 0;
        run_for(f, 10); /* it asks the engine meanwhile */
    }
    str_add_len(&f->said, buf, (size_t)n);
}

static size_t place_of(const struct fix *f, const char *method,
                       const char *path)
{
    for (size_t i = 0; i < fake_engine_requests(f->fake); i++) {
        const struct fake_request *r = fake_engine_request(f->fake, i);

        if (strcmp(r->method, method) == 0 && str_starts(r->path, path))
            return i;
    }
    return SIZE_MAX;
}

static size_t deletions(const struct fix *f, const char *path)
{
    size_t n = 0;

    for (size_t i = 0; i < fake_engine_requests(f->fake); i++) {
        const struct fake_request *r = fake_engine_request(f->fake, i);

        n += strcmp(r->method, "DELETE") == 0 && str_starts(r->path, path);
    }
    return n;
}

/* Its last act, on a real engine; and what it ends with when it must. */
static void wait_end(struct fix *f)
{
    answer(f, "GET", "/containers/json", 200,
           "[{\"Id\":\"me\",\"Labels\":{\"cvx.rack\":\"r1\","
           "\"cvx.owner\":\"o1\",\"cvx.kind\":\"reaper\"}}]",
           0);
    for (int i = 0; i < 500 && deletions(f, "/containers/me") == 0; i++)
        run_for(f, 10);
    assert_true(deletions(f, "/containers/me") > 0);
}

/* ---- tests ----------------------------------------------------------------
 */

static void lease_is_answered_by_whoever_can_do_the_work(void **state)
{
    struct fix *f = *state;

    run_container(f);
    lease(f, RACK);
    assert_string_equal(str_c(&f->said), "ok\n");
}

static void reaper_on_another_engine_says_so(void **state)
{
    struct fix *f = *state;

    answer(f, "GET", "/containers/me/json", 404, "{\"message\":\"no\"}", 0);
    run_container(f);
    lease(f, RACK);
    assert_string_equal(str_c(&f->said),
                        "no the socket leads to another engine\n");
}

static void engine_that_cannot_be_reached_is_told(void **state)
{
    struct fix *f = *state;

    fake_engine_on(f->fake, "GET", "/containers/me/json",
                   &(struct fake_answer){ .how = FAKE_ENGINE_RESET });
    run_container(f);
    lease(f, RACK);
    assert_non_null(
        strstr(str_c(&f->said),
               "no the engine's socket cannot be used from a container\n"));
}

static void end_of_input_removes_containers_and_then_the_rest(void **state)
{
    struct fix *f = *state;

    answer(f, "GET", "/containers/json", 200,
           "[{\"Id\":\"c1\",\"Names\":[\"/a\"]," OURS "},"
           "{\"Id\":\"c2\",\"Names\":[\"/b\"]," OURS "}]",
           1);
    answer(f, "GET", "/networks", 200, "[{\"Id\":\"n1\"," OURS "}]", 1);
    answer(f, "GET", "/volumes", 200,
           "{\"Volumes\":[{\"Name\":\"v/1\"," OURS "}]}", 1);
    run_container(f);
    lease(f, RACK);
    let_go(f);
    wait_asked(f, "/volumes/v%2F1", 1);
    wait_asked(f, "/networks/n1", 1);
    assert_true(place_of(f, "DELETE", "/containers/c1?force=1&v=1") <
                place_of(f, "DELETE", "/networks/n1"));
    assert_true(place_of(f, "DELETE", "/containers/c2?force=1&v=1") <
                place_of(f, "DELETE", "/networks/n1"));
    wait_end(f);
    assert_int_equal(deletions(f, "/containers/c1"), 1);
}

static void both_labels_are_asked_for_and_looked_at_again(void **state)
{
    struct fix *f = *state;

    /* An engine that does not understand the filter. */
    answer(f, "GET", "/containers/json", 200,
           "[{\"Id\":\"c1\",\"Labels\":null},{\"Id\":\"c2\"},"
           "{\"Id\":\"c3\",\"Labels\":{\"cvx.rack\":\"r1\"}},"
           "{\"Id\":\"c4\",\"Labels\":{\"cvx.rack\":\"r1\","
           "\"cvx.owner\":\"o2\"}},"
           "{\"Id\":\"c5\",\"Labels\":{\"cvx.rack\":\"r2\","
           "\"cvx.owner\":\"o1\"}},"
           "{\"Id\":\"c6\"," OURS "}]",
           1);
    answer(f, "GET", "/volumes", 200,
           "{\"Volumes\":[{\"Name\":\"kept\",\"Labels\":{\"cvx.rack\":\"r1\","
           "\"cvx.owner\":\"o1\",\"cvx.keep\":\"true\"}}]}",
           0);
    run_container(f);
    let_go(f);
    wait_asked(f, "/containers/c6", 1);
    wait_end(f);
    assert_int_equal(deletions(f, "/containers/c"), 1);
    assert_int_equal(deletions(f, "/volumes"), 0);
    assert_non_null(strstr(fake_engine_last(f->fake, "/networks?")->path,
                           "filters=%7B%22label%22%3A%5B%22cvx.rack%3Dr1%22%2C"
                           "%22cvx.owner%3Do1%22%5D%7D"));
}

static void what_is_busy_is_tried_again(void **state)
{
    struct fix *f = *state;

    answer(f, "GET", "/containers/json", 200, "[{\"Id\":\"c1\"," OURS "}]", 3);
    answer(f, "GET", "/networks", 200, "[{\"Id\":\"n1\"," OURS "}]", 4);
    answer(f, "DELETE", "/containers/c1", 500, "{\"message\":\"x\"}", 1);
    answer(f, "DELETE", "/containers/c1", 409,
           "{\"message\":\"removal of container c1 is already in progress\"}",
           1);
    answer(f, "DELETE", "/networks/n1", 403,
           "{\"message\":\"network has active endpoints\"}", 3);
    run_container(f);
    let_go(f);
    wait_asked(f, "/networks/n1", 4);
    wait_end(f);
    assert_int_equal(deletions(f, "/containers/c1"), 3);
    assert_int_equal(deletions(f, "/networks/n1"), 4);
}

static void what_appears_while_others_are_removed_goes_too(void **state)
{
    struct fix *f = *state;

    answer(f, "GET", "/containers/json", 200, "[{\"Id\":\"late\"," OURS "}]",
           1);
    answer(f, "GET", "/containers/json", 200, "[]", 2);
    answer(f, "GET", "/containers/json", 200, "[{\"Id\":\"c1\"," OURS "}]", 1);
    run_container(f);
    let_go(f);
    wait_asked(f, "/containers/late", 1);
    wait_end(f);
}

static void lists_that_fail_are_asked_for_again(void **state)
{
    struct fix *f = *state;
    static const char list[] = "[{\"Id\":\"c1\"," OURS "}]";

    answer(f, "GET", "/containers/json", 200, list, 1);
    fake_engine_on(
        f->fake, "GET", "/containers/json",
        &(struct fake_answer){ .body = list, .cut = 20, .times = 1 });
    fake_engine_on(
        f->fake, "GET", "/containers/json",
        &(struct fake_answer){ .how = FAKE_ENGINE_RESET, .times = 1 });
    answer(f, "GET", "/containers/json", 500, "{\"message\":\"busy\"}", 1);
    answer(f, "GET", "/containers/json", 200, "not JSON", 1);
    fake_engine_on(
        f->fake, "GET", "/networks",
        &(struct fake_answer){ .body = "[]", .delay_ms = 300, .times = 1 });
    run_container(f);
    let_go(f);
    wait_asked(f, "/containers/c1", 1);
    wait_end(f);
    assert_int_equal(deletions(f, "/containers/c"), 1);
}

static void connection_lost_at_a_removal_is_no_end(void **state)
{
    struct fix *f = *state;

    answer(f, "GET", "/containers/json", 200, "[{\"Id\":\"c1\"," OURS "}]", 2);
    fake_engine_on(
        f->fake, "DELETE", "/containers/c1",
        &(struct fake_answer){ .how = FAKE_ENGINE_RESET, .times = 1 });
    run_container(f);
    let_go(f);
    wait_asked(f, "/containers/c1", 2);
    wait_end(f);
    assert_int_equal(deletions(f, "/containers/c1"), 2);
}

static void many_are_removed_side_by_side(void **state)
{
    struct fix *f = *state;
    cleanup_str struct str list = { 0 };

    for (int i = 0; i < 100; i++)
        str_printf(&list, "%s{\"Id\":\"c%03d\"," OURS "}", i == 0 ? "[" : ",",
                   i);
    str_add(&list, "]");
    answer(f, "GET", "/containers/json", 200, str_c(&list), 1);
    fake_engine_on(f->fake, "DELETE", "/containers/c0",
                   &(struct fake_answer){ .status = 204, .delay_ms = 50 });
    run_container(f);
    let_go(f);
    wait_asked(f, "/containers/c0", 100);
    wait_end(f);
}

static void started_again_it_waits_for_its_rack(void **state)
{
    struct fix *f = *state;

    answer(f, "GET", "/containers/json", 200, "[{\"Id\":\"c1\"," OURS "}]", 0);
    run_container(f); /* its grace: 200 ms */
    run_for(f, 100);
    lease(f, RACK);
    run_for(f, 400);
    assert_int_equal(deletions(f, "/"), 0);
}

static void nobody_comes_and_the_grace_is_over(void **state)
{
    struct fix *f = *state;

    answer(f, "GET", "/containers/json", 200, "[{\"Id\":\"c1\"," OURS "}]", 1);
    run_container(f);
    wait_asked(f, "/containers/c1", 1);
    wait_end(f);
}

static void grace_begins_when_the_engine_answers(void **state)
{
    struct fix *f = *state;

    fake_engine_on(
        f->fake, "GET", "/containers/me/json",
        &(struct fake_answer){ .how = FAKE_ENGINE_RESET, .times = 8 });
    answer(f, "GET", "/containers/json", 200, "[{\"Id\":\"c1\"," OURS "}]", 1);
    run_container(f);
    run_for(f, 350);
    assert_int_equal(fake_engine_asked(f->fake, "/containers/json"), 0);
    wait_asked(f, "/containers/c1", 1);
    wait_end(f);
}

static void tidy_end_of_the_rack_removes_nothing(void **state)
{
    struct fix *f = *state;
    int status;

    answer(f, "GET", "/containers/json", 200, "[{\"Id\":\"c1\"," OURS "}]", 0);
    run_container(f);
    lease(f, RACK);
    assert_int_equal(write(f->in, "done\n", 5), 5);
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    f->pid = 0;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(fake_engine_asked(f->fake, "/containers/json"), 0);
}

static void stopping_engine_is_to_start_it_again(void **state)
{
    struct fix *f = *state;
    int status;

    run_container(f);
    lease(f, RACK);
    kill(f->pid, SIGTERM);
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    f->pid = 0;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 75);
    assert_int_equal(fake_engine_asked(f->fake, "/containers/json"), 0);
}

/* The first process ends at once; what works on is nobody's child. */
static void process_is_nobodys_child_and_heeds_no_signal(void **state)
{
    static const char *const none[] = { NULL };
    struct fix *f = *state;
    cleanup_free char *find = NULL;
    int status;

    answer(f, "GET", "/containers/json", 200,
           "[{\"Id\":\"c1\"," OURS "},{\"Id\":\"other\",\"Labels\":{"
           "\"cvx.rack\":\"r1\",\"cvx.owner\":\"o1\","
           "\"cvx.kind\":\"reaper\"}}]",
           1);
    run(f, none);
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    kill(-f->pid, SIGKILL); /* its group is another */
    f->pid = 0;
    run_for(f, 100);
    assert_int_equal(fake_engine_requests(f->fake), 0);
    let_go(f);
    wait_asked(f, "/containers/c1", 1);
    wait_asked(f, "/containers/other", 1);
    assert_true(place_of(f, "DELETE", "/containers/c1") <
                place_of(f, "DELETE", "/containers/other"));
    find = xasprintf("pkill -9 -f '^cvx-reaper %s '", f->path);
    assert_int_equal(system(find), 0); /* it would look on for a while */
}

static void wrong_words_are_a_usage_error(void **state)
{
    cleanup_free char *file = program();
    cleanup_free char *line = xasprintf("%s /x.sock 2>/dev/null", file);
    cleanup_free char *label =
        xasprintf("%s /x.sock nolabel 2>/dev/null", file);

    (void)state;
    assert_int_equal(WEXITSTATUS(system(line)), 64);
    assert_int_equal(WEXITSTATUS(system(label)), 64);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lease_is_answered_by_whoever_can_do_the_work),
        TEST(reaper_on_another_engine_says_so),
        TEST(engine_that_cannot_be_reached_is_told),
        TEST(end_of_input_removes_containers_and_then_the_rest),
        TEST(both_labels_are_asked_for_and_looked_at_again),
        TEST(what_is_busy_is_tried_again),
        TEST(what_appears_while_others_are_removed_goes_too),
        TEST(lists_that_fail_are_asked_for_again),
        TEST(connection_lost_at_a_removal_is_no_end),
        TEST(many_are_removed_side_by_side),
        TEST(started_again_it_waits_for_its_rack),
        TEST(nobody_comes_and_the_grace_is_over),
        TEST(grace_begins_when_the_engine_answers),
        TEST(tidy_end_of_the_rack_removes_nothing),
        TEST(stopping_engine_is_to_start_it_again),
        TEST(process_is_nobodys_child_and_heeds_no_signal),
        TEST(wrong_words_are_a_usage_error),
    };

    return cmocka_run_group_tests_name("reaper, the program", tests, NULL,
                                       NULL);
}
