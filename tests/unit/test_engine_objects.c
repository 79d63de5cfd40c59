#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "support/engine_fix.h"
#include "support/looptest.h"

static void script(struct engine_fix *f, const char *method, const char *path,
                   const char *file)
{
    fake_engine_on(f->fake, method, path,
                   &(struct fake_answer){ .file = file });
}

static const struct fake_request *asked(struct engine_fix *f, size_t i)
{
    const struct fake_request *r = fake_engine_request(f->fake, i);

    assert_non_null(r);
    return r;
}

/* ---- containers ---------------------------------------------------------- */

static void create_writes_every_setting(void **state)
{
    struct engine_fix *f = *state;
    struct strv argv = { 0 }, env = { 0 }, labels = { 0 }, aliases = { 0 };
    struct strv add = { 0 }, drop = { 0 }, entry = { 0 };
    const struct engine_port ports[] = {
        { .container = 80, .host_ip = "127.0.0.1" },
        { .container = 53, .udp = true, .host_ip = "127.0.0.1", .host = 5353 },
        { .container = 9000 },
    };
    const struct engine_mount mounts[] = {
        { .kind = MOUNT_VOLUME,
          .source = "v",
          .target = "/d",
          .no_copy = true,
          .labels = &labels },
        { .kind = MOUNT_BIND,
          .source = "/h",
          .target = "/b",
          .read_only = true },
        { .kind = MOUNT_TMPFS, .target = "/t" },
    };

    strv_add(&entry, "/init");
    strv_add(&argv, "sh");
    strv_add(&argv, "-c");
    strv_add(&env, "A=b=c");
    strv_add(&labels, "cvx.rack=r1");
    strv_add(&aliases, "web");
    strv_add(&add, "SYS_PTRACE");
    strv_add(&drop, "ALL");
    script(f, "POST", "/containers/create", "container-create.http");
    engine_container_create(
        f->engine,
        &(struct engine_container){ .name = "app-web-1",
                                    .image = "app:1",
                                    .argv = &argv,
                                    .entrypoint = &entry,
                                    .env = &env,
                                    .labels = &labels,
                                    .user = "1000:1000",
                                    .hostname = "web",
                                    .working_dir = "/app",
                                    .ports = ports,
                                    .port_count = 3,
                                    .mounts = mounts,
                                    .mount_count = 3,
                                    .network = "net",
                                    .ip = "10.213.4.9",
                                    .aliases = &aliases,
                                    .init = true,
                                    .privileged = true,
                                    .read_only_root = true,
                                    .no_new_privileges = true,
                                    .auto_remove = true,
                                    .cpu_shares = 64,
                                    .open_stdin = true,
                                    .stdin_once = true,
                                    .tty = true,
                                    .no_healthcheck = true,
                                    .cap_add = &add,
                                    .cap_drop = &drop,
                                    .log_driver = "none",
                                    .stop_signal = "SIGINT",
                                    .stop_grace_s = 7,
                                    .restart = "always" },
        fix_id, f);
    fix_wait(f);
    assert_string_equal(str_c(&f->text),
                        "id=bfa4e5f60d4f8d980c9e3b44d55e066ba2f97cdb4126590b92"
                        "346ad74d2dfc27\n");
    assert_string_equal(asked(f, 0)->path,
                        "/v1.41/containers/create?name=app-web-1");
    assert_string_equal(
        asked(f, 0)->body,
        "{\"Image\":\"app:1\",\"Cmd\":[\"sh\",\"-c\"],\"Entrypoint\":"
        "[\"/init\"],\"Env\":[\"A=b=c\"],\"Labels\":{\"cvx.rack\":\"r1\"},"
        "\"User\":\"1000:1000\",\"Hostname\":\"web\",\"WorkingDir\":\"/app\","
        "\"OpenStdin\":true,\"StdinOnce\":true,\"Tty\":true,\"Healthcheck\":"
        "{\"Test\":[\"NONE\"]},\"StopSignal\":\"SIGINT\",\"StopTimeout\":7,"
        "\"HostConfig\":{\"PortBindings\":{\"80/tcp\":[{\"HostIp\":"
        "\"127.0.0.1\",\"HostPort\":\"\"}],\"53/udp\":[{\"HostIp\":"
        "\"127.0.0.1\",\"HostPort\":\"5353\"}]},\"Mounts\":[{\"Type\":"
        "\"volume\",\"Source\":\"v\",\"Target\":\"/d\",\"VolumeOptions\":"
        "{\"NoCopy\":true,\"Labels\":{\"cvx.rack\":\"r1\"}}},{\"Type\":"
        "\"bind\",\"Source\":\"/h\",\"Target\":"
        "\"/b\",\"ReadOnly\":true},{\"Type\":\"tmpfs\",\"Target\":\"/t\"}],"
        "\"NetworkMode\":\"net\",\"Init\":true,\"Privileged\":true,"
        "\"ReadonlyRootfs\":true,\"AutoRemove\":true,\"CpuShares\":64,"
        "\"SecurityOpt\":[\"no-new-privileges\"],\"CapAdd\":[\"SYS_PTRACE\"],"
        "\"CapDrop\":"
        "[\"ALL\"],\"LogConfig\":{\"Type\":\"none\"},\"RestartPolicy\":"
        "{\"Name\":\"always\"}},\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{},"
        "\"9000/tcp\":{}},\"NetworkingConfig\":{\"EndpointsConfig\":{\"net\":"
        "{\"Aliases\":[\"web\"],\"IPAMConfig\":{\"IPv4Address\":"
        "\"10.213.4.9\"}}}}}");
    strv_release(&argv);
    strv_release(&entry);
    strv_release(&env);
    strv_release(&labels);
    strv_release(&aliases);
    strv_release(&add);
    strv_release(&drop);
}

