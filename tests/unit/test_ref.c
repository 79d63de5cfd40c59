#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/auth.h"
#include "engine/base64.h"
#include "engine/reason.h"
#include "engine/ref.h"

#define SUM                                                                    \
    "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void references_are_taken_apart(void **state)
{
    static const struct {
        const char *text, *name, *registry, *tag, *digest;
    } rows[] = {
        { "postgres", "postgres", "docker.io", "latest", "" },
        { "postgres:17", "postgres", "docker.io", "17", "" },
        { "valkey/valkey:8.1", "valkey/valkey", "docker.io", "8.1", "" },
        { "postgis/postgis:17-3.5", "postgis/postgis", "docker.io", "17-3.5",
          "" },
        { "docker.io/library/x:1", "docker.io/library/x", "docker.io", "1",
          "" },
        { "ghcr.io/a/b", "ghcr.io/a/b", "ghcr.io", "latest", "" },
        { "reg:5000/a:1", "reg:5000/a", "reg:5000", "1", "" },
        { "localhost/a", "localhost/a", "localhost", "latest", "" },
        { "localhost:5000/a/b", "localhost:5000/a/b", "localhost:5000",
          "latest", "" },
        { "x@" SUM, "x", "docker.io", "", SUM },
        { "reg:5000/x:1@" SUM, "reg:5000/x", "reg:5000", "1", SUM },
        { "a__b/c-d--e.f_g:T_1.-", "a__b/c-d--e.f_g", "docker.io", "T_1.-",
          "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct ref r;
        struct err err;

        assert_int_equal(ref_parse(&r, rows[i].text, &err), 0);
        assert_string_equal(r.name, rows[i].name);
        assert_string_equal(r.registry, rows[i].registry);
        assert_string_equal(r.tag == NULL ? "" : r.tag, rows[i].tag);
        assert_string_equal(r.digest == NULL ? "" : r.digest, rows[i].digest);
        ref_release(&r);
    }
}

static void bad_references_are_refused(void **state)
{
    static const char *const rows[] = {
        "",      "Postgres",  "a//b",       "/a",           "a/",   "a:",
        "a:-x",  "a b",       "a:b:c",      "a@sha256:00",  "a@",   "a..b",
        "-a",    "a-",        "http://x/y", "a\nb",         "a:\"", "_a",
        "a/B:1", "reg:5000/", "a?x=1",      "a@" SUM "zz!",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct ref r;
        struct err err = { 0 };

        if (ref_parse(&r, rows[i], &err) == 0)
            fail_msg("accepted: %s", rows[i]);
        assert_int_equal(err.code, ERR_INVALID);
    }
}

static void upper_case_is_explained(void **state)
{
    struct ref r;
    struct err err;

    (void)state;
    assert_int_equal(ref_parse(&r, "Postgres:17", &err), -1);
    assert_string_equal(err.msg, "invalid image reference \"Postgres:17\": "
                                 "repository name must be lowercase");
}

static void base64_goes_both_ways(void **state)
{
    struct str out = { 0 };
    cleanup_free char *text = base64_url("\xff\xfe\xfd?", 4);

    (void)state;
    assert_string_equal(text, "__79Pw==");
    assert_true(base64_decode(&out, "bWU6c2VjcmV0"));
    assert_string_equal(str_c(&out), "me:secret");
    str_cut(&out, 0);
    assert_true(base64_decode(&out, "YQ=="));
    assert_int_equal(out.len, 1);
    assert_false(base64_decode(&out, "!!!!"));
    assert_false(base64_decode(&out, "abc"));
    str_cut(&out, 0);
    assert_true(base64_decode(&out, ""));
    assert_int_equal(out.len, 0);
    str_release(&out);
}

static void registry_texts_are_told_apart(void **state)
{
    static const struct {
        const char *text;
        enum err_code code;
    } rows[] = {
        { "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup "
          "registry-1.docker.io on 192.0.2.53:53: no such host",
          ERR_UNAVAILABLE },
        { "dial tcp 127.0.0.1:5000: connect: connection refused",
          ERR_UNAVAILABLE },
        { "net/http: TLS handshake timeout", ERR_UNAVAILABLE },
        { "proxyconnect tcp: dial tcp: i/o timeout", ERR_UNAVAILABLE },
        { "lookup r on 192.0.2.1:53: server misbehaving", ERR_UNAVAILABLE },
        { "net/http: request canceled while waiting for connection "
          "(Client.Timeout exceeded while awaiting headers)",
          ERR_UNAVAILABLE },
        { "toomanyrequests: You have reached your pull rate limit.",
          ERR_UNAVAILABLE },
        { "manifest for postgres:99 not found: manifest unknown: manifest "
          "unknown",
          ERR_NOT_FOUND },
        { "pull access denied for x, repository does not exist or may require "
          "'docker login'",
          ERR_NOT_FOUND },
        { "unauthorized: authentication required", ERR_NOT_FOUND },
        { "no space left on device", ERR_NONE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_int_equal(engine_registry_code(rows[i].text), rows[i].code);
}

static void docker_hub_has_a_name_of_its_own(void **state)
{
    (void)state;
    assert_string_equal(auth_server("docker.io"),
                        "https://index.docker.io/v1/");
    assert_string_equal(auth_server("ghcr.io"), "ghcr.io");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_are_taken_apart),
        cmocka_unit_test(bad_references_are_refused),
        cmocka_unit_test(upper_case_is_explained),
        cmocka_unit_test(base64_goes_both_ways),
        cmocka_unit_test(registry_texts_are_told_apart),
        cmocka_unit_test(docker_hub_has_a_name_of_its_own),
    };

    return cmocka_run_group_tests_name("ref", tests, NULL, NULL);
}
