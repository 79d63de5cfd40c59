#include "support/session_fix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"

static void resource_is_killed_and_service_is_asked(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    finish(f);
    assert_asked(f, "/containers/db1/stop", 0);
    assert_asked(f, "/containers/web1/stop", 1);
    assert_true(place_of(f, "/containers/web1/stop") <
                place_of(f, "/networks/net1"));
}

static void resource_outlives_the_services_that_list_it(void **state)
{
    struct fix *f = *state;

    answer_late(f, "POST", "/containers/web1/stop", 204, NULL, 200);
    become_ready(f);
    stop_it(f);
    run_for(f, 100); /* the stop takes longer */
    assert_asked(f, "/containers/db1?", 0);
    wait_gone(f);
    assert_true(place_of(f, "/containers/web1/stop") <
                place_of(f, "/containers/db1?"));
    assert_event(f, "removed 2 1 0");
}

static void resource_goes_as_soon_as_its_services_have_died(void **state)
{
    struct fix *f = *state;

    answer_never(f, "POST", "/containers/web1/stop");
    become_ready(f);
    stop_it(f);
    run_for(f, 50); /* the stop is not answered */
    assert_asked(f, "/containers/db1?", 0);
    push_die(f, "web1", 0);
    wait_asked(f, "/containers/db1?", 1);
    assert_false(f->gone);
    session_stop(f->session, "now", true, 0);
    wait_gone(f);
}

static void resource_that_nobody_lists_goes_at_once(void **state)
{
    struct fix *f = *state;

    answer_never(f, "POST", "/containers/web1/stop");
    f->web->resources.len = 0;
    become_ready(f);
    stop_it(f);
    wait_asked(f, "/containers/db1?", 1);
    session_stop(f->session, "now", true, 0);
    wait_gone(f);
}

static void network_goes_when_the_last_container_has_left_it(void **state)
{
    struct fix *f = *state;

    answer_late(f, "DELETE", "/containers/db1", 204, NULL, 300);
    answer_late(f, "DELETE", "/containers/web1", 204, NULL, 300);
    become_ready(f);
    stop_it(f);
    wait_asked(f, "/containers/db1?", 1);
    push_network_event(f, "disconnect", "web1");
    run_for(f, 50); /* the other one is on it still */
    assert_asked(f, "/networks/net1", 0);
    push_network_event(f, "disconnect", "db1");
    wait_asked(f, "/networks/net1", 1);
    assert_no_event(f, "removed");
    wait_gone(f);
    assert_event(f, "removed 2 1 0");
}

static void network_is_asked_for_until_the_containers_are_gone(void **state)
{
    struct fix *f = *state;

    answer_late(f, "DELETE", "/containers/db1", 204, NULL, 2500);
    fake_engine_on(f->fake, "DELETE", "/networks/net1",
                   &(struct fake_answer){ .status = 403,
                                          .body = "{\"message\":\"active\"}",
                                          .times = 45 });
    become_ready(f);
    stop_it(f);
    wait_asked(f, "/containers/db1?", 1);
    push_network_event(f, "disconnect", "web1");
    push_network_event(f, "disconnect", "db1");
    wait_over(f);
    assert_int_equal(f->status, 0);
    assert_event(f, "removed 2 1 0");
}

static void on_ending(void *user)
{
    struct fix *f = user;

    str_add(&f->events, "ending\n");
}

static void end_is_said_when_the_engine_has_all_in_hand(void **state)
{
    struct fix *f = *state;

    f->spec.on_ending = on_ending;
    answer_late(f, "DELETE", "/containers/db1", 204, NULL, 600);
    answer_late(f, "DELETE", "/networks/net1", 204, NULL, 600);
    become_ready(f);
    stop_it(f);
    wait_asked(f, "/containers/db1?", 1);
    push_network_event(f, "disconnect", "web1");
    run_for(f, 50); /* the other one is on it still */
    assert_no_event(f, "ending");
    push_network_event(f, "disconnect", "db1");
    wait_event(f, "ending");
    wait_asked(f, "/networks/net1", 1);
    assert_no_event(f, "resource db removed");
    wait_gone(f);
    assert_null(strstr(strstr(str_c(&f->events), "ending") + 1, "ending"));
}

