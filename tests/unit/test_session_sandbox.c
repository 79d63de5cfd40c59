/* Resources that share a network namespace, and what happens to it. */
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
#include "timing/marks.h"

#define CREATE_SANDBOX CREATE "sandbox"
#define CREATE_CACHE   CREATE "resource-cache"
#define CREATE_KV      CREATE "resource-kv"
#define JOINS          "\"NetworkMode\":\"container:box1\""

static const char *const pause_argv[] = { "/pause", "--pause", NULL };
static const char *const more[] = { "cache", "mem", "kv" };
#define MORE (sizeof(more) / sizeof(more[0]))

static void add_port(struct plan_container *c, int port)
{
    *(struct plan_port *)vec_add(&c->ports) =
        (struct plan_port){ .container = port, .published = true };
}

static void add_resource(struct fix *f, const char *name, int port)
{
    cleanup_free char *create = xasprintf(CREATE "resource-%s", name);
    cleanup_free char *id = xasprintf("{\"Id\":\"%s1\"}", name);
    cleanup_free char *container = xasprintf("%s1", name);
    struct plan_resource *r = vec_add(&f->plan.resources);

    *r = (struct plan_resource){ .name = TEXT(name),
                                 .type = TEXT("redis"),
                                 .kind = TEXT("redis"),
                                 .has_container = true,
                                 .volume = -1,
                                 .container = { .image = TEXT("redis:8"),
                                                .build = -1 } };
    add_port(&r->container, port);
    answer(f, "POST", create, 201, id);
    script_container(f, container);
}

/* `db`, and three more whose ports differ. */
static int setup(void **state)
{
    struct fix *f;

    if (session_fix_setup(state) < 0)
        return -1;
    f = *state;
    f->spec.sandbox_image = "cvx/reaper:1";
    f->spec.sandbox_argv = pause_argv;
    add_port(&f->db->container, 5432);
    for (size_t i = 0; i < MORE; i++)
        add_resource(f, more[i], 7001 + (int)i);
    answer(f, "POST", CREATE_SANDBOX, 201, "{\"Id\":\"box1\"}");
    script_container(f, "box1");
    return 0;
}

static const char *body_of(const struct fix *f, const char *path)
{
    return fake_engine_last(f->fake, path)->body;
}

static void assert_none_shares(const struct fix *f)
{
    for (size_t i = 0; i < fake_engine_requests(f->fake); i++) {
        const struct fake_request *r = fake_engine_request(f->fake, i);

        assert_true(r->body == NULL || strstr(r->body, "container:") == NULL);
    }
}

/* ---- who shares --------------------------------------------------------- */

static void resources_whose_ports_differ_share(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    assert_non_null(strstr(body_of(f, CREATE_CACHE), JOINS));
    assert_non_null(strstr(body_of(f, CREATE_KV), JOINS));
    assert_null(strstr(body_of(f, CREATE_KV), "Hostname"));
    assert_null(strstr(body_of(f, CREATE_KV), "ExposedPorts"));
    assert_non_null(strstr(body_of(f, CREATE_SANDBOX), "\"7001/tcp\""));
    assert_non_null(strstr(body_of(f, CREATE_SANDBOX), "\"7003/tcp\""));
    assert_true(place_of(f, CREATE_SANDBOX) < place_of(f, CREATE_CACHE));
    assert_true(place_of(f, "/containers/box1/start") <
                place_of(f, "/containers/kv1/start"));
    finish(f);
    assert_event(f, "removed 6 1 0");
}

static void one_that_comes_up_last_starts_beside_it(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    assert_null(strstr(body_of(f, CREATE_DB), "container:"));
    assert_non_null(strstr(body_of(f, CREATE_DB), "\"5432/tcp\""));
    assert_true(place_of(f, CREATE_DB) < place_of(f, CREATE_CACHE));
    finish(f);
}

static void host_ports_are_told_of_those_who_share(void **state)
{
    struct fix *f = *state;
    struct session_item item;
    int port;

    become_ready(f);
    port = session_host_port(f->session, "resource", "kv", 7003);
    assert_true(port > 0);
    assert_int_not_equal(
        port, session_host_port(f->session, "resource", "cache", 7001));
    assert_int_equal(session_item_count(f->session), 5);
    for (size_t i = 0; i < 5; i++) {
        session_item_get(f->session, i, &item);
        assert_string_not_equal(item.kind, "sandbox");
    }
    finish(f);
}

/* Has it waited for one of that kind? */
static bool waited_for(const struct fix *f, const char *name, const char *kind)
{
    const struct marks *m = session_marks(f->session);

    for (size_t i = 0; i < m->len; i++)
        for (size_t n = 0;
             strcmp(m->v[i].name, name) == 0 && n < m->v[i].needs.len; n++) {
            assert_true(m->v[i].needs.v[n].mark < m->len);
            if (strcmp(m->v[m->v[i].needs.v[n].mark].kind, kind) == 0)
                return true;
        }
    return false;
}

static void timings_tell_who_waited_for_it(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    assert_true(waited_for(f, "kv", "sandbox"));
    assert_false(waited_for(f, "db", "sandbox"));
    finish(f);
}