static void create_leaves_out_what_is_not_set(void **state)
{
    struct engine_fix *f = *state;

    script(f, "POST", "/containers/create", "container-create.http");
    engine_container_create(
        f->engine,
        &(struct engine_container){ .image = "app", .network = "none" }, fix_id,
        f);
    fix_wait(f);
    assert_string_equal(asked(f, 0)->path, "/v1.41/containers/create");
    assert_string_equal(
        asked(f, 0)->body,
        "{\"Image\":\"app\",\"HostConfig\":{\"NetworkMode\":\"none\"}}");
}

static void create_copies_its_arguments(void **state)
{
    struct engine_fix *f = *state;
    char name[] = "first", image[] = "app";

    script(f, "POST", "/containers/create", "container-create.http");
    engine_container_create(
        f->engine, &(struct engine_container){ .name = name, .image = image },
        fix_id, f);
    memset(name, 'x', sizeof(name) - 1);
    memset(image, 'x', sizeof(image) - 1);
    fix_wait(f);
    assert_non_null(strstr(asked(f, 0)->path, "name=first"));
    assert_non_null(strstr(asked(f, 0)->body, "\"app\""));
}

static void create_without_an_image_is_not_found(void **state)
{
    struct engine_fix *f = *state;

    script(f, "POST", "/containers/create", "create-no-image.http");
    engine_container_create(
        f->engine, &(struct engine_container){ .image = "x" }, fix_id, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NOT_FOUND);
    assert_string_equal(f->err.msg, "No such image: engine-dev/none:1");
}

static void create_under_a_taken_name_is_a_conflict(void **state)
{
    struct engine_fix *f = *state;

    script(f, "POST", "/containers/create", "create-name-taken.http");
    engine_container_create(
        f->engine, &(struct engine_container){ .image = "x" }, fix_id, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_CONFLICT);
    assert_non_null(strstr(f->err.msg, "is already in use by container"));
}

static void starting_what_runs_is_a_success(void **state)
{
    struct engine_fix *f = *state;

    script(f, "POST", "/containers/", "start-running.http");
    engine_container_start(f->engine, "c1", fix_done, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NONE);
    assert_string_equal(asked(f, 0)->method, "POST");
    assert_string_equal(asked(f, 0)->path, "/v1.41/containers/c1/start");
    assert_int_equal(asked(f, 0)->body_len, 0);
}

