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

static const char OFFICIAL[] = "{\"Id\":\"sha256:aa\",\"Config\":{"
                               "\"Entrypoint\":[\"docker-entrypoint.sh\"]}}";

/* `db` is one that can have a template; its image is an official one. */
static int setup(void **state)
{
    struct fix *f;

    if (session_fix_setup(state) < 0)
        return -1;
    f = *state;
    f->spec.templates = TEMPLATES_USE;
    strv_add(&f->db->server, "postgres");
    f->db->server_user = TEXT("postgres");
    strv_add(&f->db->container.env, "POSTGRES_PASSWORD=secret1");
    answer(f, "GET", "/images/postgres:17/json", 200, OFFICIAL);
    return 0;
}

/* The n-th request that begins with `path`; NULL: there are not so many. */
static const struct fake_request *request(const struct fix *f, const char *path,
                                          size_t n)
{
    const struct fake_request *r;

    for (size_t i = 0; (r = fake_engine_request(f->fake, i)) != NULL; i++)
        if (strstr(r->path, path) != NULL && n-- == 0)
            return r;
    return NULL;
}

/* What the n-th container of `db` was created from; the caller frees it. */
static char *image_of(const struct fix *f, size_t n)
{
    const struct fake_request *r = request(f, CREATE_DB, n);
    const char *image;

    assert_non_null(r);
    image = strstr(r->body, "\"Image\":\"") + strlen("\"Image\":\"");
    return xasprintf("%.*s", (int)strcspn(image, "\""), image);
}

static void assert_image(const struct fix *f, size_t n, const char *begins)
{
    cleanup_free char *image = image_of(f, n);

    if (strncmp(image, begins, strlen(begins)) != 0)
        fail_msg("created from %s, not from %s", image, begins);
}

/* ---- used ---------------------------------------------------------------- */

static void container_comes_from_the_template(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    assert_image(f, 0, "cvx-template/postgres:");
    assert_event(f, "template of db used");
    assert_asked(f, CREATE_DB, 1);
    finish(f);
}

static void server_is_started_in_place_of_the_official_entrypoint(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    assert_non_null(strstr(fake_engine_last(f->fake, CREATE_DB)->body,
                           "\"Entrypoint\":[\"postgres\"]"));
    assert_non_null(strstr(fake_engine_last(f->fake, CREATE_DB)->body,
                           "\"User\":\"postgres\""));
    finish(f);
}

static void entrypoint_of_the_users_own_stays(void **state)
{
    struct fix *f = *state;

    answer(f, "GET", "/images/postgres:17/json", 200,
           "{\"Id\":\"sha256:aa\",\"Config\":{\"Entrypoint\":[\"/mine\"]}}");
    become_ready(f);
    assert_image(f, 0, "cvx-template/postgres:");
    assert_null(
        strstr(fake_engine_last(f->fake, CREATE_DB)->body, "\"Entrypoint\""));
    finish(f);
}

static void files_that_shape_the_data_are_not_put_again(void **state)
{
    struct fix *f = *state;
    struct plan_file *file = vec_add(&f->db->container.files);

    *file = (struct plan_file){ .path = TEXT("/docker-entrypoint-initdb.d/a"),
                                .text = TEXT("CREATE TABLE t();") };
    become_ready(f);
    assert_asked(f, "/containers/db1/archive", 0);
    finish(f);
}

static void without_a_template_the_image_is_used(void **state)
{
    struct fix *f = *state;

    answer_once(f, "POST", CREATE_DB, 404,
                "{\"message\":\"No such image: cvx-template/postgres:0\"}");
    become_ready(f);
    assert_image(f, 0, "cvx-template/postgres:");
    assert_image(f, 1, "postgres:17");
    assert_event(f, "template of db missing");
    assert_no_event(f, "image postgres:17 pulling");
    finish(f);
}

static void switched_off_nobody_asks_for_one(void **state)
{
    struct fix *f = *state;

    f->spec.templates = TEMPLATES_OFF;
    become_ready(f);
    assert_image(f, 0, "postgres:17");
    assert_asked(f, "/images/", 0);
    finish(f);
}

/* ---- whose data ---------------------------------------------------------- */

/* The template's name now; the caller frees it. */
static char *name_now(struct fix *f)
{
    char *name;
    size_t before = fake_engine_asked(f->fake, CREATE_DB);

    f->ready = f->gone = false;
    str_cut(&f->events, 0);
    become_ready(f);
    name = image_of(f, before);
    stop_it(f);
    wait_over(f);
    return name;
}

static void another_password_is_another_template(void **state)
{
    struct fix *f = *state;
    cleanup_free char *first = name_now(f), *again = name_now(f), *other = NULL;

    strv_release(&f->db->container.env);
    strv_add(&f->db->container.env, "POSTGRES_PASSWORD=secret2");
    other = name_now(f);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
}

