/* What engines say when they refuse something (engine/reason.c). */
#include "engine/reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define RUNC                                                                   \
    "failed to create shim task: OCI runtime create failed: runc create "      \
    "failed: unable to start container process: "

/* As they came from the engine, but for names and paths. */
static const struct {
    const char *engine, *text;
    enum engine_reason reason;
} said[] = {
    { "Podman 4.3.1",
      "container create: container-init binary not found on the host: stat "
      "/usr/libexec/podman/catatonit: no such file or directory",
      REASON_INIT_MISSING },
    { "Docker 20.10.24",
      RUNC "exec: \"docker-init\": executable file not found in $PATH: unknown",
      REASON_INIT_MISSING },
    { "Docker 20.10.24", "network app-s1 not found", REASON_NETWORK_MISSING },
    { "Docker 20.10.24",
      "endpoint with name app-s1-web-1 already exists in network app-s1",
      REASON_CONNECTED },
    { "Docker 20.10.24", "Pool overlaps with other one on this address space",
      REASON_SUBNET_OVERLAPS },
    { "Docker 28 (source)",
      "all predefined address pools have been fully subnetted",
      REASON_POOL_EMPTY },
    { "Docker 20.10 (source)",
      "could not find an available, non-overlapping IPv4 address pool among "
      "the defaults to assign to the network",
      REASON_POOL_EMPTY },
    { "Docker 20.10.24",
      "failed to register layer: Error processing tar file(exit status 1): "
      "write /x: no space left on device",
      REASON_DISK_FULL },
    { "Docker 20.10.24", "cannot join network of a non running container: box1",
      REASON_JOIN_FAILED },
    { "Docker 20.10.24",
      RUNC "exec: \"nope\": executable file not found in $PATH: unknown",
      REASON_COMMAND_NOT_FOUND },
    { "Podman 4.3.1",
      "preparing container web1 for attach: exec: \"nope\": executable file "
      "not found in $PATH",
      REASON_COMMAND_NOT_FOUND },
    { "Docker 20.10.24",
      RUNC "error during container init: error setting rlimits for ready "
           "process: error setting rlimit type 7: operation not permitted: "
           "unknown",
      REASON_RLIMIT },
    { "Docker 20.10.24",
      RUNC "exec: \"/etc/passwd\": permission denied: unknown",
      REASON_PERMISSION_DENIED },
    { "Docker 20.10.24",
      RUNC "exec: \"/no/such\": stat /no/such: no such file or directory: "
           "unknown",
      REASON_NO_SUCH_FILE },
    { "Docker 20.10.24",
      "driver failed programming external connectivity on endpoint web: Bind "
      "for 127.0.0.1:3999 failed: port is already allocated",
      REASON_PORT_TAKEN },
    { "Docker 20.10.24",
      "driver failed programming external connectivity on endpoint web: Error "
      "starting userland proxy: listen tcp4 127.0.0.1:3999: bind: address "
      "already in use",
      REASON_PORT_TAKEN },
    { "Podman 4.3.1",
      "cannot listen on the TCP port: listen tcp4 127.0.0.1:3000: bind: "
      "address "
      "already in use",
      REASON_PORT_TAKEN },
    { "Docker 20.10.24", "exec /bin/web: exec format error",
      REASON_EXEC_FORMAT },
    { "Docker 20.10.24",
      RUNC "error during container init: unable to apply caps: operation not "
           "permitted: unknown",
      REASON_CAPS },
    { "Docker 20.10.24",
      "invalid mount config for type \"bind\": bind source path does not "
      "exist: "
      "/nonexistent",
      REASON_INVALID_MOUNT },
    { "Podman 4.3.1",
      "unable to find network with name or ID app-s1: network not found",
      REASON_NETWORK },
    { "Docker 20.10.24", "removal of container 1f2e is already in progress",
      REASON_REMOVAL_UNDER_WAY },
    { "Docker 20.10.24",
      "The command '/bin/sh -c exit 3' returned a non-zero code: 3",
      REASON_STEP_FAILED },
    { "Docker 28.5.2",
      "process \"/bin/sh -c exit 3\" did not complete successfully: exit code: "
      "3",
      REASON_STEP_FAILED },
    { "Docker 20.10.24",
      "manifest for debian:none not found: manifest unknown: manifest unknown",
      REASON_IMAGE },
    { "Docker 28.5.2",
      "debian:none: failed to resolve source metadata for debian:none: not "
      "found",
      REASON_IMAGE },
    { "Docker 20.10.24", "No such container: web1", REASON_NONE },
    { "Docker 20.10.24", "No such image: web:1", REASON_NONE },
    { "any", "", REASON_NONE },
};

static void each_text_has_its_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
        if (engine_reason(said[i].text) != said[i].reason)
            fail_msg("%s: \"%s\" is taken for reason %d", said[i].engine,
                     said[i].text, (int)engine_reason(said[i].text));
}

static void what_a_text_means_it_also_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
        assert_int_equal(engine_says(said[i].text, said[i].reason),
                         said[i].reason != REASON_NONE);
}

/* Podman's missing init program is a missing file too. */
static void a_text_may_give_several_reasons(void **state)
{
    (void)state;
    assert_true(engine_says(said[0].text, REASON_INIT_MISSING));
    assert_true(engine_says(said[0].text, REASON_NO_SUCH_FILE));
    assert_false(engine_says(said[0].text, REASON_PORT_TAKEN));
}

static void capital_letters_do_not_matter(void **state)
{
    (void)state;
    assert_int_equal(engine_reason("Address already in use"),
                     REASON_PORT_TAKEN);
}

/* A member of a sandbox that is not there has lost no network of ours. */
static void only_the_network_itself_is_missing(void **state)
{
    (void)state;
    assert_false(
        engine_says("image x not found on network y", REASON_NETWORK_MISSING));
    assert_false(engine_says("network app-s1 has active endpoints",
                             REASON_NETWORK_MISSING));
}

static void layers_of_a_pull_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(engine_layer("Downloading"), LAYER_DOWNLOADING);
    assert_int_equal(engine_layer("Download complete"), LAYER_DOWNLOADED);
    assert_int_equal(engine_layer("Pull complete"), LAYER_DONE);
    assert_int_equal(engine_layer("Already exists"), LAYER_DONE);
    assert_int_equal(engine_layer("Extracting"), LAYER_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_text_has_its_reason),
        cmocka_unit_test(what_a_text_means_it_also_says),
        cmocka_unit_test(a_text_may_give_several_reasons),
        cmocka_unit_test(capital_letters_do_not_matter),
        cmocka_unit_test(only_the_network_itself_is_missing),
        cmocka_unit_test(layers_of_a_pull_are_told_apart),
    };

    return cmocka_run_group_tests_name("reason", tests, NULL, NULL);
}
