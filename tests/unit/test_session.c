#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "engine/engine.h"
#include "logs/hub.h"
#include "plan/plan.h"
#include "run/port.h"
#include "run/session.h"
#include "support/fake_engine.h"
#include "support/looptest.h"

/*
 * An app with a resource `db` and a service `web` that lists it, on a scripted
 * engine. No probe and no health check: ready is "started".
 */
struct fix {
    uv_loop_t loop;
    char path[64];
    struct fake_engine *fake;
    struct engine *engine;
    struct plan plan;
    struct hub *hub;
    struct image_notes *notes;
    struct port_book ports;
    struct session *session;
    struct session_spec spec;
    struct str events; /* "resource db ready\n", ... */
    bool ready, gone, closed;
    int status;
};

static void on_event(const struct run_event *e, void *user)
{
    struct fix *f = user;

    switch (e->type) {
    case RUN_STATE:
        str_printf(&f->events, "%s %s %s\n", e->kind, e->name, e->state);
        break;
    case RUN_WARNING:
        str_printf(&f->events, "warning %s\n", e->text);
        break;
    case RUN_ERROR:
        str_printf(&f->events, "error %s | %s | %s\n", e->text,
                   e->why == NULL ? "-" : e->why,
                   e->todo == NULL ? "-" : e->todo);
        break;
    case RUN_READY:
        f->ready = true;
        break;
    case RUN_REMOVED:
        str_printf(&f->events, "removed %u %u %u\n", e->containers, e->networks,
                   e->volumes);
        break;
    case RUN_PROGRESS:
    case RUN_STOPPING:
        break;
    }
}

static void on_gone(int status, void *user)
{
    struct fix *f = user;

    f->gone = true;
    f->status = status;
}

static void on_closed(void *user)
{
    ((struct fix *)user)->closed = true;
}

/* ---- the engine's script
 * ------------------------------------------------------ */

static void answer(struct fix *f, const char *method, const char *path,
                   int status, const char *body)
{
    fake_engine_on(f->fake, method, path,
                   &(struct fake_answer){ .status = status, .body = body });
}

static void script(struct fix *f)
{
    fake_engine_on(f->fake, "GET", "/events",
                   &(struct fake_answer){ .how = FAKE_ENGINE_OPEN });
    answer(f, "POST", "/networks/create", 201, "{\"Id\":\"net1\"}");
    answer(f, "DELETE", "/networks/net1", 204, NULL);
    answer(f, "GET", "/containers/json", 200, "[]");
    answer(f, "POST", "/containers/create?name=app-s1-resource-db", 201,
           "{\"Id\":\"db1\"}");
    answer(f, "POST", "/containers/create?name=app-s1-web-1", 201,
           "{\"Id\":\"web1\"}");
    fake_engine_on(f->fake, "POST", "/containers/db1/attach",
                   &(struct fake_answer){ .how = FAKE_ENGINE_OPEN });
    fake_engine_on(f->fake, "POST", "/containers/web1/attach",
                   &(struct fake_answer){ .how = FAKE_ENGINE_OPEN });
    answer(f, "POST", "/containers/db1/start", 204, NULL);
    answer(f, "POST", "/containers/web1/start", 204, NULL);
    answer(f, "POST", "/containers/web1/stop", 204, NULL);
    answer(f, "DELETE", "/containers/db1", 204, NULL);
    answer(f, "DELETE", "/containers/web1", 204, NULL);
}

/* Plans own their strings; this one is never freed as a whole. */
#define TEXT(s) ((char *)(s))

