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
#include "timing/critical.h"

static void service_starts_after_the_resource_it_lists(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    assert_true(place_of(f, "/containers/db1/start") <
                place_of(f, "/containers/web1/start"));
    /* It was created long before: only the start waits. */
    assert_true(place_of(f, "name=app-s1-web-1") <
                place_of(f, "/containers/db1/start"));
    finish(f);
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
    finish(f);
}

static void three_calls_make_a_container(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    /* events, network and its events, create + attach + start of each */
    assert_int_equal(fake_engine_requests(f->fake), 3 + 2 * 3);
    finish(f);
}

/* "db create, db start, web start": the steps of the critical path that took
 * 100 ms at least. */
static void print_path(const struct fix *f, struct str *out)
{
    const struct marks *m = session_marks(f->session);
    struct critical path;

    critical_find(&path, m);
    for (size_t i = 0; i < path.len; i++)
        if (path.v[i].end_us - path.v[i].begin_us >= 100000)
            str_printf(out, "%s%s %s", out->len == 0 ? "" : ", ",
                       m->v[path.v[i].mark].name,
                       mark_phase_word(path.v[i].phase));
    critical_release(&path);
}

static void marks_say_what_the_start_was_waiting_for(void **state)
{
    static const char create[] = CREATE_DB;
    struct fix *f = *state;
    cleanup_str struct str path = { 0 };

    answer_late(f, "POST", "/networks/create", 201, "{\"Id\":\"net1\"}", 200);
    answer_late(f, "POST", "/images/create", 200, "{}\n", 200);
    answer_late(f, "POST", "/containers/web1/start", 204, NULL, 200);
    answer_late(f, "POST", create, 201, "{\"Id\":\"db1\"}", 200);
    answer_once(f, "POST", create, 404, "{\"message\":\"No such image\"}");
    become_ready(f);
    print_path(f, &path);
    assert_string_equal(str_c(&path), "postgres:17 pull, db create, web start");
    finish(f);
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
        assert_non_null(
            strstr(fake_engine_last(f->fake, CREATE_WEB)->body, wanted[i]));
    }
    assert_non_null(strstr(fake_engine_last(f->fake, CREATE_WEB)->body,
                           "\"cvx.name\":\"web\""));
    finish(f);
}

static void create_error_removes_what_was_made(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", CREATE_WEB, 500,
           "{\"message\":\"write /x: no space left on device\"}");
    begin(f);
    wait_gone(f);
    assert_int_equal(f->status, 1);
    assert_event(f, "error service web: cannot create its container | ");
    assert_event(f, "no space left on device | the disk is full: see cvx "
                    "doctor and docker system df");
    assert_event(f, "removed 1 1 0");
}

static void missing_image_is_pulled_and_created_again(void **state)
{
    struct fix *f = *state;

    fake_engine_on(
        f->fake, "POST", CREATE_WEB,
        &(struct fake_answer){ .status = 404,
                               .body = "{\"message\":\"No such image: web:1\"}",
                               .times = 1 });
    answer(f, "POST", "/images/create", 200,
           "{\"status\":\"Pull complete\",\"id\":\"aa\"}\n");
    become_ready(f);
    assert_event(f, "image web:1 pulling");
    assert_event(f, "image web:1 ready");
    finish(f);
}

#define LAYER(id, status, detail)                                              \
    "{\"status\":\"" status "\",\"progressDetail\":{" detail "},\"id\":\"" id  \
    "\"}\n"

/* Unpacking begins to count again, and the last words come at once. */
static void pull_ends_with_every_layer_and_byte_told(void **state)
{
    struct fix *f = *state;

    answer_once(f, "POST", CREATE_WEB, 404,
                "{\"message\":\"No such image: web:1\"}");
    answer(f, "POST", "/images/create", 200,
           LAYER("aa", "Already exists", "")
               LAYER("bb", "Downloading", "\"current\":10,\"total\":300")
                   LAYER("bb", "Download complete", "")
                       LAYER("bb", "Extracting", "\"current\":1,\"total\":999")
                           LAYER("bb", "Pull complete", ""));
    become_ready(f);
    assert_event(f, "image web:1 2/2 layers 300/300 bytes\n"
                    "image web:1 ready");
    finish(f);
}

