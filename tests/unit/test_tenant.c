/* Owners of sessions (rack/tenant.h) of a kind that nobody else knows, and who
 * listens to a start (rack/app_run.h), on a scripted engine. */
#include "rack/tenant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "guard/owner.h"
#include "guard/sweep.h"
#include "guard/sweeper.h"
#include "rack/app_run.h"
#include "rack/link.h"
#include "store/store.h"
#include "support/looptest.h"
#include "support/no_room.h"
#include "support/session_fix.h"

/* A rack without requests: tenants and links on the engine of session_fix. */
struct rack_fix {
    struct fix *f;
    char *owner;
    struct tenants tenants;
    struct links *links;
    struct link *link;
    struct store store;
    struct app_runs runs;
    bool links_closed, empty, swept;
    struct str swept_objects;
};

/* A fourth kind. */
struct guest {
    struct rack_fix *r;
    struct tenant tenant;
    struct str heard;
    bool ready, over;
};

static void on_guest_begin(struct tenant *t)
{
    struct guest *g = container_of(t, struct guest, tenant);
    struct session_spec spec;

    tenant_session_spec(t, &spec);
    spec.plan = &g->r->f->plan;
    spec.release = "RX";
    spec.dir = "/nowhere";
    tenant_run(t, &spec);
}

static void on_guest_event(struct tenant *t, const struct session_event *event)
{
    struct guest *g = container_of(t, struct guest, tenant);

    if (event->type == SESSION_EVENT_ERROR)
        str_printf(&g->heard, "error %s\n", event->text);
    if (event->type == SESSION_EVENT_STOPPING)
        str_printf(&g->heard, "stopping %s\n", event->text);
    g->ready |= event->type == SESSION_EVENT_READY;
}

static void on_guest_over(struct tenant *t)
{
    container_of(t, struct guest, tenant)->over = true;
}

static const struct tenant_kind guest_kind = { .name = "guest",
                                               .letter = 'g',
                                               .begin = on_guest_begin,
                                               .on_event = on_guest_event,
                                               .on_over = on_guest_over };

static void on_link(struct link *link, const struct err *err, void *user)
{
    assert_null(err);
    ((struct rack_fix *)user)->link = link;
}

static void on_empty(void *user)
{
    ((struct rack_fix *)user)->empty = true;
}

static void on_links_closed(void *user)
{
    ((struct rack_fix *)user)->links_closed = true;
}

static void script_rack(struct fix *f)
{
    fake_engine_on(
        f->fake, NULL, "/_ping",
        &(struct fake_answer){ .headers = "Api-Version: 1.41\r\n"
                                          "Server: Docker/20.10.24 (linux)\r\n",
                               .body = "OK" });
    answer(f, "GET", "/version", 200,
           "{\"Version\":\"20.10.24\",\"ApiVersion\":\"1.41\"}");
    answer(f, "GET", "/networks", 200, "[]");
    answer(f, "GET", "/volumes", 200, "{\"Volumes\":[]}");
    answer(f, "POST", "/containers/create", 201, "{\"Id\":\"web1\"}");
    answer(f, "POST", "/containers/create?name=cvx-reaper", 400,
           "{\"message\":\"no reaper here\"}");
}

static int setup(void **state)
{
    struct rack_fix *r = xcalloc(1, sizeof(*r));
    cleanup_env struct env env = { 0 };
    cleanup_free char *endpoint = NULL;
    void *f;

    if (session_fix_setup(&f) < 0)
        return -1;
    r->f = f;
    r->f->plan.resources.len = 0; /* the service alone */
    r->f->web->resources.len = 0;
    r->f->web->container.stop_grace_s = 1;
    script_rack(r->f);
    r->owner = owner_self();
    r->tenants = (struct tenants){ .loop = &r->f->base.loop,
                                   .rack_id = "rack1",
                                   .owner = r->owner,
                                   .notes = r->f->notes,
                                   .tick_ms = 20,
                                   .on_empty = on_empty,
                                   .user = r };
    r->links = links_new(
        &(struct links_spec){ .loop = &r->f->base.loop,
                              .rack_id = "rack1",
                              .owner = r->owner,
                              .lives = tenants_live,
                              .on_guard_change = tenants_guard_changed,
                              .user = &r->tenants });
    r->store = (struct store){ .dir = TEXT("/nowhere") };
    r->runs = (struct app_runs){ .tenants = &r->tenants, .store = &r->store };
    endpoint = xasprintf("unix://%s", r->f->base.path);
    env_set(&env, "DOCKER_HOST", endpoint, "test");
    links_find(r->links, &env, on_link, r);
    for (int i = 0; i < 200 && r->link == NULL; i++)
        run_for(r->f, 10);
    *state = r;
    return r->link == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct rack_fix *r = *state;
    void *f = r->f;

    no_room(false);
    assert_null(r->tenants.all);
    links_close(r->links, on_links_closed, r);
    assert_true(loop_run_until(&r->f->base.loop, &r->links_closed, 4000));
    str_release(&r->swept_objects);
    free(r->owner);
    free(r);
    return session_fix_teardown(&f);
}