static void same_port_twice_gets_its_own(void **state)
{
    struct fix *f = *state;

    add_resource(f, "kv2", 7003);
    become_ready(f);
    assert_non_null(strstr(body_of(f, CREATE_KV), JOINS));
    assert_null(strstr(body_of(f, CREATE "resource-kv2"), "container:"));
    finish(f);
    assert_event(f, "removed 7 1 0");
}

static void few_do_not_share(void **state)
{
    struct fix *f = *state;

    f->plan.resources.len--;
    become_ready(f);
    assert_none_shares(f);
    f->plan.resources.len++;
    finish(f);
    assert_event(f, "removed 4 1 0");
}

static void on_podman_none_shares(void **state)
{
    struct fix *f = *state;

    f->spec.podman = true;
    become_ready(f);
    assert_none_shares(f);
    finish(f);
}

/* ---- it cannot be had --------------------------------------------------- */

static void without_its_image_each_gets_its_own(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", CREATE_SANDBOX, 404,
           "{\"message\":\"No such image: cvx/reaper:1\"}");
    become_ready(f);
    assert_none_shares(f);
    assert_non_null(strstr(body_of(f, CREATE_KV), "\"7003/tcp\""));
    assert_no_event(f, "sandbox");
    finish(f);
    assert_event(f, "removed 5 1 0");
}

static void one_that_cannot_be_started_is_done_without(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", "/containers/box1/start", 500,
           "{\"message\":\"exec format error\"}");
    become_ready(f);
    assert_null(strstr(body_of(f, CREATE_KV), "container:"));
    assert_asked(f, "/containers/box1?force", 1);
    assert_true(session_host_port(f->session, "resource", "kv", 7003) > 0);
    finish(f);
    assert_int_equal(f->status, 0);
}

static void port_clash_makes_it_and_those_who_joined_again(void **state)
{
    struct fix *f = *state;

    answer_once(f, "POST", "/containers/box1/start", 500,
                "{\"message\":\"port is already allocated\"}");
    answer(f, "POST", CREATE_SANDBOX, 201, "{\"Id\":\"box2\"}");
    answer_once(f, "POST", CREATE_SANDBOX, 201, "{\"Id\":\"box1\"}");
    script_container(f, "box2");
    become_ready(f);
    assert_non_null(strstr(body_of(f, CREATE_KV), "container:box2"));
    assert_asked(f, CREATE_KV, 2);
    finish(f);
    assert_event(f, "removed ");
}

/* ---- it ends ------------------------------------------------------------ */

static void expect_kills(struct fix *f)
{
    for (size_t i = 0; i < MORE; i++) {
        cleanup_free char *path = xasprintf("/containers/%s1/kill", more[i]);

        answer(f, "POST", path, 204, NULL);
    }
}

/* Those who share end, having been killed. */
static void push_deaths(struct fix *f)
{
    for (size_t i = 0; i < MORE; i++) {
        cleanup_free char *id = xasprintf("%s1", more[i]);
        cleanup_free char *kill = xasprintf("/containers/%s/kill", id);

        WAIT_FOR(&f->base.loop, fake_engine_asked(f->fake, kill) > 0);
        push_exit(f, id, 137);
    }
}

static void those_who_share_are_started_again_with_it(void **state)
{
    struct fix *f = *state;

    expect_kills(f);
    become_ready(f);
    push_die(f, "box1", 137);
    push_deaths(f);
    wait_event(f, "warning the network that cache, mem, kv share ended: "
                  "exit status 137");
    wait_asked(f, "/containers/box1/start", 2);
    wait_asked(f, "/containers/kv1/start", 2);
    wait_asked(f, "/containers/cache1/start", 2);
    /* In what they have written, and nobody else. */
    assert_asked(f, CREATE_KV, 1);
    assert_asked(f, "/containers/db1/start", 1);
    wait_event_times(f, "resource kv ready", 2);
    finish(f);
    assert_int_equal(f->status, 0);
    assert_event(f, "removed 6 1 0");
}

static void those_who_share_are_made_again_when_it_is_removed(void **state)
{
    struct fix *f = *state;

    expect_kills(f);
    become_ready(f);
    answer(f, "POST", CREATE_SANDBOX, 201, "{\"Id\":\"box2\"}");
    script_container(f, "box2");
    push_die(f, "box1", 137);
    run_for(f, 20); /* as long as it takes there */
    push_event(f, "box1", "destroy", 0);
    push_deaths(f);
    wait_event(f, "warning the network that cache, mem, kv share: its "
                  "container was removed from outside; making it again");
    wait_asked(f, CREATE_KV, 2);
    wait_asked(f, CREATE_CACHE, 2);
    wait_asked(f, CREATE "resource-mem", 2);
    assert_non_null(strstr(body_of(f, CREATE_KV), "container:box2"));
    wait_event_times(f, "resource kv ready", 2);
    finish(f);
    assert_int_equal(f->status, 0);
}

