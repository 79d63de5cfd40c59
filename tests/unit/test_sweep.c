/* What dead racks left (sweep.c), on a scripted engine. */
#include "guard/sweep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "guard/owner.h"
#include "support/fake_engine.h"
#include "support/loop_fix.h"

struct fix {
    struct loop_fix base; /* its socket is the engine's */
    struct fake_engine *fake;
    struct engine *engine;
    char *self; /* this process as an owner */
    struct sweep_scope scope;
    char *dead;      /* an owner */
    struct str told; /* "container a of ...: error\n" */
    unsigned ends;
    size_t left;
    struct err err;
    bool done, closed;
};

static void answer(struct fix *f, const char *method, const char *path,
                   int status, const char *body, unsigned times)
{
    fake_engine_on(f->fake, method, path,
                   &(struct fake_answer){
                       .status = status, .body = body, .times = times });
}

static void script(struct fix *f)
{
    answer(f, "GET", "/containers/json", 200, "[]", 0);
    answer(f, "GET", "/networks", 200, "[]", 0);
    answer(f, "GET", "/volumes", 200, "{\"Volumes\":null}", 0);
    answer(f, "DELETE", "/", 204, NULL, 0);
}

/* This process's number, when another one had it. */
static char *dead_owner(const char *self)
{
    return xasprintf("%.*s.1", (int)(strrchr(self, '.') - self), self);
}

/* The only session that lives. */
static bool lives(const char *session, void *user)
{
    (void)user;
    return strcmp(session, "s1") == 0;
}

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));
    struct err err = { 0 };

    loop_fix_init(&f->base);
    f->fake = fake_engine_new(&f->base.loop, f->base.path);
    script(f);
    f->self = owner_self();
    f->dead = dead_owner(f->self);
    *state = f;
    if (engine_new(&f->engine, &f->base.loop, f->base.endpoint, NULL, &err) < 0)
        return -1;
    f->scope = (struct sweep_scope){
        .engine = f->engine, .rack_id = "r1", .owner = f->self, .lives = lives
    };
    return 0;
}

static void on_closed(void *user)
{
    *(bool *)user = true;
}

static int teardown(void **state)
{
    struct fix *f = *state;

    sweep_drop_all(&f->scope);
    assert_null(f->scope.running);
    engine_close(f->engine, on_closed, &f->closed);
    assert_true(loop_run_until(&f->base.loop, &f->closed, 1000));
    fake_engine_close(f->fake);
    loop_fix_release(&f->base);
    str_release(&f->told);
    free(f->self);
    free(f->dead);
    free(f);
    return 0;
}

static void on_object(const struct sweep_object *o, void *user)
{
    struct fix *f = user;

    str_printf(&f->told, "%s %s %s%s%s\n", o->kind, o->name, o->why,
               o->err == NULL ? "" : ": ", o->err == NULL ? "" : o->err->msg);
}

static void on_done(size_t left, const struct err *err, void *user)
{
    struct fix *f = user;

    f->done = true;
    f->ends++;
    f->left = left;
    f->err = err == NULL ? (struct err){ 0 } : *err;
}

static void begin(struct fix *f, bool dry)
{
    sweep_start(&(struct sweep_spec){ .scope = &f->scope,
                                      .dry = dry,
                                      .on_object = on_object,
                                      .on_done = on_done,
                                      .user = f });
    assert_false(f->done);
}

static void sweep(struct fix *f, bool dry)
{
    begin(f, dry);
    assert_true(loop_run_until(&f->base.loop, &f->done, 3000));
    assert_int_equal(f->ends, 1);
    assert_null(f->scope.running);
}

static void run_for(struct fix *f, unsigned ms)
{
    loop_run_for(&f->base.loop, ms);
}

/* One object of a list; `more` are further labels, or "". */
static char *object(const char *id, const char *rack, const char *owner,
                    const char *more)
{
    return xasprintf("{\"Id\":\"%s\",\"Name\":\"%s\",\"Names\":[\"/%s\"],"
                     "\"Labels\":{\"cvx.rack\":\"%s\",\"cvx.app\":\"demo\"%s%s"
                     "%s%s}}",
                     id, id, id, rack,
                     *owner == '\0' ? "" : ",\"cvx.owner\":\"", owner,
                     *owner == '\0' ? "" : "\"", more);
}