/* Podman never says "Pull complete". */
static void pull_without_last_words_is_complete_too(void **state)
{
    struct fix *f = *state;

    answer_once(f, "POST", CREATE_WEB, 404,
                "{\"message\":\"No such image: web:1\"}");
    answer(f, "POST", "/images/create", 200,
           LAYER("aa", "Pulling fs layer", "")
               LAYER("bb", "Downloading", "\"current\":10,\"total\":300"));
    become_ready(f);
    assert_event(f, "image web:1 2/2 layers 300/300 bytes\n"
                    "image web:1 ready");
    finish(f);
}

static void no_registry_and_no_standin_is_an_error(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", CREATE_WEB, 404,
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
        f->fake, "POST", CREATE "resource",
        &(struct fake_answer){ .status = 404,
                               .body = "{\"message\":\"No such image\"}",
                               .times = 1 });
    answer(f, "POST", "/images/create", 500, refused);
    /* What was built from a stand-in has its label: it is none. */
    answer(f, "GET", "/images/json", 200,
           "[{\"Id\":\"sha256:3\",\"RepoTags\":[\"cvx-build/app:17\"],"
           "\"Labels\":{\"cvx.standin\":\"postgres\"}},"
           "{\"Id\":\"sha256:1\",\"RepoTags\":[\"cvx/postgres:15\"],"
           "\"Labels\":{\"cvx.standin\":\"postgres\"}},"
           "{\"Id\":\"sha256:2\",\"RepoTags\":[\"cvx/postgres:17\"],"
           "\"Labels\":{\"cvx.standin\":\"postgres\"}}]");
    become_ready(f);
    assert_event(f, "warning postgres:17: no registry answers; "
                    "cvx/postgres:17, made from Debian's packages, stands "
                    "in");
    assert_non_null(strstr(fake_engine_last(f->fake, CREATE "resource")->body,
                           "\"cvx/postgres:17\""));
    finish(f);

    /* The next session does not ask a registry again. */
    f->ready = f->gone = false;
    begin(f);
    wait_ready(f);
    assert_asked(f, "/images/create", 1);
    session_stop(f->session, "test", false, 0);
    wait_over(f);
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
    assert_asked(f, "/networks/create", 4);
    /* They were created for the first one, with an address on it. */
    assert_asked(f, CREATE_WEB, 2);
    assert_true(place_of(f, "/containers/web1?force") <
                place_of(f, "/containers/web1/start"));
    finish(f);
    assert_event(f, "removed 2 1 0");
}

static void containers_are_created_while_the_network_is(void **state)
{
    struct fix *f = *state;

    answer_late(f, "POST", "/networks/create", 201, "{\"Id\":\"net1\"}", 300);
    begin(f);
    wait_asked(f, CREATE_WEB, 1);
    wait_asked(f, CREATE_DB, 1);
    run_for(f, 30); /* the network is not there yet */
    assert_asked(f, "/containers/db1/start", 0);
    wait_ready(f);
    assert_asked(f, CREATE_WEB, 1);
    finish(f);
}

static void engine_that_wants_the_network_first_gets_it_first(void **state)
{
    struct fix *f = *state;

    answer_late(f, "POST", "/networks/create", 201, "{\"Id\":\"net1\"}", 50);
    answer_once(f, "POST", CREATE_WEB, 404,
                "{\"message\":\"network app-s1 not found\"}");
    become_ready(f);
    assert_asked(f, CREATE_WEB, 2);
    finish(f);
    assert_event(f, "removed 2 1 0");
}

static void no_address_pool_is_said(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", "/networks/create", 403,
           "{\"message\":\"Pool overlaps with other one on this address "
           "space\"}");
    begin(f);
    wait_over(f);
    assert_event(f, "error no free address pool for the session's network | ");
    assert_event(f, " | remove networks nobody uses: docker network prune");
    assert_event(f, "removed 2 0 0");
}

