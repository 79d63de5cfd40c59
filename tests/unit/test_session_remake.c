/* What an engine refuses and another way has. */
#include "support/session_fix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void refuse_init(struct fix *f)
{
    f->web->container.init = true;
    fake_engine_on(
        f->fake, "POST", CREATE_WEB,
        &(struct fake_answer){
            .status = 500,
            .body =
                "{\"message\":\"container create: container-init binary not "
                "found on the host: stat /usr/libexec/podman/catatonit: no "
                "such file or directory\"}",
            .times = 1 });
}

static void engine_without_an_init_program_is_used_without_one(void **state)
{
    struct fix *f = *state;
    const struct fake_request *last;

    refuse_init(f);
    become_ready(f);
    last = fake_engine_last(f->fake, CREATE_WEB);
    assert_null(strstr(last->body, "Init"));
    assert_event(f, "warning the engine has no init program");
    finish(f);
    assert_event(f, "removed 2 1 0");
}

static void init_is_asked_for_where_the_plan_has_it(void **state)
{
    struct fix *f = *state;
    const struct fake_request *last;

    f->web->container.init = true;
    become_ready(f);
    last = fake_engine_last(f->fake, CREATE_WEB);
    assert_non_null(strstr(last->body, "\"Init\":true"));
    finish(f);
}

/* Docker says it at the start, when there is a container to remove. */
static void missing_init_at_the_start_makes_another_container(void **state)
{
    struct fix *f = *state;

    f->web->container.init = true;
    fake_engine_on(
        f->fake, "POST", "/containers/web1/start",
        &(struct fake_answer){
            .status = 500,
            .body = "{\"message\":\"exec: \\\"docker-init\\\": executable file "
                    "not found in $PATH\"}",
            .times = 1 });
    become_ready(f);
    assert_asked(f, CREATE_WEB, 2);
    assert_asked(f, "/containers/web1?force", 1);
    finish(f);
}

/* Podman binds ports at the attach already. */
static void port_taken_at_the_attach_makes_another_container(void **state)
{
    struct fix *f = *state;

    fake_engine_on(
        f->fake, "POST", "/containers/web1/attach",
        &(struct fake_answer){
            .status = 500,
            .body =
                "{\"cause\":\"x\",\"message\":\"cannot listen on the TCP "
                "port: listen tcp4 127.0.0.1:3000: bind: address already in "
                "use\"}",
            .times = 1 });
    become_ready(f);
    assert_asked(f, CREATE_WEB, 2);
    assert_asked(f, "/containers/web1?force", 1);
    finish(f);
}

static void attach_that_is_refused_is_a_failed_start(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", "/containers/web1/attach", 500,
           "{\"message\":\"preparing container web1 for attach: exec: "
           "\\\"nope\\\": executable file not found in $PATH\"}");
    begin(f);
    wait_gone(f);
    assert_event(f, "error service web: cannot start its container | preparing "
                    "container");
    assert_event(f, "the image has no such command");
}

int main(void)
{
#define T(fn) SESSION_TEST(fn)
    const struct CMUnitTest tests[] = {
        T(engine_without_an_init_program_is_used_without_one),
        T(init_is_asked_for_where_the_plan_has_it),
        T(missing_init_at_the_start_makes_another_container),
        T(port_taken_at_the_attach_makes_another_container),
        T(attach_that_is_refused_is_a_failed_start),
    };

    return cmocka_run_group_tests_name("session, made again", tests, NULL,
                                       NULL);
}