static void has_containers(struct fix *f, char *a, char *b)
{
    cleanup_free char *list =
        xasprintf("[%s%s%s]", a, b == NULL ? "" : ",", b == NULL ? "" : b);

    answer(f, "GET", "/containers/json", 200, list, 0);
    free(a);
    free(b);
}

/* A container c, a network n and a volume v of a dead rackd. */
static void has_all(struct fix *f)
{
    cleanup_free char *n = object("n", "r2", f->dead, "");
    cleanup_free char *v = object("v", "r2", f->dead, "");
    cleanup_free char *networks = xasprintf("[%s]", n);
    cleanup_free char *volumes = xasprintf("{\"Volumes\":[%s]}", v);

    has_containers(f, object("c", "r2", f->dead, ""), NULL);
    answer(f, "GET", "/networks", 200, networks, 0);
    answer(f, "GET", "/volumes", 200, volumes, 0);
}

static size_t deletions(const struct fix *f)
{
    size_t n = 0;

    for (size_t i = 0; i < fake_engine_requests(f->fake); i++)
        n += strcmp(fake_engine_request(f->fake, i)->method, "DELETE") == 0;
    return n;
}

/* The n-th request's path, without the version. */
static void is_nth(const struct fix *f, size_t n, const char *path)
{
    const struct fake_request *r = fake_engine_request(f->fake, n);

    assert_non_null(r);
    if (!str_starts(r->path + strlen("/v1.41"), path))
        fail_msg("request %zu is %s, not %s", n, r->path, path);
}

/* ---- whose is it ----------------------------------------------------------
 */

static bool is_left(struct fix *f, const char *rack, const char *owner,
                    const char *more)
{
    has_containers(f, object("c", rack, owner, more), NULL);
    sweep(f, true);
    assert_int_equal(f->err.code, ERR_NONE);
    f->done = false;
    f->ends = 0;
    return f->told.len > 0;
}

static void is_left_because(struct fix *f, const char *rack, const char *owner,
                            const char *more, const char *why)
{
    assert_true(is_left(f, rack, owner, more));
    if (strstr(str_c(&f->told), why) == NULL)
        fail_msg("no %s in %s", why, str_c(&f->told));
    str_cut(&f->told, 0);
}

#define S1   ",\"cvx.session\":\"s1\""
#define S2   ",\"cvx.session\":\"s2\""
#define KEEP ",\"cvx.keep\":\"true\""

static void what_the_dead_made_is_left_behind(void **state)
{
    struct fix *f = *state;
    cleanup_free char *words =
        xasprintf("container c of rackd %d, which is gone", (int)getpid());

    is_left_because(f, "r1", f->dead, "", words);
    is_left_because(f, "r1", f->dead, S1, words); /* its s1, not ours */
    is_left_because(f, "r2", f->dead, S2, words);
}

static void what_this_rack_made_is_left_behind_with_its_session(void **state)
{
    struct fix *f = *state;

    assert_false(is_left(f, "r1", f->self, S1));
    assert_false(is_left(f, "r1", f->self, "")); /* what guards */
    is_left_because(f, "r1", f->self, S2, "of session s2, which has ended");
    /* Made before there were owners. */
    assert_false(is_left(f, "r1", "", S1));
    assert_false(is_left(f, "r1", "", ""));
    is_left_because(f, "r1", "", S2, "of session s2, which has ended");
}

/* This rack's id is locked by us: nobody else has it. */
static void earlier_rackd_of_this_rack_is_dead_wherever_it_ran(void **state)
{
    struct fix *f = *state;

    is_left_because(f, "r1", "garbage", S1, "of a rackd, which is gone");
    is_left_because(f, "r1", "9.-.1.b1.77.1", S1, "of rackd 77");
}