static void end_is_not_said_while_the_network_is_made(void **state)
{
    struct fix *f = *state;

    f->spec.on_ending = on_ending;
    answer_late(f, "POST", "/networks/create", 201, "{\"Id\":\"net1\"}", 200);
    answer_late(f, "DELETE", "/networks/net1", 204, NULL, 200);
    begin(f);
    stop_it(f);
    wait_asked(f, "/networks/create", 1);
    run_for(f, 50); /* it is answered later */
    assert_no_event(f, "ending");
    wait_event(f, "ending");
    wait_asked(f, "/networks/net1", 1);
    wait_gone(f);
}

static void end_is_not_said_before_volumes_are_asked_for(void **state)
{
    struct fix *f = *state;
    struct plan_volume *v = vec_add(&f->plan.volumes);

    *v = (struct plan_volume){ .name = TEXT("files"), .uid = -1 };
    f->spec.on_ending = on_ending;
    answer(f, "POST", "/volumes/create", 201, "{}");
    answer_late(f, "DELETE", "/volumes/app-s1-files", 204, NULL, 200);
    answer_late(f, "DELETE", "/containers/db1", 204, NULL, 200);
    become_ready(f);
    stop_it(f);
    wait_asked(f, "/containers/db1?", 1);
    push_network_event(f, "disconnect", "web1");
    push_network_event(f, "disconnect", "db1");
    wait_event(f, "ending");
    assert_event(f, "resource db removed");
    wait_asked(f, "/volumes/app-s1-files", 1);
    wait_gone(f);
    assert_event(f, "removed 2 1 1");
}

static void second_stop_does_not_wait_for_the_grace(void **state)
{
    struct fix *f = *state;

    answer_never(f, "POST", "/containers/web1/stop");
    become_ready(f);
    session_stop(f->session, "once", false, 0);
    assert_false(loop_run_until(&f->base.loop, &f->gone, 100));
    session_stop(f->session, "twice", true, 0);
    wait_gone(f);
}

static void create_under_way_is_not_lost_by_a_stop(void **state)
{
    struct fix *f = *state;

    fake_engine_on(f->fake, "POST", CREATE_WEB,
                   &(struct fake_answer){ .status = 201,
                                          .body = "{\"Id\":\"web1\"}",
                                          .delay_ms = 200 });
    begin(f);
    assert_false(loop_run_until(&f->base.loop, &f->gone, 100));
    session_stop(f->session, "in the middle", false, 0);
    wait_gone(f);
    assert_asked(f, "/containers/web1?", 1);
    assert_event(f, "removed 2 1 0");
}

static void stop_at_once_leaves_nothing(void **state)
{
    struct fix *f = *state;

    begin(f);
    session_stop(f->session, "at once", false, 0);
    wait_gone(f);
    assert_event(f, "removed 0 1 0");
}

static void what_the_books_lack_is_swept(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    answer(f, "GET", "/containers/json", 200,
           "[{\"Id\":\"lost1\",\"Names\":[\"/lost\"],\"State\":\"created\","
           "\"Labels\":{\"cvx.session\":\"s1\"}}]");
    answer(f, "DELETE", "/containers/lost1", 204, NULL);
    finish(f);
    assert_asked(f, "/containers/lost1", 1);
    assert_event(f, "removed 3 1 0");
}

static void busy_network_is_asked_for_again(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    fake_engine_on(
        f->fake, "DELETE", "/networks/net1",
        &(struct fake_answer){ .status = 403,
                               .body = "{\"message\":\"network has active "
                                       "endpoints\"}",
                               .times = 2 });
    session_stop(f->session, "test", false, 0);
    wait_over(f);
    assert_asked(f, "/networks/net1", 3);
    assert_event(f, "removed 2 1 0");
}

