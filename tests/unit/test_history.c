#include "timing/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* A run of a `db` and a `web` that takes ready_ms, db_ms of it db's own; more
 * items as JSON, each with a comma in front. */
static cJSON *run_of(double ready_ms, double db_ms, const char *more)
{
    cleanup_free char *text = xasprintf(
        "{\"engine\":\"Docker\",\"ready_ms\":%g,\"items\":["
        "{\"kind\":\"network\",\"name\":\"demo\",\"replica\":0,\"own_ms\":40,"
        "\"critical\":true},"
        "{\"kind\":\"resource\",\"name\":\"db\",\"replica\":0,\"own_ms\":%g,"
        "\"critical\":true},"
        "{\"kind\":\"service\",\"name\":\"web\",\"replica\":0,\"own_ms\":200,"
        "\"critical\":true}%s]}",
        ready_ms, db_ms, more);
    cJSON *run = cJSON_Parse(text);

    assert_non_null(run);
    return run;
}

/* Former runs of these times, the rest of each but 300 ms being db's. */
static void remember(struct history *h, const double *times, size_t count)
{
    *h = (struct history){ 0 };
    for (size_t i = 0; i < count; i++) {
        double db_ms = times[i] > 300 ? times[i] - 300 : 0;
        cJSON *run = run_of(times[i], db_ms, "");

        history_append(h, run);
        cJSON_Delete(run);
    }
    history_read(h);
    assert_int_equal(h->bad, 0);
    assert_int_equal(h->len, count);
}

static bool is_slower(const double *times, size_t count, double ready_ms)
{
    cJSON *run = run_of(ready_ms, 1, "");
    struct history h;
    struct usual u;
    bool slower;

    remember(&h, times, count);
    usual_find(&u, &h, h.len, run);
    slower = usual_is_slower(&u, run);
    history_release(&h);
    cJSON_Delete(run);
    return slower;
}

static void slower_is_said_from_the_third_former_start_on(void **state)
{
    static const double times[] = { 1700, 1600, 1800 };

    (void)state;
    assert_false(is_slower(times, 0, 90000));
    assert_false(is_slower(times, 2, 90000));
    assert_true(is_slower(times, 3, 3400));
}

static void a_little_slower_is_not_slower(void **state)
{
    static const double slow[] = { 10000, 10000, 10000 };
    static const double fast[] = { 200, 200, 200 };

    (void)state;
    assert_false(is_slower(slow, 3, 14900)); /* more than 500 ms, not by half */
    assert_true(is_slower(slow, 3, 15100));
    assert_false(is_slower(fast, 3, 690)); /* by more than half, not 500 ms */
    assert_true(is_slower(fast, 3, 710));
}

static void assert_usual(const double *times, size_t count, double want)
{
    cJSON *run = run_of(1700, 1, "");
    struct history h;
    struct usual u;

    remember(&h, times, count);
    usual_find(&u, &h, h.len, run);
    assert_int_equal(u.len, count);
    assert_true(u.usual_ms == want);
    history_release(&h);
    cJSON_Delete(run);
}

static void one_slow_start_does_not_change_what_is_usual(void **state)
{
    static const double odd[] = { 60000, 1700, 1600, 1500, 1800 };
    static const double even[] = { 60000, 1600, 1500, 1800 };

    (void)state;
    assert_usual(odd, 5, 1700);
    assert_usual(even, 4, 1700); /* between 1600 and 1800 */
}

/* How many of three former starts of `db` and `web` this one is compared with:
 * `more` are items, and behind them other members. */
static void assert_compared(const char *more, const char *engine, size_t want)
{
    static const double times[] = { 1000, 1000, 1000 };
    cJSON *run = run_of(9000, 1, more);
    struct history h;
    struct usual u;

    cJSON_ReplaceItemInObject(run, "engine", cJSON_CreateString(engine));
    remember(&h, times, 3);
    usual_find(&u, &h, h.len, run);
    assert_int_equal(u.len, want);
    assert_int_equal(usual_is_slower(&u, run), want == 3);
    history_release(&h);
    cJSON_Delete(run);
}

