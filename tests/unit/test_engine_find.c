#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/env.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/engine.h"
#include "engine/find.h"
#include "support/tmp_dir.h"

/* A home of its own, removed at the end. */
struct fix {
    struct tmp_dir home;
    struct env env;
    char *out, *why;
    struct err err;
    int sockets[8];
    size_t socket_count;
};

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));
    cleanup_free char *run = NULL;

    tmp_dir_init(&f->home);
    run = tmp_dir_path(&f->home, "run");
    env_set(&f->env, "HOME", f->home.path, "test");
    env_set(&f->env, "XDG_RUNTIME_DIR", run, "test");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;

    for (size_t i = 0; i < f->socket_count; i++)
        close(f->sockets[i]);
    tmp_dir_release(&f->home);
    env_release(&f->env);
    free(f->out);
    free(f->why);
    free(f);
    return 0;
}

static void put_file(struct fix *f, const char *path, const char *text)
{
    tmp_dir_put(&f->home, path, text, 0644);
}

static void put_socket(struct fix *f, const char *path, bool listens)
{
    cleanup_free char *full = tmp_dir_parents(&f->home, path);
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", full);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    if (listens)
        assert_int_equal(listen(fd, 1), 0);
    f->sockets[f->socket_count++] = fd;
}

static int find(struct fix *f)
{
    free(f->out);
    free(f->why);
    f->out = f->why = NULL;
    return engine_find(&f->out, &f->why, &f->env, &f->err);
}

static void docker_host_comes_first(void **state)
{
    struct fix *f = *state;

    env_set(&f->env, "DOCKER_CONTEXT", "other", "test");
    env_set(&f->env, "DOCKER_HOST", "tcp://10.0.0.1:2375", "test");
    assert_int_equal(find(f), 0);
    assert_string_equal(f->out, "tcp://10.0.0.1:2375");
    assert_string_equal(f->why, "DOCKER_HOST");
}

static void docker_host_over_ssh_is_explained(void **state)
{
    struct fix *f = *state;

    env_set(&f->env, "DOCKER_HOST", "ssh://me@far", "test");
    assert_int_equal(find(f), -1);
    assert_int_equal(f->err.code, ERR_INVALID);
    assert_string_equal(
        f->err.msg,
        "DOCKER_HOST: ssh://me@far: an engine behind ssh cannot be used "
        "directly; forward its socket (ssh -nNT -L "
        "/tmp/engine.sock:/var/run/docker.sock me@far) and set "
        "DOCKER_HOST=unix:///tmp/engine.sock");
}

static void docker_host_that_is_no_address_is_refused(void **state)
{
    struct fix *f = *state;
    static const char *const bad[] = { "localhost:2375", "unix://", "tcp://",
                                       "npipe:////./pipe/x", "/var/run/x" };

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        env_set(&f->env, "DOCKER_HOST", bad[i], "test");
        assert_int_equal(find(f), -1);
        assert_int_equal(f->err.code, ERR_INVALID);
    }
}

/* printf desktop | sha256sum */
#define META                                                                   \
    ".docker/contexts/meta/"                                                   \
    "68693d02ab4fbb2331b8cc39915322e48e61f06d4d1b31e7d19913202857bc8a"         \
    "/meta.json"

static void put_context(struct fix *f, const char *host)
{
    cleanup_free char *text = xasprintf(
        "{\"Name\":\"desktop\",\"Metadata\":{},\"Endpoints\":{\"docker\":"
        "{\"Host\":\"%s\",\"SkipTLSVerify\":false}}}",
        host);

    put_file(f, META, text);
}

static void current_context_names_the_endpoint(void **state)
{
    struct fix *f = *state;

    put_file(f, ".docker/config.json", "{\"currentContext\":\"desktop\"}");
    put_context(f, "unix:///home/me/.docker/desktop/docker.sock");
    assert_int_equal(find(f), 0);
    assert_string_equal(f->out, "unix:///home/me/.docker/desktop/docker.sock");
    assert_string_equal(f->why, "context desktop");
}

