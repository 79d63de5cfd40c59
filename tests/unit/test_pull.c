#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/base64.h"
#include "support/engine_fix.h"

/* The engine's fixture; its directory has config.json and the helpers. */
static int setup(void **state)
{
    struct engine_fix *f;
    cleanup_free char *path = NULL;

    if (engine_fix_setup(state) < 0)
        return -1;
    f = *state;
    path = xasprintf("%s:/usr/bin:/bin", f->base.dir.path);
    env_set(&f->env, "DOCKER_CONFIG", f->base.dir.path, "test");
    env_set(&f->env, "PATH", path, "test");
    env_set(&f->env, "HELPER_DIR", f->base.dir.path, "test");
    return 0;
}

static void on_progress(const struct engine_progress *pr, void *user)
{
    struct engine_fix *f = user;

    str_printf(&f->text, "%s|%s|%lld/%lld\n", pr->layer, pr->status,
               pr->current, pr->total);
    if (f->cancel_in_data)
        engine_cancel(f->call);
}

static void pull(struct engine_fix *f, const char *ref,
                 const struct engine_auth *auth)
{
    f->call = engine_image_pull(f->engine, ref, auth, &f->env, on_progress,
                                fix_done, f);
}

static void pulled(struct engine_fix *f, const char *body)
{
    fake_engine_on(f->fake, "POST", "/images/create",
                   &(struct fake_answer){ .body = body });
}

/* The login that the engine was given, decoded; "" when none. */
static const char *login(struct engine_fix *f)
{
    const struct fake_request *r = fake_engine_last(f->fake, "/images/");
    const char *at = strstr(r->headers, "x-registry-auth: ");
    cleanup_free char *value = NULL;

    str_cut(&f->text, 0);
    if (at == NULL)
        return "";
    at += strlen("x-registry-auth: ");
    value = str_dup_len(at, strcspn(at, "\n"));
    for (char *c = value; *c != '\0'; c++) {
        *c = *c == '-' ? '+' : *c;
        *c = *c == '_' ? '/' : *c;
    }
    assert_true(base64_decode(&f->text, value));
    return str_c(&f->text);
}

static void pull_hands_out_progress_by_layer(void **state)
{
    struct engine_fix *f = *state;

    pulled(f, "{\"status\":\"Pulling from library/x\",\"id\":\"17\"}\r\n"
              "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":"
              "\"aa\"}\r\n{\"status\":\"Downloading\",\"progressDetail\":{"
              "\"current\":5,\"total\":5000000000},\"progress\":\"[>]\",\"id\":"
              "\"aa\"}\r\n{\"status\":\"Status: Downloaded newer image\"}");
    pull(f, "x:17", NULL);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NONE);
    assert_string_equal(str_c(&f->text),
                        "|Pulling from library/x|0/0\n"
                        "aa|Pulling fs layer|0/0\n"
                        "aa|Downloading|5/5000000000\n"
                        "|Status: Downloaded newer image|0/0\n");
    assert_string_equal(fake_engine_request(f->fake, 0)->path,
                        "/v1.41/images/create?fromImage=x&tag=17");
}

static void pull_never_asks_for_all_tags(void **state)
{
    struct engine_fix *f = *state;

    pulled(f, "");
    pull(f, "reg:5000/a/b", NULL);
    fix_wait(f);
    assert_string_equal(
        fake_engine_request(f->fake, 0)->path,
        "/v1.41/images/create?fromImage=reg:5000/a/b&tag=latest");
}

static void pull_of_a_bad_reference_asks_nobody(void **state)
{
    struct engine_fix *f = *state;

    pull(f, "Bad Name", NULL);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_INVALID);
    assert_int_equal(fake_engine_requests(f->fake), 0);
    pull(f, "Bad Name", NULL);
    engine_cancel(f->call);
    fix_idle(f, 20); /* it would have been told from the next turn */
}

static void pull_without_a_registry_is_unavailable(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, "POST", "/images/create",
                   &(struct fake_answer){ .file = "pull-no-registry.http" });
    pull(f, "postgres:17", NULL);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    assert_string_equal(f->err.msg,
                        "Get \"https://registry-1.docker.io/v2/\": dial tcp: "
                        "lookup registry-1.docker.io on 192.0.2.53:53: no such "
                        "host");
}

