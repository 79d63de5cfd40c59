/* The container that guards (run/reaper.c), on a scripted engine. */
#include "guard/reaper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/engine.h"
#include "guard/reaper_blob.h"
#include "support/fake_engine.h"
#include "support/looptest.h"

#define RAW      "Content-Type: application/vnd.docker.raw-stream\r\n"
#define CREATE   "/containers/create"
#define ATTACH   "/containers/c1/attach"
#define START    "/containers/c1/start"
#define REMOVE   "/containers/c1?"
#define IMPORT   "/images/create"
#define NO_IMAGE "{\"message\":\"No such image: cvx/reaper\"}"

struct fix {
    uv_loop_t loop;
    char path[64];
    struct fake_engine *fake;
    struct engine *engine;
    struct reaper *r;
    bool inside; /* a call of ours */
    unsigned changes;
    bool reaper_closed, engine_closed;
};

static void on_change(void *user)
{
    struct fix *f = user;

    assert_false(f->inside);
    f->changes++;
}

static void answer(struct fix *f, const char *method, const char *path,
                   int status, const char *body, unsigned times)
{
    fake_engine_on(f->fake, method, path,
                   &(struct fake_answer){
                       .status = status, .body = body, .times = times });
}

static void answer_how(struct fix *f, const char *path, enum fake_how how,
                       unsigned times)
{
    fake_engine_on(f->fake, NULL, path,
                   &(struct fake_answer){ .how = how, .times = times });
}

static void answer_late(struct fix *f, const char *path, int status,
                        const char *body, unsigned ms)
{
    fake_engine_on(f->fake, NULL, path,
                   &(struct fake_answer){
                       .status = status, .body = body, .delay_ms = ms });
}

static void script(struct fix *f)
{
    answer(f, "POST", CREATE, 201, "{\"Id\":\"c1\"}", 0);
    fake_engine_on(
        f->fake, "POST", ATTACH,
        &(struct fake_answer){ .how = FAKE_ENGINE_OPEN, .headers = RAW });
    answer(f, "POST", START, 204, NULL, 0);
    answer(f, "DELETE", "/containers/", 204, NULL, 0);
    answer(f, "POST", IMPORT, 200, "{\"status\":\"sha256:1\"}\n", 0);
}

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));
    cleanup_strv struct strv labels = { 0 };
    cleanup_free char *endpoint = NULL;
    struct err err = { 0 };

    uv_loop_init(&f->loop);
    snprintf(f->path, sizeof(f->path), "/tmp/guard-%d.sock", (int)getpid());
    endpoint = xasprintf("unix://%s", f->path);
    f->fake = fake_engine_new(&f->loop, f->path);
    script(f);
    strv_add(&labels, "cvx.rack=r1");
    strv_add(&labels, "cvx.owner=o1");
    *state = f;
    if (engine_new(&f->engine, &f->loop, endpoint, NULL, &err) < 0)
        return -1;
    f->r = reaper_new(&(struct reaper_spec){ .loop = &f->loop,
                                             .engine = f->engine,
                                             .socket_path = "/run/eng.sock",
                                             .labels = &labels,
                                             .patience_ms = 7,
                                             .on_change = on_change,
                                             .user = f });
    return 0;
}

static void run_for(struct fix *f, unsigned ms)
{
    loop_run_for(&f->loop, ms);
}

static void on_closed(void *user)
{
    *(bool *)user = true;
}

/* Whatever a test leaves under way, nothing of it is left. */
static int teardown(void **state)
{
    struct fix *f = *state;
    unsigned changes = f->changes;

    reaper_close(f->r, on_closed, &f->reaper_closed);
    assert_false(f->reaper_closed);
    assert_true(loop_run_until(&f->loop, &f->reaper_closed, 1000));
    run_for(f, 60); /* answers that come late reach nobody */
    assert_int_equal(f->changes, changes);
    engine_close(f->engine, on_closed, &f->engine_closed);
    assert_true(loop_run_until(&f->loop, &f->engine_closed, 1000));
    fake_engine_close(f->fake);
    assert_true(loop_ends_clean(&f->loop));
    unlink(f->path);
    free(f);
    return 0;
}

static void want(struct fix *f, bool wanted)
{
    f->inside = true;
    reaper_want(f->r, wanted);
    f->inside = false;
}

static void wait_asked(struct fix *f, const char *path, size_t times)
{
    for (int i = 0; i < 800 && fake_engine_asked(f->fake, path) < times; i++)
        run_for(f, 5);
    assert_int_equal(fake_engine_asked(f->fake, path), times);
}

/* A call whose connection breaks is sent once more by itself. */
static void wait_asked_often(struct fix *f, const char *path, size_t times)
{
    for (int i = 0; i < 800 && fake_engine_asked(f->fake, path) < times; i++)
        run_for(f, 5);
    assert_true(fake_engine_asked(f->fake, path) >= times);
}