static void stop_and_kill_say_how(void **state)
{
    struct engine_fix *f = *state;

    script(f, "POST", "/containers/", "no-content.http");
    engine_container_stop(f->engine, "c1", 9, fix_done, f);
    fix_wait(f);
    engine_container_kill(f->engine, "c1", "SIGHUP", fix_done, f);
    fix_wait(f);
    assert_string_equal(asked(f, 0)->path, "/v1.41/containers/c1/stop?t=9");
    assert_string_equal(asked(f, 1)->path,
                        "/v1.41/containers/c1/kill?signal=SIGHUP");
}

static void removing_what_is_gone_is_a_success(void **state)
{
    struct engine_fix *f = *state;

    script(f, "DELETE", "/containers/", "container-missing.http");
    engine_container_remove(f->engine, "c1", fix_done, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NONE);
    assert_string_equal(asked(f, 0)->path, "/v1.41/containers/c1?force=1&v=1");
}

static void removing_what_is_being_removed_is_a_success(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(
        f->fake, "DELETE", "/containers/",
        &(struct fake_answer){
            .status = 409,
            .body = "{\"message\":\"removal of container c1 is already in "
                    "progress\"}" });
    engine_container_remove(f->engine, "c1", fix_done, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NONE);
}

static void other_conflicts_of_a_removal_are_errors(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, "DELETE", "/",
                   &(struct fake_answer){ .status = 409,
                                          .body = "{\"message\":\"in use\"}" });
    engine_volume_remove(f->engine, "v", fix_done, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_CONFLICT);
}

static void put_sends_the_tar_to_a_path(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, "PUT", "/containers/", &(struct fake_answer){ 0 });
    engine_container_put(f->engine, "c1", "/run/my secrets", "t\0ar", 4,
                         fix_done, f);
    fix_wait(f);
    assert_string_equal(asked(f, 0)->path,
                        "/v1.41/containers/c1/archive?path=/run/my%20secrets");
    assert_int_equal(asked(f, 0)->body_len, 4);
    assert_memory_equal(asked(f, 0)->body, "t\0ar", 4);
    assert_non_null(
        strstr(asked(f, 0)->headers, "content-type: application/x-tar\n"));
}

static void print_state(struct str *out, const struct engine_state *s)
{
    str_printf(out, "%.6s %s %s %s exit=%d%s error=[%s] created=%lld ip=%s",
               s->id, s->name, s->image, s->state, s->exit_code,
               s->oom_killed ? " oom" : "", s->error, s->created, s->ip);
    for (size_t i = 0; i < s->port_count; i++)
        str_printf(out, " %d%s->%d", s->ports[i].container,
                   s->ports[i].udp ? "/udp" : "", s->ports[i].host);
    for (size_t i = 0; i < s->labels.len; i++)
        str_printf(out, " %s", s->labels.v[i]);
    str_add(out, "\n");
}

static void on_state(const struct engine_state *s, const struct err *err,
                     void *user)
{
    struct engine_fix *f = user;

    if (s != NULL)
        print_state(&f->text, s);
    fix_end(f, err);
}

static void inspect(struct engine_fix *f)
{
    engine_container_inspect(f->engine, "c1", on_state, f);
    fix_wait(f);
}

static void inspect_reads_a_running_container(void **state)
{
    struct engine_fix *f = *state;

    script(f, "GET", "/containers/c1/json", "container-inspect.http");
    inspect(f);
    assert_string_equal(
        str_c(&f->text),
        "bfa4e5 engine-dev-web engine-dev/tiny:1 running exit=0 error=[] "
        "created=1795452465 ip=10.213.4.10 80->32768 "
        "cvx.kind=service cvx.name=web cvx.rack=engine-dev cvx.session=s1\n");
}