static void service_that_ends_is_started_again(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    push_exit(f, "web1", 137);
    wait_asked(f, "/containers/web1/start", 2);
    assert_event(f, "service web exited");
    assert_event(f, "warning service web ended: exit status 137 (killed by "
                    "SIGKILL); starting it again in 0.5 s\nit printed "
                    "nothing");
    finish(f);
}

static void exit_on_failure_ends_with_the_service_status(void **state)
{
    struct fix *f = *state;

    f->spec.exit_on_failure = true;
    become_ready(f);
    push_exit(f, "web1", 3);
    wait_gone(f);
    assert_int_equal(f->status, 3);
    assert_event(f, "error service web ended: exit status 3 | it printed "
                    "nothing | with --no-exit-on-failure it is started again");
}

static void last_lines_are_shown_with_the_error(void **state)
{
    static const char frame[] = "\2\0\0\0\0\0\0\x0f"
                                "no such option\n";
    struct fix *f = *state;

    f->spec.exit_on_failure = true;
    become_ready(f);
    fake_engine_push(f->fake, "/containers/web1/attach", frame,
                     sizeof(frame) - 1);
    push_exit(f, "web1", 2);
    wait_gone(f);
    assert_event(f, "its last lines:\n  | no such option");
}

static void service_removed_by_hand_is_made_again(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    fake_engine_on(
        f->fake, "POST", "/containers/web1/attach",
        &(struct fake_answer){ .status = 404,
                               .body = "{\"message\":\"No such container\"}",
                               .times = 1 });
    push_exit(f, "web1", 137);
    wait_asked(f, CREATE_WEB, 2);
    finish(f);
}

static void lost_events_are_listened_for_again(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    answer(f, "GET", "/containers/json", 200,
           "[{\"Id\":\"db1\",\"Names\":[\"/a\"],\"State\":\"running\","
           "\"Labels\":{}},{\"Id\":\"web1\",\"Names\":[\"/b\"],\"State\":"
           "\"exited\",\"Labels\":{}}]");
    fake_engine_finish(f->fake, "/containers/web1/attach");
    fake_engine_finish(f->fake, "/events");
    /* those of containers and those of the network, again */
    wait_asked(f, "/events", 4);
    wait_event(f, "service web exited");
    assert_event(f, "warning the engine went away");
    answer(f, "GET", "/containers/json", 200, "[]");
    finish(f);
}

/* ---- a stop in every state ------------------------------------------------
 */

static void create_that_fails_under_a_stop_is_the_end_of_it(void **state)
{
    struct fix *f = *state;

    answer_late(f, "POST", CREATE_WEB, 500, "{\"message\":\"no\"}", 200);
    begin(f);
    wait_asked(f, CREATE_WEB, 1);
    stop_it(f);
    wait_gone(f);
    assert_event(f, "removed 1 1 0");
}

static void stop_while_an_image_is_pulled(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", CREATE_WEB, 404, "{\"message\":\"No such image\"}");
    answer_never(f, "POST", "/images/create");
    begin(f);
    wait_asked(f, "/images/create", 1);
    finish(f);
    assert_event(f, "removed 1 1 0");
}

static void stop_while_files_are_put(void **state)
{
    struct fix *f = *state;
    struct plan_file *file = vec_add(&f->web->container.files);

    file->path = TEXT("/x");
    file->text = TEXT("y");
    answer_never(f, "PUT", "/containers/web1/archive");
    begin(f);
    wait_asked(f, "/containers/web1/archive", 1);
    finish(f);
    assert_event(f, "removed 2 1 0");
}

static void stop_while_it_waits_for_a_resource(void **state)
{
    struct fix *f = *state;

    f->db->probe = PROBE_REDIS;
    f->db->port = 1;
    begin(f);
    wait_event(f, "resource db checking");
    finish(f);
    assert_asked(f, "/containers/web1/start", 0);
    assert_event(f, "removed 2 1 0");
}