static void wait_lease(struct fix *f, size_t times)
{
    static const char line[] = "lease cvx.rack=r1\n";
    size_t len = (sizeof(line) - 1) * times;

    for (int i = 0; i < 800 && strlen(fake_engine_input(f->fake)) < len; i++)
        run_for(f, 5);
    assert_int_equal(strlen(fake_engine_input(f->fake)), len);
    assert_string_equal(fake_engine_input(f->fake) + len - (sizeof(line) - 1),
                        line);
}

static void wait_settled(struct fix *f)
{
    for (int i = 0; i < 800 && !reaper_is_settled(f->r); i++)
        run_for(f, 5);
    assert_true(reaper_is_settled(f->r));
}

/* The container prints a line. */
static void print(struct fix *f, int stream, const char *text)
{
    cleanup_str struct str out = { 0 };
    char head[8] = { (char)stream, 0, 0, 0, 0, 0, 0, (char)strlen(text) };

    str_add_len(&out, head, 8);
    str_add(&out, text);
    fake_engine_push(f->fake, ATTACH, str_c(&out), out.len);
}

static void become_up(struct fix *f)
{
    want(f, true);
    wait_lease(f, 1);
    assert_false(reaper_is_settled(f->r));
    print(f, 1, "ok\n");
    wait_settled(f);
    assert_true(reaper_is_up(f->r));
    assert_int_equal(f->changes, 1);
}

/* The n-th of its requests, without the version. */
static const char *nth(struct fix *f, size_t n)
{
    const struct fake_request *r = fake_engine_request(f->fake, n);

    return r == NULL ? "" : r->path + strlen("/v1.41");
}

static void is_nth(struct fix *f, size_t n, const char *path)
{
    if (!str_starts(nth(f, n), path))
        fail_msg("request %zu is %s, not %s", n, nth(f, n), path);
}

static void is_off(struct fix *f)
{
    wait_settled(f);
    assert_true(reaper_is_gone(f->r));
    assert_false(reaper_is_up(f->r));
    run_for(f, 150);
    assert_true(reaper_is_gone(f->r));
}

/* It cannot be had, and stays so. */
static void has_failed(struct fix *f, const char *why)
{
    size_t asked;

    wait_settled(f);
    assert_false(reaper_is_up(f->r));
    assert_string_equal(reaper_why(f->r), why);
    assert_int_equal(f->changes, 1);
    run_for(f, 10);
    asked = fake_engine_requests(f->fake);
    run_for(f, 250);
    assert_int_equal(fake_engine_requests(f->fake), asked);
}

/* ---- it comes up --------------------------------------------------------- */

static void it_is_held_before_it_starts_and_up_when_it_says_so(void **state)
{
    struct fix *f = *state;

    assert_true(reaper_is_gone(f->r));
    become_up(f);
    is_nth(f, 0, CREATE "?name=cvx-reaper-");
    is_nth(f, 1, ATTACH "?stream=1&stdin=1&stdout=1&stderr=1");
    is_nth(f, 2, START);
    assert_int_equal(fake_engine_requests(f->fake), 3);
    assert_string_equal(reaper_why(f->r), "");
}

static cJSON *created(struct fix *f)
{
    cJSON *json = cJSON_Parse(fake_engine_last(f->fake, CREATE)->body);

    assert_non_null(json);
    return json;
}

static void is_json(const cJSON *json, const char *key, const char *text)
{
    cleanup_free char *got =
        cJSON_PrintUnformatted(cJSON_GetObjectItem(json, key));

    assert_non_null(got);
    assert_string_equal(got, text);
}

static void it_has_the_socket_and_nothing_else(void **state)
{
    struct fix *f = *state;
    cleanup_free char *image = xasprintf("\"cvx/reaper:%s\"", reaper_tag);
    cJSON *json, *host, *mount;

    want(f, true);
    wait_asked(f, CREATE, 1);
    json = created(f);
    host = cJSON_GetObjectItem(json, "HostConfig");
    is_json(json, "Image", image);
    is_json(json, "OpenStdin", "true");
    is_json(json, "StdinOnce", "true");
    assert_null(cJSON_GetObjectItem(json, "Tty")); /* frames are awaited */
    is_json(json, "Labels",
            "{\"cvx.rack\":\"r1\",\"cvx.owner\":\"o1\",\"cvx.kind\":\"reaper\","
            "\"cvx.name\":\"reaper\"}");
    is_json(host, "NetworkMode", "\"none\"");
    is_json(host, "ReadonlyRootfs", "true");
    is_json(host, "CapDrop", "[\"ALL\"]");
    is_json(host, "SecurityOpt", "[\"no-new-privileges\",\"label=disable\"]");
    is_json(host, "UsernsMode", "\"host\"");
    is_json(host, "RestartPolicy", "{\"Name\":\"on-failure\"}");
    assert_null(cJSON_GetObjectItem(host, "Privileged"));
    assert_null(cJSON_GetObjectItem(host, "AutoRemove"));
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(host, "Mounts")),
                     1);
    mount = cJSON_GetArrayItem(cJSON_GetObjectItem(host, "Mounts"), 0);
    is_json(mount, "Type", "\"bind\"");
    is_json(mount, "Source", "\"/run/eng.sock\"");
    is_json(mount, "Target", "\"/engine.sock\"");
    cJSON_Delete(json);
}