static void inspect_reads_how_a_container_ended(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(
        f->fake, "GET", "/containers/c1/json",
        &(struct fake_answer){
            .body = "{\"Id\":\"abcdef0\",\"Name\":\"pod\",\"Created\":"
                    "\"2026-11-23T17:31:18.123456789+01:00\",\"State\":{"
                    "\"Status\":\"exited\",\"ExitCode\":137,\"OOMKilled\":true,"
                    "\"Error\":\"no such file\"},\"Config\":{\"Image\":\"i\","
                    "\"Labels\":null},\"NetworkSettings\":{\"IPAddress\":"
                    "\"172.17.0.9\",\"Ports\":{\"80/tcp\":[{\"HostIp\":"
                    "\"0.0.0.0\",\"HostPort\":\"8080\"},{\"HostIp\":\"::\","
                    "\"HostPort\":\"8080\"}],\"81/tcp\":null,\"53/udp\":[{"
                    "\"HostIp\":\"\",\"HostPort\":\"5300\"}]},\"Networks\":{"
                    "\"a\":{\"IPAddress\":\"\"},\"b\":{\"IPAddress\":"
                    "\"10.1.1.2\"}}}}" });
    inspect(f);
    assert_string_equal(str_c(&f->text),
                        "abcdef pod i exited exit=137 oom error=[no such file] "
                        "created=1795451478 ip=10.1.1.2 80->8080 "
                        "53/udp->5300\n");
}

static void inspect_survives_answers_of_other_shapes(void **state)
{
    struct engine_fix *f = *state;
    static const char *const bodies[] = {
        "null",
        "[]",
        "1",
        "\"x\"",
        "{\"State\":[],\"Config\":3}",
        "{\"NetworkSettings\":{\"Ports\":[1],\"Networks\":\"x\"}}",
        "{\"NetworkSettings\":{\"Ports\":{\"x\":[{\"HostPort\":\"1\"}]}}}",
    };

    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        fake_engine_on(f->fake, "GET", "/containers/c1/json",
                       &(struct fake_answer){ .body = bodies[i] });
        inspect(f);
        assert_int_equal(f->err.code, ERR_NONE);
    }
}

static void on_list(const struct engine_state *list, size_t count,
                    const struct err *err, void *user)
{
    struct engine_fix *f = user;

    for (size_t i = 0; i < count; i++)
        print_state(&f->text, &list[i]);
    fix_end(f, err);
}

static void list_asks_for_all_with_the_label(void **state)
{
    struct engine_fix *f = *state;

    script(f, "GET", "/containers/json", "container-list.http");
    engine_container_list(f->engine, "cvx.rack=r 1", on_list, f);
    fix_wait(f);
    assert_string_equal(asked(f, 0)->path,
                        "/v1.41/containers/json?all=1&filters="
                        "%7B%22label%22:%5B%22cvx.rack%3Dr%201%22%5D%7D");
    assert_string_equal(
        str_c(&f->text),
        "bfa4e5 engine-dev-web engine-dev/tiny:1 running exit=0 error=[] "
        "created=1795452465 ip=10.213.4.10 80->32768 "
        "cvx.kind=service cvx.name=web cvx.rack=engine-dev cvx.session=s1\n");
}

static void list_takes_the_name_that_is_no_link(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, "GET", "/containers/json",
                   &(struct fake_answer){
                       .body = "[{\"Id\":\"1\",\"Names\":[\"/b/web\",\"/web\"]"
                               "},{\"Id\":\"2\",\"Names\":[\"pod\"]},{}]" });
    engine_container_list(f->engine, NULL, on_list, f);
    fix_wait(f);
    assert_string_equal(str_c(&f->text),
                        "1 web   exit=0 error=[] created=0 ip=\n"
                        "2 pod   exit=0 error=[] created=0 ip=\n"
                        "    exit=0 error=[] created=0 ip=\n");
}

/* ---- networks, volumes, images ------------------------------------------- */

