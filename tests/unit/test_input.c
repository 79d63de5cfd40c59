#include "api/input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "plan/plan.h"
#include "store/store.h"
#include "support/tmp_dir.h"

/* A directory My_App with a convox.yml, and an empty store beside it. */
struct fix {
    struct tmp_dir root;
    char *dir;
    struct store store;
    struct input in;
    cJSON *body;
    struct err err;
};

static void write_file(const struct fix *f, const char *name, const char *text)
{
    cleanup_free char *inside = xasprintf("My_App/%s", name);

    tmp_dir_put(&f->root, inside, text, 0644);
}

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));

    tmp_dir_init(&f->root);
    setenv("XDG_STATE_HOME", f->root.path, 1);
    f->dir = tmp_dir_path(&f->root, "My_App");
    f->body = cJSON_CreateObject();
    cJSON_AddStringToObject(f->body, "dir", f->dir);
    write_file(f, "convox.yml",
               "services:\n  web:\n    image: x\n    environment: [A=0, B, C, "
               "D]\n");
    *state = f;
    return store_open(&f->store, "local", &f->err);
}

static int teardown(void **state)
{
    struct fix *f = *state;

    input_release(&f->in);
    store_release(&f->store);
    cJSON_Delete(f->body);
    tmp_dir_release(&f->root);
    free(f->dir);
    free(f);
    return 0;
}

static int load(struct fix *f)
{
    return input_load(&f->in, f->body, &f->store, &f->err);
}

static void add_list(struct fix *f, const char *name, const char *one)
{
    cJSON *list = cJSON_GetObjectItemCaseSensitive(f->body, name);

    if (list == NULL)
        list = cJSON_AddArrayToObject(f->body, name);
    cJSON_AddItemToArray(list, cJSON_CreateString(one));
}