static void resource_that_ends_before_it_is_ready_is_an_error(void **state)
{
    struct fix *f = *state;

    f->plan.resources.v[0].probe = PROBE_REDIS;
    f->plan.resources.v[0].port = 6379;
    begin(f);
    wait_event(f, "resource db checking");
    push_exit(f, "db1", 127);
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

/* ---- more than one, and what goes with it ---------------------------------
 */

static void replicas_are_containers_of_their_own(void **state)
{
    struct fix *f = *state;

    f->web->count = 3;
    answer(f, "POST", CREATE "web-2", 201, "{\"Id\":\"web2\"}");
    answer(f, "POST", CREATE "web-3", 201, "{\"Id\":\"web3\"}");
    script_container(f, "web2");
    script_container(f, "web3");
    become_ready(f);
    assert_int_equal(session_item_count(f->session), 4);
    finish(f);
    assert_event(f, "removed 4 1 0");
}

static void with_init(struct fix *f)
{
    f->web->has_init = true;
    f->web->init_container =
        (struct plan_container){ .image = TEXT("init:1"), .build = -1 };
    answer(f, "POST", CREATE "web-init", 201, "{\"Id\":\"init1\"}");
    script_container(f, "init1");
}

static void init_container_ends_before_its_service_starts(void **state)
{
    struct fix *f = *state;

    with_init(f);
    begin(f);
    wait_asked(f, "/containers/init1/start", 1);
    run_for(f, 50); /* it waits for the end of the other */
    assert_asked(f, "/containers/web1/start", 0);
    push_exit(f, "init1", 0);
    wait_ready(f);
    assert_event(f, "init web ready");
    finish(f);
    assert_event(f, "removed 3 1 0");
}

static void init_container_that_fails_ends_the_session(void **state)
{
    struct fix *f = *state;

    with_init(f);
    begin(f);
    wait_asked(f, "/containers/init1/start", 1);
    push_exit(f, "init1", 2);
    wait_gone(f);
    assert_int_equal(f->status, 2);
    assert_event(f,
                 "error initContainer of service web ended: exit status 2 | ");
    assert_asked(f, "/containers/web1/start", 0);
}

static void end_before_the_answer_to_the_start_is_not_lost(void **state)
{
    struct fix *f = *state;

    f->db->probe = PROBE_REDIS;
    f->db->port = 6379;
    answer_late(f, "POST", "/containers/db1/start", 204, NULL, 150);
    begin(f);
    wait_asked(f, "/containers/db1/start", 1);
    push_exit(f, "db1", 1);
    wait_gone(f);
    assert_event(f, "error resource db ended before it was ready: exit status "
                    "1 | ");
}

static void init_container_that_ends_at_once_is_ready(void **state)
{
    struct fix *f = *state;

    with_init(f);
    answer_late(f, "POST", "/containers/init1/start", 204, NULL, 100);
    begin(f);
    wait_asked(f, "/containers/init1/start", 1);
    push_exit(f, "init1", 0);
    wait_ready(f);
    finish(f);
}

/* ---- images ---------------------------------------------------------------
 */

static void image_missing_for_ever_is_not_pulled_for_ever(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", CREATE_WEB, 404,
           "{\"message\":\"No such image: web:1\"}");
    answer(f, "POST", "/images/create", 200, "{\"status\":\"Pulled\"}\n");
    begin(f);
    wait_gone(f);
    assert_event(f, "error service web: cannot create its container | No such "
                    "image: web:1");
    assert_asked(f, "/images/create", 2);
}