static void make_plan(struct fix *f)
{
    struct plan_resource *db = vec_add(&f->plan.resources);
    struct plan_service *web = vec_add(&f->plan.services);

    f->plan.app = TEXT("app");
    *db = (struct plan_resource){ .name = TEXT("db"),
                                  .type = TEXT("postgres"),
                                  .kind = TEXT("postgres"),
                                  .has_container = true,
                                  .standin = TEXT("postgres"),
                                  .volume = -1,
                                  .container = { .image = TEXT("postgres:17"),
                                                 .build = -1 } };
    *web = (struct plan_service){
        .name = TEXT("web"),
        .count = 1,
        .container = { .image = TEXT("web:1"), .build = -1, .stop_grace_s = 30 }
    };
    *(int *)vec_add(&web->resources) = 0;
}

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));
    cleanup_free char *endpoint = NULL;
    struct err err = { 0 };

    uv_loop_init(&f->loop);
    snprintf(f->path, sizeof(f->path), "/tmp/session-%d.sock", (int)getpid());
    endpoint = xasprintf("unix://%s", f->path);
    f->fake = fake_engine_new(&f->loop, f->path);
    if (engine_new(&f->engine, &f->loop, endpoint, NULL, &err) < 0)
        return -1;
    script(f);
    make_plan(f);
    f->hub = hub_new();
    f->notes = image_notes_new();
    f->spec = (struct session_spec){ .loop = &f->loop,
                                     .engine = f->engine,
                                     .plan = &f->plan,
                                     .hub = f->hub,
                                     .notes = f->notes,
                                     .ports = &f->ports,
                                     .id = "s1",
                                     .rack_id = "rack1",
                                     .release = "RX",
                                     .dir = "/nowhere",
                                     .hub_tag = "convox",
                                     .on_event = on_event,
                                     .on_gone = on_gone,
                                     .user = f };
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;

    engine_close(f->engine, on_closed, f);
    assert_true(loop_run_until(&f->loop, &f->closed, 1000));
    fake_engine_close(f->fake);
    assert_true(loop_ends_clean(&f->loop));
    hub_free(f->hub);
    image_notes_free(f->notes);
    free(f->plan.services.v[0].resources.v);
    free(f->plan.services.v);
    free(f->plan.resources.v);
    str_release(&f->events);
    unlink(f->path);
    free(f);
    return 0;
}

static void begin(struct fix *f)
{
    f->session = session_start(&f->spec);
}

static void become_ready(struct fix *f)
{
    begin(f);
    assert_true(loop_run_until(&f->loop, &f->ready, 2000));
}

static void wait_gone(struct fix *f)
{
    assert_true(loop_run_until(&f->loop, &f->gone, 4000));
    assert_int_equal(fake_engine_asked(f->fake, "/networks/net1"), 1);
}

static void end(struct fix *f)
{
    session_stop(f->session, "test", false, 0);
    wait_gone(f);
}

static void push_die(struct fix *f, const char *id, int status)
{
    cleanup_free char *line =
        xasprintf("{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{"
                  "\"ID\":\"%s\",\"Attributes\":{\"exitCode\":\"%d\","
                  "\"cvx.session\":\"s1\"}},\"time\":1,\"timeNano\":1}\n",
                  id, status);

    fake_engine_push(f->fake, "/events", line, strlen(line));
}

static void assert_event(const struct fix *f, const char *text)
{
    if (strstr(str_c(&f->events), text) == NULL)
        fail_msg("no \"%s\" in:\n%s", text, str_c(&f->events));
}

/* The request's place among all; requests are kept in order of time. */
static int place_of(const struct fix *f, const char *part)
{
    for (size_t i = 0; i < fake_engine_requests(f->fake); i++)
        if (strstr(fake_engine_request(f->fake, i)->path, part) != NULL)
            return (int)i;
    return -1;
}

/* ---- tests
 * --------------------------------------------------------------------- */

static void service_starts_after_the_resource_it_lists(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    assert_true(place_of(f, "/containers/db1/start") <
                place_of(f, "/containers/web1/start"));
    /* It was created long before: only the start waits. */
    assert_true(place_of(f, "name=app-s1-web-1") <
                place_of(f, "/containers/db1/start"));
    end(f);
    assert_int_equal(f->status, 0);
    assert_event(f, "removed 2 1 0");
}

static void output_is_attached_before_the_start(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    assert_true(place_of(f, "/containers/web1/attach") <
                place_of(f, "/containers/web1/start"));
    assert_true(place_of(f, "/events") < place_of(f, "/containers/db1/start"));
    end(f);
}

static void three_calls_make_a_container(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    /* events, network, and create + attach + start of each */
    assert_int_equal(fake_engine_requests(f->fake), 2 + 2 * 3);
    end(f);
}