/* While it is removed, the time that it had to become ready passes. */
static void stop_ends_the_wait_for_a_resource(void **state)
{
    struct fix *f = *state;

    f->db->probe = PROBE_REDIS;
    f->db->port = 1;
    f->spec.wait_timeout_s = 1;
    answer_late(f, "DELETE", "/containers/db1", 204, NULL, 1200);
    begin(f);
    wait_asked(f, "/containers/db1/start", 1);
    finish(f);
    assert_no_event(f, "error");
    assert_event(f, "removed 2 1 0");
}

static void stop_while_the_output_is_attached(void **state)
{
    struct fix *f = *state;

    answer_never(f, "POST", "/containers/web1/attach");
    begin(f);
    wait_asked(f, "/containers/web1/attach", 1);
    finish(f);
    assert_event(f, "removed 2 1 0");
}

static void stop_while_it_is_started(void **state)
{
    struct fix *f = *state;

    answer_late(f, "POST", "/containers/web1/start", 204, NULL, 200);
    begin(f);
    wait_asked(f, "/containers/web1/start", 1);
    finish(f);
    assert_event(f, "removed 2 1 0");
}

static void stop_while_its_health_is_checked(void **state)
{
    struct fix *f = *state;

    f->web->health = (struct plan_health){ .path = TEXT("/"),
                                           .scheme = TEXT("http"),
                                           .port = 1,
                                           .interval_s = 1,
                                           .timeout_s = 1 };
    begin(f);
    wait_event(f, "service web checking");
    finish(f);
    assert_asked(f, "/containers/web1/stop", 1);
}

static void stop_while_it_waits_to_be_restarted(void **state)
{
    struct fix *f = *state;
    size_t before;

    become_ready(f);
    push_exit(f, "web1", 1);
    wait_event(f, "service web restarting");
    answer_late(f, "DELETE", "/containers/web1", 204, NULL, 700);
    before = f->events.len;
    finish(f);
    assert_null(strstr(str_c(&f->events) + before, "web waiting"));
    assert_int_equal(fake_engine_asked(f->fake, "/containers/web1/start"), 1);
}

static void stop_while_its_last_words_are_awaited(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    answer_late(f, "DELETE", "/containers/web1", 204, NULL, 1200);
    push_die(f, "web1", 1);
    run_for(f, 50); /* it is known, and not told yet */
    assert_no_event(f, "service web exited");
    finish(f);
    assert_no_event(f, "service web exited");
    assert_int_equal(fake_engine_asked(f->fake, "/containers/web1/stop"), 0);
}

static void stop_while_it_is_built(void **state)
{
    struct fix *f = *state;
    struct plan_build *b = vec_add(&f->plan.builds);

    b->path = TEXT("support");
    b->dockerfile = TEXT("session_fix.h"); /* any file: no FROM in it */
    strv_add(&b->services, "web");
    f->web->container.build = 0;
    f->web->container.image = NULL;
    f->spec.dir = "tests";
    answer_never(f, "POST", "/build");
    begin(f);
    wait_asked(f, "/build", 1);
    finish(f);
    assert_event(f, "removed 1 1 0");
    assert_no_event(f, "build web failed");
}

static void pre_stop_comes_before_the_stop(void **state)
{
    struct fix *f = *state;

    strv_add(&f->web->pre_stop, "true");
    answer(f, "POST", "/containers/web1/exec", 500, "{\"message\":\"no\"}");
    become_ready(f);
    finish(f);
    assert_true(place_of(f, "/containers/web1/exec") <
                place_of(f, "/containers/web1/stop"));
    assert_event(f, "warning service web: lifecycle.preStop failed: no");
}

/* ---- an engine that does not do what it should ------------------------------
 */

static void engine_that_hangs_does_not_hang_the_session(void **state)
{
    struct fix *f = *state;

    f->spec.limit_ms = 300;
    f->web->container.stop_grace_s = 0;
    become_ready(f);
    answer_never(f, NULL, "/");
    stop_it(f);
    wait_over(f);
    assert_int_equal(f->status, 1);
    assert_event(f, "error container app-s1-resource-db could not be removed "
                    "| the engine did not do it in time | the next cvx start "
                    "tries again");
    assert_event(f, "error container app-s1-web-1 could not be removed");
    assert_event(f, "error network app-s1 could not be removed");
    assert_event(f, "removed 0 0 0");
}

