/*
 * From convox.yml to the printed plan. Each fixtures/golden/plan/NAME.yml, with
 * NAME.env as the .env file beside it, gives either NAME.plan (what is said
 * and the plan) or NAME.err (the errors). A name that begins with "kept-" is
 * planned with --keep-data. `make golden` rewrites them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "base/mem.h"
#include "base/str.h"
#include "manifest/manifest.h"
#include "plan/plan.h"
#include "plan/resource_type.h"
#include "support/golden.h"

#define FOLDER   "fixtures/golden/plan/"
#define PASSWORD "0123456789abcdef"

/* What one fixture came to. */
struct outcome {
    struct str text;
    bool failed;
};

static void load_env(const char *base, struct env *env)
{
    cleanup_free char *path = xasprintf("%s.env", base);
    cleanup_free char *text = NULL;
    size_t len;

    if (access(path, R_OK) < 0)
        return;
    text = golden_read(path, &len);
    env_parse(env, text, len, true, ".env");
}

static struct plan *load_plan(const char *base, const char *text, size_t len,
                              const struct env *env, struct diags *diags)
{
    struct plan_opts opts = {
        .app = "demo",
        .rack = "local",
        .release = "RABCDEFGHIJ",
        .build_id = "BABCDEFGHIJ",
        .rack_url = "",
        .password = PASSWORD,
        .env = env,
        .keep_data = str_starts(base, FOLDER "kept-"),
    };
    struct manifest *m = manifest_load(text, len, env, diags);
    struct plan *p = NULL;

    if (m != NULL)
        p = plan_make(m, &opts, diags);
    manifest_free(m);
    return p;
}

static void run(const char *base, struct outcome *out)
{
    cleanup_free char *path = xasprintf("%s.yml", base);
    cleanup_env struct env env = { 0 };
    cleanup_diags struct diags diags = { 0 };
    cleanup_free char *text = NULL;
    size_t len;
    struct plan *p;

    text = golden_read(path, &len);
    load_env(base, &env);
    p = load_plan(base, text, len, &env, &diags);
    diags_sort(&diags);
    diags_print(&diags, DIAG_ERROR, "convox.yml", text, len, &out->text);
    diags_print(&diags, DIAG_WARNING, "convox.yml", text, len, &out->text);
    diags_print(&diags, DIAG_NOTE, "convox.yml", NULL, 0, &out->text);
    out->failed = diags.errors > 0;
    assert_true(out->failed || p != NULL);
    if (!out->failed)
        plan_print(p, &out->text);
    plan_free(p);
}

/* `base` is the path without ".yml". */
static bool agrees(const char *base)
{
    struct outcome first = { 0 }, second = { 0 };
    cleanup_free char *right = NULL, *wrong = NULL;
    bool same;

    run(base, &first);
    run(base, &second);
    assert_string_equal(str_c(&first.text), str_c(&second.text));
    right = xasprintf("%s.%s", base, first.failed ? "err" : "plan");
    wrong = xasprintf("%s.%s", base, first.failed ? "plan" : "err");
    same = golden_equal(right, str_c(&first.text)) && access(wrong, R_OK) < 0;
    if (!same)
        print_error("%s: not as %s says\n", base, right);
    assert_null(strstr(str_c(&first.text), PASSWORD));
    str_release(&first.text);
    str_release(&second.text);
    return same;
}

static void every_fixture_gives_its_plan_or_its_errors(void **state)
{
    size_t bad = 0;
    glob_t found;

    (void)state;
    assert_int_equal(glob(FOLDER "*.yml", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        cleanup_free char *base =
            str_dup_len(found.gl_pathv[i], strlen(found.gl_pathv[i]) - 4);

        if (!agrees(base))
            bad++;
    }
    assert_true(found.gl_pathc >= 40);
    globfree(&found);
    assert_int_equal(bad, 0);
}

static void every_resource_type_has_a_golden_file(void **state)
{
    cleanup_free char *names = resource_type_names();
    char *rest = names, *name;

    (void)state;
    while ((name = strsep(&rest, ", ")) != NULL) {
        cleanup_free char *path = xasprintf(FOLDER "type-%s.plan", name);

        if (*name != '\0' && access(path, R_OK) < 0)
            fail_msg("%s is missing", path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fixture_gives_its_plan_or_its_errors),
        cmocka_unit_test(every_resource_type_has_a_golden_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