static void network_is_created_with_its_subnet(void **state)
{
    struct engine_fix *f = *state;
    struct strv labels = { 0 };

    strv_add(&labels, "cvx.rack=r1");
    script(f, "POST", "/networks/create", "network-create.http");
    engine_network_create(f->engine,
                          &(struct engine_network){ .name = "n",
                                                    .subnet = "10.213.4.0/24",
                                                    .labels = &labels },
                          fix_id, f);
    fix_wait(f);
    assert_true(str_starts(str_c(&f->text), "id=b6ea62d55a41"));
    assert_string_equal(
        asked(f, 0)->body,
        "{\"Name\":\"n\",\"CheckDuplicate\":true,\"Driver\":\"bridge\","
        "\"Labels\":{\"cvx.rack\":\"r1\"},\"IPAM\":{\"Config\":[{\"Subnet\":"
        "\"10.213.4.0/24\"}]}}");
    strv_release(&labels);
}

static void container_is_connected_with_its_names_and_address(void **state)
{
    struct engine_fix *f = *state;
    struct strv aliases = { 0 };

    strv_add(&aliases, "web");
    fake_engine_on(f->fake, "POST", "/networks/", &(struct fake_answer){ 0 });
    engine_network_connect(f->engine, "n",
                           &(struct engine_endpoint){ .container = "c1",
                                                      .ip = "10.213.4.2",
                                                      .aliases = &aliases },
                           fix_done, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NONE);
    assert_string_equal(asked(f, 0)->path, "/v1.41/networks/n/connect");
    assert_string_equal(
        asked(f, 0)->body,
        "{\"Container\":\"c1\",\"EndpointConfig\":{\"Aliases\":[\"web\"],"
        "\"IPAMConfig\":{\"IPv4Address\":\"10.213.4.2\"}}}");
    strv_release(&aliases);
}

static void network_errors_say_what_is_taken(void **state)
{
    struct engine_fix *f = *state;

    script(f, "POST", "/networks/create", "network-overlap.http");
    script(f, "DELETE", "/networks/", "network-in-use.http");
    engine_network_create(f->engine, &(struct engine_network){ .name = "n" },
                          fix_id, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_CONFLICT);
    assert_string_equal(f->err.msg,
                        "Pool overlaps with other one on this address space");
    engine_network_remove(f->engine, "n", fix_done, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_CONFLICT);
    assert_non_null(strstr(f->err.msg, "has active endpoints"));
}

static void on_objects(const struct engine_object *list, size_t count,
                       const struct err *err, void *user)
{
    struct engine_fix *f = user;

    for (size_t i = 0; i < count; i++) {
        cleanup_free char *labels = strv_join(&list[i].labels, ",");

        str_printf(&f->text, "%.13s %s [%s] %s\n", list[i].id, list[i].name,
                   list[i].subnet, labels);
    }
    fix_end(f, err);
}

static void lists_of_objects_are_read(void **state)
{
    struct engine_fix *f = *state;

    script(f, "GET", "/networks", "network-list.http");
    script(f, "GET", "/volumes", "volume-list.http");
    script(f, "GET", "/images/json", "image-list.http");
    engine_network_list(f->engine, "l", on_objects, f);
    fix_wait(f);
    engine_volume_list(f->engine, NULL, on_objects, f);
    fix_wait(f);
    engine_image_list(f->engine, "l", on_objects, f);
    fix_wait(f);
    assert_string_equal(
        str_c(&f->text),
        "b6ea62d55a417 engine-dev-net [10.213.4.0/24] cvx.kind=network,"
        "cvx.rack=engine-dev\n"
        "engine-dev-vo engine-dev-vol [] cvx.rack=engine-dev\n"
        "sha256:b2da70 engine-dev/tiny:1 [] cvx.rack=engine-dev\n");
    assert_string_equal(asked(f, 1)->path, "/v1.41/volumes");
}

static void empty_lists_may_be_null(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, "GET", "/volumes",
                   &(struct fake_answer){
                       .body = "{\"Volumes\":null,\"Warnings\":null}" });
    engine_volume_list(f->engine, "l", on_objects, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NONE);
    assert_int_equal(f->text.len, 0);
}

