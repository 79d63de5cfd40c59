#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/env.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "support/tmp_dir.h"

struct fix {
    struct tmp_dir home;
    struct store store;
};

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));
    struct err err = { 0 };

    tmp_dir_init(&f->home);
    setenv("XDG_STATE_HOME", f->home.path, 1);
    *state = f;
    return store_open(&f->store, "local", &err);
}

static int teardown(void **state)
{
    struct fix *f = *state;

    store_release(&f->store);
    tmp_dir_release(&f->home);
    free(f);
    return 0;
}

static void assert_mode(const struct fix *f, const char *name, mode_t mode)
{
    cleanup_free char *path = xasprintf("cvx/local%s", name);

    assert_int_equal(tmp_dir_mode(&f->home, path), mode);
}

static void write_file(const struct fix *f, const char *name, const char *text,
                       mode_t mode)
{
    cleanup_free char *path = xasprintf("cvx/local%s", name);

    tmp_dir_put(&f->home, path, text, mode);
}

static void reopen(struct fix *f)
{
    struct err err = { 0 };

    store_release(&f->store);
    assert_int_equal(store_open(&f->store, "local", &err), 0);
}

static void nobody_else_may_look(void **state)
{
    struct fix *f = *state;
    cleanup_env struct env env = { 0 };
    struct err err = { 0 };
    mode_t before = umask(0);

    env_set(&env, "SECRET", "x", "test");
    assert_int_equal(store_env_save(&f->store, "demo", &env, &err), 0);
    umask(before);
    assert_mode(f, "", 0700);
    assert_mode(f, "/apps", 0700);
    assert_mode(f, "/id", 0600);
    assert_mode(f, "/password", 0600);
    assert_mode(f, "/apps/demo.env", 0600);
}

static void directory_open_to_others_is_closed(void **state)
{
    struct fix *f = *state;
    cleanup_free char *path = tmp_dir_path(&f->home, "cvx/local");

    assert_int_equal(chmod(path, 0755), 0);
    reopen(f);
    assert_mode(f, "", 0700);
}

static void leftover_of_a_write_lends_nobody_its_mode(void **state)
{
    struct fix *f = *state;
    cleanup_env struct env env = { 0 };
    struct err err = { 0 };

    write_file(f, "/apps/demo.env.new", "", 0666);
    env_set(&env, "SECRET", "x", "test");
    assert_int_equal(store_env_save(&f->store, "demo", &env, &err), 0);
    assert_mode(f, "/apps/demo.env", 0600);
}

static void files_open_to_others_are_closed(void **state)
{
    struct fix *f = *state;
    cleanup_env struct env env = { 0 };
    struct err err = { 0 };

    write_file(f, "/apps/demo.env", "A=1\n", 0666);
    write_file(f, "/id.lock", "", 0644);
    chmod(f->store.dir, 0777);
    reopen(f);
    assert_int_equal(store_env_load(&f->store, "demo", &env, &err), 0);
    assert_string_equal(env_get(&env, "A"), "1");
    assert_mode(f, "", 0700);
    assert_mode(f, "/id.lock", 0600);
    assert_mode(f, "/apps/demo.env", 0600);
}

/* As somebody may have put it there: a link to `target` named `name`. */
static void put_link(const struct fix *f, const char *target, const char *name)
{
    cleanup_free char *path = xasprintf("%s/cvx/local%s", f->home.path, name);

    unlink(path);
    assert_int_equal(symlink(target, path), 0);
}

static void links_in_place_of_files_are_refused(void **state)
{
    static const char *const names[] = { "/id.lock", "/id", "/password" };
    struct fix *f = *state;
    cleanup_free char *aim = tmp_dir_path(&f->home, "aim");
    struct err err = { 0 };

    assert_int_equal(close(creat(aim, 0644)), 0);
    for (int i = 0; i < 3; i++) {
        cleanup_free char *path =
            xasprintf("%s/cvx/local%s", f->home.path, names[i]);

        put_link(f, aim, names[i]);
        store_release(&f->store);
        assert_int_equal(store_open(&f->store, "local", &err), -1);
        assert_non_null(strstr(err.msg, names[i]));
        assert_non_null(strstr(err.msg, "it is a link: remove it"));
        assert_int_equal(unlink(path), 0);
    }
    reopen(f);
}

static void link_where_a_file_is_written_is_not_followed(void **state)
{
    struct fix *f = *state;
    cleanup_free char *aim = tmp_dir_path(&f->home, "aim");
    cleanup_env struct env env = { 0 };
    struct err err = { 0 };
    struct stat st;

    assert_int_equal(close(creat(aim, 0644)), 0);
    put_link(f, aim, "/apps/demo.env.new");
    env_set(&env, "SECRET", "x", "test");
    assert_int_equal(store_env_save(&f->store, "demo", &env, &err), 0);
    assert_mode(f, "/apps/demo.env", 0600);
    assert_int_equal(stat(aim, &st), 0);
    assert_int_equal(st.st_size, 0);
    assert_int_equal(store_env_load(&f->store, "demo", &env, &err), 0);
}

