#include "timing/critical.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/str.h"
#include "base/vec.h"
#include "timing/marks.h"

/* A start whose clock the test turns: everything is asked for at 1 ms. */
#define ASKED_NS UINT64_C(1000000)

struct fix {
    struct marks m;
    size_t rackd;
};

static int setup(void **state)
{
    static struct fix f;

    marks_init(&f.m, ASKED_NS);
    f.rackd = mark_new(&f.m, "rackd", "rackd", 0);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    marks_release(&((struct fix *)*state)->m);
    return 0;
}

/* A span of milliseconds, put there as it is. */
static void span(struct fix *f, size_t mark, enum mark_phase phase,
                 unsigned begin_ms, unsigned end_ms)
{
    struct mark_span *s = vec_add(&f->m.v[mark].spans);

    *s = (struct mark_span){ .phase = phase,
                             .begin_us = begin_ms * 1000ULL,
                             .end_us = end_ms * 1000ULL };
}

static void end_at(struct fix *f, unsigned ms)
{
    f->m.end_us = ms * 1000ULL;
}

/* "rackd prepare 0-5, network create 5-30, ...": the steps, whole
 * milliseconds. */
static void assert_path(const struct fix *f, const char *want)
{
    cleanup_str struct str got = { 0 };
    struct critical path;

    critical_find(&path, &f->m);
    for (size_t i = 0; i < path.len; i++)
        str_printf(&got, "%s%s %s %u-%u", i == 0 ? "" : ", ",
                   f->m.v[path.v[i].mark].name,
                   mark_phase_word(path.v[i].phase),
                   (unsigned)(path.v[i].begin_us / 1000),
                   (unsigned)(path.v[i].end_us / 1000));
    critical_release(&path);
    assert_string_equal(str_c(&got), want);
}

/* ---- marks -------------------------------------------------------------- */

static uint64_t total_us(const struct mark *mark)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < mark->spans.len; i++)
        sum += mark->spans.v[i].end_us - mark->spans.v[i].begin_us;
    return sum;
}

static void phases_follow_each_other_without_a_hole(void **state)
{
    struct fix *f = *state;
    size_t web = mark_new(&f->m, "service", "web", 0);
    const struct mark *mark;

    f->m.asked_ns = uv_hrtime();
    mark_phase(&f->m, web, MARK_WAIT);
    mark_phase(&f->m, web, MARK_CREATE);
    mark_phase(&f->m, web, MARK_START);
    mark_done(&f->m, web);
    mark = &f->m.v[web];
    assert_int_equal(mark->spans.len, 3);
    for (size_t i = 1; i < 3; i++)
        assert_int_equal(mark->spans.v[i].begin_us,
                         mark->spans.v[i - 1].end_us);
    assert_int_equal(total_us(mark),
                     mark->spans.v[2].end_us - mark->spans.v[0].begin_us);
}

static void same_phase_again_is_one_span(void **state)
{
    struct fix *f = *state;
    size_t web = mark_new(&f->m, "service", "web", 0);

    mark_phase(&f->m, web, MARK_START);
    mark_phase(&f->m, web, MARK_START);
    assert_int_equal(f->m.v[web].spans.len, 1);
    mark_done(&f->m, web);
    mark_phase(&f->m, web, MARK_START);
    assert_int_equal(f->m.v[web].spans.len, 2);
}

static void phase_noticed_late_splits_the_one_before(void **state)
{
    struct fix *f = *state;
    size_t db = mark_new(&f->m, "resource", "db", 0);
    const struct mark_span *v;

    mark_phase_since(&f->m, db, MARK_CONNECT, ASKED_NS + 5000000);
    mark_phase_since(&f->m, db, MARK_ANSWER, ASKED_NS + 8000000);
    v = f->m.v[db].spans.v;
    assert_int_equal(v[0].begin_us, 5000);
    assert_int_equal(v[0].end_us, 8000);
    assert_int_equal(v[1].begin_us, 8000);
}

static void
clock_that_is_behind_makes_no_span_end_before_it_begins(void **state)
{
    struct fix *f = *state;
    size_t db = mark_new(&f->m, "resource", "db", 0);
    const struct mark_span *v;

    mark_phase_since(&f->m, db, MARK_CONNECT, ASKED_NS + 5000000);
    mark_phase_since(&f->m, db, MARK_ANSWER, ASKED_NS + 2000000);
    v = f->m.v[db].spans.v;
    assert_int_equal(v[0].end_us, 5000);
    assert_int_equal(v[1].begin_us, 5000);
}