static void every_object_carries_the_labels(void **state)
{
    static const char *const wanted[] = {
        "\"cvx.rack\":\"rack1\"",
        "\"cvx.session\":\"s1\"",
        "\"cvx.app\":\"app\"",
    };
    struct fix *f = *state;

    become_ready(f);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
        assert_non_null(strstr(
            fake_engine_last(f->fake, "/networks/create")->body, wanted[i]));
        assert_non_null(strstr(
            fake_engine_last(f->fake, "/containers/create?name=app-s1-web-1")
                ->body,
            wanted[i]));
    }
    assert_non_null(strstr(
        fake_engine_last(f->fake, "/containers/create?name=app-s1-web-1")->body,
        "\"cvx.name\":\"web\""));
    end(f);
}

static void resource_is_killed_and_service_is_asked(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    end(f);
    assert_int_equal(fake_engine_asked(f->fake, "/containers/db1/stop"), 0);
    assert_int_equal(fake_engine_asked(f->fake, "/containers/web1/stop"), 1);
    assert_true(place_of(f, "/containers/web1/stop") <
                place_of(f, "/networks/net1"));
}

static void second_stop_does_not_wait_for_the_grace(void **state)
{
    struct fix *f = *state;

    fake_engine_on(f->fake, "POST", "/containers/web1/stop",
                   &(struct fake_answer){ .how = FAKE_ENGINE_SILENT });
    become_ready(f);
    session_stop(f->session, "once", false, 0);
    assert_false(loop_run_until(&f->loop, &f->gone, 100));
    session_stop(f->session, "twice", true, 0);
    wait_gone(f);
}

static void create_error_removes_what_was_made(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", "/containers/create?name=app-s1-web-1", 500,
           "{\"message\":\"write /x: no space left on device\"}");
    begin(f);
    wait_gone(f);
    assert_int_equal(f->status, 1);
    assert_event(f, "error service web: cannot create its container | ");
    assert_event(f, "no space left on device | the disk is full: see cvx "
                    "doctor, and docker system df");
    assert_event(f, "removed 1 1 0");
}

static void create_under_way_is_not_lost_by_a_stop(void **state)
{
    struct fix *f = *state;

    fake_engine_on(f->fake, "POST", "/containers/create?name=app-s1-web-1",
                   &(struct fake_answer){ .status = 201,
                                          .body = "{\"Id\":\"web1\"}",
                                          .delay_ms = 200 });
    begin(f);
    assert_false(loop_run_until(&f->loop, &f->gone, 100));
    session_stop(f->session, "in the middle", false, 0);
    wait_gone(f);
    assert_int_equal(fake_engine_asked(f->fake, "/containers/web1?"), 1);
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
    end(f);
    assert_int_equal(fake_engine_asked(f->fake, "/containers/lost1"), 1);
    assert_event(f, "removed 3 1 0");
}

static void missing_image_is_pulled_and_created_again(void **state)
{
    struct fix *f = *state;

    fake_engine_on(
        f->fake, "POST", "/containers/create?name=app-s1-web-1",
        &(struct fake_answer){ .status = 404,
                               .body = "{\"message\":\"No such image: web:1\"}",
                               .times = 1 });
    answer(f, "POST", "/images/create", 200,
           "{\"status\":\"Pull complete\",\"id\":\"aa\"}\n");
    become_ready(f);
    assert_event(f, "image web:1 pulling");
    assert_event(f, "image web:1 ready");
    end(f);
}

static void no_registry_and_no_standin_is_an_error(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", "/containers/create?name=app-s1-web-1", 404,
           "{\"message\":\"No such image: web:1\"}");
    answer(f, "POST", "/images/create", 500,
           "{\"message\":\"dial tcp: lookup registry: no such host\"}");
    begin(f);
    wait_gone(f);
    assert_event(f, "error image web:1 not found, needed by service web | ");
    assert_event(f, "no such host | no registry answers: check the network "
                    "connection");
}