static void docker_context_wins_over_the_current_one(void **state)
{
    struct fix *f = *state;

    put_file(f, ".docker/config.json", "{\"currentContext\":\"missing\"}");
    put_context(f, "tcp://10.0.0.2:2376");
    env_set(&f->env, "DOCKER_CONTEXT", "desktop", "test");
    assert_int_equal(find(f), 0);
    assert_string_equal(f->out, "tcp://10.0.0.2:2376");
}

static void docker_config_moves_the_contexts(void **state)
{
    struct fix *f = *state;
    cleanup_free char *dir = tmp_dir_path(&f->home, ".docker");

    put_context(f, "tcp://10.0.0.2:2376");
    env_set(&f->env, "HOME", "/nonexistent", "test");
    env_set(&f->env, "DOCKER_CONFIG", dir, "test");
    env_set(&f->env, "DOCKER_CONTEXT", "desktop", "test");
    assert_int_equal(find(f), 0);
    assert_string_equal(f->out, "tcp://10.0.0.2:2376");
}

static void context_that_does_not_exist_is_an_error(void **state)
{
    struct fix *f = *state;

    env_set(&f->env, "DOCKER_CONTEXT", "nope", "test");
    assert_int_equal(find(f), -1);
    assert_int_equal(f->err.code, ERR_INVALID);
    assert_non_null(
        strstr(f->err.msg, "docker context \"nope\" does not exist"));
}

static void context_over_ssh_is_explained_by_its_name(void **state)
{
    struct fix *f = *state;

    put_context(f, "ssh://me@far");
    env_set(&f->env, "DOCKER_CONTEXT", "desktop", "test");
    assert_int_equal(find(f), -1);
    assert_true(str_starts(f->err.msg, "context desktop: ssh://me@far"));
}

static void context_without_an_endpoint_is_an_error(void **state)
{
    struct fix *f = *state;

    put_file(f, META, "{\"Endpoints\":{\"kubernetes\":{}}}");
    env_set(&f->env, "DOCKER_CONTEXT", "desktop", "test");
    assert_int_equal(find(f), -1);
    assert_non_null(strstr(f->err.msg, "names no docker endpoint"));
}

static void default_context_means_the_sockets(void **state)
{
    struct fix *f = *state;

    put_file(f, ".docker/config.json", "{\"currentContext\":\"default\"}");
    put_socket(f, "run/docker.sock", true);
    assert_int_equal(find(f), 0);
    assert_string_equal(f->why, "socket");
}

static void broken_config_means_no_context(void **state)
{
    struct fix *f = *state;

    put_file(f, ".docker/config.json", "{\"currentContext\":");
    put_socket(f, "run/docker.sock", true);
    assert_int_equal(find(f), 0);
    assert_string_equal(f->why, "socket");
}

static void candidates_are_in_order(void **state)
{
    struct fix *f = *state;
    cleanup_strv struct strv list = { 0 };
    cleanup_free char *got = NULL;

    env_set(&f->env, "HOME", "/h", "test");
    env_set(&f->env, "XDG_RUNTIME_DIR", "/r", "test");
    engine_candidates(&list, &f->env);
    got = strv_join(&list, "\n");
    assert_string_equal(
        got, "/var/run/docker.sock\n/r/docker.sock\n"
             "/h/.docker/run/docker.sock\n/h/.docker/desktop/docker.sock\n"
             "/h/.colima/default/docker.sock\n"
             "/h/.config/colima/default/docker.sock\n"
             "/h/.orbstack/run/docker.sock\n/h/.rd/docker.sock\n"
             "/r/podman/podman.sock\n/run/podman/podman.sock\n"
             "/h/.local/share/containers/podman/machine/podman.sock");
}