static void link_in_place_of_the_directory_is_refused(void **state)
{
    struct fix *f = *state;
    cleanup_free char *dir = tmp_dir_path(&f->home, "cvx/local");
    cleanup_free char *aside = tmp_dir_path(&f->home, "aside");
    struct err err = { 0 };

    assert_int_equal(rename(dir, aside), 0);
    assert_int_equal(symlink(aside, dir), 0);
    store_release(&f->store);
    assert_int_equal(store_open(&f->store, "local", &err), -1);
    assert_non_null(strstr(err.msg, "not a directory: "));
}

static void directory_of_another_user_is_refused(void **state)
{
    struct fix *f = *state;
    struct err err = { 0 };

    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(f->store.dir, 65534, 65534), 0);
    store_release(&f->store);
    assert_int_equal(store_open(&f->store, "local", &err), -1);
    assert_non_null(strstr(err.msg, "belongs to another user (uid 65534)"));
}

static void fifo_in_place_of_a_file_does_not_block(void **state)
{
    struct fix *f = *state;
    cleanup_free char *path = tmp_dir_path(&f->home, "cvx/local/apps/x.env");
    cleanup_env struct env env = { 0 };
    struct err err = { 0 };

    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(store_env_load(&f->store, "x", &env, &err), -1);
    assert_non_null(strstr(err.msg, "it is no file of yours"));
}

static void id_and_password_are_kept_and_long(void **state)
{
    struct fix *f = *state;
    cleanup_free char *id = xstrdup(f->store.rack_id);
    cleanup_free char *password = xstrdup(f->store.password);

    assert_int_equal(strlen(id), 16);
    assert_int_equal(strlen(password), 30);
    assert_int_equal(strspn(password, "0123456789abcdef"), 30);
    reopen(f);
    assert_string_equal(f->store.rack_id, id);
    assert_string_equal(f->store.password, password);
}

static void two_racks_on_one_directory_have_two_ids(void **state)
{
    struct fix *f = *state;
    struct store other = { 0 };
    struct err err = { 0 };

    assert_int_equal(store_open(&other, "local", &err), 0);
    assert_string_not_equal(other.rack_id, f->store.rack_id);
    assert_string_equal(other.password, f->store.password);
    store_release(&other);
}

static void broken_id_is_made_anew(void **state)
{
    struct fix *f = *state;

    write_file(f, "/id", "no id\n", 0600);
    reopen(f);
    assert_int_equal(strspn(f->store.rack_id, "0123456789abcdef"), 16);
}

static void environment_comes_back_as_it_was(void **state)
{
    struct fix *f = *state;
    cleanup_env struct env env = { 0 }, back = { 0 };
    struct err err = { 0 };

    env_set(&env, "QUOTED", "\"as it is\"", "test");
    env_set(&env, "EQUALS", "a=b=c", "test");
    env_set(&env, "EMPTY", "", "test");
    assert_int_equal(store_env_save(&f->store, "demo", &env, &err), 0);
    assert_int_equal(store_env_load(&f->store, "demo", &back, &err), 0);
    assert_int_equal(back.len, 3);
    assert_string_equal(env_get(&back, "QUOTED"), "\"as it is\"");
    assert_string_equal(env_get(&back, "EQUALS"), "a=b=c");
    assert_string_equal(env_get(&back, "EMPTY"), "");
}

static void timings_come_back_and_are_nobody_elses(void **state)
{
    struct fix *f = *state;
    cleanup_str struct str text = { 0 }, got = { 0 };
    struct err err = { 0 };

    assert_int_equal(store_timings_load(&f->store, "demo", &got, &err), 0);
    assert_int_equal(got.len, 0);
    write_file(f, "/apps/demo.timings.new", "", 0666);
    str_add(&text, "{\"a\":1}\n");
    assert_int_equal(store_timings_save(&f->store, "demo", &text, &err), 0);
    assert_mode(f, "/apps/demo.timings", 0600);
    reopen(f);
    assert_int_equal(store_timings_load(&f->store, "demo", &got, &err), 0);
    assert_string_equal(str_c(&got), str_c(&text));
}

static void app_without_a_file_has_an_empty_environment(void **state)
{
    struct fix *f = *state;
    cleanup_env struct env env = { 0 };
    struct err err = { 0 };

    assert_int_equal(store_env_load(&f->store, "never", &env, &err), 0);
    assert_int_equal(env.len, 0);
}

static void file_too_large_is_an_error_not_half_of_it(void **state)
{
    struct fix *f = *state;
    cleanup_env struct env env = { 0 };
    cleanup_free char *path = tmp_dir_path(&f->home, "cvx/local/apps/big.env");
    struct err err = { 0 };

    write_file(f, "/apps/big.env", "A=1\n", 0600);
    assert_int_equal(truncate(path, 5 << 20), 0);
    assert_int_equal(store_env_load(&f->store, "big", &env, &err), -1);
    assert_non_null(strstr(err.msg, "at most 4194304 are read"));
}

