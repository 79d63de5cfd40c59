#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"
#include "support/session_fix.h"

/* A session of `db` alone, made ahead. */
static int setup(void **state)
{
    struct fix *f;

    if (session_fix_setup(state) < 0)
        return -1;
    f = *state;
    f->spec.freeze = true;
    f->plan.services.len = 0;
    answer(f, "GET", "/images/postgres:17/json", 200, "{\"Id\":\"sha256:aa\"}");
    answer(f, "GET", "/containers/db1/stats", 200,
           "{\"memory_stats\":{\"usage\":5000,"
           "\"stats\":{\"inactive_file\":1000}}}");
    answer(f, "POST", "/containers/db1/pause", 204, NULL);
    answer(f, "POST", "/containers/db1/unpause", 204, NULL);
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;

    f->plan.services.len = 1;
    return session_fix_teardown(state);
}

/* A start comes, of the plan with its service. */
static void take_over(struct fix *f)
{
    f->ready = false;
    f->plan.services.len = 1;
    f->spec.freeze = false;
    session_take_over(f->session, &f->spec);
}

static void resources_are_started_and_frozen(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    assert_event(f, "resource db frozen");
    assert_true(place_of(f, "/containers/db1/start") <
                place_of(f, "/containers/db1/pause"));
    assert_int_equal(session_memory(f->session), 4000);
    finish(f);
    assert_event(f, "removed 1 1 0");
}

static void start_that_takes_it_over_thaws_and_goes_on(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    take_over(f);
    wait_ready(f);
    assert_event(f, "resource db ready");
    assert_event(f, "service web ready");
    assert_true(place_of(f, "/containers/db1/unpause") <
                place_of(f, "/containers/web1/start"));
    assert_asked(f, CREATE_DB, 1);
    assert_asked(f, "/networks/create", 1);
    finish(f);
    assert_event(f, "removed 2 1 0");
}

static void volumes_of_services_are_made_at_the_take_over(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", "/volumes/create", 201, "{\"Name\":\"app-s1-data\"}");
    answer(f, "DELETE", "/volumes/app-s1-data", 204, NULL);
    become_ready(f);
    assert_asked(f, "/volumes/create", 0);
    *(struct plan_volume *)vec_add(&f->plan.volumes) =
        (struct plan_volume){ .name = TEXT("data"), .uid = -1, .gid = -1 };
    *(struct plan_mount *)vec_add(&f->web->container.mounts) =
        (struct plan_mount){ .volume = 0, .target = TEXT("/data") };
    take_over(f);
    wait_ready(f);
    finish(f);
    assert_event(f, "removed 2 1 1");
}

static void replaced_image_makes_the_container_anew(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    answer(f, "GET", "/images/postgres:17/json", 200, "{\"Id\":\"sha256:bb\"}");
    take_over(f);
    wait_ready(f);
    assert_asked(f, "/containers/db1/unpause", 0);
    assert_asked(f, CREATE_DB, 2);
    finish(f);
}

static void container_that_cannot_be_thawed_is_made_anew(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    answer(f, "POST", "/containers/db1/unpause", 500,
           "{\"message\":\"Container db1 is not paused\"}");
    take_over(f);
    wait_ready(f);
    assert_asked(f, CREATE_DB, 2);
    finish(f);
    assert_int_equal(f->status, 0);
}

static void container_that_ends_frozen_ends_what_nobody_took(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    push_die(f, "db1", 137);
    wait_gone(f);
    assert_event(f, "error a container made ahead is gone | db");
    assert_event(f, "removed 1 1 0");
}

static void container_removed_while_it_is_thawed_is_made_anew(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    answer_late(f, "POST", "/containers/db1/unpause", 204, NULL, 200);
    take_over(f);
    wait_asked(f, "/containers/db1/unpause", 1);
    push_event(f, "db1", "destroy", 0);
    wait_ready(f);
    assert_asked(f, CREATE_DB, 2);
    finish(f);
}

static void engine_that_goes_away_ends_what_nobody_took(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    fake_engine_finish(f->fake, "/events?filters=%7B%22label");
    wait_gone(f);
    assert_event(f, "error the engine went away");
}

static void stop_while_it_is_thawed_removes_all(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    answer_never(f, "POST", "/containers/db1/unpause");
    take_over(f);
    wait_asked(f, "/containers/db1/unpause", 1);
    finish(f);
    assert_event(f, "removed 2 1 0");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(resources_are_started_and_frozen),
        T(start_that_takes_it_over_thaws_and_goes_on),
        T(volumes_of_services_are_made_at_the_take_over),
        T(replaced_image_makes_the_container_anew),
        T(container_that_cannot_be_thawed_is_made_anew),
        T(container_that_ends_frozen_ends_what_nobody_took),
        T(container_removed_while_it_is_thawed_is_made_anew),
        T(engine_that_goes_away_ends_what_nobody_took),
        T(stop_while_it_is_thawed_removes_all),
    };

    return cmocka_run_group_tests_name("a session made ahead", tests, NULL,
                                       NULL);
}
