#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/base64.h"
#include "support/engine_fix.h"
#include "support/looptest.h"

/* The engine's fixture, and a directory for config.json and helpers. */
struct fix {
    struct engine_fix *f;
    char dir[64];
};

static int setup(void **state)
{
    struct fix *p = xcalloc(1, sizeof(*p));
    cleanup_free char *path = NULL;
    void *inner;

    if (engine_fix_setup(&inner) < 0)
        return -1;
    p->f = inner;
    snprintf(p->dir, sizeof(p->dir), "/tmp/pull-XXXXXX");
    if (mkdtemp(p->dir) == NULL)
        return -1;
    path = xasprintf("%s:/usr/bin:/bin", p->dir);
    env_set(&p->f->env, "DOCKER_CONFIG", p->dir, "test");
    env_set(&p->f->env, "PATH", path, "test");
    env_set(&p->f->env, "HELPER_DIR", p->dir, "test");
    *state = p;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag,
                      struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    struct fix *p = *state;
    void *inner = p->f;

    nftw(p->dir, remove_one, 4, FTW_DEPTH | FTW_PHYS);
    free(p);
    return engine_fix_teardown(&inner);
}

static void put_file(struct fix *p, const char *name, const char *text,
                     mode_t mode)
{
    cleanup_free char *path = xasprintf("%s/%s", p->dir, name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path, mode);
}

static void on_progress(const struct engine_progress *pr, void *user)
{
    struct engine_fix *f = user;

    str_printf(&f->text, "%s|%s|%lld/%lld\n", pr->layer, pr->status,
               pr->current, pr->total);
    if (f->cancel_in_data)
        engine_cancel(f->call);
}

static void pull(struct fix *p, const char *ref, const struct engine_auth *auth)
{
    p->f->call = engine_image_pull(p->f->engine, ref, auth, &p->f->env,
                                   on_progress, fix_done, p->f);
}

static void pulled(struct fix *p, const char *body)
{
    fake_engine_on(p->f->fake, "POST", "/images/create",
                   &(struct fake_answer){ .body = body });
}

/* The login that the engine was given, decoded; "" when none. */
static const char *login(struct fix *p)
{
    const struct fake_request *r = fake_engine_last(p->f->fake, "/images/");
    const char *at = strstr(r->headers, "x-registry-auth: ");
    cleanup_free char *value = NULL;

    str_cut(&p->f->text, 0);
    if (at == NULL)
        return "";
    at += strlen("x-registry-auth: ");
    value = str_dup_len(at, strcspn(at, "\n"));
    for (char *c = value; *c != '\0'; c++) {
        *c = *c == '-' ? '+' : *c;
        *c = *c == '_' ? '/' : *c;
    }
    assert_true(base64_decode(&p->f->text, value));
    return str_c(&p->f->text);
}

static void pull_hands_out_progress_by_layer(void **state)
{
    struct fix *p = *state;

    pulled(p, "{\"status\":\"Pulling from library/x\",\"id\":\"17\"}\r\n"
              "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":"
              "\"aa\"}\r\n{\"status\":\"Downloading\",\"progressDetail\":{"
              "\"current\":5,\"total\":5000000000},\"progress\":\"[>]\",\"id\":"
              "\"aa\"}\r\n{\"status\":\"Status: Downloaded newer image\"}");
    pull(p, "x:17", NULL);
    fix_wait(p->f);
    assert_int_equal(p->f->err.code, ERR_NONE);
    assert_string_equal(str_c(&p->f->text),
                        "|Pulling from library/x|0/0\n"
                        "aa|Pulling fs layer|0/0\n"
                        "aa|Downloading|5/5000000000\n"
                        "|Status: Downloaded newer image|0/0\n");
    assert_string_equal(fake_engine_request(p->f->fake, 0)->path,
                        "/v1.41/images/create?fromImage=x&tag=17");
}

