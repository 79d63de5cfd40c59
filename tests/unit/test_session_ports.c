#include "support/session_fix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/vec.h"

/* ---- volumes, files, ports
 * ------------------------------------------------- */

static int add_volume(struct fix *f, const char *name, bool keep, long uid)
{
    struct plan_volume *v = vec_add(&f->plan.volumes);

    *v = (struct plan_volume){ .name = TEXT(name),
                               .kind = uid < 0 ? PLAN_VOLUME_SHARED
                                               : PLAN_VOLUME_EFS,
                               .keep = keep,
                               .uid = uid,
                               .gid = uid,
                               .mode = 0750 };
    return (int)f->plan.volumes.len - 1;
}

static void add_mount(struct plan_container *c, int volume)
{
    struct plan_mount *m = vec_add(&c->mounts);

    m->volume = volume;
    m->target = TEXT("/data");
}

/* Killed now, the reaper may remove the volume before the engine comes to the
 * create; the one that the engine then makes must be ours to remove too. */
static void volume_that_the_engine_makes_for_a_mount_is_ours(void **state)
{
    struct fix *f = *state;
    const struct fake_request *create;

    add_mount(&f->db->container, add_volume(f, "db", true, -1));
    answer(f, "POST", "/volumes/create", 201, "{}");
    become_ready(f);
    create =
        fake_engine_last(f->fake, "/containers/create?name=app-s1-resource");
    assert_non_null(create);
    assert_non_null(strstr(create->body, "\"VolumeOptions\":{\"Labels\":{"
                                         "\"cvx.rack\":\"rack1\","));
    assert_non_null(strstr(create->body, "\"cvx.keep\":\"true\""));
    finish(f);
}

static void kept_volumes_stay_and_others_go(void **state)
{
    struct fix *f = *state;

    add_mount(&f->db->container, add_volume(f, "db", true, -1));
    add_mount(&f->web->container, add_volume(f, "files", false, -1));
    answer(f, "POST", "/volumes/create", 201, "{}");
    answer(f, "DELETE", "/volumes/app-s1-files", 204, NULL);
    become_ready(f);
    assert_true(place_of(f, "/volumes/create") <
                place_of(f, "/containers/create"));
    finish(f);
    assert_event(f, "removed 2 1 1");
    assert_asked(f, "/volumes/cvx-rack1", 0);
    /* Kept data is closed cleanly: asked, not killed. */
    assert_asked(f, "/containers/db1/stop", 1);
}

static void volume_that_cannot_be_made_is_an_error(void **state)
{
    struct fix *f = *state;

    add_mount(&f->web->container, add_volume(f, "files", false, -1));
    answer(f, "POST", "/volumes/create", 500,
           "{\"message\":\"mkdir: no space left on device\"}");
    begin(f);
    wait_gone(f);
    assert_int_equal(f->status, 1);
    assert_event(f, "error cannot create volume app-s1-files | mkdir: no "
                    "space left on device | the disk is full");
    assert_asked(f, "/volumes/app-s1-files", 0);
}

static void network_that_cannot_be_made_is_an_error(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", "/networks/create", 500,
           "{\"message\":\"iptables is missing\"}");
    begin(f);
    wait_over(f);
    assert_event(f, "error cannot create the session's network | iptables is "
                    "missing");
    assert_event(f, "removed 2 0 0");
}

static void network_whose_answer_is_lost_is_removed_by_name(void **state)
{
    struct fix *f = *state;

    fake_engine_on(f->fake, "POST", "/networks/create",
                   &(struct fake_answer){ .how = FAKE_ENGINE_RESET });
    answer(f, "DELETE", "/networks/app-s1", 204, NULL);
    begin(f);
    wait_over(f);
    assert_asked(f, "/networks/app-s1", 1);
    assert_event(f, "error cannot create the session's network | ");
}