static void directory_in_place_of_a_file_is_an_error(void **state)
{
    struct fix *f = *state;
    cleanup_env struct env env = { 0 };
    cleanup_free char *path = tmp_dir_path(&f->home, "cvx/local/apps/x.env");
    struct err err = { 0 };

    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(store_env_load(&f->store, "x", &env, &err), -1);
    assert_non_null(strstr(err.msg, "cannot read "));
    err = (struct err){ 0 };
    assert_int_equal(store_env_save(&f->store, "x", &env, &err), -1);
    assert_non_null(strstr(err.msg, "cannot write "));
}

/* ---- templates ----------------------------------------------------------- */

#define TEMPLATE "cvx-template/mysql:0123456789abcdef"

static void template_never_used_has_no_time(void **state)
{
    struct fix *f = *state;

    assert_int_equal(store_template_used(&f->store, TEMPLATE), 0);
    store_template_forget(&f->store, TEMPLATE); /* nothing to forget */
}

static void template_used_has_the_time_of_its_last_use(void **state)
{
    struct fix *f = *state;
    struct err err = { 0 };
    struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
    cleanup_free char *path = xasprintf(
        "%s/cvx/local/templates/mysql:0123456789abcdef", f->home.path);
    int64_t before = time(NULL);

    assert_int_equal(store_template_touch(&f->store, TEMPLATE, &err), 0);
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    reopen(f);
    assert_int_equal(store_template_used(&f->store, TEMPLATE), 1000);
    assert_int_equal(store_template_used(&f->store, "mysql:0123456789abcdef"),
                     1000);
    assert_int_equal(store_template_touch(&f->store, TEMPLATE, &err), 0);
    assert_true(store_template_used(&f->store, TEMPLATE) >= before - 1);
    assert_mode(f, "/templates", 0700);
    assert_mode(f, "/templates/mysql:0123456789abcdef", 0600);
}

static void template_forgotten_was_never_used(void **state)
{
    struct fix *f = *state;
    struct err err = { 0 };

    assert_int_equal(store_template_touch(&f->store, TEMPLATE, &err), 0);
    store_template_forget(&f->store, TEMPLATE);
    assert_int_equal(store_template_used(&f->store, TEMPLATE), 0);
}

static void name_that_leads_elsewhere_is_no_template(void **state)
{
    static const char *const bad[] = { "", "x/", "..", "x/..", "x/.y" };
    struct fix *f = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct err err = { 0 };

        assert_int_equal(store_template_touch(&f->store, bad[i], &err), -1);
        assert_int_equal(err.code, ERR_INVALID);
        assert_int_equal(store_template_used(&f->store, bad[i]), 0);
        store_template_forget(&f->store, bad[i]);
    }
}

static void link_in_place_of_a_mark_is_not_followed(void **state)
{
    struct fix *f = *state;
    struct err err = { 0 };
    cleanup_free char *path =
        xasprintf("%s/cvx/local/templates/a:b", f->home.path);
    cleanup_free char *target = xasprintf("%s/target", f->home.path);

    assert_int_equal(store_template_touch(&f->store, "a:b", &err), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(store_template_touch(&f->store, "a:b", &err), -1);
    assert_non_null(strstr(err.msg, "it is a link"));
    assert_int_equal(access(target, F_OK), -1);
}

static void no_home_is_an_error(void **state)
{
    struct store st = { 0 };
    struct err err = { 0 };
    cleanup_free char *home = xstrdup(getenv("HOME"));

    (void)state;
    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    assert_int_equal(store_open(&st, "local", &err), -1);
    setenv("HOME", home, 1);
    assert_non_null(strstr(err.msg, "no place for state"));
    store_release(&st);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(nobody_else_may_look),
        T(directory_open_to_others_is_closed),
        T(leftover_of_a_write_lends_nobody_its_mode),
        T(files_open_to_others_are_closed),
        T(links_in_place_of_files_are_refused),
        T(link_where_a_file_is_written_is_not_followed),
        T(link_in_place_of_the_directory_is_refused),
        T(directory_of_another_user_is_refused),
        T(fifo_in_place_of_a_file_does_not_block),
        T(id_and_password_are_kept_and_long),
        T(two_racks_on_one_directory_have_two_ids),
        T(broken_id_is_made_anew),
        T(environment_comes_back_as_it_was),
        T(timings_come_back_and_are_nobody_elses),
        T(app_without_a_file_has_an_empty_environment),
        T(file_too_large_is_an_error_not_half_of_it),
        T(directory_in_place_of_a_file_is_an_error),
        T(template_never_used_has_no_time),
        T(template_used_has_the_time_of_its_last_use),
        T(template_forgotten_was_never_used),
        T(name_that_leads_elsewhere_is_no_template),
        T(link_in_place_of_a_mark_is_not_followed),
        T(no_home_is_an_error),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