static void what_others_made_is_not_ours(void **state)
{
    struct fix *f = *state;
    cleanup_free char *user = xasprintf("9%s", f->dead);

    assert_false(is_left(f, "r2", "", S2));
    assert_false(is_left(f, "r2", "garbage", S2));
    assert_false(is_left(f, "r2", user, S2)); /* another user's */
}

static void what_the_living_made_is_not_left(void **state)
{
    struct fix *f = *state;
    char *other = f->self; /* lives: this very process */

    f->self = xstrdup(f->dead); /* and we are another */
    f->scope.owner = f->self;
    assert_false(is_left(f, "r2", other, S2));
    assert_false(is_left(f, "r1", other, S2));
    free(other);
}

static void kept_data_is_never_left(void **state)
{
    struct fix *f = *state;

    assert_false(is_left(f, "r1", f->dead, S2 KEEP));
    assert_false(is_left(f, "r2", f->dead, KEEP));
    assert_false(is_left(f, "r1", f->self, S2 KEEP));
    is_left_because(f, "r2", f->dead, ",\"cvx.keep\":\"false\"", "gone");
}

/* ---- removal --------------------------------------------------------------
 */

static void nothing_left_is_the_end(void **state)
{
    struct fix *f = *state;

    sweep(f, false);
    assert_int_equal(f->left, 0);
    assert_int_equal(f->err.code, ERR_NONE);
    assert_int_equal(fake_engine_requests(f->fake), 3);
    assert_non_null(strstr(fake_engine_last(f->fake, "/containers/json")->path,
                           "cvx.rack"));
}

static void containers_go_first_and_then_the_rest(void **state)
{
    struct fix *f = *state;

    has_all(f);
    fake_engine_on(f->fake, "DELETE", "/containers/c",
                   &(struct fake_answer){ .status = 204, .delay_ms = 60 });
    begin(f, false);
    WAIT_FOR(&f->base.loop, deletions(f) > 0);
    assert_int_equal(deletions(f), 1); /* the rest waits for it */
    is_nth(f, 3, "/containers/c?force=1");
    assert_true(loop_run_until(&f->base.loop, &f->done, 1000));
    assert_int_equal(deletions(f), 3);
    assert_int_equal(fake_engine_asked(f->fake, "/networks/n"), 1);
    assert_int_equal(fake_engine_asked(f->fake, "/volumes/v"), 1);
    assert_int_equal(f->left, 0);
    assert_int_equal(f->ends, 1);
}

static void dry_run_only_says_what_there_is(void **state)
{
    struct fix *f = *state;

    has_all(f);
    sweep(f, true);
    assert_non_null(strstr(str_c(&f->told), "container c of rackd"));
    assert_non_null(strstr(str_c(&f->told), "network n of rackd"));
    assert_non_null(strstr(str_c(&f->told), "volume v of rackd"));
    assert_int_equal(deletions(f), 0);
    assert_int_equal(f->left, 0);
}

static void removal_that_fails_is_told_and_stops_nothing(void **state)
{
    struct fix *f = *state;

    has_all(f);
    answer(f, "DELETE", "/containers/c", 500, "{\"message\":\"busy\"}", 0);
    answer(f, "DELETE", "/volumes/v", 409, "{\"message\":\"in use\"}", 0);
    sweep(f, false);
    assert_int_equal(f->left, 2);
    assert_int_equal(f->err.code, ERR_NONE);
    assert_non_null(strstr(str_c(&f->told), "which is gone: busy\n"));
    assert_non_null(strstr(str_c(&f->told), "which is gone: in use\n"));
    assert_int_equal(fake_engine_asked(f->fake, "/networks/n"), 1);
    assert_int_equal(fake_engine_asked(f->fake, "/volumes/v"), 1);
}