static void files_are_in_the_container_before_it_starts(void **state)
{
    struct fix *f = *state;
    struct plan_file *file = vec_add(&f->web->container.files);
    const struct fake_request *put;

    file->path = TEXT("/etc/app.conf");
    file->text = TEXT("greeting = hello");
    answer(f, "PUT", "/containers/web1/archive", 200, NULL);
    become_ready(f);
    put = fake_engine_last(f->fake, "/containers/web1/archive");
    assert_non_null(memmem(put->body, put->body_len, "greeting = hello", 16));
    assert_true(place_of(f, "/containers/web1/archive") <
                place_of(f, "/containers/web1/start"));
    finish(f);
}

static void files_that_cannot_be_put_are_an_error(void **state)
{
    struct fix *f = *state;
    struct plan_file *file = vec_add(&f->web->container.files);

    file->path = TEXT("/etc/app.conf");
    file->text = TEXT("x");
    answer(f, "PUT", "/containers/web1/archive", 500,
           "{\"message\":\"read-only file system\"}");
    begin(f);
    wait_gone(f);
    assert_event(f, "error service web: cannot put files into its container | "
                    "read-only file system");
    assert_event(f, "removed 2 1 0");
}

static void nobody_starts_on_a_volume_without_its_owner(void **state)
{
    struct fix *f = *state;
    int v = add_volume(f, "efs", false, 1000);

    f->web->count = 2;
    add_mount(&f->web->container, v);
    answer(f, "POST", "/volumes/create", 201, "{}");
    answer(f, "DELETE", "/volumes/app-s1-efs", 204, NULL);
    answer(f, "POST", CREATE "web-2", 201, "{\"Id\":\"web2\"}");
    script_container(f, "web2");
    answer_late(f, "PUT", "/containers/web", 200, NULL, 400);
    begin(f);
    wait_asked(f, "/containers/db1/start", 1);
    run_for(f, 100); /* it takes longer */
    /* One of them sets it; neither starts before that is done. */
    assert_int_equal(fake_engine_asked(f->fake, "/containers/web1/archive") +
                         fake_engine_asked(f->fake, "/containers/web2/archive"),
                     1);
    assert_int_equal(place_of(f, "/containers/web1/start"), -1);
    assert_int_equal(place_of(f, "/containers/web2/start"), -1);
    wait_ready(f);
    finish(f);
}

/* Its mount point's owner goes to the volume from the one that starts first. */
static void podman_is_told_the_owner_in_every_container(void **state)
{
    struct fix *f = *state;
    int v = add_volume(f, "efs", false, 1000);

    f->spec.podman = true;
    f->web->count = 2;
    add_mount(&f->web->container, v);
    answer(f, "POST", "/volumes/create", 201, "{}");
    answer(f, "DELETE", "/volumes/app-s1-efs", 204, NULL);
    answer(f, "POST", CREATE "web-2", 201, "{\"Id\":\"web2\"}");
    script_container(f, "web2");
    answer(f, "PUT", "/containers/web", 200, NULL);
    become_ready(f);
    assert_asked(f, "/containers/web1/archive", 1);
    assert_asked(f, "/containers/web2/archive", 1);
    assert_true(place_of(f, "/containers/web2/archive") <
                place_of(f, "/containers/web2/start"));
    finish(f);
}

static void many_ports_and_mounts_are_no_more_than_many(void **state)
{
    struct fix *f = *state;
    int v = add_volume(f, "many", false, -1);

    for (int i = 0; i < 200; i++) {
        struct plan_port *p = vec_add(&f->web->container.ports);

        p->container = 1000 + i;
        add_mount(&f->web->container, v);
    }
    answer(f, "POST", "/volumes/create", 201, "{}");
    answer(f, "DELETE", "/volumes/app-s1-many", 204, NULL);
    become_ready(f);
    assert_non_null(
        strstr(fake_engine_last(f->fake, CREATE_WEB)->body, "1199/tcp"));
    finish(f);
}

static struct plan_port *publish(struct fix *f, int host, bool fixed)
{
    struct plan_port *p = vec_add(&f->web->container.ports);