static void nothing_is_noted_once_all_is_ready(void **state)
{
    struct fix *f = *state;
    size_t web = mark_new(&f->m, "service", "web", 0);
    uint64_t end;

    mark_phase(&f->m, web, MARK_START);
    marks_end(&f->m);
    end = f->m.v[web].spans.v[0].end_us;
    assert_false(f->m.v[web].open);
    mark_phase(&f->m, web, MARK_RESTART);
    mark_done(&f->m, web);
    marks_end(&f->m);
    assert_int_equal(f->m.v[web].spans.len, 1);
    assert_int_equal(f->m.v[web].spans.v[0].end_us, end);
}

static void restarts_without_end_take_no_memory_without_end(void **state)
{
    struct fix *f = *state;
    size_t web = mark_new(&f->m, "service", "web", 0);

    f->m.asked_ns = uv_hrtime();
    for (int i = 0; i < 1000; i++) {
        mark_phase(&f->m, web, MARK_START);
        mark_phase(&f->m, web, MARK_RESTART);
    }
    assert_int_equal(f->m.v[web].spans.len, MARK_SPANS_MAX);
    marks_end(&f->m);
    assert_int_equal(f->m.v[web].spans.v[MARK_SPANS_MAX - 1].end_us,
                     f->m.end_us);
}

static void own_time_is_all_but_waiting(void **state)
{
    struct fix *f = *state;
    size_t web = mark_new(&f->m, "service", "web", 0);

    span(f, web, MARK_WAIT, 0, 10);
    span(f, web, MARK_CREATE, 10, 15);
    span(f, web, MARK_DEPEND, 15, 90);
    span(f, web, MARK_START, 90, 97);
    assert_int_equal(mark_own_us(&f->m.v[web]), 12000);
}

/* ---- the critical path -------------------------------------------------- */

/* A network, a database and a service that waits for it. */
static void database(struct fix *f, size_t *db, size_t *web)
{
    size_t net = mark_new(&f->m, "network", "net", 0);

    *db = mark_new(&f->m, "resource", "db", 0);
    *web = mark_new(&f->m, "service", "web", 0);
    mark_need(&f->m, *db, MARK_WAIT, net);
    mark_need(&f->m, *web, MARK_WAIT, net);
    mark_need(&f->m, *web, MARK_DEPEND, *db);
    span(f, f->rackd, MARK_PREPARE, 0, 5);
    span(f, net, MARK_CREATE, 5, 30);
    span(f, *db, MARK_WAIT, 5, 30);
    span(f, *db, MARK_CREATE, 30, 60);
    span(f, *db, MARK_START, 60, 100);
    span(f, *db, MARK_CONNECT, 100, 400);
    span(f, *db, MARK_ANSWER, 400, 410);
    span(f, *web, MARK_WAIT, 5, 30);
    span(f, *web, MARK_CREATE, 30, 70);
    span(f, *web, MARK_DEPEND, 70, 410);
    span(f, *web, MARK_START, 410, 500);
    end_at(f, 500);
}

static void path_goes_from_ready_back_through_what_was_waited_for(void **state)
{
    struct fix *f = *state;
    size_t db, web;

    database(f, &db, &web);
    assert_path(f, "rackd prepare 0-5, net create 5-30, db create 30-60, "
                   "db start 60-100, db connect 100-400, db answer 400-410, "
                   "web start 410-500");
}

static void path_covers_all_of_the_time(void **state)
{
    struct fix *f = *state;
    struct critical path;
    size_t db, web;

    database(f, &db, &web);
    f->m.v[web].spans.v[2].end_us += 700; /* noticed late */
    f->m.v[web].spans.v[3].begin_us += 700;
    critical_find(&path, &f->m);
    assert_int_equal(path.v[0].begin_us, 0);
    for (size_t i = 1; i < path.len; i++)
        assert_int_equal(path.v[i].begin_us, path.v[i - 1].end_us);
    assert_int_equal(path.v[path.len - 1].end_us, f->m.end_us);
    critical_release(&path);
}

static void slower_of_two_resources_is_on_it(void **state)
{
    struct fix *f = *state;
    size_t db, web, cache = mark_new(&f->m, "resource", "cache", 0);

    database(f, &db, &web);
    mark_need(&f->m, web, MARK_DEPEND, cache);
    span(f, cache, MARK_CREATE, 5, 20);
    span(f, cache, MARK_CONNECT, 20, 409);
    assert_path(f, "rackd prepare 0-5, net create 5-30, db create 30-60, "
                   "db start 60-100, db connect 100-400, db answer 400-410, "
                   "web start 410-500");
    f->m.v[cache].spans.v[1].end_us = 410000;
    f->m.v[db].spans.v[4].end_us = 405000;
    assert_path(f, "rackd prepare 0-5, cache create 5-20, "
                   "cache connect 20-410, web start 410-500");
}

