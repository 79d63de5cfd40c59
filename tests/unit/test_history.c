#include "history.h"

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
static cJSON *runs_of(const double *times, size_t count)
{
    cJSON *runs = cJSON_CreateArray();

    for (size_t i = 0; i < count; i++)
        history_add(runs, run_of(times[i], times[i] - 300, ""));
    return runs;
}

static bool is_slower(const double *times, size_t count, double ready_ms)
{
    cJSON *runs = runs_of(times, count), *run = run_of(ready_ms, 1, "");
    struct usual u;
    bool slower;

    usual_find(&u, runs, run);
    slower = usual_is_slower(&u, run);
    usual_release(&u);
    cJSON_Delete(runs);
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

static void one_slow_start_does_not_change_what_is_usual(void **state)
{
    static const double times[] = { 60000, 1700, 1600, 1500, 1800 };
    cJSON *runs = runs_of(times, 5), *run = run_of(1700, 1, "");
    struct usual u;

    (void)state;
    usual_find(&u, runs, run);
    assert_int_equal(u.len, 5);
    assert_true(u.usual_ms == 1700);
    usual_release(&u);
    cJSON_DeleteItemFromArray(runs, 1);
    usual_find(&u, runs, run);
    assert_true(u.usual_ms == 1700); /* between 1600 and 1800 */
    usual_release(&u);
    cJSON_Delete(runs);
    cJSON_Delete(run);
}

static void only_starts_of_the_same_containers_count(void **state)
{
    static const double times[] = { 1000, 1000, 1000 };
    static const char another[] = ",{\"kind\":\"resource\",\"name\":\"x\","
                                  "\"replica\":0,\"own_ms\":1}";
    static const char pull[] = ",{\"kind\":\"image\",\"name\":\"x\","
                               "\"replica\":0,\"own_ms\":1}";
    cJSON *runs = runs_of(times, 3), *run = run_of(9000, 1, another);
    struct usual u;

    (void)state;
    usual_find(&u, runs, run);
    assert_int_equal(u.len, 0);
    assert_false(usual_is_slower(&u, run));
    usual_release(&u);
    cJSON_Delete(run);

    run = run_of(9000, 1, pull); /* no container: the same app */
    usual_find(&u, runs, run);
    assert_int_equal(u.len, 3);
    usual_release(&u);
    cJSON_AddBoolToObject(run, "keep_data", true);
    usual_find(&u, runs, run);
    assert_int_equal(u.len, 0);
    usual_release(&u);
    cJSON_Delete(run);
    cJSON_Delete(runs);
}

static void run_is_not_compared_with_itself(void **state)
{
    static const double times[] = { 1000, 1000, 5000 };
    cJSON *runs = runs_of(times, 3);
    struct usual u;

    (void)state;
    usual_find(&u, runs, cJSON_GetArrayItem(runs, 2));
    assert_int_equal(u.len, 2);
    usual_release(&u);
    cJSON_Delete(runs);
}

/* ---- who it was --------------------------------------------------------- */

static void assert_culprit(double ready_ms, double db_ms, const char *more,
                           const char *want)
{
    static const double times[] = { 1700, 1600, 1800 };
    cJSON *runs = runs_of(times, 3), *run = run_of(ready_ms, db_ms, more);
    const cJSON *culprit;
    struct usual u;

    usual_find(&u, runs, run);
    culprit = usual_culprit(&u, run);
    assert_string_equal(
        culprit == NULL
            ? "-"
            : cJSON_GetObjectItemCaseSensitive(culprit, "name")->valuestring,
        want);
    usual_release(&u);
    cJSON_Delete(runs);
    cJSON_Delete(run);
}

static void culprit_is_who_took_the_most_over_what_is_usual(void **state)
{
    (void)state;
    assert_culprit(3400, 3100, "", "db");
    /* the build is the longest, but always; db usually takes 1400 */
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

static void lines_come_back_as_they_were(void **state)
{
    static const double times[] = { 1700, 1600 };
    cJSON *runs = runs_of(times, 2), *again;
    cleanup_str struct str text = { 0 };
    unsigned bad;

    (void)state;
    history_print(runs, &text);
    again = history_parse(str_c(&text), text.len, &bad);
    assert_int_equal(bad, 0);
    assert_true(cJSON_Compare(runs, again, true));
    cJSON_Delete(runs);
    cJSON_Delete(again);
}

static void lines_that_are_no_runs_are_counted_and_left_out(void **state)
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
    cJSON *runs;
    unsigned bad;

    (void)state;
    runs = history_parse(text, sizeof(text) - 1, &bad);
    assert_int_equal(cJSON_GetArraySize(runs), 2);
    assert_int_equal(bad, 7);
    cJSON_Delete(runs);
}

static void oldest_starts_are_forgotten(void **state)
{
    cJSON *runs = cJSON_CreateArray();

    (void)state;
    for (int i = 0; i < HISTORY_RUNS + 5; i++)
        history_add(runs, run_of(1000 + i, 1, ""));
    assert_int_equal(cJSON_GetArraySize(runs), HISTORY_RUNS);
    assert_true(cJSON_GetObjectItem(cJSON_GetArrayItem(runs, 0), "ready_ms")
                    ->valuedouble == 1005);
    cJSON_Delete(runs);
}

static void large_starts_leave_room_for_fewer(void **state)
{
    cleanup_str struct str text = { 0 };
    cJSON *runs = cJSON_CreateArray(), *again;
    cleanup_free char *long_name = xcalloc(1, 200001);
    unsigned bad;

    (void)state;
    memset(long_name, 'x', 200000);
    for (int i = 0; i < 10; i++) {
        cJSON *run = run_of(1000 + i, 1, "");

        cJSON_AddStringToObject(run, "app", long_name);
        history_add(runs, run);
    }
    history_print(runs, &text);
    assert_true(text.len <= HISTORY_BYTES_MAX);
    again = history_parse(str_c(&text), text.len, &bad);
    assert_int_equal(bad, 0);
    assert_int_equal(cJSON_GetArraySize(again), 5);
    assert_true(cJSON_GetObjectItem(cJSON_GetArrayItem(again, 4), "ready_ms")
                    ->valuedouble == 1009);
    cJSON_Delete(runs);
    cJSON_Delete(again);
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
        cmocka_unit_test(lines_come_back_as_they_were),
        cmocka_unit_test(lines_that_are_no_runs_are_counted_and_left_out),
        cmocka_unit_test(oldest_starts_are_forgotten),
        cmocka_unit_test(large_starts_leave_room_for_fewer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
