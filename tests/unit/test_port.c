#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "host/port.h"

/* Listens at an address; *port 0: any, and says which. -1 when it cannot. */
static int listen_at(const char *ip, int *port)
{
    struct sockaddr_in addr = { .sin_family = AF_INET };
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int one = 1;

    addr.sin_port = htons((uint16_t)*port);
    inet_pton(AF_INET, ip, &addr.sin_addr);
    /* As servers do: with it on both sides the kernel is most lenient. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *port = ntohs(addr.sin_port);
    return fd;
}

/* On [::], IPv4 too; -1 where the machine has no IPv6. */
static int listen_at_six(int *port)
{
    struct sockaddr_in6 addr = { .sin6_family = AF_INET6 };
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    int off = 0;

    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, (struct sockaddr *)&addr, len) < 0 || listen(fd, 4) < 0) {
        close(fd);
        return -1;
    }
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *port = ntohs(addr.sin6_port);
    return fd;
}

static void a_listener_on_loopback_holds_its_port(void **state)
{
    int port = 0, fd = listen_at("127.0.0.1", &port);

    (void)state;
    assert_false(port_is_free(port));
    close(fd);
    assert_true(port_is_free(port));
}

static void a_listener_on_every_address_holds_its_port(void **state)
{
    int port = 0, fd = listen_at("0.0.0.0", &port);

    (void)state;
    assert_false(port_is_free(port));
    close(fd);
    fd = listen_at_six(&port);
    if (fd < 0)
        return;
    assert_false(port_is_free(port));
    close(fd);
}

static void a_listener_on_another_address_does_not(void **state)
{
    int port = 0, fd = listen_at("127.0.0.2", &port);
    char *text = NULL;

    (void)state;
    assert_true(port_is_free(port));
    assert_false(port_holder(port, &text));
    close(fd);
}

static void a_connection_in_time_wait_does_not(void **state)
{
    int port = 0, fd = listen_at("127.0.0.1", &port);
    int client = socket(AF_INET, SOCK_STREAM, 0), server;
    struct sockaddr_in addr = { .sin_family = AF_INET };
    char byte;

    (void)state;
    addr.sin_port = htons((uint16_t)port);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(client, (struct sockaddr *)&addr, sizeof(addr)),
                     0);
    server = accept(fd, NULL, NULL);
    close(server); /* the server's end closes first: its port waits */
    assert_int_equal(read(client, &byte, 1), 0);
    close(client);
    close(fd);
    assert_true(port_is_free(port));
}

static void what_is_no_port_is_not_free(void **state)
{
    (void)state;
    assert_false(port_is_free(0));
    assert_false(port_is_free(-1));
    assert_false(port_is_free(65536));
}

static void the_wanted_port_is_picked_when_it_is_free(void **state)
{
    struct port_book book = { 0 };
    int port = 0, out = 0, fd = listen_at("127.0.0.1", &port);

    (void)state;
    assert_false(port_pick(&book, port, &out));
    assert_int_equal(out, 0);
    close(fd);
    assert_true(port_pick(&book, port, &out));
    assert_int_equal(out, port);
}

static void any_port_is_never_the_same_twice(void **state)
{
    struct port_book book = { 0 };
    struct err err = { 0 };
    int ports[200];

    (void)state;
    for (int i = 0; i < 200; i++) {
        assert_int_equal(port_any(&book, &ports[i], &err), 0);
        assert_in_range(ports[i], 1024, 65535);
        assert_true(port_is_free(ports[i]));
        for (int j = 0; j < i; j++)
            assert_int_not_equal(ports[i], ports[j]);
    }
}

static void the_holder_is_named_with_its_pid(void **state)
{
    int port = 0, fd = listen_at("0.0.0.0", &port);
    cleanup_free char *text = NULL, *want = NULL;

    (void)state;
    want = xasprintf("test_port (pid %d)", (int)getpid());
    assert_true(port_holder(port, &text));
#ifndef __SANITIZE_ADDRESS__
    if (getenv("LD_PRELOAD") == NULL) /* valgrind has a name of its own */
        assert_string_equal(text, want);
#endif
    assert_non_null(strstr(text, strchr(want, '(')));
    close(fd);
}

static void an_ipv6_holder_is_found(void **state)
{
    int port = 0, fd = listen_at_six(&port);
    cleanup_free char *text = NULL, *want = NULL;

    (void)state;
    if (fd < 0)
        return;
    want = xasprintf("(pid %d)", (int)getpid());
    assert_true(port_holder(port, &text));
    assert_non_null(strstr(text, want));
    close(fd);
}

static void nobody_holds_a_free_port(void **state)
{
    int port = 0, fd = listen_at("127.0.0.1", &port);
    char *text = NULL;

    (void)state;
    close(fd);
    assert_false(port_holder(port, &text));
    assert_null(text);
}

/* As somebody who may not look into root's processes; needs root to become
 * one. */
static void another_users_process_cannot_be_told(void **state)
{
    int port = 0, fd, status;
    pid_t pid;

    (void)state;
    if (geteuid() != 0)
        return;
    fd = listen_at("127.0.0.1", &port);
    pid = fork();
    if (pid == 0) {
        char *text = NULL;
        bool ok = close(fd) == 0 && setresuid(65534, 65534, 65534) == 0 &&
                  port_holder(port, &text) &&
                  strcmp(text, "another user's process") == 0;

        free(text);
        _exit(ok ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(fd);
}

static void a_low_port_we_may_not_bind_is_free_for_the_engine(void **state)
{
    int status;
    pid_t pid;

    (void)state;
    if (geteuid() != 0)
        return;
    pid = fork();
    if (pid == 0) {
        /* 9 is discard: nobody has run that for decades. */
        if (setresuid(65534, 65534, 65534) != 0)
            _exit(2);
        _exit(port_is_free(9) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_on_loopback_holds_its_port),
        cmocka_unit_test(a_listener_on_every_address_holds_its_port),
        cmocka_unit_test(a_listener_on_another_address_does_not),
        cmocka_unit_test(a_connection_in_time_wait_does_not),
        cmocka_unit_test(what_is_no_port_is_not_free),
        cmocka_unit_test(the_wanted_port_is_picked_when_it_is_free),
        cmocka_unit_test(any_port_is_never_the_same_twice),
        cmocka_unit_test(the_holder_is_named_with_its_pid),
        cmocka_unit_test(an_ipv6_holder_is_found),
        cmocka_unit_test(nobody_holds_a_free_port),
        cmocka_unit_test(another_users_process_cannot_be_told),
        cmocka_unit_test(a_low_port_we_may_not_bind_is_free_for_the_engine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
