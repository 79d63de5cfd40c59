/*
 * Convox's own test manifests, where they are at hand: each must get the
 * verdict that the loader it was written for gives it. The same rules are in
 * fixtures/golden/manifest, which stands alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "base/mem.h"
#include "base/str.h"
#include "manifest/manifest.h"
#include "plan/plan.h"
#include "support/golden.h"

static const char *corpus_dir(void)
{
    const char *dir = getenv("CVX_CORPUS");

    return dir != NULL ? dir : "../shared/corpus";
}

static const char *text_of(const cJSON *file, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(file, key);

    assert_true(cJSON_IsString(item));
    return item->valuestring;
}

struct outcome {
    bool ok;
    struct str said; /* errors and warnings */
};

/* The manifest by itself, then what it takes from the environment, which the
 * plan judges. */
static struct outcome judge(const char *path, const struct env *env)
{
    const struct plan_opts opts = { .app = "corpus",
                                    .rack = "local",
                                    .release = "R",
                                    .build_id = "B",
                                    .rack_url = "",
                                    .password = "secret",
                                    .env = env };
    struct outcome o = { 0 };
    struct diags diags = { 0 };
    struct manifest *m;
    cleanup_free char *text = NULL;
    size_t len;

    text = golden_read(path, &len);
    m = manifest_load(text, len, env, &diags);
    assert_true(m != NULL || diags.errors > 0);
    if (diags.errors == 0)
        plan_free(plan_make(m, &opts, &diags));
    o.ok = diags.errors == 0;
    diags_print(&diags, DIAG_ERROR, path, NULL, 0, &o.said);
    diags_print(&diags, DIAG_WARNING, path, NULL, 0, &o.said);
    diags_release(&diags);
    manifest_free(m);
    return o;
}

/* Upstream's words, up to what an editor of the index left out, and not
 * those of its YAML library. */
static bool says(const struct outcome *o, const char *error)
{
    cleanup_free char *core = xstrdup(error);
    char *cut;

    if (str_starts(error, "yaml:"))
        return true;
    cut = strstr(core, "\xe2\x80\xa6");
    if (cut != NULL)
        *cut = '\0';
    cut = strstr(core, " (");
    if (cut != NULL)
        *cut = '\0';
    for (size_t len = strlen(core); len > 0 && core[len - 1] == ' '; len--)
        core[len - 1] = '\0';
    return strstr(str_c(&o->said), core) != NULL;
}

static bool says_all(const cJSON *file, const struct outcome *o)
{
    const cJSON *error, *key;
    bool all = true;

    cJSON_ArrayForEach(error,
                       cJSON_GetObjectItemCaseSensitive(
                           file, "errors")) if (!says(o, error->valuestring))
    {
        print_message("%s: not said: %s\n", text_of(file, "file"),
                      error->valuestring);
        all = false;
    }
    cJSON_ArrayForEach(
        key, cJSON_GetObjectItemCaseSensitive(file, "ignored_unknown_keys"))
    {
        cleanup_free char *want = xasprintf("unknown key %s", key->valuestring);

        /* v3 knows services.api.certificate. */
        if (strchr(key->valuestring, '.') == NULL &&
            strstr(str_c(&o->said), want) == NULL) {
            print_message("%s: not warned: %s\n", text_of(file, "file"), want);
            all = false;
        }
    }
    return all;
}

/* "ok once A,B set": refused without, fine with. */
static bool agrees_once(const cJSON *file, const char *path,
                        const char *verdict)
{
    static const char before[] = "ok once ";
    cleanup_env struct env none = { 0 }, set = { 0 };
    cleanup_free char *names = xstrdup(verdict + strlen(before));
    struct outcome without, with;
    bool agrees;
    char *rest = names, *name;

    *strstr(names, " set") = '\0';
    while ((name = strsep(&rest, ",")) != NULL)
        env_set(&set, name, "value", "test");
    without = judge(path, &none);
    with = judge(path, &set);
    agrees = !without.ok && with.ok && says_all(file, &without);
    str_release(&without.said);
    str_release(&with.said);
    return agrees;
}

static bool agrees(const cJSON *file)
{
    const char *verdict = text_of(file, "verdict");
    cleanup_free char *path =
        xasprintf("%s/%s", corpus_dir(), text_of(file, "file"));
    cleanup_env struct env none = { 0 };
    struct outcome o;
    bool fine;

    if (str_starts(verdict, "ok once "))
        return agrees_once(file, path, verdict);
    o = judge(path, &none);
    fine = strcmp(verdict, "either") == 0 ||
           (o.ok == (strcmp(verdict, "ok") == 0) && says_all(file, &o));
    if (!fine)
        print_message("%s: %s wanted, it says:\n%s", path, verdict,
                      str_c(&o.said));
    str_release(&o.said);
    return fine;
}

static void every_file_gets_the_verdict_of_its_own_loader(void **state)
{
    cleanup_free char *path = xasprintf("%s/index.json", corpus_dir());
    cleanup_free char *text = NULL;
    const cJSON *file;
    cJSON *index;
    int count = 0, good = 0;
    size_t len;

    (void)state;
    text = golden_read(path, &len);
    index = cJSON_ParseWithOpts(text, NULL, 1);
    assert_non_null(index);
    cJSON_ArrayForEach(file, index)
    {
        count++;
        if (agrees(file))
            good++;
        else
            print_message("corpus: disagrees: %s\n", text_of(file, "file"));
    }
    cJSON_Delete(index);
    print_message("corpus: %d of %d agree\n", good, count);
    assert_int_equal(good, count);
    assert_true(count > 100);
}

/* As TAP has it: cmocka 1.1.5 calls a skipped test "not ok", and prove takes
 * that for a failure. */
static bool is_absent(void)
{
    cleanup_free char *path = xasprintf("%s/index.json", corpus_dir());

    if (access(path, R_OK) == 0)
        return false;
    printf("1..0 # SKIP corpus: there is no %s (set CVX_CORPUS)\n", path);
    return true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_gets_the_verdict_of_its_own_loader),
    };

    if (is_absent())
        return 0;
    return cmocka_run_group_tests_name("corpus", tests, NULL, NULL);
}
