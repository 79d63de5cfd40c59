#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/buildkit.h"
#include "support/engine_fix.h"
#include "support/looptest.h"

static void on_hello(const struct engine_info *info, const struct err *err,
                     void *user)
{
    assert_non_null(info);
    fix_end(user, err);
}

static int context(void)
{
    char path[] = "/tmp/build-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd > 0);
    unlink(path);
    assert_int_equal(write(fd, "tar tar", 7), 7);
    return fd;
}

static void build(struct engine_fix *f, const struct engine_build *b)
{
    struct engine_build copy = *b;

    copy.context_fd = context();
    f->call = engine_build(f->engine, &copy, fix_line, fix_id, f);
    fix_wait(f);
    close(copy.context_fd);
}

static void build_file(struct engine_fix *f, const char *file)
{
    fake_engine_on(f->fake, "POST", "/build",
                   &(struct fake_answer){ .file = file });
    build(f, &(struct engine_build){ .tag = "app:1" });
}

static void classic_build_hands_out_lines_and_the_id(void **state)
{
    struct engine_fix *f = *state;

    build_file(f, "build-classic.http");
    assert_int_equal(f->err.code, ERR_NONE);
    assert_true(str_starts(str_c(&f->text),
                           "Step 1/7 : FROM engine-dev/tiny:1 AS base\n"
                           " ---> b2da70b41916\n"));
    assert_non_null(strstr(str_c(&f->text), "\nhello from run\nerr line\n"));
    assert_true(str_ends(str_c(&f->text),
                         "Successfully tagged engine-dev/b:1\nid=sha256:249f1a"
                         "97b735c207de6d13ef37c574990a7ea3f9256cb7bd85ab5ba140"
                         "cca24f\n"));
}

static void build_sends_the_context_and_every_setting(void **state)
{
    struct engine_fix *f = *state;
    struct strv args = { 0 }, labels = { 0 };

    strv_add(&args, "A=1 2");
    strv_add(&args, "B=");
    strv_add(&labels, "cvx.rack=r");
    fake_engine_on(f->fake, "POST", "/build",
                   &(struct fake_answer){ .file = "build-classic.http" });
    build(f, &(struct engine_build){ .tag = "app:1",
                                     .dockerfile = "sub/Dockerfile",
                                     .target = "development",
                                     .args = &args,
                                     .labels = &labels,
                                     .no_cache = true });
    assert_string_equal(
        fake_engine_request(f->fake, 0)->path,
        "/v1.41/build?rm=1&forcerm=1&version=1&t=app:1&dockerfile="
        "sub/Dockerfile&target=development&nocache=1&buildargs="
        "%7B%22A%22:%221%202%22%2C%22B%22:%22%22%7D&labels="
        "%7B%22cvx.rack%22:%22r%22%7D");
    assert_string_equal(fake_engine_request(f->fake, 0)->body, "tar tar");
    assert_non_null(strstr(fake_engine_request(f->fake, 0)->headers,
                           "content-type: application/x-tar\n"));
    strv_release(&args);
    strv_release(&labels);
}

static void failed_step_is_the_users_fault(void **state)
{
    struct engine_fix *f = *state;

    build_file(f, "build-classic-fails.http");
    assert_int_equal(f->err.code, ERR_INVALID);
    assert_string_equal(
        f->err.msg, "The command '/tiny exit 3' returned a non-zero code: 3");
    assert_true(str_ends(str_c(&f->text), "id=none\n"));
}

static void failure(struct engine_fix *f, int status, const char *text,
                    enum err_code code)
{
    cleanup_free char *body =
        status == 200
            ? xasprintf("{\"errorDetail\":{\"message\":\"%s\"}}\n", text)
            : xasprintf("{\"message\":\"%s\"}", text);

    fake_engine_on(f->fake, "POST", "/build",
                   &(struct fake_answer){ .status = status, .body = body });
    build(f, &(struct engine_build){ .tag = "app:1" });
    assert_int_equal(f->err.code, code);
    assert_string_equal(f->err.msg, text);
}

static void failed_builds_say_whose_fault_it_is(void **state)
{
    struct engine_fix *f = *state;

    failure(f, 200, "COPY failed: file not found in build context",
            ERR_INVALID);
    failure(f, 500, "Cannot locate specified Dockerfile: Nope", ERR_INVALID);
    failure(f, 200, "Get https://x/v2/: dial tcp: lookup x: no such host",
            ERR_UNAVAILABLE);
    failure(f, 200, "manifest for x:9 not found: manifest unknown",
            ERR_NOT_FOUND);
    failure(f, 200,
            "The command '/bin/sh -c pull manifest' returned a non-zero "
            "code: 127: not found",
            ERR_INVALID);
}

static void build_that_names_no_image_is_a_protocol_error(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, "POST", "/build",
                   &(struct fake_answer){ .body = "{\"stream\":\"x\\n\"}\n" });
    build(f, &(struct engine_build){ .tag = "app:1" });
    assert_int_equal(f->err.code, ERR_PROTOCOL);
}

static void build_cut_short_is_an_error(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(
        f->fake, "POST", "/build",
        &(struct fake_answer){ .body = "{\"stream\":\"x\\n\"}\n", .cut = 5 });
    build(f, &(struct engine_build){ .tag = "app:1" });
    assert_int_not_equal(f->err.code, ERR_NONE);
}