    *p = (struct plan_port){
        .container = 3000, .published = true, .host = host, .host_fixed = fixed
    };
    return p;
}

static const char clash[] =
    "{\"message\":\"driver failed programming external connectivity: Bind for "
    "127.0.0.1:3999 failed: port is already allocated\"}";

static void port_taken_under_our_hands_is_changed(void **state)
{
    struct fix *f = *state;

    publish(f, 0, false);
    answer_once(f, "POST", "/containers/web1/start", 500, clash);
    become_ready(f);
    assert_asked(f, CREATE_WEB, 2);
    assert_asked(f, "/containers/web1?", 1);
    assert_true(session_host_port(f->session, "service", "web", 3000) > 0);
    finish(f);
}

static void port_taken_for_ever_is_an_error(void **state)
{
    struct fix *f = *state;

    publish(f, 0, false);
    answer(f, "POST", "/containers/web1/start", 500, clash);
    begin(f);
    wait_gone(f);
    assert_event(f, "error service web: cannot start its container | driver "
                    "failed");
    assert_asked(f, "/containers/web1/start", 5);
}

static void fixed_port_that_clashes_is_an_error(void **state)
{
    struct fix *f = *state;

    publish(f, 0, true);
    answer(f, "POST", "/containers/web1/start", 500, clash);
    begin(f);
    wait_gone(f);
    assert_event(f, "port is already allocated | see who listens there");
    assert_asked(f, "/containers/web1/start", 1);
}

static int listen_somewhere(int *port)
{
    struct sockaddr_in addr = { .sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *port = ntohs(addr.sin_port);
    return fd;
}

static void port_of_somebody_else_is_left_to_him(void **state)
{
    struct fix *f = *state;
    cleanup_free char *said = NULL;
    int port, fd = listen_somewhere(&port);

    publish(f, port, false);
    become_ready(f);
    /* Not the name: under valgrind it is valgrind's. */
    said = xasprintf("(pid %d); web is on 127.0.0.1:", (int)getpid());
    assert_event(f, said);
    free(said);
    said = xasprintf("warning port %d is already taken by ", port);
    assert_event(f, said);
    assert_int_not_equal(session_host_port(f->session, "service", "web", 3000),
                         port);
    close(fd);
    finish(f);
}

static void fixed_port_of_somebody_else_is_an_error(void **state)
{
    struct fix *f = *state;
    cleanup_free char *said = NULL;
    int port, fd = listen_somewhere(&port);

    publish(f, port, true);
    begin(f);
    wait_gone(f);
    close(fd);
    said = xasprintf("error service web: port %d is already taken | ", port);
    assert_event(f, said);
    free(said);
    said = xasprintf("(pid %d) listens on it | stop that program, or change "
                     "the nlb port in convox.yml",
                     (int)getpid());
    assert_event(f, said);
}

int main(void)
{
#define T(fn) SESSION_TEST(fn)
    const struct CMUnitTest tests[] = {
        T(volume_that_the_engine_makes_for_a_mount_is_ours),
        T(kept_volumes_stay_and_others_go),
        T(volume_that_cannot_be_made_is_an_error),
        T(network_that_cannot_be_made_is_an_error),
        T(network_whose_answer_is_lost_is_removed_by_name),
        T(files_are_in_the_container_before_it_starts),
        T(files_that_cannot_be_put_are_an_error),
        T(nobody_starts_on_a_volume_without_its_owner),
        T(podman_is_told_the_owner_in_every_container),
        T(many_ports_and_mounts_are_no_more_than_many),
        T(port_taken_under_our_hands_is_changed),
        T(port_taken_for_ever_is_an_error),
        T(fixed_port_that_clashes_is_an_error),
        T(port_of_somebody_else_is_left_to_him),
        T(fixed_port_of_somebody_else_is_an_error),
    };

    return cmocka_run_group_tests_name("session_ports", tests, NULL, NULL);
}