static void guest_arrives(struct guest *g, struct rack_fix *r)
{
    *g = (struct guest){ .r = r };
    tenant_init(&g->tenant, &r->tenants, r->link, &guest_kind);
}

static void guest_is_ready(struct guest *g, struct rack_fix *r)
{
    guest_arrives(g, r);
    tenant_begin(&g->tenant);
    assert_true(loop_run_until(&r->f->base.loop, &g->ready, 3000));
}

static void guest_leaves(struct guest *g)
{
    tenant_stop(&g->tenant, "test", true, 0);
    assert_true(loop_run_until(&g->r->f->base.loop, &g->over, 5000));
    str_release(&g->heard);
}

/* ---- tenants --------------------------------------------------------------
 */

static void a_kind_that_nobody_knows_lives_until_it_is_over(void **state)
{
    struct rack_fix *r = *state;
    struct guest g;

    guest_is_ready(&g, r);
    assert_int_equal(g.tenant.id[0], 'g');
    assert_true(tenants_live(g.tenant.id, &r->tenants));
    assert_false(tenants_live("g000000", &r->tenants));
    assert_false(r->empty);
    guest_leaves(&g);
    assert_false(tenants_live(g.tenant.id, &r->tenants));
    assert_true(r->empty);
}

static void nothing_of_it_is_created_before_somebody_guards_it(void **state)
{
    struct rack_fix *r = *state;
    struct guest g;

    no_room(true);
    fake_engine_on(r->f->fake, "POST", "/containers/create?name=cvx-reaper",
                   &(struct fake_answer){ .status = 400, .delay_ms = 150 });
    guest_arrives(&g, r);
    tenant_begin(&g.tenant);
    wait_asked(r->f, "/containers/create?name=cvx-reaper", 1);
    assert_int_equal(g.tenant.state, TENANT_GUARDING);
    assert_int_equal(fake_engine_asked(r->f->fake, "/networks/create"), 0);
    assert_true(loop_run_until(&r->f->base.loop, &g.ready, 3000));
    guest_leaves(&g);
}

static void one_that_is_stopped_before_it_begins_hears_why(void **state)
{
    struct rack_fix *r = *state;
    struct guest waiting, guarding;

    no_room(true);
    answer_never(r->f, "POST", "/containers/create?name=cvx-reaper");
    guest_arrives(&waiting, r);
    guest_arrives(&guarding, r);
    tenant_begin(&guarding.tenant);
    tenant_stop(&waiting.tenant, "not wanted", false, 0);
    tenant_stop(&guarding.tenant, "not wanted either", false, 0);
    assert_string_equal(str_c(&waiting.heard), "error not wanted\n");
    assert_string_equal(str_c(&guarding.heard), "error not wanted either\n");
    assert_false(waiting.over || guarding.over); /* never inside the call */
    assert_true(loop_run_until(&r->f->base.loop, &r->empty, 2000));
    assert_true(waiting.over && guarding.over);
    assert_int_equal(fake_engine_asked(r->f->fake, "/networks/create"), 0);
    str_release(&waiting.heard);
    str_release(&guarding.heard);
}