/* Started again it has only these: stdin said its words to the first. */
static void its_arguments_name_itself_and_whose_it_is(void **state)
{
    struct fix *f = *state;
    const char *name;
    cJSON *json;
    cleanup_free char *argv = NULL;

    want(f, true);
    wait_asked(f, CREATE, 1);
    name = strchr(fake_engine_last(f->fake, CREATE)->path, '=') + 1;
    argv = xasprintf("[\"/cvx-reaper\",\"--self\",\"%s\",\"--patience=7\","
                     "\"/engine.sock\",\"cvx.rack=r1\",\"cvx.owner=o1\"]",
                     name);
    json = created(f);
    is_json(json, "Cmd", argv);
    cJSON_Delete(json);
}

static void missing_image_is_imported_and_the_container_made_again(void **state)
{
    struct fix *f = *state;
    const struct fake_request *import;

    answer(f, "POST", CREATE, 404, NO_IMAGE, 1);
    become_up(f);
    import = fake_engine_request(f->fake, 1);
    is_nth(f, 1, IMPORT "?fromSrc=-&repo=cvx/reaper:");
    assert_non_null(strstr(import->path, "LABEL%20cvx.kind%3Dreaper"));
    assert_true(import->body_len > 100000); /* the program is in it */
    assert_memory_equal(import->body, "cvx-reaper", 10);
    is_nth(f, 2, CREATE);
    assert_int_equal(fake_engine_requests(f->fake), 5);
}

static void image_removed_meanwhile_is_imported_again(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", CREATE, 404, NO_IMAGE, 1);
    become_up(f);
    want(f, false);
    is_off(f);
    answer(f, "POST", CREATE, 404, NO_IMAGE, 1);
    want(f, true);
    wait_lease(f, 2);
    assert_int_equal(fake_engine_asked(f->fake, IMPORT), 2);
}

static void image_pruned_under_a_container_that_dies_is_imported(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", CREATE, 404, NO_IMAGE, 1);
    become_up(f);
    answer(f, "POST", CREATE, 404, NO_IMAGE, 1);
    answer(f, "POST", ATTACH, 404, "{\"message\":\"gone\"}", 1);
    fake_engine_finish(f->fake, ATTACH);
    wait_lease(f, 2);
    assert_int_equal(fake_engine_asked(f->fake, IMPORT), 2);
}

static void import_that_is_cut_off_is_made_again(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", CREATE, 404, NO_IMAGE, 2);
    answer_how(f, IMPORT, FAKE_ENGINE_RESET, 1);
    become_up(f);
    assert_int_equal(fake_engine_asked(f->fake, CREATE), 3);
    assert_int_equal(fake_engine_asked(f->fake, IMPORT), 2);
}

static void image_that_is_never_there_is_imported_once(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", CREATE, 404, NO_IMAGE, 0);
    want(f, true);
    has_failed(f, "it cannot be created: No such image: cvx/reaper");
    assert_int_equal(fake_engine_asked(f->fake, IMPORT), 1);
}

/* ---- it cannot be had ---------------------------------------------------- */

static void engine_that_refuses_the_container_is_not_asked_again(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", CREATE, 400, "{\"message\":\"no binds here\"}", 0);
    want(f, true);
    has_failed(f, "it cannot be created: no binds here");
    assert_true(reaper_is_gone(f->r));
}

static void engine_that_refuses_the_image_is_not_asked_again(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", CREATE, 404, NO_IMAGE, 0);
    answer(f, "POST", IMPORT, 200, "{\"error\":\"disk is full\"}\n", 0);
    want(f, true);
    has_failed(f, "its image cannot be imported: disk is full");
    assert_true(reaper_is_gone(f->r));
}

static void container_that_cannot_be_held_is_removed(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", ATTACH, 500, "{\"message\":\"no attach\"}", 0);
    want(f, true);
    has_failed(f, "its stdin cannot be held: no attach");
    assert_int_equal(fake_engine_asked(f->fake, REMOVE), 1);
    assert_int_equal(fake_engine_asked(f->fake, START), 0);
    assert_true(reaper_is_gone(f->r));
}

static void container_that_cannot_start_is_removed(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", START, 500, "{\"message\":\"no cgroups\"}", 0);
    want(f, true);
    has_failed(f, "it cannot be started: no cgroups");
    assert_int_equal(fake_engine_asked(f->fake, REMOVE), 1);
    assert_true(reaper_is_gone(f->r));
}

static void container_that_says_no_is_removed(void **state)
{
    struct fix *f = *state;

    want(f, true);
    wait_lease(f, 1);
    print(f, 1, "no the socket leads to another engine\n");
    has_failed(f, "it cannot do its work: the socket leads to another engine");
    assert_int_equal(fake_engine_asked(f->fake, REMOVE), 1);
    assert_true(reaper_is_gone(f->r));
}