static void pull_never_asks_for_all_tags(void **state)
{
    struct fix *p = *state;

    pulled(p, "");
    pull(p, "reg:5000/a/b", NULL);
    fix_wait(p->f);
    assert_string_equal(
        fake_engine_request(p->f->fake, 0)->path,
        "/v1.41/images/create?fromImage=reg:5000/a/b&tag=latest");
}

static void pull_of_a_bad_reference_asks_nobody(void **state)
{
    struct fix *p = *state;

    pull(p, "Bad Name", NULL);
    fix_wait(p->f);
    assert_int_equal(p->f->err.code, ERR_INVALID);
    assert_int_equal(fake_engine_requests(p->f->fake), 0);
    pull(p, "Bad Name", NULL);
    engine_cancel(p->f->call);
    fix_idle(p->f, 20);
}

static void pull_without_a_registry_is_unavailable(void **state)
{
    struct fix *p = *state;

    fake_engine_on(p->f->fake, "POST", "/images/create",
                   &(struct fake_answer){ .file = "pull-no-registry.http" });
    pull(p, "postgres:17", NULL);
    fix_wait(p->f);
    assert_int_equal(p->f->err.code, ERR_UNAVAILABLE);
    assert_string_equal(p->f->err.msg,
                        "Get \"https://registry-1.docker.io/v2/\": dial tcp: "
                        "lookup registry-1.docker.io on 192.0.2.53:53: no such "
                        "host");
}

static void pull_of_what_is_not_there_is_not_found(void **state)
{
    struct fix *p = *state;

    fake_engine_on(
        p->f->fake, "POST", "/images/create",
        &(struct fake_answer){
            .status = 404,
            .body = "{\"message\":\"manifest for x:9 not found: manifest "
                    "unknown: manifest unknown\"}" });
    pull(p, "x:9", NULL);
    fix_wait(p->f);
    assert_int_equal(p->f->err.code, ERR_NOT_FOUND);
    assert_string_equal(p->f->err.msg, "manifest for x:9 not found: manifest "
                                       "unknown: manifest unknown");
}

static void pull_that_fails_in_its_stream_fails(void **state)
{
    struct fix *p = *state;

    pulled(p, "{\"status\":\"Pulling from x\",\"id\":\"1\"}\n"
              "{\"errorDetail\":{\"message\":\"write /x: no space left on "
              "device\\n\"},\"error\":\"old text\"}\n");
    pull(p, "x:1", NULL);
    fix_wait(p->f);
    assert_int_equal(p->f->err.code, ERR_SYSTEM);
    assert_string_equal(p->f->err.msg, "write /x: no space left on device");
}

static void pull_can_be_cancelled_from_its_progress(void **state)
{
    struct fix *p = *state;

    p->f->cancel_in_data = true;
    pulled(p, "{\"status\":\"one\"}\n{\"status\":\"two\"}\n");
    pull(p, "x:1", NULL);
    fix_wait_text(p->f, 9);
    fix_idle(p->f, 50);
    assert_string_equal(str_c(&p->f->text), "|one|0/0\n");
}

/* ---- logins ---------------------------------------------------------------
 */

static void login_can_be_given(void **state)
{
    struct fix *p = *state;

    pulled(p, "");
    pull(p, "ghcr.io/a/b:1",
         &(struct engine_auth){ "ghcr.io", "me", "pa\"ss" });
    fix_wait(p->f);
    assert_string_equal(login(p),
                        "{\"username\":\"me\",\"password\":\"pa\\\"ss\","
                        "\"serveraddress\":\"ghcr.io\"}");
}