static void the_end_of_rackd_stops_a_kind_that_it_does_not_know(void **state)
{
    struct rack_fix *r = *state;
    struct guest g;

    guest_is_ready(&g, r);
    tenants_stop(&r->tenants, "rackd ends", false);
    assert_true(loop_run_until(&r->f->base.loop, &g.over, 5000));
    assert_non_null(strstr(str_c(&g.heard), "stopping rackd ends\n"));
    str_release(&g.heard);
}

/* A background kind is not asked: its services are killed. */
static void a_kind_in_the_background_is_not_waited_for(void **state)
{
    static struct tenant_kind background;
    struct rack_fix *r = *state;
    struct guest g = { .r = r };

    background = guest_kind;
    background.background = true;
    tenant_init(&g.tenant, &r->tenants, r->link, &background);
    tenant_begin(&g.tenant);
    assert_true(loop_run_until(&r->f->base.loop, &g.ready, 3000));
    tenants_stop(&r->tenants, "rackd ends", false);
    assert_true(loop_run_until(&r->f->base.loop, &g.over, 5000));
    assert_int_equal(fake_engine_asked(r->f->fake, "/containers/web1/stop"), 0);
    str_release(&g.heard);
}

static void on_object(const struct sweep_object *object, void *user)
{
    str_printf(&((struct rack_fix *)user)->swept_objects, "%s\n", object->id);
}

static void on_swept(size_t left, const struct err *err, void *user)
{
    (void)left;
    (void)err;
    ((struct rack_fix *)user)->swept = true;
}

static void sweep_by_hand(struct rack_fix *r)
{
    r->swept = false;
    sweep_start(&(struct sweep_spec){ .scope = sweeper_scope(r->link->sweeper),
                                      .on_object = on_object,
                                      .on_done = on_swept,
                                      .user = r });
    assert_true(loop_run_until(&r->f->base.loop, &r->swept, 2000));
}

static void a_sweep_spares_what_lives_and_takes_what_is_over(void **state)
{
    struct rack_fix *r = *state;
    cleanup_free char *list = NULL;
    struct guest g;

    guest_is_ready(&g, r);
    list = xasprintf("[{\"Id\":\"old1\",\"Names\":[\"/old\"],\"Labels\":{"
                     "\"cvx.rack\":\"rack1\",\"cvx.owner\":\"%s\","
                     "\"cvx.session\":\"%s\"}}]",
                     r->owner, g.tenant.id);
    fake_engine_on(r->f->fake, "GET", "/containers/json",
                   &(struct fake_answer){ .body = list });
    answer(r->f, "DELETE", "/containers/old1", 204, NULL);
    sweep_by_hand(r);
    assert_string_equal(str_c(&r->swept_objects), "");
    answer(r->f, "GET", "/containers/json", 200, "[]");
    guest_leaves(&g);
    fake_engine_on(r->f->fake, "GET", "/containers/json",
                   &(struct fake_answer){ .body = list });
    sweep_by_hand(r);
    assert_string_equal(str_c(&r->swept_objects), "old1\n");
}

/* ---- who listens to a start ------------------------------------------------
 */

struct ear {
    struct app_listener listener;
    struct str heard;
    bool leaves_at_ready, over, ready;
};

static void on_ear_session(struct app_listener *l, struct app_run *run)
{
    struct ear *e = container_of(l, struct ear, listener);

    assert_non_null(run->tenant.hub);
    str_add(&e->heard, "session\n");
}

static void on_ear_event(struct app_listener *l, struct app_run *run,
                         const struct session_event *event)
{
    struct ear *e = container_of(l, struct ear, listener);

    if (event->type == SESSION_EVENT_STOPPING)
        str_add(&e->heard, "stopping\n");
    if (event->type != SESSION_EVENT_READY)
        return;
    str_add(&e->heard, "ready\n");
    e->ready = true;
    if (e->leaves_at_ready)
        app_run_unlisten(run, l);
}

static void on_ear_over(struct app_listener *l, struct app_run *run)
{
    struct ear *e = container_of(l, struct ear, listener);

    (void)run;
    str_add(&e->heard, "over\n");
    e->over = true;
}

static void ear_init(struct ear *e)
{
    *e = (struct ear){ .listener = { .on_session = on_ear_session,
                                     .on_event = on_ear_event,
                                     .on_over = on_ear_over } };
}