static void only_starts_of_the_same_containers_count(void **state)
{
    (void)state;
    assert_compared("", "Docker", 3);
    assert_compared("", "Podman", 0);
    assert_compared(",{\"kind\":\"resource\",\"name\":\"x\",\"replica\":0,"
                    "\"own_ms\":1}",
                    "Docker", 0);
    assert_compared(",{\"kind\":\"service\",\"name\":\"web\",\"replica\":2,"
                    "\"own_ms\":1}",
                    "Docker", 0);
    /* no container: the same app */
    assert_compared(",{\"kind\":\"image\",\"name\":\"x\",\"replica\":0,"
                    "\"own_ms\":1}",
                    "Docker", 3);
    assert_compared("],\"keep_data\":true,\"path\":[", "Docker", 0);
}

static void run_is_not_compared_with_itself(void **state)
{
    static const double times[] = { 1000, 1000, 5000 };
    struct history h;
    struct usual u;
    cJSON *last;

    (void)state;
    remember(&h, times, 3);
    last = history_last(&h);
    assert_true(cJSON_GetObjectItem(last, "ready_ms")->valuedouble == 5000);
    usual_find(&u, &h, h.len - 1, last);
    assert_int_equal(u.len, 2);
    cJSON_Delete(last);
    history_release(&h);
}

/* ---- who it was --------------------------------------------------------- */

static void assert_culprit(double ready_ms, double db_ms, const char *more,
                           const char *want)
{
    static const double times[] = { 1700, 1600, 1800 };
    cJSON *run = run_of(ready_ms, db_ms, more);
    const cJSON *culprit;
    struct history h;
    struct usual u;

    remember(&h, times, 3);
    usual_find(&u, &h, h.len, run);
    culprit = usual_culprit(&u, run);
    assert_string_equal(
        culprit == NULL
            ? "-"
            : cJSON_GetObjectItemCaseSensitive(culprit, "name")->valuestring,
        want);
    history_release(&h);
    cJSON_Delete(run);
}

static void culprit_is_who_took_the_most_over_what_is_usual(void **state)
{
    (void)state;
    assert_culprit(3400, 3100, "", "db");
    /* db usually takes 1400 */
    assert_culprit(9000, 1500, "", "db");
    assert_culprit(9000, 1400, "", "-");
}

static void pull_that_is_not_usual_is_the_culprit(void **state)
{
    (void)state;
    assert_culprit(9000, 1500,
                   ",{\"kind\":\"image\",\"name\":\"mysql:8\",\"replica\":0,"
                   "\"own_ms\":6000,\"critical\":true}",
                   "mysql:8");
}

static void who_is_not_on_the_critical_path_is_no_culprit(void **state)
{
    (void)state;
    assert_culprit(9000, 1500,
                   ",{\"kind\":\"build\",\"name\":\"api\",\"replica\":0,"
                   "\"own_ms\":8000,\"critical\":false}",
                   "db");
}

/* ---- the file ----------------------------------------------------------- */

static void runs_come_back_as_they_were(void **state)
{
    static const double times[] = { 1700, 1600 };
    struct history h;
    cJSON *last, *run = run_of(1600, 1300, "");

    (void)state;
    remember(&h, times, 2);
    last = history_last(&h);
    assert_true(cJSON_Compare(run, last, true));
    assert_true(h.v[0].ready_ms == 1700);
    assert_int_equal(h.v[0].len, 3);
    assert_true(h.v[0].items[1].own_ms == 1400);
    cJSON_Delete(last);
    cJSON_Delete(run);
    history_release(&h);
    assert_null(history_last(&h));
}

static void lines_that_are_no_runs_are_counted_and_go(void **state)
{
    static const char text[] =
        "{\"ready_ms\":1,\"items\":[]}\n"
        "\0\xff garbage\n"
        "{\"ready_ms\":-1,\"items\":[]}\n"
        "{\"ready_ms\":1}\n"
        "{\"ready_ms\":1,\"items\":[{\"kind\":\"x\",\"name\":\"y\"}]}\n"
        "{\"ready_ms\":1,\"items\":[7]}\n"
        "[]\n\n"
        "{\"ready_ms\":2,\"items\":[]}\n"
        "{\"ready_ms\":3,\"ite"; /* cut short */
    struct history h = { 0 };

    (void)state;
    str_add_len(&h.lines, text, sizeof(text) - 1);
    history_read(&h);
    assert_int_equal(h.len, 2);
    assert_int_equal(h.bad, 7);
    assert_string_equal(str_c(&h.lines), "{\"ready_ms\":1,\"items\":[]}\n"
                                         "{\"ready_ms\":2,\"items\":[]}\n");
    history_release(&h);
}