static void standin_of_the_nearest_version_is_used_and_noted(void **state)
{
    static const char refused[] =
        "{\"message\":\"dial tcp: lookup registry: no such host\"}";
    struct fix *f = *state;

    fake_engine_on(
        f->fake, "POST", "/containers/create?name=app-s1-resource",
        &(struct fake_answer){ .status = 404,
                               .body = "{\"message\":\"No such image\"}",
                               .times = 1 });
    answer(f, "POST", "/images/create", 500, refused);
    answer(f, "GET", "/images/json", 200,
           "[{\"Id\":\"sha256:1\",\"RepoTags\":[\"cvx/postgres:15\"],"
           "\"Labels\":{\"cvx.standin\":\"postgres\"}},"
           "{\"Id\":\"sha256:2\",\"RepoTags\":[\"cvx/postgres:17\"],"
           "\"Labels\":{\"cvx.standin\":\"postgres\"}}]");
    become_ready(f);
    assert_event(f, "warning postgres:17: no registry answers; "
                    "cvx/postgres:17, made from Debian's packages, stands "
                    "in");
    assert_non_null(strstr(
        fake_engine_last(f->fake, "/containers/create?name=app-s1-resource")
            ->body,
        "\"cvx/postgres:17\""));
    end(f);

    /* The next session does not ask a registry again. */
    f->ready = f->gone = false;
    begin(f);
    assert_true(loop_run_until(&f->loop, &f->ready, 2000));
    assert_int_equal(fake_engine_asked(f->fake, "/images/create"), 1);
    session_stop(f->session, "test", false, 0);
    assert_true(loop_run_until(&f->loop, &f->gone, 2000));
}

static void overlapping_subnet_is_tried_again_elsewhere(void **state)
{
    struct fix *f = *state;

    fake_engine_on(f->fake, "POST", "/networks/create",
                   &(struct fake_answer){
                       .status = 403,
                       .body = "{\"message\":\"Pool overlaps with other one "
                               "on this address space\"}",
                       .times = 3 });
    become_ready(f);
    assert_int_equal(fake_engine_asked(f->fake, "/networks/create"), 4);
    end(f);
}

static void no_address_pool_is_said(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", "/networks/create", 403,
           "{\"message\":\"Pool overlaps with other one on this address "
           "space\"}");
    begin(f);
    assert_true(loop_run_until(&f->loop, &f->gone, 3000));
    assert_event(f, "error no free address pool for the session's network | ");
    assert_event(f, " | remove networks nobody uses: docker network prune");
    assert_event(f, "removed 0 0 0");
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
    assert_true(loop_run_until(&f->loop, &f->gone, 2000));
    assert_int_equal(fake_engine_asked(f->fake, "/networks/net1"), 3);
    assert_event(f, "removed 2 1 0");
}

static void service_that_ends_is_started_again(void **state)
{
    struct fix *f = *state;
    bool never = false;

    become_ready(f);
    push_die(f, "web1", 137);
    fake_engine_finish(f->fake, "/containers/web1/attach");
    loop_run_until(&f->loop, &never, 900);
    assert_int_equal(fake_engine_asked(f->fake, "/containers/web1/start"), 2);
    assert_event(f, "service web exited");
    assert_event(f, "warning service web ended: exit status 137 (killed by "
                    "SIGKILL); starting it again in 0.5 s\nit printed "
                    "nothing");
    end(f);
}

static void exit_on_failure_ends_with_the_service_status(void **state)
{
    struct fix *f = *state;

    f->spec.exit_on_failure = true;
    become_ready(f);
    push_die(f, "web1", 3);
    wait_gone(f);
    assert_int_equal(f->status, 3);
    assert_event(f, "error service web ended: exit status 3 | it printed "
                    "nothing | with --no-exit-on-failure it is started again");
}

/* The engine's event may come before its answer to the start. */
static void end_that_overtakes_the_start_is_heard(void **state)
{
    struct fix *f = *state;
    bool never = false;

    f->spec.exit_on_failure = true;
    f->plan.resources.v[0].probe = PROBE_REDIS;
    f->plan.resources.v[0].port = 6379;
    fake_engine_on(f->fake, "POST", "/containers/db1/start",
                   &(struct fake_answer){ .status = 204, .delay_ms = 200 });
    begin(f);
    loop_run_until(&f->loop, &never, 100);
    push_die(f, "db1", 7);
    wait_gone(f);
    assert_int_equal(f->status, 7);
    assert_event(f, "error resource db ended before it was ready: exit status "
                    "7");
}