static void start_that_is_never_answered_is_given_up(void **state)
{
    struct fix *f = *state;

    f->spec.limit_ms = 300;
    f->web->container.stop_grace_s = 0;
    answer_never(f, "POST", "/containers/web1/start");
    begin(f);
    wait_asked(f, "/containers/web1/start", 1);
    stop_it(f);
    wait_over(f);
    assert_event(f, "error container app-s1-web-1 could not be removed");
    assert_no_event(f, "error container app-s1-resource-db");
}

static void sweep_that_hangs_is_given_up(void **state)
{
    struct fix *f = *state;

    f->spec.limit_ms = 300;
    f->web->container.stop_grace_s = 0;
    become_ready(f);
    answer(f, "GET", "/containers/json", 200,
           "[{\"Id\":\"lost1\",\"Names\":[\"/lost\"],\"State\":\"created\","
           "\"Labels\":{\"cvx.session\":\"s1\"}}]");
    answer_never(f, "DELETE", "/containers/lost1");
    stop_it(f);
    wait_over(f);
    assert_event(f, "error container lost could not be removed");
}

static void engine_that_is_away_is_named_at_once_when_in_a_hurry(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    fake_engine_deaf(f->fake);
    session_stop(f->session, "test", true, 0);
    wait_over(f);
    assert_int_equal(f->status, 1);
    assert_event(f, "error container app-s1-resource-db could not be removed "
                    "| no container engine at ");
    assert_event(f, "error network app-s1 could not be removed");
    assert_no_event(f, "web removed");
}

static void engine_that_comes_back_is_asked_again(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    fake_engine_deaf(f->fake);
    stop_it(f);
    run_for(f, 400); /* it is waited for */
    assert_false(f->gone);
    fake_engine_close(f->fake);
    f->fake = fake_engine_new(&f->base.loop, f->base.path);
    session_fix_script(f);
    answer(f, "GET", "/containers/json", 200,
           "[{\"Id\":\"db1\",\"Names\":[\"/a\"],\"State\":\"exited\","
           "\"Labels\":{}},{\"Id\":\"web1\",\"Names\":[\"/b\"],\"State\":"
           "\"exited\",\"Labels\":{}}]");
    wait_gone(f);
    assert_event(f, "removed 2 1 0");
    assert_int_equal(f->status, 0);
}

static void volume_and_network_that_stay_are_named(void **state)
{
    struct fix *f = *state;
    struct plan_volume *v = vec_add(&f->plan.volumes);

    *v = (struct plan_volume){ .name = TEXT("files"), .uid = -1 };
    answer(f, "POST", "/volumes/create", 201, "{}");
    become_ready(f);
    answer(f, "DELETE", "/volumes/app-s1-files", 409,
           "{\"message\":\"volume is in use\"}");
    answer(f, "DELETE", "/networks/net1", 403,
           "{\"message\":\"has active endpoints\"}");
    stop_it(f);
    wait_over(f);
    assert_int_equal(f->status, 1);
    assert_event(f, "error volume app-s1-files could not be removed | volume "
                    "is in use");
    assert_event(f, "error network app-s1 could not be removed | has active "
                    "endpoints");
}

static void connection_that_breaks_in_a_start_is_an_error(void **state)
{
    struct fix *f = *state;

    fake_engine_on(f->fake, "POST", "/containers/web1/start",
                   &(struct fake_answer){ .how = FAKE_ENGINE_RESET });
    begin(f);
    wait_gone(f);
    assert_int_equal(f->status, 1);
    assert_event(f, "error service web: cannot start its container | ");
    assert_event(f, "removed 2 1 0");
}