static void append(struct history *h, double ready_ms, const char *name)
{
    cJSON *run = run_of(ready_ms, 1, "");

    cJSON_AddStringToObject(run, "app", name);
    history_append(h, run);
    cJSON_Delete(run);
}

/* So many, the first and the last of these times. */
static void assert_kept(const struct history *from, size_t count, double first,
                        double last)
{
    struct history h = { 0 };

    str_add_len(&h.lines, str_c(&from->lines), from->lines.len);
    history_read(&h);
    assert_int_equal(h.bad, 0);
    assert_int_equal(h.len, count);
    assert_true(h.v[0].ready_ms == first);
    assert_true(h.v[count - 1].ready_ms == last);
    history_release(&h);
}

static void oldest_starts_are_forgotten(void **state)
{
    struct history h = { 0 };

    (void)state;
    for (int i = 0; i < HISTORY_RUNS + 5; i++)
        append(&h, 1000 + i, "demo");
    assert_kept(&h, HISTORY_RUNS, 1005, 1024);
    history_release(&h);
}

static void file_of_too_many_starts_is_read_to_its_end(void **state)
{
    struct history h = { 0 };

    (void)state;
    for (int i = 0; i < HISTORY_RUNS + 5; i++)
        str_printf(&h.lines, "{\"ready_ms\":%d,\"items\":[]}\n", i);
    history_read(&h);
    assert_int_equal(h.len, HISTORY_RUNS);
    assert_true(h.v[0].ready_ms == 5);
    assert_true(h.v[HISTORY_RUNS - 1].ready_ms == HISTORY_RUNS + 4);
    history_release(&h);
}

static void large_starts_leave_room_for_fewer(void **state)
{
    struct history h = { 0 };
    cleanup_free char *name = xcalloc(1, 2 * HISTORY_BYTES_MAX);

    (void)state;
    memset(name, 'x', 200000);
    for (int i = 0; i < 10; i++)
        append(&h, 1000 + i, name);
    assert_true(h.lines.len <= HISTORY_BYTES_MAX);
    assert_kept(&h, 5, 1005, 1009);
    memset(name, 'x', HISTORY_BYTES_MAX);
    append(&h, 2000, name); /* one is always kept */
    assert_kept(&h, 1, 2000, 2000);
    history_release(&h);
}

static void line_that_was_cut_short_takes_no_other_with_it(void **state)
{
    struct history h = { 0 };

    (void)state;
    str_add(&h.lines, "{\"ready_ms\":3,\"ite");
    append(&h, 1000, "demo");
    history_read(&h);
    assert_int_equal(h.bad, 1);
    assert_int_equal(h.len, 1);
    history_release(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slower_is_said_from_the_third_former_start_on),
        cmocka_unit_test(a_little_slower_is_not_slower),
        cmocka_unit_test(one_slow_start_does_not_change_what_is_usual),
        cmocka_unit_test(only_starts_of_the_same_containers_count),
        cmocka_unit_test(run_is_not_compared_with_itself),
        cmocka_unit_test(culprit_is_who_took_the_most_over_what_is_usual),
        cmocka_unit_test(pull_that_is_not_usual_is_the_culprit),
        cmocka_unit_test(who_is_not_on_the_critical_path_is_no_culprit),
        cmocka_unit_test(runs_come_back_as_they_were),
        cmocka_unit_test(lines_that_are_no_runs_are_counted_and_go),
        cmocka_unit_test(oldest_starts_are_forgotten),
        cmocka_unit_test(file_of_too_many_starts_is_read_to_its_end),
        cmocka_unit_test(large_starts_leave_room_for_fewer),
        cmocka_unit_test(line_that_was_cut_short_takes_no_other_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