static struct app_run *new_run(struct rack_fix *r)
{
    const struct strv none = { 0 };
    const struct env env = { 0 };

    plan_ref(&r->f->plan); /* session_fix owns it */
    return app_run_new(&r->runs, &(struct app_run_spec){ .link = r->link,
                                                         .plan = &r->f->plan,
                                                         .app = "app",
                                                         .dir = "/nowhere",
                                                         .release = "RX",
                                                         .secrets = &none,
                                                         .client_env = &env });
}

static void all_who_listen_to_a_start_hear_the_same(void **state)
{
    static const char all[] = "session\nready\nstopping\nover\n";
    struct rack_fix *r = *state;
    struct ear one, two, every;
    struct app_run *run = new_run(r);

    ear_init(&one);
    ear_init(&two);
    ear_init(&every);
    app_run_listen(run, &one.listener);
    app_run_listen(run, &two.listener);
    app_runs_listen(&r->runs, &every.listener);
    app_run_begin(run);
    assert_true(loop_run_until(&r->f->base.loop, &two.ready, 3000));
    assert_ptr_equal(app_runs_find(&r->runs, "app"), run);
    app_run_stop(run, "test", true, 0);
    assert_true(loop_run_until(&r->f->base.loop, &r->empty, 5000));
    assert_string_equal(str_c(&one.heard), all);
    assert_string_equal(str_c(&two.heard), all);
    assert_string_equal(str_c(&every.heard), all);
    str_release(&one.heard);
    str_release(&two.heard);
    str_release(&every.heard);
}

static void one_who_leaves_hears_no_more_and_the_start_goes_on(void **state)
{
    struct rack_fix *r = *state;
    struct ear leaves, stays;
    struct app_run *run = new_run(r);

    ear_init(&leaves);
    ear_init(&stays);
    leaves.leaves_at_ready = true;
    app_run_listen(run, &leaves.listener);
    app_run_listen(run, &stays.listener);
    app_run_begin(run);
    assert_true(loop_run_until(&r->f->base.loop, &stays.ready, 3000));
    app_run_stop(run, "test", true, 0);
    assert_true(loop_run_until(&r->f->base.loop, &r->empty, 5000));
    assert_string_equal(str_c(&leaves.heard), "session\nready\n");
    assert_string_equal(str_c(&stays.heard),
                        "session\nready\nstopping\nover\n");
    str_release(&leaves.heard);
    str_release(&stays.heard);
}

static void nobody_need_listen_at_all(void **state)
{
    struct rack_fix *r = *state;
    struct app_run *run = new_run(r);

    app_run_begin(run);
    assert_false(app_run_is_read(run));
    wait_asked(r->f, "/containers/web1/start", 1);
    app_run_detach(run, 0);
    assert_true(run->detached);
    app_run_stop(run, "test", true, 0);
    assert_true(loop_run_until(&r->f->base.loop, &r->empty, 5000));
}

static void a_start_ends_when_its_time_to_live_is_over(void **state)
{
    struct rack_fix *r = *state;
    struct app_run *run = new_run(r);
    struct ear e;

    ear_init(&e);
    app_run_listen(run, &e.listener);
    app_run_begin(run);
    assert_true(loop_run_until(&r->f->base.loop, &e.ready, 3000));
    app_run_detach(run, 1);
    assert_true(loop_run_until(&r->f->base.loop, &r->empty, 5000));
    assert_string_equal(str_c(&e.heard), "session\nready\nstopping\nover\n");
    str_release(&e.heard);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_kind_that_nobody_knows_lives_until_it_is_over),
        T(nothing_of_it_is_created_before_somebody_guards_it),
        T(one_that_is_stopped_before_it_begins_hears_why),
        T(the_end_of_rackd_stops_a_kind_that_it_does_not_know),
        T(a_kind_in_the_background_is_not_waited_for),
        T(a_sweep_spares_what_lives_and_takes_what_is_over),
        T(all_who_listen_to_a_start_hear_the_same),
        T(one_who_leaves_hears_no_more_and_the_start_goes_on),
        T(nobody_need_listen_at_all),
        T(a_start_ends_when_its_time_to_live_is_over),
    };

    return cmocka_run_group_tests_name("tenants", tests, NULL, NULL);
}