static void last_lines_are_shown_with_the_error(void **state)
{
    static const char frame[] = "\2\0\0\0\0\0\0\x0f"
                                "no such option\n";
    struct fix *f = *state;
    bool never = false;

    f->spec.exit_on_failure = true;
    become_ready(f);
    fake_engine_push(f->fake, "/containers/web1/attach", frame,
                     sizeof(frame) - 1);
    loop_run_until(&f->loop, &never, 20);
    push_die(f, "web1", 2);
    wait_gone(f);
    assert_event(f, "its last lines:\n  | no such option");
}

static void resource_that_ends_before_it_is_ready_is_an_error(void **state)
{
    struct fix *f = *state;
    bool never = false;

    f->plan.resources.v[0].probe = PROBE_REDIS;
    f->plan.resources.v[0].port = 6379;
    begin(f);
    loop_run_until(&f->loop, &never, 100);
    push_die(f, "db1", 127);
    wait_gone(f);
    assert_int_equal(f->status, 127);
    assert_event(f, "error resource db ended before it was ready: exit status "
                    "127 (command not found) | it printed nothing | check "
                    "`image` and `options` of the resource");
}

static void deadline_names_what_is_not_ready(void **state)
{
    struct fix *f = *state;

    f->plan.services.v[0].health = (struct plan_health){ .path = TEXT("/"),
                                                         .scheme = TEXT("http"),
                                                         .port = 1,
                                                         .interval_s = 1,
                                                         .timeout_s = 1 };
    f->spec.wait_timeout_s = 1;
    begin(f);
    wait_gone(f);
    assert_event(f, "error not ready within 1 s | service web: checking: GET / "
                    "on port 1: ");
    assert_event(f, " | does it listen on 0.0.0.0 and the port of its variable "
                    "PORT? or give it more time with --wait-timeout");
}

static void service_removed_by_hand_is_made_again(void **state)
{
    struct fix *f = *state;
    bool never = false;

    become_ready(f);
    fake_engine_on(
        f->fake, "POST", "/containers/web1/attach",
        &(struct fake_answer){ .status = 404,
                               .body = "{\"message\":\"No such container\"}",
                               .times = 1 });
    push_die(f, "web1", 137);
    loop_run_until(&f->loop, &never, 2000);
    assert_int_equal(
        fake_engine_asked(f->fake, "/containers/create?name=app-s1-web-1"), 2);
    end(f);
}

static void lost_events_are_listened_for_again(void **state)
{
    struct fix *f = *state;
    bool never = false;

    become_ready(f);
    answer(f, "GET", "/containers/json", 200,
           "[{\"Id\":\"db1\",\"Names\":[\"/a\"],\"State\":\"running\","
           "\"Labels\":{}},{\"Id\":\"web1\",\"Names\":[\"/b\"],\"State\":"
           "\"exited\",\"Labels\":{}}]");
    fake_engine_finish(f->fake, "/events");
    loop_run_until(&f->loop, &never, 2000);
    assert_int_equal(fake_engine_asked(f->fake, "/events"), 2);
    assert_event(f, "warning the engine went away");
    assert_event(f, "service web exited");
    answer(f, "GET", "/containers/json", 200, "[]");
    end(f);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(service_starts_after_the_resource_it_lists),
        T(output_is_attached_before_the_start),
        T(three_calls_make_a_container),
        T(every_object_carries_the_labels),
        T(resource_is_killed_and_service_is_asked),
        T(second_stop_does_not_wait_for_the_grace),
        T(create_error_removes_what_was_made),
        T(create_under_way_is_not_lost_by_a_stop),
        T(stop_at_once_leaves_nothing),
        T(what_the_books_lack_is_swept),
        T(missing_image_is_pulled_and_created_again),
        T(no_registry_and_no_standin_is_an_error),
        T(standin_of_the_nearest_version_is_used_and_noted),
        T(overlapping_subnet_is_tried_again_elsewhere),
        T(no_address_pool_is_said),
        T(busy_network_is_asked_for_again),
        T(service_that_ends_is_started_again),
        T(exit_on_failure_ends_with_the_service_status),
        T(end_that_overtakes_the_start_is_heard),
        T(last_lines_are_shown_with_the_error),
        T(resource_that_ends_before_it_is_ready_is_an_error),
        T(deadline_names_what_is_not_ready),
        T(service_removed_by_hand_is_made_again),
        T(lost_events_are_listened_for_again),
    };

    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