static void output_is_heard_again_after_the_engine_came_back(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    answer(f, "GET", "/containers/json", 200,
           "[{\"Id\":\"db1\",\"Names\":[\"/a\"],\"State\":\"running\","
           "\"Labels\":{}},{\"Id\":\"web1\",\"Names\":[\"/b\"],\"State\":"
           "\"running\",\"Labels\":{}}]");
    fake_engine_drop(f->fake);
    wait_asked(f, "/containers/web1/attach", 2);
    run_for(f, 50); /* the end of the first output says nothing */
    assert_no_event(f, "exited");
    answer(f, "GET", "/containers/json", 200, "[]");
    finish(f);
}

/* ---- why it ended
 * ---------------------------------------------------------- */

static void out_of_memory_is_said_once(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    push_event(f, "web1", "oom", 0);
    push_exit(f, "web1", 137);
    wait_asked(f, "/containers/web1/start", 2);
    assert_event(f, "exited: exit status 137 (out of memory)");
    wait_event_times(f, "service web ready", 2);
    push_exit(f, "web1", 3);
    wait_event(f, "exited: exit status 3\n");
    finish(f);
}

static void broken_output_is_said_once(void **state)
{
    static const char noise[] = "no frame at all, this";
    struct fix *f = *state;
    const char *first;

    become_ready(f);
    for (int i = 0; i < 3; i++) {
        fake_engine_push(f->fake, "/containers/web1/attach", noise,
                         sizeof(noise) - 1);
        run_for(f, 20); /* each in a packet of its own */
    }
    assert_event(f, "warning output of web: ");
    first = strstr(str_c(&f->events), "warning output of web: ");
    assert_null(strstr(first + 1, "warning output of web: "));
    finish(f);
}

int main(void)
{
#define T(fn) SESSION_TEST(fn)
    const struct CMUnitTest tests[] = {
        T(resource_is_killed_and_service_is_asked),
        T(resource_outlives_the_services_that_list_it),
        T(resource_goes_as_soon_as_its_services_have_died),
        T(resource_that_nobody_lists_goes_at_once),
        T(network_goes_when_the_last_container_has_left_it),
        T(network_is_asked_for_until_the_containers_are_gone),
        T(end_is_said_when_the_engine_has_all_in_hand),
        T(end_is_not_said_while_the_network_is_made),
        T(end_is_not_said_before_volumes_are_asked_for),
        T(second_stop_does_not_wait_for_the_grace),
        T(create_under_way_is_not_lost_by_a_stop),
        T(stop_at_once_leaves_nothing),
        T(what_the_books_lack_is_swept),
        T(busy_network_is_asked_for_again),
        T(service_that_ends_is_started_again),
        T(exit_on_failure_ends_with_the_service_status),
        T(last_lines_are_shown_with_the_error),
        T(service_removed_by_hand_is_made_again),
        T(lost_events_are_listened_for_again),
        T(create_that_fails_under_a_stop_is_the_end_of_it),
        T(stop_while_an_image_is_pulled),
        T(stop_while_files_are_put),
        T(stop_while_it_waits_for_a_resource),
        T(stop_ends_the_wait_for_a_resource),
        T(stop_while_the_output_is_attached),
        T(stop_while_it_is_started),
        T(stop_while_its_health_is_checked),
        T(stop_while_it_waits_to_be_restarted),
        T(stop_while_its_last_words_are_awaited),
        T(stop_while_it_is_built),
        T(pre_stop_comes_before_the_stop),
        T(engine_that_hangs_does_not_hang_the_session),
        T(start_that_is_never_answered_is_given_up),
        T(sweep_that_hangs_is_given_up),
        T(engine_that_is_away_is_named_at_once_when_in_a_hurry),
        T(engine_that_comes_back_is_asked_again),
        T(volume_and_network_that_stay_are_named),
        T(connection_that_breaks_in_a_start_is_an_error),
        T(output_is_heard_again_after_the_engine_came_back),
        T(out_of_memory_is_said_once),
        T(broken_output_is_said_once),
    };

    return cmocka_run_group_tests_name("session_end", tests, NULL, NULL);
}