static void one_that_starts_too_early_tries_again(void **state)
{
    struct fix *f = *state;

    answer_once(f, "POST", "/containers/kv1/start", 409,
                "{\"message\":\"cannot join network of a non running "
                "container: box1\"}");
    become_ready(f);
    assert_asked(f, "/containers/kv1/start", 2);
    assert_no_event(f, "error");
    finish(f);
}

static void its_end_during_the_start_is_nobodys_fault(void **state)
{
    struct fix *f = *state;

    expect_kills(f);
    answer_late(f, "POST", "/containers/kv1/start", 204, NULL, 150);
    begin(f);
    wait_asked(f, "/containers/kv1/start", 1);
    push_die(f, "box1", 137);
    wait_asked(f, "/containers/kv1/kill", 1); /* once it runs */
    push_deaths(f);
    wait_asked(f, "/containers/kv1/start", 2);
    wait_ready(f);
    assert_no_event(f, "error");
    finish(f);
    assert_int_equal(f->status, 0);
}

static void one_that_ends_again_and_again_is_done_without(void **state)
{
    struct fix *f = *state;

    expect_kills(f);
    become_ready(f);
    push_die(f, "box1", 1);
    push_deaths(f);
    wait_asked(f, "/containers/box1/start", 2);
    wait_asked(f, "/containers/kv1/start", 2);
    for (size_t i = 3; i <= 5; i++) {
        run_for(f, 30); /* its start is answered */
        push_die(f, "box1", 1);
        if (i < 5)
            wait_asked(f, "/containers/box1/start", i);
    }
    push_deaths(f);
    wait_asked(f, "/containers/box1?force", 1);
    wait_asked(f, CREATE_KV, 2);
    assert_null(strstr(body_of(f, CREATE_KV), "container:"));
    run_for(f, 50); /* those made anew are started */
    finish(f);
    assert_int_equal(f->status, 0);
}

static void it_goes_after_the_services(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    answer_late(f, "POST", "/containers/web1/stop", 204, NULL, 200);
    *(int *)vec_add(&f->web->resources) = 3; /* kv */
    finish(f);
    assert_true(place_of(f, "/containers/web1?force") <
                place_of(f, "/containers/kv1?force"));
    assert_true(place_of(f, "/containers/kv1?force") <
                place_of(f, "/containers/box1?force"));
    assert_event(f, "removed 6 1 0");
}

/* A session made ahead, without the service; what is asked of each of it. */
static void be_ahead(struct fix *f)
{
    static const char *const ids[] = { "db1", "cache1", "mem1", "kv1" };

    f->spec.freeze = true;
    f->plan.services.len = 0;
    answer(f, "GET", "/images/", 200, "{\"Id\":\"sha256:aa\"}");
    for (size_t i = 0; i < 4; i++) {
        cleanup_free char *stats = xasprintf("/containers/%s/stats", ids[i]);
        cleanup_free char *pause = xasprintf("/containers/%s/pause", ids[i]);
        cleanup_free char *thaw = xasprintf("/containers/%s/unpause", ids[i]);

        answer(f, "GET", stats, 200, "{}");
        answer(f, "POST", pause, 204, NULL);
        answer(f, "POST", thaw, 204, NULL);
    }
    become_ready(f);
}

static void made_ahead_it_goes_on_with_who_takes_over(void **state)
{
    struct fix *f = *state;

    be_ahead(f);
    assert_event(f, "resource kv frozen");
    assert_asked(f, "/containers/box1/pause", 0);
    f->ready = f->spec.freeze = false;
    f->plan.services.len = 1;
    session_take_over(f->session, &f->spec);
    wait_ready(f);
    assert_true(waited_for(f, "kv", "sandbox"));
    assert_asked(f, CREATE_SANDBOX, 1);
    finish(f);
    assert_event(f, "removed 6 1 0");
}

static void made_ahead_its_end_ends_all(void **state)
{
    struct fix *f = *state;

    be_ahead(f);
    push_die(f, "box1", 137);
    wait_gone(f);
    assert_event(f, "error a container made ahead is gone");
    f->plan.services.len = 1;
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, session_fix_teardown)
    const struct CMUnitTest tests[] = {
        T(resources_whose_ports_differ_share),
        T(one_that_comes_up_last_starts_beside_it),
        T(host_ports_are_told_of_those_who_share),
        T(timings_tell_who_waited_for_it),
        T(same_port_twice_gets_its_own),
        T(few_do_not_share),
        T(on_podman_none_shares),
        T(without_its_image_each_gets_its_own),
        T(one_that_cannot_be_started_is_done_without),
        T(port_clash_makes_it_and_those_who_joined_again),
        T(those_who_share_are_started_again_with_it),
        T(those_who_share_are_made_again_when_it_is_removed),
        T(one_that_starts_too_early_tries_again),
        T(its_end_during_the_start_is_nobodys_fault),
        T(one_that_ends_again_and_again_is_done_without),
        T(it_goes_after_the_services),
        T(made_ahead_it_goes_on_with_who_takes_over),
        T(made_ahead_its_end_ends_all),
    };

    return cmocka_run_group_tests_name("a shared network", tests, NULL, NULL);
}