static void pull_of_what_is_not_there_is_not_found(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(
        f->fake, "POST", "/images/create",
        &(struct fake_answer){
            .status = 404,
            .body = "{\"message\":\"manifest for x:9 not found: manifest "
                    "unknown: manifest unknown\"}" });
    pull(f, "x:9", NULL);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NOT_FOUND);
    assert_string_equal(f->err.msg, "manifest for x:9 not found: manifest "
                                    "unknown: manifest unknown");
}

static void pull_that_fails_in_its_stream_fails(void **state)
{
    struct engine_fix *f = *state;

    pulled(f, "{\"status\":\"Pulling from x\",\"id\":\"1\"}\n"
              "{\"errorDetail\":{\"message\":\"write /x: no space left on "
              "device\\n\"},\"error\":\"old text\"}\n");
    pull(f, "x:1", NULL);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_SYSTEM);
    assert_string_equal(f->err.msg, "write /x: no space left on device");
}

static void pull_can_be_cancelled_from_its_progress(void **state)
{
    struct engine_fix *f = *state;

    f->cancel_in_data = true;
    pulled(f, "{\"status\":\"one\"}\n{\"status\":\"two\"}\n");
    pull(f, "x:1", NULL);
    fix_wait_text(f, 9);
    fix_idle(f, 20); /* both lines came in one packet */
    assert_string_equal(str_c(&f->text), "|one|0/0\n");
}

/* ---- logins ---------------------------------------------------------------
 */

static void login_can_be_given(void **state)
{
    struct engine_fix *f = *state;

    pulled(f, "");
    pull(f, "ghcr.io/a/b:1",
         &(struct engine_auth){ "ghcr.io", "me", "pa\"ss" });
    fix_wait(f);
    assert_string_equal(login(f),
                        "{\"username\":\"me\",\"password\":\"pa\\\"ss\","
                        "\"serveraddress\":\"ghcr.io\"}");
}

static void login_comes_from_config_json(void **state)
{
    struct engine_fix *f = *state;

    tmp_dir_put(&f->base.dir, "config.json",
                "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":"
                "\"bWU6c2Vj\"},\"https://ghcr.io/v2/\":{\"username\":\"u\","
                "\"password\":\"p\"},\"t.io\":{\"identitytoken\":\"tok\"}}}",
                0600);
    pulled(f, "");
    pull(f, "x", NULL);
    fix_wait(f);
    assert_string_equal(login(f),
                        "{\"username\":\"me\",\"password\":\"sec\","
                        "\"serveraddress\":\"https://index.docker.io/v1/\"}");
    pull(f, "ghcr.io/x", NULL);
    fix_wait(f);
    assert_string_equal(login(f), "{\"username\":\"u\",\"password\":\"p\","
                                  "\"serveraddress\":\"ghcr.io\"}");
    pull(f, "t.io/x", NULL);
    fix_wait(f);
    assert_string_equal(
        login(f), "{\"identitytoken\":\"tok\",\"serveraddress\":\"t.io\"}");
    pull(f, "quay.io/x", NULL);
    fix_wait(f);
    assert_string_equal(login(f), "");
}

static void helper_of_a_registry_is_asked(void **state)
{
    struct engine_fix *f = *state;

    tmp_dir_put(&f->base.dir, "config.json",
                "{\"credHelpers\":{\"ghcr.io\":\"test\"},\"auths\":{}}", 0600);
    tmp_dir_put(&f->base.dir, "docker-credential-test",
                "#!/bin/sh\n"
                "test \"$1\" = get || exit 1\n"
                "printf '{\"ServerURL\":\"x\",\"Username\":\"h\",\"Secret\":"
                "\"s:%s\"}' \"$(cat)\"\n",
                0755);
    pulled(f, "");
    pull(f, "ghcr.io/x", NULL);
    fix_wait(f);
    assert_string_equal(login(f), "{\"username\":\"h\",\"password\":"
                                  "\"s:ghcr.io\",\"serveraddress\":"
                                  "\"ghcr.io\"}");
    pull(f, "quay.io/x", NULL);
    fix_wait(f);
    assert_string_equal(login(f), "");
}