static void login_comes_from_config_json(void **state)
{
    struct fix *p = *state;

    put_file(p, "config.json",
             "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":"
             "\"bWU6c2Vj\"},\"https://ghcr.io/v2/\":{\"username\":\"u\","
             "\"password\":\"p\"},\"t.io\":{\"identitytoken\":\"tok\"}}}",
             0600);
    pulled(p, "");
    pull(p, "x", NULL);
    fix_wait(p->f);
    assert_string_equal(login(p),
                        "{\"username\":\"me\",\"password\":\"sec\","
                        "\"serveraddress\":\"https://index.docker.io/v1/\"}");
    pull(p, "ghcr.io/x", NULL);
    fix_wait(p->f);
    assert_string_equal(login(p), "{\"username\":\"u\",\"password\":\"p\","
                                  "\"serveraddress\":\"ghcr.io\"}");
    pull(p, "t.io/x", NULL);
    fix_wait(p->f);
    assert_string_equal(
        login(p), "{\"identitytoken\":\"tok\",\"serveraddress\":\"t.io\"}");
    pull(p, "quay.io/x", NULL);
    fix_wait(p->f);
    assert_string_equal(login(p), "");
}

static void helper_of_a_registry_is_asked(void **state)
{
    struct fix *p = *state;

    put_file(p, "config.json",
             "{\"credHelpers\":{\"ghcr.io\":\"test\"},\"auths\":{}}", 0600);
    put_file(p, "docker-credential-test",
             "#!/bin/sh\n"
             "test \"$1\" = get || exit 1\n"
             "printf '{\"ServerURL\":\"x\",\"Username\":\"h\",\"Secret\":"
             "\"s:%s\"}' \"$(cat)\"\n",
             0755);
    pulled(p, "");
    pull(p, "ghcr.io/x", NULL);
    fix_wait(p->f);
    assert_string_equal(login(p), "{\"username\":\"h\",\"password\":"
                                  "\"s:ghcr.io\",\"serveraddress\":"
                                  "\"ghcr.io\"}");
    pull(p, "quay.io/x", NULL);
    fix_wait(p->f);
    assert_string_equal(login(p), "");
}

/* The caller of rackd sends no PATH: its helpers are where rackd's are. */
static void helper_is_found_by_our_own_path(void **state)
{
    struct fix *p = *state;
    cleanup_free char *before = xstrdup(getenv("PATH"));

    put_file(p, "config.json", "{\"credsStore\":\"test\"}", 0600);
    put_file(
        p, "docker-credential-test",
        "#!/bin/sh\necho "
        "\"{\\\"Username\\\":\\\"$OURS\\\",\\\"Secret\\\":\\\"$HOME\\\"}\"\n",
        0755);
    setenv("PATH", env_get(&p->f->env, "PATH"), 1);
    setenv("OURS", "ours", 1);
    env_unset(&p->f->env, "PATH");
    env_set(&p->f->env, "HOME", "theirs", "test");
    pulled(p, "");
    pull(p, "ghcr.io/x", NULL);
    fix_wait(p->f);
    setenv("PATH", before, 1);
    unsetenv("OURS");
    assert_string_equal(login(p), "{\"username\":\"ours\",\"password\":"
                                  "\"theirs\",\"serveraddress\":"
                                  "\"ghcr.io\"}");
}

static void
an_image_is_from_the_registry_that_its_name_begins_with(void **state)
{
    (void)state;
    assert_true(engine_image_is_from("ghcr.io/a/b:1", "ghcr.io"));
    assert_true(engine_image_is_from("127.0.0.1:5000/a", "127.0.0.1:5000"));
    assert_false(engine_image_is_from("127.0.0.1:5000/a", "127.0.0.1"));
    assert_false(engine_image_is_from("ghcr.io.evil.example/a", "ghcr.io"));
    assert_true(engine_image_is_from("a/b:1", "docker.io"));
    assert_true(engine_image_is_from("docker.io/a/b", "index.docker.io"));
    assert_false(engine_image_is_from("a/b:1", "ghcr.io"));
    assert_false(engine_image_is_from("not an image", "docker.io"));
}

static void store_gives_identity_tokens(void **state)
{
    struct fix *p = *state;

    put_file(p, "config.json", "{\"credsStore\":\"test\"}", 0600);
    put_file(p, "docker-credential-test",
             "#!/bin/sh\necho '{\"Username\":\"<token>\",\"Secret\":\"t\"}'\n",
             0755);
    pulled(p, "");
    pull(p, "x", NULL);
    fix_wait(p->f);
    assert_string_equal(login(p), "{\"identitytoken\":\"t\",\"serveraddress\":"
                                  "\"https://index.docker.io/v1/\"}");
}