static void after_a_failure_the_next_session_tries_again(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", CREATE, 400, "{\"message\":\"no\"}", 1);
    want(f, true);
    has_failed(f, "it cannot be created: no");
    want(f, false);
    assert_true(reaper_is_settled(f->r));
    want(f, true);
    assert_string_equal(reaper_why(f->r), "");
    wait_lease(f, 1);
    print(f, 1, "ok\n");
    wait_settled(f);
    assert_true(reaper_is_up(f->r));
}

static void only_its_own_answer_counts(void **state)
{
    struct fix *f = *state;

    want(f, true);
    wait_lease(f, 1);
    print(f, 2, "no stderr is the log's\n");
    print(f, 2, "ok\n");
    print(f, 1, "okay\n");
    print(f, 1, "o");
    run_for(f, 50);
    assert_false(reaper_is_settled(f->r));
    print(f, 1, "k\n");
    wait_settled(f);
    assert_true(reaper_is_up(f->r));
    print(f, 1, "no it is too late for that\n");
    run_for(f, 50);
    assert_true(reaper_is_up(f->r));
}

/* ---- it is wanted no more ------------------------------------------------ */

static void it_is_removed_and_only_then_let_go(void **state)
{
    struct fix *f = *state;
    size_t conns;

    become_up(f);
    answer_late(f, REMOVE, 204, NULL, 150);
    want(f, false);
    assert_false(reaper_is_settled(f->r));
    wait_asked(f, REMOVE, 1);
    conns = fake_engine_conns(f->fake);
    run_for(f, 50);
    assert_int_equal(fake_engine_conns(f->fake), conns); /* still held */
    is_off(f);
    assert_int_equal(f->changes, 2);
    assert_int_equal(fake_engine_conns(f->fake), conns - 1);
    assert_non_null(strstr(fake_engine_last(f->fake, REMOVE)->path, "force=1"));
}

static void create_under_way_is_waited_for(void **state)
{
    struct fix *f = *state;

    answer_late(f, CREATE, 201, "{\"Id\":\"c1\"}", 80);
    want(f, true);
    wait_asked(f, CREATE, 1);
    want(f, false);
    assert_false(reaper_is_gone(f->r));
    is_off(f);
    assert_int_equal(fake_engine_asked(f->fake, REMOVE), 1);
    assert_int_equal(fake_engine_asked(f->fake, ATTACH), 0);
}

static void refused_create_leaves_nothing_to_remove(void **state)
{
    struct fix *f = *state;

    answer_late(f, CREATE, 400, "{\"message\":\"no\"}", 50);
    want(f, true);
    wait_asked(f, CREATE, 1);
    want(f, false);
    is_off(f);
    assert_int_equal(fake_engine_requests(f->fake), 1);
}

static void import_under_way_is_waited_for(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", CREATE, 404, NO_IMAGE, 1);
    answer_late(f, IMPORT, 200, "{}\n", 80);
    want(f, true);
    wait_asked(f, IMPORT, 1);
    want(f, false);
    is_off(f);
    assert_int_equal(fake_engine_asked(f->fake, CREATE), 1);
}

static void attach_under_way_starts_nothing_any_more(void **state)
{
    struct fix *f = *state;

    fake_engine_on(f->fake, "POST", ATTACH,
                   &(struct fake_answer){ .how = FAKE_ENGINE_OPEN,
                                          .headers = RAW,
                                          .delay_ms = 60 });
    answer_late(f, REMOVE, 204, NULL, 150);
    want(f, true);
    wait_asked(f, ATTACH, 1);
    want(f, false); /* held while it is being removed */
    is_off(f);
    assert_int_equal(fake_engine_asked(f->fake, START), 0);
    assert_int_equal(fake_engine_asked(f->fake, REMOVE), 1);
}

static void start_under_way_is_waited_for(void **state)
{
    struct fix *f = *state;

    answer_late(f, START, 204, NULL, 80);
    want(f, true);
    wait_asked(f, START, 1);
    want(f, false);
    run_for(f, 30);
    assert_int_equal(fake_engine_asked(f->fake, REMOVE), 0);
    is_off(f);
    assert_int_equal(fake_engine_asked(f->fake, REMOVE), 1);
    assert_string_equal(fake_engine_input(f->fake), "");
}

static void who_was_asked_and_has_not_answered_is_removed(void **state)
{
    struct fix *f = *state;

    want(f, true);
    wait_lease(f, 1);
    want(f, false);
    is_off(f);
    assert_int_equal(fake_engine_asked(f->fake, REMOVE), 1);
}

static void nobody_is_told_from_inside_a_call(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", CREATE, 404, NO_IMAGE, 0);
    answer_how(f, IMPORT, FAKE_ENGINE_RESET, 0);
    want(f, true);
    wait_asked(f, IMPORT, 2);
    run_for(f, 20);
    want(f, false); /* between two tries: it is off at once */
    assert_true(reaper_is_settled(f->r));
    assert_int_equal(f->changes, 0);
    run_for(f, 200);
    assert_int_equal(fake_engine_asked(f->fake, IMPORT), 2);
}