static void replaced_image_is_another_template(void **state)
{
    struct fix *f = *state;
    cleanup_free char *first = name_now(f), *other = NULL;

    answer(f, "GET", "/images/postgres:17/json", 200, "{\"Id\":\"sha256:bb\"}");
    other = name_now(f);
    assert_string_not_equal(first, other);
}

static void another_argument_or_file_is_another_template(void **state)
{
    struct fix *f = *state;
    cleanup_free char *first = name_now(f), *argument = NULL, *file = NULL;
    struct plan_file *added;

    strv_add(&f->db->container.argv, "--lc-collate=C");
    argument = name_now(f);
    added = vec_add(&f->db->container.files);
    *added = (struct plan_file){ .path = TEXT("/docker-entrypoint-initdb.d/a"),
                                 .text = TEXT("CREATE TABLE t();") };
    file = name_now(f);
    assert_string_not_equal(first, argument);
    assert_string_not_equal(argument, file);
}

static void another_rack_has_templates_of_its_own(void **state)
{
    struct fix *f = *state;
    cleanup_free char *first = name_now(f), *other = NULL;

    f->spec.rack_id = "rack2";
    other = name_now(f);
    assert_string_not_equal(first, other);
}

/* ---- one that does not work ---------------------------------------------- */

static void template_that_does_not_start_is_never_used_again(void **state)
{
    struct fix *f = *state;

    answer_once(f, "POST", "/containers/db1/start", 400,
                "{\"message\":\"exec: \\\"postgres\\\": executable file not "
                "found in $PATH\"}");
    become_ready(f);
    assert_image(f, 1, "postgres:17");
    assert_event(f, "warning resource db: its template does not work: exec: ");
    assert_event(f, "template of db bad");
    finish(f);
    f->ready = f->gone = false;
    become_ready(f);
    assert_image(f, 2, "postgres:17");
    stop_it(f);
    wait_over(f);
}

static void template_whose_server_ends_is_left_for_the_image(void **state)
{
    struct fix *f = *state;

    f->db->probe = PROBE_POSTGRES; /* nobody answers it */
    f->db->port = 5432;
    begin(f);
    wait_asked(f, "/containers/db1/start", 1);
    wait_event(f, "resource db checking");
    push_exit(f, "db1", 3);
    wait_asked(f, CREATE_DB, 2);
    assert_image(f, 1, "postgres:17");
    assert_event(f, "its template does not work: exit status 3");
    assert_no_event(f, "error ");
    finish(f);
}

/* ---- made ---------------------------------------------------------------- */

static int setup_make(void **state)
{
    struct fix *f;

    if (setup(state) < 0)
        return -1;
    f = *state;
    f->spec.templates = TEMPLATES_MAKE;
    f->plan.services.len = 0;
    answer(f, "POST", "/containers/db1/stop", 204, NULL);
    answer(f, "GET", "/containers/db1/json", 200,
           "{\"Id\":\"db1\",\"State\":{\"Status\":\"exited\","
           "\"ExitCode\":0}}");
    answer(f, "POST", "/commit", 201, "{\"Id\":\"sha256:new\"}");
    answer(f, "POST", "/images/sha256:new/tag", 201, NULL);
    answer(f, "DELETE", "/images/sha256:new", 200, "[]");
    f->db->probe = PROBE_NONE;
    return 0;
}

/* The scripted engine has no server that answers: the test is the server. */
static int teardown_make(void **state)
{
    struct fix *f = *state;

    f->plan.services.len = 1;
    return session_fix_teardown(state);
}

static void made_from_a_clean_shutdown_and_named_last(void **state)
{
    struct fix *f = *state;
    const struct fake_request *commit;

    become_ready(f);
    commit = fake_engine_last(f->fake, "/commit");
    assert_true(place_of(f, "/containers/db1/stop") < place_of(f, "/commit"));
    assert_true(place_of(f, "/commit") < place_of(f, "/sha256:new/tag"));
    assert_null(strstr(commit->path, "repo="));
    assert_event(f, "template of db made");
    assert_image(f, 0, "postgres:17");
    finish(f);
    assert_event(f, "removed 1 1 0");
}

static void neither_password_nor_labels_of_the_container_stay(void **state)
{
    struct fix *f = *state;
    const char *path;

    become_ready(f);
    path = fake_engine_last(f->fake, "/commit")->path;
    assert_non_null(strstr(path, "ENV%20POSTGRES_PASSWORD%3D%0A"));
    assert_null(strstr(path, "secret1"));
    assert_non_null(strstr(path, "LABEL%20cvx.rack%3D%0A"));
    assert_non_null(strstr(path, "LABEL%20cvx.session%3D%0A"));
    assert_non_null(strstr(path, "LABEL%20cvx.template.rack%3Drack1"));
    finish(f);
}