/* The candidates of this home: the machine's own engine must not be met. */
static int find_at_home(struct fix *f)
{
    cleanup_strv struct strv all = { 0 }, ours = { 0 };

    engine_candidates(&all, &f->env);
    for (size_t i = 0; i < all.len; i++) {
        if (str_starts(all.v[i], f->home.path))
            strv_add(&ours, all.v[i]);
    }
    return find_socket(&f->out, &ours, &f->err);
}

static void dead_socket_does_not_hide_one_that_answers(void **state)
{
    struct fix *f = *state;
    cleanup_free char *want =
        xasprintf("unix://%s/run/podman/podman.sock", f->home.path);

    put_socket(f, "run/docker.sock", false);
    put_file(f, ".rd/docker.sock", "a file is no socket");
    put_socket(f, "run/podman/podman.sock", true);
    assert_int_equal(find_at_home(f), 0);
    assert_string_equal(f->out, want);
}

static void dead_socket_is_taken_where_none_answers(void **state)
{
    struct fix *f = *state;
    cleanup_free char *want =
        xasprintf("unix://%s/run/docker.sock", f->home.path);

    put_socket(f, "run/docker.sock", false);
    assert_int_equal(find_at_home(f), 0);
    assert_string_equal(f->out, want);
}

static void no_engine_at_all_lists_where_it_looked(void **state)
{
    struct fix *f = *state;

    assert_int_equal(find_at_home(f), -1);
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    assert_true(str_starts(f->err.msg, "no container engine found: start "
                                       "Docker or Podman, or set DOCKER_HOST"));
    assert_non_null(strstr(f->err.msg, "run/podman/podman.sock"));
}

static void tls_comes_from_the_cert_path(void **state)
{
    struct fix *f = *state;
    struct find_tls tls = { 0 };
    cleanup_free char *dir = tmp_dir_path(&f->home, "certs");
    cleanup_free char *ca = xasprintf("%s/ca.pem", dir);

    env_set(&f->env, "DOCKER_CERT_PATH", dir, "test");
    assert_false(find_tls(&tls, "tcp://10.0.0.1:2376", &f->env));
    put_file(f, "certs/key.pem", "k");
    assert_false(find_tls(&tls, "unix:///x", &f->env));
    assert_true(find_tls(&tls, "tcp://10.0.0.1:2376", &f->env));
    assert_string_equal(tls.ca, ca);
    find_tls_release(&tls);
}

static void tls_comes_from_the_context_of_the_endpoint(void **state)
{
    struct fix *f = *state;
    struct find_tls tls = { 0 };

    put_context(f, "tcp://10.0.0.2:2376");
    put_file(f,
             ".docker/contexts/tls/"
             "68693d02ab4fbb2331b8cc39915322e48e61f06d4d1b31e7d19913202857bc8a/"
             "docker/key.pem",
             "k");
    env_set(&f->env, "DOCKER_CONTEXT", "desktop", "test");
    assert_false(find_tls(&tls, "tcp://10.0.0.3:2376", &f->env));
    assert_true(find_tls(&tls, "tcp://10.0.0.2:2376", &f->env));
    find_tls_release(&tls);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(docker_host_comes_first),
        T(docker_host_over_ssh_is_explained),
        T(docker_host_that_is_no_address_is_refused),
        T(current_context_names_the_endpoint),
        T(docker_context_wins_over_the_current_one),
        T(docker_config_moves_the_contexts),
        T(context_that_does_not_exist_is_an_error),
        T(context_over_ssh_is_explained_by_its_name),
        T(context_without_an_endpoint_is_an_error),
        T(default_context_means_the_sockets),
        T(broken_config_means_no_context),
        T(candidates_are_in_order),
        T(dead_socket_does_not_hide_one_that_answers),
        T(dead_socket_is_taken_where_none_answers),
        T(no_engine_at_all_lists_where_it_looked),
        T(tls_comes_from_the_cert_path),
        T(tls_comes_from_the_context_of_the_endpoint),
    };

    return cmocka_run_group_tests_name("engine_find", tests, NULL, NULL);
}