static void wanted_again_between_two_tries_it_is_made_once(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", CREATE, 404, NO_IMAGE, 1);
    answer_how(f, IMPORT, FAKE_ENGINE_RESET, 1);
    want(f, true);
    wait_asked(f, IMPORT, 1);
    run_for(f, 20);
    answer_late(f, CREATE, 201, "{\"Id\":\"c1\"}", 200);
    want(f, false);
    want(f, true);
    wait_lease(f, 1);
    assert_int_equal(fake_engine_asked(f->fake, CREATE), 2);
    assert_int_equal(fake_engine_asked(f->fake, ATTACH), 1);
}

static void wanted_again_while_it_is_removed_another_is_made(void **state)
{
    struct fix *f = *state;

    become_up(f);
    answer_late(f, REMOVE, 204, NULL, 50);
    want(f, false);
    wait_asked(f, REMOVE, 1);
    want(f, true);
    wait_lease(f, 2);
    print(f, 1, "ok\n");
    wait_settled(f);
    assert_true(reaper_is_up(f->r));
    assert_int_equal(fake_engine_asked(f->fake, CREATE), 2);
    assert_int_equal(fake_engine_asked(f->fake, REMOVE), 1);
}

static void wanted_again_while_it_is_made_it_stays(void **state)
{
    struct fix *f = *state;

    answer_late(f, CREATE, 201, "{\"Id\":\"c1\"}", 50);
    want(f, true);
    wait_asked(f, CREATE, 1);
    want(f, false);
    want(f, true);
    wait_lease(f, 1);
    assert_int_equal(fake_engine_asked(f->fake, REMOVE), 0);
    assert_int_equal(fake_engine_asked(f->fake, CREATE), 1);
}

static void removal_is_tried_until_the_engine_is_back(void **state)
{
    struct fix *f = *state;

    become_up(f);
    answer_how(f, REMOVE, FAKE_ENGINE_RESET, 4);
    want(f, false);
    run_for(f, 50);
    assert_false(reaper_is_settled(f->r));
    is_off(f);
    assert_int_equal(f->changes, 2);
}

static void container_that_cannot_be_removed_is_let_go(void **state)
{
    struct fix *f = *state;
    size_t conns;

    become_up(f);
    conns = fake_engine_conns(f->fake);
    answer(f, "DELETE", REMOVE, 500, "{\"message\":\"busy\"}", 0);
    want(f, false);
    is_off(f); /* it goes by itself */
    assert_int_equal(fake_engine_asked(f->fake, REMOVE), 1);
    assert_int_equal(fake_engine_conns(f->fake), conns - 1);
}

/* It would take the living session's objects for a dead one's. */
static void useless_one_stays_held_while_it_cannot_be_removed(void **state)
{
    struct fix *f = *state;
    size_t conns;

    want(f, true);
    wait_lease(f, 1);
    conns = fake_engine_conns(f->fake);
    answer(f, "DELETE", REMOVE, 500, "{\"message\":\"busy\"}", 1);
    print(f, 1, "no sense\n");
    has_failed(f, "it cannot do its work: sense");
    assert_int_equal(fake_engine_conns(f->fake), conns);
    assert_false(reaper_is_gone(f->r));
    want(f, false);
    is_off(f);
    assert_int_equal(fake_engine_asked(f->fake, REMOVE), 2);
    assert_int_equal(fake_engine_conns(f->fake), conns - 1);
}

/* ---- what may happen to it ----------------------------------------------- */

static void stream_that_ends_is_taken_up_again(void **state)
{
    struct fix *f = *state;

    become_up(f);
    fake_engine_finish(f->fake, ATTACH); /* the engine started it again */
    wait_lease(f, 2);
    assert_false(reaper_is_up(f->r));
    print(f, 1, "ok\n");
    wait_settled(f);
    assert_true(reaper_is_up(f->r));
    assert_int_equal(fake_engine_asked(f->fake, ATTACH), 2);
    assert_int_equal(fake_engine_asked(f->fake, START), 1);
    assert_int_equal(fake_engine_asked(f->fake, CREATE), 1);
}

static void connection_that_breaks_is_taken_up_again(void **state)
{
    struct fix *f = *state;

    become_up(f);
    answer_how(f, ATTACH, FAKE_ENGINE_RESET, 3); /* not back yet */
    fake_engine_drop(f->fake);
    wait_lease(f, 2);
    print(f, 1, "ok\n");
    wait_settled(f);
    assert_true(reaper_is_up(f->r));
    assert_int_equal(fake_engine_asked(f->fake, ATTACH), 5);
    assert_int_equal(fake_engine_asked(f->fake, CREATE), 1);
}

static void removed_by_somebody_another_is_made(void **state)
{
    struct fix *f = *state;

    become_up(f);
    answer(f, "POST", ATTACH, 404, "{\"message\":\"gone\"}", 1);
    fake_engine_finish(f->fake, ATTACH);
    wait_lease(f, 2);
    print(f, 1, "ok\n");
    wait_settled(f);
    assert_true(reaper_is_up(f->r));
    assert_int_equal(fake_engine_asked(f->fake, CREATE), 2);
    assert_int_equal(fake_engine_asked(f->fake, START), 2);
    assert_int_equal(fake_engine_asked(f->fake, REMOVE), 0);
}