static void pulls_of_a_build_are_shown_without_their_bars(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(
        f->fake, "POST", "/build",
        &(struct fake_answer){
            .body = "{\"status\":\"Pulling from library/x\",\"id\":\"1\"}\n"
                    "{\"status\":\"Downloading\",\"progressDetail\":{"
                    "\"current\":1,\"total\":2},\"id\":\"aa\"}\n"
                    "{\"status\":\"Pull complete\",\"progressDetail\":{},"
                    "\"id\":\"aa\"}\n{\"stream\":\"no line end\"}\n"
                    "{\"aux\":{\"ID\":\"sha256:1\"}}\n" });
    build(f, &(struct engine_build){ .tag = "app:1" });
    assert_string_equal(str_c(&f->text),
                        "1: Pulling from library/x\naa: Pull complete\n"
                        "no line end\nid=sha256:1\n");
}

static void buildkit(struct engine_fix *f)
{
    fake_engine_on(f->fake, "GET", "/_ping",
                   &(struct fake_answer){ .file = "ping-29.http" });
    engine_hello(f->engine, on_hello, f);
    fix_wait(f);
}

static void buildkit_steps_are_lines(void **state)
{
    struct engine_fix *f = *state;

    buildkit(f);
    build_file(f, "build-buildkit.http");
    assert_non_null(
        strstr(fake_engine_last(f->fake, "/build")->path, "version=2"));
    assert_int_equal(f->err.code, ERR_NONE);
    assert_string_equal(
        str_c(&f->text),
        "[base 1/2] FROM docker.io/engine-dev/tiny:1\n"
        "[base 2/2] COPY a.txt /a.txt\n"
        "[development 1/1] RUN [\"/tiny\",\"echo\",\"hello from run\"]\n"
        "err line\n"
        "hello from run\n"
        "exporting to image\n"
        "Successfully tagged engine-dev/b:2\n"
        "id=sha256:"
        "bb0a2707c40e06ce8ceada49a545ebd47c96a22fc195bd6c29a6c7b9eaa15067\n");
}

static void buildkit_says_what_was_cached(void **state)
{
    struct engine_fix *f = *state;

    buildkit(f);
    build_file(f, "build-buildkit-cached.http");
    assert_int_equal(f->err.code, ERR_NONE);
    assert_string_equal(
        str_c(&f->text),
        "[base 1/2] FROM docker.io/engine-dev/tiny:1\n"
        "CACHED [base 2/2] COPY a.txt /a.txt\n"
        "CACHED [development 1/1] RUN [\"/tiny\",\"echo\",\"hello from run\"]\n"
        "exporting to image\n"
        "Successfully tagged engine-dev/b:2\n"
        "id=sha256:"
        "bb0a2707c40e06ce8ceada49a545ebd47c96a22fc195bd6c29a6c7b9eaa15067\n");
}

static void buildkit_errors_name_the_step(void **state)
{
    struct engine_fix *f = *state;

    buildkit(f);
    build_file(f, "build-buildkit-fails.http");
    assert_int_equal(f->err.code, ERR_INVALID);
    assert_string_equal(f->err.msg,
                        "executor failed running [/tiny exit 3]: exit code: 3");
    assert_string_equal(
        str_c(&f->text),
        "[base 1/2] FROM docker.io/engine-dev/tiny:1\n"
        "CACHED [base 2/2] COPY a.txt /a.txt\n"
        "[development 1/1] RUN [\"/tiny\",\"exit\",\"3\"]\n"
        "ERROR [development 1/1] RUN [\"/tiny\",\"exit\",\"3\"]: executor "
        "failed running [/tiny exit 3]: exit code: 3\n"
        "id=none\n");
}

static void build_can_be_cancelled_from_a_line(void **state)
{
    struct engine_fix *f = *state;
    int fd = context();

    fake_engine_on(f->fake, "POST", "/build",
                   &(struct fake_answer){ .body =
                                              "{\"stream\":\"one\\ntwo\\n\"}\n"
                                              "{\"stream\":\"three\\n\"}\n" });
    f->cancel_in_data = true;
    f->call = engine_build(
        f->engine, &(struct engine_build){ .tag = "x", .context_fd = fd },
        fix_line, fix_id, f);
    fix_wait_text(f, 4);
    fix_idle(f, 20); /* both lines came in one packet */
    assert_string_equal(str_c(&f->text), "one\n");
    close(fd);
}

static bool no_line(const char *line, size_t len, void *user)
{
    (void)line;
    (void)len;
    (void)user;
    return true;
}

static void buildkit_survives_any_bytes(void **state)
{
    static const char *const rows[] = {
        "\x0a",
        "\x0a\xff\xff\xff\xff\x0f",
        "\x0a\x02\x0a\x05",
        "\x1a\x04\x0a\x01x\x22",
        "\x0b\x0c\x0d\x0e\x0f",
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        "\x0a\x01\x0a",
    };
    struct buildkit *b = buildkit_new(no_line, NULL);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_true(buildkit_feed(b, rows[i], strlen(rows[i])));
    assert_true(buildkit_flush(b));
    buildkit_free(b);
}

int main(void)
{
#define T(fn)                                                                  \
    cmocka_unit_test_setup_teardown(fn, engine_fix_setup, engine_fix_teardown)
    const struct CMUnitTest tests[] = {
        T(classic_build_hands_out_lines_and_the_id),
        T(build_sends_the_context_and_every_setting),
        T(failed_step_is_the_users_fault),
        T(failed_builds_say_whose_fault_it_is),
        T(build_that_names_no_image_is_a_protocol_error),
        T(build_cut_short_is_an_error),
        T(pulls_of_a_build_are_shown_without_their_bars),
        T(buildkit_steps_are_lines),
        T(buildkit_says_what_was_cached),
        T(buildkit_errors_name_the_step),
        T(build_can_be_cancelled_from_a_line),
        cmocka_unit_test(buildkit_survives_any_bytes),
    };

    return cmocka_run_group_tests_name("build", tests, NULL, NULL);
}