static void helper_without_a_login_means_none(void **state)
{
    struct fix *p = *state;

    put_file(p, "config.json", "{\"credsStore\":\"test\"}", 0600);
    put_file(p, "docker-credential-test",
             "#!/bin/sh\necho 'credentials not found in native keychain'\n"
             "exit 1\n",
             0755);
    fake_engine_on(
        p->f->fake, "POST", "/images/create",
        &(struct fake_answer){
            .status = 404, .body = "{\"message\":\"pull access denied\"}" });
    pull(p, "x", NULL);
    fix_wait(p->f);
    assert_string_equal(login(p), "");
    assert_string_equal(p->f->err.msg, "pull access denied");
}

static void missing_helper_is_named_when_the_pull_fails(void **state)
{
    struct fix *p = *state;

    put_file(p, "config.json", "{\"credsStore\":\"nowhere\"}", 0600);
    fake_engine_on(
        p->f->fake, "POST", "/images/create",
        &(struct fake_answer){
            .status = 404, .body = "{\"message\":\"pull access denied\"}" });
    pull(p, "x", NULL);
    fix_wait(p->f);
    assert_int_equal(p->f->err.code, ERR_NOT_FOUND);
    assert_string_equal(p->f->err.msg, "pull access denied (without a login: "
                                       "docker-credential-nowhere: not found)");
}

static void helper_with_a_path_is_not_run(void **state)
{
    struct fix *p = *state;

    put_file(p, "config.json", "{\"credsStore\":\"/../../bin/sh\"}", 0600);
    pulled(p, "");
    pull(p, "x", NULL);
    fix_wait(p->f);
    assert_int_equal(p->f->err.code, ERR_NONE);
}

static void cancelled_pull_ends_its_helper(void **state)
{
    struct fix *p = *state;
    cleanup_free char *up = xasprintf("%s/up", p->dir);

    put_file(p, "config.json", "{\"credsStore\":\"test\"}", 0600);
    put_file(p, "docker-credential-test",
             "#!/bin/sh\ntouch \"$HELPER_DIR/up\"\nexec sleep 1000\n", 0755);
    pull(p, "x", NULL);
    for (int i = 0; i < 40 && access(up, F_OK) < 0; i++)
        fix_idle(p->f, 50);
    assert_int_equal(access(up, F_OK), 0);
    engine_cancel(p->f->call);
    fix_idle(p->f, 50);
    assert_int_equal(fake_engine_requests(p->f->fake), 0);
    /* The fixture sees that no handle is left: the helper is gone. */
}

static void closing_the_engine_ends_a_helper(void **state)
{
    struct fix *p = *state;

    put_file(p, "config.json", "{\"credsStore\":\"test\"}", 0600);
    put_file(p, "docker-credential-test", "#!/bin/sh\nsleep 1000 &\nwait\n",
             0755);
    pull(p, "x", NULL);
    fix_idle(p->f, 100);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(pull_hands_out_progress_by_layer),
        T(pull_never_asks_for_all_tags),
        T(pull_of_a_bad_reference_asks_nobody),
        T(pull_without_a_registry_is_unavailable),
        T(pull_of_what_is_not_there_is_not_found),
        T(pull_that_fails_in_its_stream_fails),
        T(pull_can_be_cancelled_from_its_progress),
        T(login_can_be_given),
        T(login_comes_from_config_json),
        T(helper_of_a_registry_is_asked),
        T(helper_is_found_by_our_own_path),
        T(an_image_is_from_the_registry_that_its_name_begins_with),
        T(store_gives_identity_tokens),
        T(helper_without_a_login_means_none),
        T(missing_helper_is_named_when_the_pull_fails),
        T(helper_with_a_path_is_not_run),
        T(cancelled_pull_ends_its_helper),
        T(closing_the_engine_ends_a_helper),
    };

    return cmocka_run_group_tests_name("pull", tests, NULL, NULL);
}