static void who_does_not_answer_again_is_replaced(void **state)
{
    struct fix *f = *state;
    uint64_t begun;

    become_up(f);
    fake_engine_finish(f->fake, ATTACH);
    wait_lease(f, 2);
    begun = uv_now(&f->loop);
    wait_asked(f, REMOVE, 1);
    assert_true(uv_now(&f->loop) - begun >= 1900);
    assert_true(uv_now(&f->loop) - begun < 3000);
    wait_lease(f, 3);
    print(f, 1, "ok\n");
    wait_settled(f);
    assert_true(reaper_is_up(f->r));
    assert_int_equal(fake_engine_asked(f->fake, CREATE), 2);
}

static void old_one_stays_held_until_it_is_removed(void **state)
{
    struct fix *f = *state;

    become_up(f);
    answer_how(f, REMOVE, FAKE_ENGINE_RESET, 6);
    fake_engine_finish(f->fake, ATTACH);
    wait_lease(f, 2);
    wait_asked_often(f, REMOVE, 2);
    run_for(f, 50);
    assert_int_equal(fake_engine_conns(f->fake), 1); /* its stdin, no call */
    assert_int_equal(fake_engine_asked(f->fake, ATTACH), 2);
    wait_lease(f, 3);
    assert_int_equal(fake_engine_asked(f->fake, REMOVE), 7);
    assert_int_equal(fake_engine_asked(f->fake, CREATE), 2);
    assert_int_equal(fake_engine_asked(f->fake, ATTACH), 3);
}

static void unwanted_between_two_removals_it_is_removed_at_once(void **state)
{
    struct fix *f = *state;
    size_t asked;

    become_up(f);
    answer_how(f, REMOVE, FAKE_ENGINE_RESET, 2);
    fake_engine_finish(f->fake, ATTACH);
    wait_lease(f, 2);
    wait_asked_often(f, REMOVE, 1);
    run_for(f, 20);
    asked = fake_engine_asked(f->fake, REMOVE);
    want(f, false);
    is_off(f);
    assert_true(fake_engine_asked(f->fake, REMOVE) > asked);
    assert_int_equal(fake_engine_asked(f->fake, CREATE), 1);
}

/* On its way down or up an engine answers all sorts of things. */
static void engine_that_comes_back_may_stumble(void **state)
{
    struct fix *f = *state;

    become_up(f);
    answer(f, "POST", START, 500, "{\"message\":\"not yet\"}", 2);
    answer(f, "POST", CREATE, 500, "{\"message\":\"not yet\"}", 2);
    answer(f, "POST", ATTACH, 404, "{\"message\":\"gone\"}", 1);
    answer(f, "POST", ATTACH, 409, "{\"message\":\"is restarting\"}", 2);
    answer(f, "POST", ATTACH, 500, "{\"message\":\"not yet\"}", 2);
    fake_engine_finish(f->fake, ATTACH);
    wait_lease(f, 2);
    print(f, 1, "ok\n");
    wait_settled(f);
    assert_true(reaper_is_up(f->r));
}

static void dying_again_and_again_it_is_given_up(void **state)
{
    struct fix *f = *state;
    int i;

    want(f, true);
    for (i = 1; !reaper_is_settled(f->r) && i < 20; i++) {
        wait_asked(f, START, i);
        print(f, 2, "cannot load library\n");
        run_for(f, 20);
        answer(f, "POST", ATTACH, 404, "{\"message\":\"gone\"}", 1);
        fake_engine_finish(f->fake, ATTACH);
        for (int n = 0; n < 100 && !reaper_is_settled(f->r) &&
                        fake_engine_asked(f->fake, START) == (size_t)i;
             n++)
            run_for(f, 5);
    }
    assert_true(i < 20);
    has_failed(f, "it ends before it has answered: cannot load library");
}

static void ended_before_its_start_is_answered_it_is_replaced(void **state)
{
    struct fix *f = *state;

    answer_late(f, START, 204, NULL, 100);
    want(f, true);
    for (size_t i = 1; i <= 4; i++) {
        wait_asked(f, START, i);
        print(f, 2, "cannot load library\n");
        run_for(f, 10);
        fake_engine_finish(f->fake, ATTACH);
    }
    has_failed(f, "it ends before it has answered: cannot load library");
    assert_int_equal(fake_engine_asked(f->fake, REMOVE), 4);
    assert_true(reaper_is_gone(f->r));
}

/* ---- the engine is away ---------------------------------------------------
 */