static void on_image(const struct engine_image *i, const struct err *err,
                     void *user)
{
    struct engine_fix *f = user;

    if (i != NULL) {
        cleanup_free char *entry = strv_join(&i->entrypoint, " ");
        cleanup_free char *argv = strv_join(&i->argv, " ");
        cleanup_free char *volumes = strv_join(&i->volumes, " ");
        cleanup_free char *ports = strv_join(&i->ports, " ");

        str_printf(&f->text, "%.13s [%s] [%s] [%s] [%s] %s env=%zu", i->id,
                   entry, argv, volumes, ports, i->architecture, i->env.len);
    }
    fix_end(f, err);
}

static void image_inspect_reads_the_config(void **state)
{
    struct engine_fix *f = *state;

    script(f, "GET", "/images/", "image-inspect.http");
    engine_image_inspect(f->engine, "reg:5000/a/b:1@sha256:00", on_image, f);
    fix_wait(f);
    assert_string_equal(asked(f, 0)->path,
                        "/v1.41/images/reg:5000/a/b:1@sha256:00/json");
    assert_string_equal(str_c(&f->text),
                        "sha256:3ab79c [docker-entrypoint.sh] [postgres] "
                        "[/var/lib/postgresql/data] [5432/tcp] amd64 env=4");
}

static void missing_image_is_not_found(void **state)
{
    struct engine_fix *f = *state;

    script(f, "GET", "/images/", "image-missing.http");
    engine_image_inspect(f->engine, "x", on_image, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NOT_FOUND);
    assert_int_equal(fake_engine_requests(f->fake), 1);
}

static void on_hello(const struct engine_info *info, const struct err *err,
                     void *user)
{
    assert_non_null(info);
    fix_end(user, err);
}

static void podman_is_asked_for_its_local_name_too(void **state)
{
    struct engine_fix *f = *state;

    script(f, "GET", "/_ping", "ping-podman.http");
    script(f, "GET", "/images/x:1/json", "image-missing.http");
    script(f, "GET", "/images/localhost/x:1/json", "image-inspect.http");
    engine_hello(f->engine, on_hello, f);
    fix_wait(f);
    engine_image_inspect(f->engine, "x:1", on_image, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NONE);
}

static void podman_gets_what_it_knows(void **state)
{
    struct engine_fix *f = *state;

    script(f, "GET", "/_ping", "ping-podman.http");
    script(f, "POST", "/containers/create", "container-create.http");
    engine_hello(f->engine, on_hello, f);
    fix_wait(f);
    engine_container_create(
        f->engine,
        &(struct engine_container){ .image = "x", .log_driver = "local" },
        fix_id, f);
    fix_wait(f);
    assert_non_null(
        strstr(asked(f, 1)->body, "\"LogConfig\":{\"Type\":\"k8s-file\"}"));
    script(f, "DELETE", "/containers/", "no-content.http");
    engine_container_remove(f->engine, "c1", fix_done, f);
    fix_wait(f);
    assert_string_equal(asked(f, 2)->path,
                        "/v1.41/containers/c1?force=1&v=1&timeout=0");
}

static void image_is_tagged_and_untagged(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(f->fake, "POST", "/images/",
                   &(struct fake_answer){ .status = 201, .body = "\r\n" });
    script(f, "DELETE", "/images/", "image-missing.http");
    engine_image_tag(f->engine, "cvx/x:1", "cvx/y", "2", fix_done, f);
    fix_wait(f);
    engine_image_remove(f->engine, "cvx/y:2", fix_done, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NONE);
    assert_string_equal(asked(f, 0)->path,
                        "/v1.41/images/cvx/x:1/tag?repo=cvx/y&tag=2");
    assert_string_equal(asked(f, 1)->path, "/v1.41/images/cvx/y:2");
}

/* ---- the machine --------------------------------------------------------- */

static void import(struct engine_fix *f)
{
    cleanup_strv struct strv labels = { 0 };
    char tar[] = "a\0tar";

    strv_add(&labels, "cvx.kind=reaper");
    strv_add(&labels, "a=b c&d");
    f->call = engine_image_import(f->engine, "cvx/reaper:1", &labels, tar, 5,
                                  fix_done, f);
    memset(tar, 'x', 5); /* it was copied */
}