static void key_and_certificate_come_along_where_they_are_wanted(void **state)
{
    struct fix *f = *state;
    const struct fake_request *put;

    f->db->template_tls = true;
    answer(f, "PUT", "/containers/db1/archive", 200, NULL);
    become_ready(f);
    put = fake_engine_last(f->fake, "/containers/db1/archive");
    assert_non_null(memmem(put->body, put->body_len, "cvx/tls.pem", 11));
    assert_non_null(memmem(put->body, put->body_len, "BEGIN PRIVATE KEY", 17));
    assert_non_null(memmem(put->body, put->body_len, "BEGIN CERTIFICATE", 17));
    assert_true(place_of(f, "/containers/db1/stop") <
                place_of(f, "/containers/db1/archive"));
    assert_true(place_of(f, "/containers/db1/archive") <
                place_of(f, "/commit"));
    finish(f);
}

static void one_that_is_there_is_not_made_again(void **state)
{
    struct fix *f = *state;

    answer(f, "GET", "/images/cvx-template/postgres:", 200,
           "{\"Id\":\"sha256:old\"}");
    become_ready(f);
    assert_event(f, "template of db there");
    assert_asked(f, CREATE_DB, 0);
    finish(f);
}

static void server_that_does_not_end_cleanly_makes_none(void **state)
{
    struct fix *f = *state;

    answer(f, "GET", "/containers/db1/json", 200,
           "{\"Id\":\"db1\",\"State\":{\"Status\":\"exited\","
           "\"ExitCode\":137}}");
    begin(f);
    wait_gone(f);
    assert_event(f, "error cannot make a template for resource db | the server "
                    "did not end cleanly");
    assert_asked(f, "/commit", 0);
    f->gone = false; /* nobody tries again at once, nor asks for it */
    become_ready(f);
    assert_event(f, "template of db bad");
    assert_asked(f, CREATE_DB, 1);
    stop_it(f);
    wait_over(f);
}

static void container_touched_meanwhile_makes_none(void **state)
{
    struct fix *f = *state;

    answer(f, "GET", "/containers/db1/json", 404,
           "{\"message\":\"No such container: db1\"}");
    answer_once(f, "GET", "/containers/db1/json", 200,
                "{\"Id\":\"db1\",\"State\":{\"Status\":\"exited\","
                "\"ExitCode\":0}}");
    begin(f);
    wait_gone(f);
    assert_event(f, "error cannot make a template for resource db | ");
    assert_asked(f, "/images/sha256:new/tag", 0);
    assert_asked(f, "/images/sha256:new", 1);
}

static void session_that_ends_waits_for_the_commit_and_drops_it(void **state)
{
    struct fix *f = *state;

    answer_late(f, "POST", "/commit", 201, "{\"Id\":\"sha256:new\"}", 100);
    begin(f);
    wait_asked(f, "/commit", 1);
    stop_it(f);
    run_for(f, 20); /* the commit is under way */
    assert_asked(f, "/containers/db1?force", 0);
    wait_gone(f);
    assert_asked(f, "/images/sha256:new/tag", 0);
    assert_asked(f, "/images/sha256:new", 1);
    assert_event(f, "removed 1 1 0");
}

int main(void)
{
#define USE(fn)  cmocka_unit_test_setup_teardown(fn, setup, session_fix_teardown)
#define MAKE(fn) cmocka_unit_test_setup_teardown(fn, setup_make, teardown_make)
    const struct CMUnitTest tests[] = {
        USE(container_comes_from_the_template),
        USE(server_is_started_in_place_of_the_official_entrypoint),
        USE(entrypoint_of_the_users_own_stays),
        USE(files_that_shape_the_data_are_not_put_again),
        USE(without_a_template_the_image_is_used),
        USE(switched_off_nobody_asks_for_one),
        USE(another_password_is_another_template),
        USE(replaced_image_is_another_template),
        USE(another_argument_or_file_is_another_template),
        USE(another_rack_has_templates_of_its_own),
        USE(template_that_does_not_start_is_never_used_again),
        USE(template_whose_server_ends_is_left_for_the_image),
        MAKE(made_from_a_clean_shutdown_and_named_last),
        MAKE(neither_password_nor_labels_of_the_container_stay),
        MAKE(key_and_certificate_come_along_where_they_are_wanted),
        MAKE(one_that_is_there_is_not_made_again),
        MAKE(server_that_does_not_end_cleanly_makes_none),
        MAKE(container_touched_meanwhile_makes_none),
        MAKE(session_that_ends_waits_for_the_commit_and_drops_it),
    };

    return cmocka_run_group_tests_name("templates in a session", tests, NULL,
                                       NULL);
}