static void engine_that_is_away_is_asked_again_without_spinning(void **state)
{
    struct fix *f = *state;
    size_t asked;

    answer_how(f, "/", FAKE_ENGINE_RESET, 0);
    want(f, true);
    run_for(f, 1000);
    assert_false(reaper_is_settled(f->r));
    assert_string_equal(reaper_why(f->r), "");
    asked = fake_engine_requests(f->fake);
    assert_true(asked >= 5 && asked <= 25);
    script(f);
    wait_lease(f, 1);
    print(f, 1, "ok\n");
    wait_settled(f);
    assert_true(reaper_is_up(f->r));
}

static void gone_engine_is_taken_hold_of_when_it_is_back(void **state)
{
    struct fix *f = *state;

    become_up(f);
    fake_engine_deaf(f->fake);
    fake_engine_close(f->fake);
    run_for(f, 500);
    assert_false(reaper_is_settled(f->r));
    f->fake = fake_engine_new(&f->loop, f->path);
    script(f);
    wait_lease(f, 1);
    print(f, 1, "ok\n");
    wait_settled(f);
    assert_int_equal(fake_engine_asked(f->fake, CREATE), 0);
    assert_int_equal(fake_engine_asked(f->fake, START), 0);
}

/* Whether it was made nobody knows: its name is. */
static void create_without_an_answer_is_undone(void **state)
{
    struct fix *f = *state;
    cleanup_free char *name = NULL;
    const char *path;

    answer_how(f, CREATE, FAKE_ENGINE_RESET, 1);
    want(f, true);
    wait_asked(f, CREATE, 1);
    path = fake_engine_last(f->fake, CREATE)->path;
    name = xasprintf("/containers/%s?", strchr(path, '=') + 1);
    wait_lease(f, 1);
    assert_int_equal(fake_engine_asked(f->fake, name), 1);
    is_nth(f, 1, name);
    is_nth(f, 2, CREATE);
}

static void create_without_an_answer_is_undone_when_unwanted(void **state)
{
    struct fix *f = *state;

    fake_engine_on(
        f->fake, "POST", CREATE,
        &(struct fake_answer){ .how = FAKE_ENGINE_RESET, .delay_ms = 50 });
    want(f, true);
    wait_asked(f, CREATE, 1);
    want(f, false);
    is_off(f);
    assert_int_equal(fake_engine_asked(f->fake, "/containers/cvx-reaper-"), 1);
    assert_int_equal(fake_engine_asked(f->fake, CREATE), 1);
}

static void start_without_an_answer_is_made_again(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", START, 304, NULL, 1);
    answer_how(f, START, FAKE_ENGINE_RESET, 3);
    become_up(f);
    assert_int_equal(fake_engine_asked(f->fake, START), 4);
    assert_int_equal(fake_engine_asked(f->fake, ATTACH), 1); /* still held */
    assert_int_equal(fake_engine_asked(f->fake, REMOVE), 0);
}

static void slow_engine_is_waited_for(void **state)
{
    struct fix *f = *state;

    answer_late(f, CREATE, 201, "{\"Id\":\"c1\"}", 60);
    fake_engine_on(f->fake, "POST", ATTACH,
                   &(struct fake_answer){ .how = FAKE_ENGINE_OPEN,
                                          .headers = RAW,
                                          .delay_ms = 60 });
    answer_late(f, START, 204, NULL, 60);
    become_up(f);
    assert_int_equal(fake_engine_requests(f->fake), 3);
}

static void answer_in_pieces_is_an_answer(void **state)
{
    struct fix *f = *state;
    static const char frame[] = "\1\0\0\0\0\0\0\3ok\n";

    want(f, true);
    wait_lease(f, 1);
    for (size_t i = 0; i < sizeof(frame) - 1; i++) {
        assert_false(reaper_is_settled(f->r));
        fake_engine_push(f->fake, ATTACH, frame + i, 1);
        run_for(f, 5);
    }
    wait_settled(f);
    assert_true(reaper_is_up(f->r));
}

static void noise_in_its_output_is_no_answer(void **state)
{
    struct fix *f = *state;

    want(f, true);
    wait_lease(f, 1);
    fake_engine_push(f->fake, ATTACH, "ok\nok\nok\nok\n", 12);
    run_for(f, 50);
    assert_false(reaper_is_settled(f->r));
    want(f, false);
    is_off(f);
}

/* ---- the end: teardown() closes it at each step ---------------------------
 */

static void closed_at_every_step_it_leaves_the_loop_clean(void **state)
{
    static const char *const steps[] = { CREATE, IMPORT, ATTACH, START };
    static const unsigned late[] = { 30, 10000 };

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        struct fix *f;

        assert_int_equal(setup((void **)&f), 0);
        fake_engine_on(f->fake, "POST", steps[i / 2],
                       &(struct fake_answer){ .status = 201,
                                              .body = "{\"Id\":\"c1\"}",
                                              .delay_ms = late[i % 2] });
        if (i / 2 == 1)
            answer(f, "POST", CREATE, 404, NO_IMAGE, 0);
        want(f, true);
        wait_asked(f, steps[i / 2], 1);
        assert_int_equal(teardown((void **)&f), 0);
    }
}

static void closed_before_the_first_answer_it_leaves_nothing(void **state)
{
    struct fix *f = *state;

    want(f, true);
}