static void built_image_with_an_inherited_label_is_no_standin(void **state)
{
    struct fix *f = *state;

    answer_once(f, "POST", CREATE "resource", 404,
                "{\"message\":\"No such image\"}");
    answer(f, "POST", "/images/create", 500,
           "{\"message\":\"dial tcp: lookup registry: no such host\"}");
    answer(f, "GET", "/images/json", 200,
           "[{\"Id\":\"sha256:1\",\"RepoTags\":[\"cvx-build/x:17\"],"
           "\"Labels\":{\"cvx.standin\":\"postgres\"}},"
           "{\"Id\":\"sha256:2\",\"RepoTags\":[\"cvx/postgres:15\"],"
           "\"Labels\":{\"cvx.standin\":\"postgres\"}}]");
    become_ready(f);
    assert_event(f, "no registry answers; cvx/postgres:15, made from");
    finish(f);
}

/* ---- builds ---------------------------------------------------------------
 */

static void with_build(struct fix *f, const char *dockerfile)
{
    struct plan_build *b = vec_add(&f->plan.builds);

    b->path = TEXT(".");
    b->dockerfile = TEXT("Dockerfile");
    strv_add(&b->services, "web");
    f->web->container.image = NULL;
    f->web->container.build = 0;
    f->spec.dir = f->base.dir.path;
    if (dockerfile != NULL)
        tmp_dir_put(&f->base.dir, "Dockerfile", dockerfile, 0644);
}

static void service_comes_from_the_image_that_was_built(void **state)
{
    struct fix *f = *state;

    with_build(f, "FROM small:1\nCMD true\n");
    answer(f, "GET", "/images/small:1/json", 200, "{\"Id\":\"sha256:5\"}");
    answer(f, "POST", "/build?", 200,
           "{\"stream\":\"Step 1/2 : FROM small:1\\n\"}\n"
           "{\"aux\":{\"ID\":\"sha256:built\"}}\n");
    become_ready(f);
    assert_event(f, "build web built");
    /* Not the tag: another session may build the same app meanwhile. */
    assert_non_null(strstr(fake_engine_last(f->fake, CREATE_WEB)->body,
                           "\"Image\":\"sha256:built\""));
    finish(f);
}

static void image_removed_since_it_was_built_is_built_again(void **state)
{
    struct fix *f = *state;

    with_build(f, "FROM small:1\n");
    answer(f, "GET", "/images/small:1/json", 200, "{\"Id\":\"sha256:5\"}");
    answer(f, "POST", "/build?", 200, "{\"aux\":{\"ID\":\"sha256:2\"}}\n");
    answer_once(f, "POST", "/build?", 200, "{\"aux\":{\"ID\":\"sha256:1\"}}\n");
    become_ready(f);
    answer_once(f, "POST", CREATE_WEB, 404,
                "{\"message\":\"No such image: sha256:1\"}");
    push_exit(f, "web1", 137);
    push_event(f, "web1", "destroy", 0);
    wait_asked(f, CREATE_WEB, 3);
    assert_event(f, "warning image cvx-build/app:web-");
    assert_event(f, " was removed from outside; building it again\n");
    assert_asked(f, "/build?", 2);
    /* Its base may have gone with it. */
    assert_asked(f, "/images/small:1/json", 2);
    assert_non_null(strstr(fake_engine_last(f->fake, CREATE_WEB)->body,
                           "\"Image\":\"sha256:2\""));
    wait_event_times(f, "service web ready", 2);
    finish(f);
    assert_event(f, "removed 2 1 0");
}

static void full_disk_at_a_build_says_what_to_do(void **state)
{
    struct fix *f = *state;

    with_build(f, "FROM small:1\n");
    answer(f, "GET", "/images/small:1/json", 200, "{\"Id\":\"sha256:5\"}");
    answer(f, "POST", "/build?", 200,
           "{\"errorDetail\":{\"message\":\"write /x: no space left on "
           "device\"},\"error\":\"write /x: no space left on device\"}\n");
    begin(f);
    wait_gone(f);
    assert_event(f, "error build of web failed | write /x: no space left on "
                    "device");
    assert_event(f, " | the disk is full: see cvx doctor");
}

static void missing_dockerfile_is_an_error_with_its_path(void **state)
{
    struct fix *f = *state;

    with_build(f, NULL);
    begin(f);
    wait_gone(f);
    assert_event(f, "error build of web failed | no such file: /tmp/cvx-test-");
    assert_event(f, "/Dockerfile | `build` in convox.yml names the directory");
    assert_event(f, "build web failed");
}