static void image_is_imported_from_a_tar(void **state)
{
    struct engine_fix *f = *state;
    const struct fake_request *r;

    fake_engine_on(
        f->fake, "POST", "/images/create",
        &(struct fake_answer){ .body = "{\"status\":\"sha256:1\"}\n",
                               .headers = "Transfer-Encoding: chunked\r\n" });
    import(f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NONE);
    r = fake_engine_request(f->fake, 0);
    assert_string_equal(r->path,
                        "/v1.41/images/create?fromSrc=-&repo=cvx/reaper:1&"
                        "changes=LABEL%20cvx.kind%3Dreaper&"
                        "changes=LABEL%20a%3Db%20c%26d");
    assert_int_equal(r->body_len, 5);
    assert_memory_equal(r->body, "a\0tar", 5);
    assert_non_null(strstr(r->headers, "content-type: application/x-tar\n"));
}

static void import_that_fails_in_its_stream_is_an_error(void **state)
{
    static const char *const texts[] = {
        "{\"status\":\"Importing\"}\n{\"error\":\"disk is full\"}\n",
        "{\"error\":\"disk is full\"}", /* without its line end */
        "{\"error\":\"disk is full\\n\"}\n{\"status\":\"so\"}\n",
    };
    struct engine_fix *f = *state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        fake_engine_on(f->fake, "POST", "/images/create",
                       &(struct fake_answer){ .body = texts[i] });
        import(f);
        fix_wait(f);
        assert_int_equal(f->err.code, ERR_SYSTEM);
        assert_string_equal(f->err.msg, "disk is full");
    }
}