static void pull_is_on_it_and_the_create_that_asked_for_it(void **state)
{
    struct fix *f = *state;
    size_t image = mark_new(&f->m, "image", "redis:8", 0);
    size_t db = mark_new(&f->m, "resource", "db", 0);

    mark_need(&f->m, db, MARK_WAIT, image);
    span(f, f->rackd, MARK_PREPARE, 0, 5);
    span(f, db, MARK_CREATE, 5, 20);
    span(f, db, MARK_WAIT, 20, 900);
    span(f, image, MARK_PULL, 20, 900);
    span(f, db, MARK_CREATE, 900, 930);
    span(f, db, MARK_START, 930, 990);
    end_at(f, 990);
    assert_path(f, "rackd prepare 0-5, db create 5-20, redis:8 pull 20-900, "
                   "db create 900-930, db start 930-990");
}

static void build_waits_for_the_pull_of_its_base(void **state)
{
    struct fix *f = *state;
    size_t build = mark_new(&f->m, "build", "web", 0);
    size_t image = mark_new(&f->m, "image", "debian", 0);
    size_t web = mark_new(&f->m, "service", "web", 0);

    mark_need(&f->m, build, MARK_WAIT, image);
    mark_need(&f->m, web, MARK_WAIT, build);
    span(f, f->rackd, MARK_PREPARE, 0, 5);
    span(f, build, MARK_BUILD, 5, 8);
    span(f, build, MARK_WAIT, 8, 300);
    span(f, image, MARK_PULL, 10, 300);
    span(f, build, MARK_BUILD, 300, 700);
    span(f, web, MARK_WAIT, 5, 700);
    span(f, web, MARK_START, 700, 800);
    end_at(f, 800);
    assert_path(f, "rackd prepare 0-5, web build 5-8, web wait 8-10, "
                   "debian pull 10-300, web build 300-700, web start 700-800");
}

static void init_container_is_on_it(void **state)
{
    struct fix *f = *state;
    size_t init = mark_new(&f->m, "init", "migrate", 0);
    size_t web = mark_new(&f->m, "service", "web", 0);

    mark_need(&f->m, web, MARK_DEPEND, init);
    span(f, f->rackd, MARK_PREPARE, 0, 5);
    span(f, init, MARK_CREATE, 5, 50);
    span(f, init, MARK_RUN, 50, 350);
    span(f, web, MARK_CREATE, 5, 55);
    span(f, web, MARK_DEPEND, 55, 350);
    span(f, web, MARK_START, 350, 400);
    end_at(f, 400);
    assert_path(f, "rackd prepare 0-5, migrate create 5-50, "
                   "migrate run 50-350, web start 350-400");
}

/* A database that is not ready at that moment is nobody whom the create of a
 * service waited for. */
static void what_is_still_under_way_was_not_waited_for(void **state)
{
    struct fix *f = *state;
    size_t db, web, other = mark_new(&f->m, "volume", "data", 0);

    database(f, &db, &web);
    mark_need(&f->m, db, MARK_WAIT, other);
    span(f, other, MARK_CREATE, 5, 50); /* goes on beyond the wait's end */
    assert_path(f, "rackd prepare 0-5, net create 5-30, db create 30-60, "
                   "db start 60-100, db connect 100-400, db answer 400-410, "
                   "web start 410-500");
}

/* It was created in the very moment that the network came: it is not ready. */
static void what_goes_on_in_that_moment_was_not_waited_for(void **state)
{
    struct fix *f = *state;
    size_t db, web, build = mark_new(&f->m, "build", "web", 0);

    database(f, &db, &web);
    mark_need(&f->m, db, MARK_WAIT, build);
    span(f, build, MARK_WAIT, 5, 30);
    span(f, build, MARK_BUILD, 30, 35);
    f->m.v[db - 1].spans.v[0].end_us -= 1000; /* the network's */
    assert_path(f, "rackd prepare 0-5, net create 5-29, db wait 29-30, "
                   "db create 30-60, db start 60-100, db connect 100-400, "
                   "db answer 400-410, web start 410-500");
}

/* Without a handshake a resource is ready as soon as it runs. */
static void phase_that_takes_no_time_hides_nobody(void **state)
{
    struct fix *f = *state;
    size_t db, web;

    database(f, &db, &web);
    span(f, db, MARK_ANSWER, 410, 410);
    assert_path(f, "rackd prepare 0-5, net create 5-30, db create 30-60, "
                   "db start 60-100, db connect 100-400, db answer 400-410, "
                   "web start 410-500");
}

static void service_that_was_restarted_shows_it(void **state)
{
    struct fix *f = *state;
    size_t web = mark_new(&f->m, "service", "web", 0);

    span(f, f->rackd, MARK_PREPARE, 0, 5);
    span(f, web, MARK_CREATE, 5, 20);
    span(f, web, MARK_START, 20, 30);
    /* ready until 50, when it ended */
    span(f, web, MARK_RESTART, 50, 550);
    span(f, web, MARK_START, 550, 600);
    end_at(f, 600);
    assert_path(f, "rackd prepare 0-5, web create 5-20, web start 20-30, "
                   "web wait 30-50, web restart 50-550, web start 550-600");
}