static void base_image_is_pulled_before_the_build(void **state)
{
    struct fix *f = *state;

    with_build(f, "FROM small:1\n");
    answer_once(f, "GET", "/images/small:1/json", 404,
                "{\"message\":\"No such image\"}");
    answer(f, "POST", "/images/create", 200, "{\"status\":\"Pulled\"}\n");
    answer(f, "POST", "/build?", 200, "{\"aux\":{\"ID\":\"sha256:b\"}}\n");
    become_ready(f);
    assert_true(place_of(f, "/images/create") < place_of(f, "/build?"));
    finish(f);
}

static void failed_build_says_why_and_shows_its_last_lines(void **state)
{
    struct fix *f = *state;

    with_build(f, "FROM small:1\nRUN false\n");
    answer(f, "GET", "/images/small:1/json", 200, "{\"Id\":\"sha256:5\"}");
    answer(f, "POST", "/build?", 200,
           "{\"stream\":\"Step 2/2 : RUN false\\n\"}\n"
           "{\"errorDetail\":{\"message\":\"The command '/bin/sh -c false' "
           "returned a non-zero code: 1\"},\"error\":\"x\"}\n");
    begin(f);
    wait_gone(f);
    assert_int_equal(f->status, 1);
    assert_event(f, "error build of web failed | The command '/bin/sh -c "
                    "false' returned a non-zero code: 1");
    assert_event(f, "  | Step 2/2 : RUN false");
}

static void no_build_uses_what_is_there_or_says_so(void **state)
{
    struct fix *f = *state;

    with_build(f, NULL);
    f->spec.no_build = true;
    answer(f, "POST", CREATE_WEB, 404,
           "{\"message\":\"No such image: cvx-build/app:web\"}");
    begin(f);
    wait_gone(f);
    assert_event(f, "No such image: cvx-build/app:web | its image is not "
                    "built yet: start without --no-build");
    assert_asked(f, "/build", 0);
}

int main(void)
{
#define T(fn) SESSION_TEST(fn)
    const struct CMUnitTest tests[] = {
        T(containers_are_created_while_the_network_is),
        T(engine_that_wants_the_network_first_gets_it_first),
        T(service_starts_after_the_resource_it_lists),
        T(output_is_attached_before_the_start),
        T(three_calls_make_a_container),
        T(marks_say_what_the_start_was_waiting_for),
        T(every_object_carries_the_labels),
        T(create_error_removes_what_was_made),
        T(missing_image_is_pulled_and_created_again),
        T(pull_ends_with_every_layer_and_byte_told),
        T(pull_without_last_words_is_complete_too),
        T(no_registry_and_no_standin_is_an_error),
        T(standin_of_the_nearest_version_is_used_and_noted),
        T(overlapping_subnet_is_tried_again_elsewhere),
        T(no_address_pool_is_said),
        T(resource_that_ends_before_it_is_ready_is_an_error),
        T(deadline_names_what_is_not_ready),
        T(replicas_are_containers_of_their_own),
        T(init_container_ends_before_its_service_starts),
        T(init_container_that_fails_ends_the_session),
        T(end_before_the_answer_to_the_start_is_not_lost),
        T(init_container_that_ends_at_once_is_ready),
        T(image_missing_for_ever_is_not_pulled_for_ever),
        T(built_image_with_an_inherited_label_is_no_standin),
        T(service_comes_from_the_image_that_was_built),
        T(image_removed_since_it_was_built_is_built_again),
        T(full_disk_at_a_build_says_what_to_do),
        T(missing_dockerfile_is_an_error_with_its_path),
        T(base_image_is_pulled_before_the_build),
        T(failed_build_says_why_and_shows_its_last_lines),
        T(no_build_uses_what_is_there_or_says_so),
    };

    return cmocka_run_group_tests_name("session_start", tests, NULL, NULL);
}