static void import_that_is_refused_or_cut_off_is_an_error(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(
        f->fake, "POST", "/images/create",
        &(struct fake_answer){ .status = 500, .body = "{\"message\":\"no\"}" });
    import(f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_SYSTEM);
    assert_string_equal(f->err.msg, "no");
    fake_engine_on(
        f->fake, "POST", "/images/create",
        &(struct fake_answer){ .body = "{\"status\":\"x\"}\n", .cut = 5 });
    import(f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_PROTOCOL);
    fake_engine_on(f->fake, "POST", "/images/create",
                   &(struct fake_answer){ .how = FAKE_ENGINE_RESET });
    import(f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
}

static void import_can_be_cancelled_and_closed(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(
        f->fake, "POST", "/images/create",
        &(struct fake_answer){ .how = FAKE_ENGINE_OPEN, .body = "{\"sta" });
    import(f);
    engine_cancel(f->call);
    import(f);
    fix_wait_requests(f, 1);
    engine_cancel(f->call);
    fix_wait_let_go(f);
    import(f); /* engine_fix_teardown() closes the engine under it */
    fix_wait_requests(f, 2);
}

static void on_host(const struct engine_host *h, const struct err *err,
                    void *user)
{
    struct engine_fix *f = user;

    assert_non_null(h);
    str_printf(&f->text, "%s %s %s %s %s %lld %d%s %s", h->storage_driver,
               h->root_dir, h->os_name, h->kernel, h->architecture, h->memory,
               h->cpus, h->rootless ? " rootless" : "", h->warnings.v[0]);
    fix_end(f, err);
}

static void host_info_is_read(void **state)
{
    struct engine_fix *f = *state;

    script(f, "GET", "/info", "info.http");
    engine_host_info(f->engine, on_host, f);
    fix_wait(f);
    assert_string_equal(str_c(&f->text),
                        "overlay2 /var/lib/docker Debian GNU/Linux 12 "
                        "(bookworm) 6.1.0-18-amd64 x86_64 25276063744 2 "
                        "rootless WARNING: No swap limit support");
}

/* ---- templates ----------------------------------------------------------- */

static void container_is_committed_without_a_name_and_with_changes(void **state)
{
    struct engine_fix *f = *state;
    struct strv changes = { 0 };

    strv_add(&changes, "ENV A=");
    strv_add(&changes, "LABEL b=c:1");
    fake_engine_on(f->fake, "POST", "/commit",
                   &(struct fake_answer){ .status = 201,
                                          .body = "{\"Id\":\"sha256:aa\"}" });
    engine_container_commit(f->engine, "c1", NULL, NULL, &changes, fix_id, f);
    fix_wait(f);
    assert_string_equal(str_c(&f->text), "id=sha256:aa\n");
    assert_string_equal(asked(f, 0)->path,
                        "/v1.41/commit?container=c1&changes=ENV%20A%3D%0A"
                        "LABEL%20b%3Dc:1");
    strv_release(&changes);
}

static void container_is_paused_and_goes_on(void **state)
{
    struct engine_fix *f = *state;

    script(f, "POST", "/containers/c1", "no-content.http");
    engine_container_pause(f->engine, "c1", fix_done, f);
    fix_wait(f);
    assert_string_equal(asked(f, 0)->path, "/v1.41/containers/c1/pause");
    f->done = false;
    engine_container_unpause(f->engine, "c1", fix_done, f);
    fix_wait(f);
    assert_string_equal(asked(f, 1)->path, "/v1.41/containers/c1/unpause");
}

static void note_bytes(long long bytes, const struct err *err, void *user)
{
    struct engine_fix *f = user;

    str_printf(&f->text, "bytes=%lld\n", bytes);
    fix_end(f, err);
}

static void memory_is_without_pages_that_could_go(void **state)
{
    struct engine_fix *f = *state;

    fake_engine_on(
        f->fake, "GET", "/containers/c1/stats",
        &(struct fake_answer){ .body = "{\"memory_stats\":{\"usage\":700,"
                                       "\"stats\":{\"inactive_file\":200}}}" });
    engine_container_memory(f->engine, "c1", note_bytes, f);
    fix_wait(f);
    assert_string_equal(str_c(&f->text), "bytes=500\n");
}

static void memory_of_what_is_gone_is_an_error(void **state)
{
    struct engine_fix *f = *state;

    script(f, "GET", "/containers/c1/stats", "container-missing.http");
    engine_container_memory(f->engine, "c1", note_bytes, f);
    fix_wait(f);
    assert_int_equal(f->err.code, ERR_NOT_FOUND);
}

int main(void)
{
#define T(fn)                                                                  \
    cmocka_unit_test_setup_teardown(fn, engine_fix_setup, engine_fix_teardown)
    const struct CMUnitTest tests[] = {
        T(create_writes_every_setting),
        T(create_leaves_out_what_is_not_set),
        T(create_copies_its_arguments),
        T(create_without_an_image_is_not_found),
        T(create_under_a_taken_name_is_a_conflict),
        T(starting_what_runs_is_a_success),
        T(stop_and_kill_say_how),
        T(removing_what_is_gone_is_a_success),
        T(removing_what_is_being_removed_is_a_success),
        T(other_conflicts_of_a_removal_are_errors),
        T(put_sends_the_tar_to_a_path),
        T(inspect_reads_a_running_container),
        T(inspect_reads_how_a_container_ended),
        T(inspect_survives_answers_of_other_shapes),
        T(list_asks_for_all_with_the_label),
        T(list_takes_the_name_that_is_no_link),
        T(network_is_created_with_its_subnet),
        T(container_is_connected_with_its_names_and_address),
        T(network_errors_say_what_is_taken),
        T(lists_of_objects_are_read),
        T(empty_lists_may_be_null),
        T(image_inspect_reads_the_config),
        T(missing_image_is_not_found),
        T(podman_is_asked_for_its_local_name_too),
        T(podman_gets_what_it_knows),
        T(image_is_tagged_and_untagged),
        T(image_is_imported_from_a_tar),
        T(import_that_fails_in_its_stream_is_an_error),
        T(import_that_is_refused_or_cut_off_is_an_error),
        T(import_can_be_cancelled_and_closed),
        T(host_info_is_read),
        T(container_is_committed_without_a_name_and_with_changes),
        T(container_is_paused_and_goes_on),
        T(memory_is_without_pages_that_could_go),
        T(memory_of_what_is_gone_is_an_error),
    };

    return cmocka_run_group_tests_name("engine_objects", tests, NULL, NULL);
}