static void fails_with(struct fix *f, enum err_code code, const char *text)
{
    assert_int_equal(load(f), -1);
    if (strstr(f->err.msg, text) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", text, f->err.msg);
    assert_int_equal(f->err.code, code);
}

static void later_sources_of_the_environment_win(void **state)
{
    struct fix *f = *state;
    cleanup_env struct env stored = { 0 };

    for (char key[] = "A"; key[0] <= 'D'; key[0]++)
        env_set(&stored, key, "store", "test");
    assert_int_equal(store_env_save(&f->store, "my-app", &stored, &f->err), 0);
    write_file(f, ".env", "B=dotenv\nC=dotenv\nD=dotenv\n");
    write_file(f, "more.env", "C=file\nD='file'\n");
    add_list(f, "env_files", "more.env");
    add_list(f, "env", "D=argument");
    assert_int_equal(load(f), 0);
    assert_string_equal(env_get(&f->in.env, "A"), "store");
    assert_string_equal(env_get(&f->in.env, "B"), "dotenv");
    assert_string_equal(env_get(&f->in.env, "C"), "file");
    assert_string_equal(env_get(&f->in.env, "D"), "argument");
}

static void app_is_named_after_the_directory(void **state)
{
    struct fix *f = *state;

    assert_int_equal(load(f), 0);
    assert_string_equal(f->in.app, "my-app");
    assert_string_equal(f->in.dir, f->dir);
}

static void app_is_named_by_its_file_and_the_option_wins(void **state)
{
    struct fix *f = *state;
    cleanup_free char *given = NULL, *found = NULL;

    write_file(f, ".convox/app", "shop\nsecond line\n");
    found = input_app_name("", f->dir);
    assert_string_equal(found, "shop");
    given = input_app_name("Given", f->dir);
    assert_string_equal(given, "given");
}

static void app_name_without_a_letter_is_refused(void **state)
{
    struct fix *f = *state;

    cJSON_AddStringToObject(f->body, "app", "!!!");
    fails_with(f, ERR_INVALID, "-a: an app's name has letters or digits");
}

static void directory_is_where_the_manifest_is(void **state)
{
    struct fix *f = *state;

    cJSON_ReplaceItemInObjectCaseSensitive(f->body, "dir",
                                           cJSON_CreateString("/"));
    cJSON_AddStringToObject(f->body, "manifest", "/etc/hostname");
    cJSON_AddStringToObject(f->body, "app", "x");
    assert_int_equal(load(f), 0);
    assert_string_equal(f->in.dir, "/etc");
}

static void missing_manifest_is_not_found(void **state)
{
    struct fix *f = *state;

    cJSON_AddStringToObject(f->body, "manifest", "other.yml");
    fails_with(f, ERR_NOT_FOUND, "open other.yml: no such file or directory");
}

static void missing_env_file_is_an_error_but_dotenv_need_not_be(void **state)
{
    struct fix *f = *state;

    add_list(f, "env_files", "gone.env");
    fails_with(f, ERR_NOT_FOUND, "open gone.env: no such file or directory");
}

static void fifo_as_manifest_does_not_hold_the_loop(void **state)
{
    struct fix *f = *state;
    cleanup_free char *path = xasprintf("%s/fifo.yml", f->dir);

    assert_int_equal(mkfifo(path, 0600), 0);
    cJSON_AddStringToObject(f->body, "manifest", "fifo.yml");
    alarm(5);
    fails_with(f, ERR_INVALID, "fifo.yml is not a file");
    alarm(0);
}

static void directory_as_manifest_is_refused(void **state)
{
    struct fix *f = *state;

    cJSON_AddStringToObject(f->body, "manifest", ".");
    fails_with(f, ERR_INVALID, ". is not a file");
}

static void manifest_too_large_is_not_read(void **state)
{
    struct fix *f = *state;
    cleanup_free char *path = xasprintf("%s/convox.yml", f->dir);

    assert_int_equal(truncate(path, 50 << 20), 0);
    fails_with(f, ERR_INVALID, "convox.yml is too large: 52428800 bytes");
}

static void env_file_too_large_is_not_read(void **state)
{
    struct fix *f = *state;
    cleanup_free char *path = xasprintf("%s/.env", f->dir);

    write_file(f, ".env", "A=1\n");
    assert_int_equal(truncate(path, 2 << 20), 0);
    fails_with(f, ERR_INVALID, ".env is too large: 2097152 bytes");
}

static void pair_without_a_value_is_refused(void **state)
{
    struct fix *f = *state;

    add_list(f, "env", "JUSTAKEY");
    fails_with(f, ERR_INVALID, "-e wants KEY=VALUE, not \"JUSTAKEY\"");
}

static void relative_directory_is_refused(void **state)
{
    struct fix *f = *state;

    cJSON_ReplaceItemInObjectCaseSensitive(f->body, "dir",
                                           cJSON_CreateString("here"));
    fails_with(f, ERR_INVALID, "dir must be an absolute path");
}

static void plan_is_there_only_without_errors(void **state)
{
    struct fix *f = *state;
    struct plan *plan;

    assert_int_equal(load(f), 0);
    /* B, C and D have no value. */
    assert_null(input_plan(&f->in, &f->store, "RX", false));
    assert_true(f->in.diags.errors > 0);
    input_release(&f->in);
    add_list(f, "env", "B=1");
    add_list(f, "env", "C=1");
    add_list(f, "env", "D=1");
    assert_int_equal(load(f), 0);
    plan = input_plan(&f->in, &f->store, "RX", false);
    assert_non_null(plan);
    plan_free(plan);
}

static void client_env_takes_strings_only(void **state)
{
    struct fix *f = *state;
    cleanup_env struct env env = { 0 };
    cJSON *client = cJSON_AddObjectToObject(f->body, "client_env");

    cJSON_AddStringToObject(client, "HOME", "/root");
    cJSON_AddNumberToObject(client, "DOCKER_HOST", 1);
    input_client_env(&env, f->body);
    assert_int_equal(env.len, 1);
    assert_string_equal(env_get(&env, "HOME"), "/root");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(later_sources_of_the_environment_win),
        T(app_is_named_after_the_directory),
        T(app_is_named_by_its_file_and_the_option_wins),
        T(app_name_without_a_letter_is_refused),
        T(directory_is_where_the_manifest_is),
        T(missing_manifest_is_not_found),
        T(missing_env_file_is_an_error_but_dotenv_need_not_be),
        T(fifo_as_manifest_does_not_hold_the_loop),
        T(directory_as_manifest_is_refused),
        T(manifest_too_large_is_not_read),
        T(env_file_too_large_is_not_read),
        T(pair_without_a_value_is_refused),
        T(relative_directory_is_refused),
        T(plan_is_there_only_without_errors),
        T(client_env_takes_strings_only),
    };

    return cmocka_run_group_tests_name("input", tests, NULL, NULL);
}