static void needs_in_a_circle_end(void **state)
{
    struct fix *f = *state;
    size_t a = mark_new(&f->m, "service", "a", 0);
    size_t b = mark_new(&f->m, "service", "b", 0);

    mark_need(&f->m, a, MARK_DEPEND, b);
    mark_need(&f->m, b, MARK_DEPEND, a);
    span(f, f->rackd, MARK_PREPARE, 0, 5);
    span(f, a, MARK_DEPEND, 5, 100);
    span(f, b, MARK_DEPEND, 5, 100);
    end_at(f, 100);
    assert_path(f, "rackd prepare 0-5, a wait 5-100");
}

static void start_without_any_marks_has_no_path(void **state)
{
    struct fix *f = *state;
    struct marks none;
    struct critical path;

    assert_path(f, ""); /* not ready yet */
    marks_init(&none, 1);
    none.end_us = 5;
    critical_find(&path, &none);
    assert_int_equal(path.len, 0);
}

static void wait_is_on_it_only_where_nobody_was_waited_for(void **state)
{
    struct fix *f = *state;
    struct critical path;
    size_t db, web;

    database(f, &db, &web);
    critical_find(&path, &f->m);
    assert_false(critical_covers(&path, web, &f->m.v[web].spans.v[2]));
    assert_true(critical_covers(&path, web, &f->m.v[web].spans.v[3]));
    assert_false(critical_covers(&path, web, &f->m.v[web].spans.v[1]));
    assert_true(critical_has(&path, db));
    critical_release(&path);
}

static void wait_that_is_noticed_late_is_not_on_it_as_a_whole(void **state)
{
    struct fix *f = *state;
    struct critical path;
    size_t db, web;

    database(f, &db, &web);
    f->m.v[db].spans.v[4].end_us -= 5000; /* 5 ms of 340 */
    critical_find(&path, &f->m);
    assert_false(critical_covers(&path, web, &f->m.v[web].spans.v[2]));
    critical_release(&path);
    f->m.v[db].spans.v[3].end_us = 200000;
    f->m.v[db].spans.v[4].begin_us = 200000;
    f->m.v[db].spans.v[4].end_us = 220000; /* 190 ms of 340 */
    critical_find(&path, &f->m);
    assert_true(critical_covers(&path, web, &f->m.v[web].spans.v[2]));
    critical_release(&path);
}

static void those_waited_for_are_told_the_last_one_last(void **state)
{
    struct fix *f = *state;
    size_t db, web, cache = mark_new(&f->m, "resource", "cache", 0);
    size_t early = mark_new(&f->m, "resource", "early", 0), got[4];

    database(f, &db, &web);
    mark_need(&f->m, web, MARK_DEPEND, cache);
    mark_need(&f->m, web, MARK_DEPEND, early);
    span(f, cache, MARK_CREATE, 5, 90);
    span(f, early, MARK_CREATE, 5, 40); /* before the wait began */
    assert_int_equal(critical_awaited(&f->m, web, &f->m.v[web].spans.v[2], got),
                     2);
    assert_int_equal(got[0], cache);
    assert_int_equal(got[1], db);
    /* before it was created nobody's readiness was waited for */
    f->m.v[early].spans.v[0].end_us = 20000;
    assert_int_equal(critical_awaited(&f->m, web, &f->m.v[web].spans.v[0], got),
                     1);
    assert_string_equal(f->m.v[got[0]].name, "net");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(phases_follow_each_other_without_a_hole),
        T(same_phase_again_is_one_span),
        T(phase_noticed_late_splits_the_one_before),
        T(clock_that_is_behind_makes_no_span_end_before_it_begins),
        T(nothing_is_noted_once_all_is_ready),
        T(restarts_without_end_take_no_memory_without_end),
        T(own_time_is_all_but_waiting),
        T(path_goes_from_ready_back_through_what_was_waited_for),
        T(path_covers_all_of_the_time),
        T(slower_of_two_resources_is_on_it),
        T(pull_is_on_it_and_the_create_that_asked_for_it),
        T(build_waits_for_the_pull_of_its_base),
        T(init_container_is_on_it),
        T(what_is_still_under_way_was_not_waited_for),
        T(what_goes_on_in_that_moment_was_not_waited_for),
        T(phase_that_takes_no_time_hides_nobody),
        T(service_that_was_restarted_shows_it),
        T(needs_in_a_circle_end),
        T(start_without_any_marks_has_no_path),
        T(wait_is_on_it_only_where_nobody_was_waited_for),
        T(wait_that_is_noticed_late_is_not_on_it_as_a_whole),
        T(those_waited_for_are_told_the_last_one_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