static void busy_network_is_asked_for_again_but_not_for_ever(void **state)
{
    static const char busy[] = "{\"message\":\"has active endpoints\"}";
    struct fix *f = *state;

    has_all(f);
    answer(f, "DELETE", "/networks/n", 403, busy, 5);
    sweep(f, false);
    assert_int_equal(f->left, 0);
    assert_int_equal(fake_engine_asked(f->fake, "/networks/n"), 6);
    f->done = false;
    f->ends = 0;
    answer(f, "DELETE", "/networks/n", 403, busy, 0);
    sweep(f, false);
    assert_int_equal(f->left, 1);
    assert_true(fake_engine_asked(f->fake, "/networks/n") < 40);
}

static void what_went_by_itself_counts_as_removed(void **state)
{
    struct fix *f = *state;

    has_all(f);
    answer(f, "DELETE", "/", 404, "{\"message\":\"no such thing\"}", 0);
    sweep(f, false);
    assert_int_equal(f->left, 0);
}

/* What an engine does not say may be what must not be removed. */
static void list_that_fails_ends_it_before_anything_is_removed(void **state)
{
    static const char *const lists[] = { "/containers/json", "/networks",
                                         "/volumes" };
    struct fix *f = *state;

    has_all(f);
    for (size_t i = 0; i < 3; i++) {
        answer(f, "GET", lists[i], 500, "{\"message\":\"broken\"}", 1);
        sweep(f, false);
        assert_int_equal(f->err.code, ERR_SYSTEM);
        assert_string_equal(f->err.msg, "broken");
        assert_int_equal(f->left, 0);
        f->done = false;
        f->ends = 0;
    }
    assert_int_equal(deletions(f), 0);
    assert_string_equal(str_c(&f->told), "");
}

/* ---- it is dropped --------------------------------------------------------
 */

static void is_dropped(struct fix *f)
{
    sweep_drop_all(&f->scope);
    assert_int_equal(f->ends, 1);
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    assert_null(f->scope.running);
    run_for(f, 150); /* late answers reach nobody */
    assert_int_equal(f->ends, 1);
}

static void dropped_while_it_asks_it_ends_once(void **state)
{
    struct fix *f = *state;

    fake_engine_on(f->fake, "GET", "/networks",
                   &(struct fake_answer){ .body = "[]", .delay_ms = 100 });
    begin(f, false);
    WAIT_FOR(&f->base.loop, fake_engine_asked(f->fake, "/networks") == 1);
    is_dropped(f);
}

static void dropped_before_the_first_answer_it_ends_once(void **state)
{
    struct fix *f = *state;

    begin(f, false);
    is_dropped(f);
}

static void dropped_while_it_removes_it_ends_once(void **state)
{
    struct fix *f = *state;

    has_all(f);
    fake_engine_on(f->fake, "DELETE", "/containers/c",
                   &(struct fake_answer){ .status = 204, .delay_ms = 100 });
    begin(f, false);
    WAIT_FOR(&f->base.loop, deletions(f) == 1);
    is_dropped(f);
    assert_int_equal(deletions(f), 1);
}

static void two_at_once_do_not_meet(void **state)
{
    struct fix *f = *state;

    has_all(f);
    begin(f, false);
    begin(f, true);
    WAIT_FOR(&f->base.loop, f->ends == 2);
    assert_int_equal(deletions(f), 3);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_the_dead_made_is_left_behind),
        T(what_this_rack_made_is_left_behind_with_its_session),
        T(earlier_rackd_of_this_rack_is_dead_wherever_it_ran),
        T(what_others_made_is_not_ours),
        T(what_the_living_made_is_not_left),
        T(kept_data_is_never_left),
        T(nothing_left_is_the_end),
        T(containers_go_first_and_then_the_rest),
        T(dry_run_only_says_what_there_is),
        T(removal_that_fails_is_told_and_stops_nothing),
        T(busy_network_is_asked_for_again_but_not_for_ever),
        T(what_went_by_itself_counts_as_removed),
        T(list_that_fails_ends_it_before_anything_is_removed),
        T(dropped_while_it_asks_it_ends_once),
        T(dropped_before_the_first_answer_it_ends_once),
        T(dropped_while_it_removes_it_ends_once),
        T(two_at_once_do_not_meet),
    };

    return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