static void closed_while_it_is_asked_it_leaves_nothing(void **state)
{
    struct fix *f = *state;

    want(f, true);
    wait_lease(f, 1);
}

static void closed_while_it_is_up_it_is_let_go(void **state)
{
    struct fix *f = *state;

    become_up(f);
    reaper_close(f->r, on_closed, &f->reaper_closed);
    assert_true(loop_run_until(&f->loop, &f->reaper_closed, 1000));
    run_for(f, 50);
    assert_int_equal(fake_engine_asked(f->fake, REMOVE), 0);
    f->r = reaper_new(&(struct reaper_spec){ .loop = &f->loop,
                                             .engine = f->engine,
                                             .socket_path = "/x",
                                             .labels = &(struct strv){ 0 },
                                             .on_change = on_change,
                                             .user = f });
    f->reaper_closed = false;
}

static void closed_while_it_is_removed_it_leaves_nothing(void **state)
{
    struct fix *f = *state;

    become_up(f);
    answer_how(f, REMOVE, FAKE_ENGINE_SILENT, 0);
    want(f, false);
    wait_asked(f, REMOVE, 1);
}

static void closed_while_it_is_replaced_it_leaves_nothing(void **state)
{
    struct fix *f = *state;

    answer_late(f, START, 204, NULL, 60);
    answer_how(f, REMOVE, FAKE_ENGINE_RESET, 0);
    want(f, true);
    wait_asked(f, START, 1);
    fake_engine_finish(f->fake, ATTACH);
    wait_asked_often(f, REMOVE, 2); /* and between two tries */
    run_for(f, 20);
}

static void closed_while_the_engine_is_away_it_leaves_nothing(void **state)
{
    struct fix *f = *state;

    become_up(f);
    answer_how(f, "/", FAKE_ENGINE_RESET, 0);
    fake_engine_drop(f->fake);
    wait_asked(f, ATTACH, 3);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_is_held_before_it_starts_and_up_when_it_says_so),
        T(it_has_the_socket_and_nothing_else),
        T(its_arguments_name_itself_and_whose_it_is),
        T(missing_image_is_imported_and_the_container_made_again),
        T(image_removed_meanwhile_is_imported_again),
        T(image_pruned_under_a_container_that_dies_is_imported),
        T(import_that_is_cut_off_is_made_again),
        T(image_that_is_never_there_is_imported_once),
        T(engine_that_refuses_the_container_is_not_asked_again),
        T(engine_that_refuses_the_image_is_not_asked_again),
        T(container_that_cannot_be_held_is_removed),
        T(container_that_cannot_start_is_removed),
        T(container_that_says_no_is_removed),
        T(after_a_failure_the_next_session_tries_again),
        T(only_its_own_answer_counts),
        T(it_is_removed_and_only_then_let_go),
        T(create_under_way_is_waited_for),
        T(refused_create_leaves_nothing_to_remove),
        T(import_under_way_is_waited_for),
        T(attach_under_way_starts_nothing_any_more),
        T(start_under_way_is_waited_for),
        T(who_was_asked_and_has_not_answered_is_removed),
        T(nobody_is_told_from_inside_a_call),
        T(wanted_again_between_two_tries_it_is_made_once),
        T(wanted_again_while_it_is_removed_another_is_made),
        T(wanted_again_while_it_is_made_it_stays),
        T(removal_is_tried_until_the_engine_is_back),
        T(container_that_cannot_be_removed_is_let_go),
        T(useless_one_stays_held_while_it_cannot_be_removed),
        T(stream_that_ends_is_taken_up_again),
        T(connection_that_breaks_is_taken_up_again),
        T(removed_by_somebody_another_is_made),
        T(who_does_not_answer_again_is_replaced),
        T(old_one_stays_held_until_it_is_removed),
        T(unwanted_between_two_removals_it_is_removed_at_once),
        T(engine_that_comes_back_may_stumble),
        T(dying_again_and_again_it_is_given_up),
        T(ended_before_its_start_is_answered_it_is_replaced),
        T(engine_that_is_away_is_asked_again_without_spinning),
        T(gone_engine_is_taken_hold_of_when_it_is_back),
        T(create_without_an_answer_is_undone),
        T(create_without_an_answer_is_undone_when_unwanted),
        T(start_without_an_answer_is_made_again),
        T(slow_engine_is_waited_for),
        T(answer_in_pieces_is_an_answer),
        T(noise_in_its_output_is_no_answer),
        T(closed_before_the_first_answer_it_leaves_nothing),
        T(closed_while_it_is_asked_it_leaves_nothing),
        T(closed_while_it_is_up_it_is_let_go),
        T(closed_while_it_is_removed_it_leaves_nothing),
        T(closed_while_it_is_replaced_it_leaves_nothing),
        T(closed_while_the_engine_is_away_it_leaves_nothing),
        cmocka_unit_test(closed_at_every_step_it_leaves_the_loop_clean),
    };

    return cmocka_run_group_tests_name("reaper, the container", tests, NULL,
                                       NULL);
}