/* The caller of rackd sends no PATH: its helpers are where rackd's are. */
static void helper_is_found_by_our_own_path(void **state)
{
    struct engine_fix *f = *state;
    cleanup_free char *before = xstrdup(getenv("PATH"));

    tmp_dir_put(&f->base.dir, "config.json", "{\"credsStore\":\"test\"}", 0600);
    tmp_dir_put(
        &f->base.dir, "docker-credential-test",
        "#!/bin/sh\necho "
        "\"{\\\"Username\\\":\\\"$OURS\\\",\\\"Secret\\\":\\\"$HOME\\\"}\"\n",
        0755);
    setenv("PATH", env_get(&f->env, "PATH"), 1);
    setenv("OURS", "ours", 1);
    env_unset(&f->env, "PATH");
    env_set(&f->env, "HOME", "theirs", "test");
    pulled(f, "");
    pull(f, "ghcr.io/x", NULL);
    fix_wait(f);
    setenv("PATH", before, 1);
    unsetenv("OURS");
    assert_string_equal(login(f), "{\"username\":\"ours\",\"password\":"
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
    struct engine_fix *f = *state;

    tmp_dir_put(&f->base.dir, "config.json", "{\"credsStore\":\"test\"}", 0600);
    tmp_dir_put(
        &f->base.dir, "docker-credential-test",
        "#!/bin/sh\necho '{\"Username\":\"<token>\",\"Secret\":\"t\"}'\n",
        0755);
    pulled(f, "");
    pull(f, "x", NULL);
    fix_wait(f);
    assert_string_equal(login(f), "{\"identitytoken\":\"t\",\"serveraddress\":"
                                  "\"https://index.docker.io/v1/\"}");
}

static void helper_without_a_login_means_none(void **state)
{
    struct engine_fix *f = *state;

    tmp_dir_put(&f->base.dir, "config.json", "{\"credsStore\":\"test\"}", 0600);
    tmp_dir_put(&f->base.dir, "docker-credential-test",
                "#!/bin/sh\necho 'credentials not found in native keychain'\n"
                "exit 1\n",
                0755);
    fake_engine_on(
        f->fake, "POST", "/images/create",
        &(struct fake_answer){
            .status = 404, .body = "{\"message\":\"pull access denied\"}" });
    pull(f, "x", NULL);
    fix_wait(f);
    assert_string_equal(login(f), "");
    assert_string_equal(f->err.msg, "pull access denied");
}

static void missing_helper_is_named_when_the_pull_fails(void **state)
{
    struct engine_fix *f = *state;

    tmp_dir_put(&f->base.dir, "config.json", "{\"credsStore\":\"nowhere\"}",
                0600);
    fake_engine_on(
        f->fake, "POST", "/images/create",
        &(struct fake_answer){
            .status = 404, .body = "{\"message\":\"pull access denied\"}" });
    pull(f, "x", NULL);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NOT_FOUND);
    assert_string_equal(f->err.msg, "pull access denied (without a login: "
                                    "docker-credential-nowhere: not found)");
}

static void helper_with_a_path_is_not_run(void **state)
{
    struct engine_fix *f = *state;

    tmp_dir_put(&f->base.dir, "config.json",
                "{\"credsStore\":\"/../../bin/sh\"}", 0600);
    pulled(f, "");
    pull(f, "x", NULL);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NONE);
}

static void cancelled_pull_ends_its_helper(void **state)
{
    struct engine_fix *f = *state;
    cleanup_free char *up = tmp_dir_path(&f->base.dir, "up");

    tmp_dir_put(&f->base.dir, "config.json", "{\"credsStore\":\"test\"}", 0600);
    tmp_dir_put(&f->base.dir, "docker-credential-test",
                "#!/bin/sh\ntouch \"$HELPER_DIR/up\"\nexec sleep 1000\n", 0755);
    pull(f, "x", NULL);
    WAIT_FOR(&f->base.loop, access(up, F_OK) == 0);
    engine_cancel(f->call);
    fix_wait_let_go(f);
    assert_int_equal(fake_engine_requests(f->fake), 0);
    /* The fixture sees that no handle is left: the helper is gone. */
}

static void closing_the_engine_ends_a_helper(void **state)
{
    struct engine_fix *f = *state;
    cleanup_free char *up = tmp_dir_path(&f->base.dir, "up");

    tmp_dir_put(&f->base.dir, "config.json", "{\"credsStore\":\"test\"}", 0600);
    tmp_dir_put(&f->base.dir, "docker-credential-test",
                "#!/bin/sh\nsleep 1000 &\ntouch \"$HELPER_DIR/up\"\nwait\n",
                0755);
    pull(f, "x", NULL);
    WAIT_FOR(&f->base.loop, access(up, F_OK) == 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, engine_fix_teardown)
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
