#include "support/fake_rackd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

#define EVENT(fields) "{\"ms\":1,\"type\":" fields "}\n"

static bool mode_is(const char *mode)
{
    const char *wanted = getenv("FAKE_MODE");

    return strcmp(wanted == NULL ? "" : wanted, mode) == 0;
}

/* argv[2] is the socket; the log is beside it. */
static void note(char **argv, const char *text)
{
    cleanup_free char *path = xasprintf("%s.log", argv[2]);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);

    dprintf(fd, "%s\n", text);
    close(fd);
}

bool fake_rackd_wanted(char **argv)
{
    return argv[1] != NULL && strcmp(argv[1], "--socket") == 0;
}

static int listen_at(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(addr.sun_path, path, strlen(path));
    unlink(path);
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
        listen(fd, 64) < 0)
        abort();
    return fd;
}

static void say(int fd, const char *text)
{
    size_t len = strlen(text);

    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

static void answer(int fd, int status, const char *body)
{
    cleanup_free char *all =
        xasprintf("HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s", status,
                  strlen(body), body);

    say(fd, all);
}

static void chunk(int fd, const char *text)
{
    cleanup_free char *all = xasprintf("%zx\r\n%s\r\n", strlen(text), text);

    say(fd, all);
}

/* The first line of the next request; the rest is read and thrown away. */
static int next_request(char **argv, int listener, char *line, size_t size)
{
    int fd = accept(listener, NULL, NULL);
    size_t len = 0, body = 0;
    char *end = NULL, *found;

    while (len < size - 1) {
        ssize_t n = read(fd, line + len, size - 1 - len);

        if (n <= 0)
            break;
        len += (size_t)n;
        line[len] = '\0';
        end = strstr(line, "\r\n\r\n");
        found = strstr(line, "Content-Length: ");
        body = found == NULL ? 0 : strtoul(found + 16, NULL, 10);
        if (end != NULL && len >= (size_t)(end - line) + 4 + body)
            break;
    }
    line[len] = '\0';
    line[strcspn(line, "\r")] = '\0';
    if (len > 0)
        note(argv, line);
    return fd;
}

/* Answer what comes until a stop is asked for, as the mode wants it. */
static void wait_for_stop(char **argv, int listener)
{
    char line[8192];
    bool enough = false;

    while (!enough) {
        int fd = next_request(argv, listener, line, sizeof(line));

        answer(fd, 200, "{}");
        if (strstr(line, " /quit ") != NULL)
            _exit(0);
        close(fd);
        if (mode_is("now"))
            enough = strstr(line, "now=1") != NULL;
        else
            enough = !mode_is("stuck") && strstr(line, "/stop") != NULL;
    }
}

static void wait_gone(int fd)
{
    char byte;

    while (read(fd, &byte, 1) > 0)
        continue;
}

static void start(char **argv, int listener, int fd)
{
    say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    if (mode_is("silent")) {
        wait_gone(fd);
        return;
    }
    chunk(fd, EVENT("\"session\",\"session\":\"s1\",\"app\":\"shop\""));
    if (mode_is("die"))
        _exit(1);
    if (!mode_is("starting"))
        chunk(fd, EVENT("\"ready\",\"seconds\":0.5,\"services\":[],"
                        "\"resources\":[]"));
    if (!mode_is("fails"))
        wait_for_stop(argv, listener);
    chunk(fd, EVENT("\"removed\",\"containers\":2,\"networks\":1,"
                    "\"volumes\":0,\"seconds\":0.1"));
    chunk(fd, mode_is("fails") ? EVENT("\"end\",\"status\":3")
                               : EVENT("\"end\",\"status\":0"));
    say(fd, "0\r\n\r\n");
}

static void serve(char **argv, int listener)
{
    char line[8192];
    int fd = next_request(argv, listener, line, sizeof(line));

    if (strstr(line, " /version ") != NULL) {
        cleanup_free char *body =
            xasprintf("{\"version\":\"0\",\"build\":\"%s\",\"sessions\":%s}",
                      getenv("FAKE_BUILD"), getenv("FAKE_SESSIONS"));

        answer(fd, 200, body);
    } else if (strstr(line, " /start ") != NULL) {
        start(argv, listener, fd);
    } else if (strstr(line, " /quit ") != NULL) {
        answer(fd, 200, "{}");
        _exit(0);
    } else if (strstr(line, " /ps") != NULL) {
        answer(fd, 404, "{\"error\":\"app not running: shop\"}");
    } else {
        answer(fd, 200, "not json");
    }
    close(fd);
}

static int first_open_fd(void)
{
    for (int fd = 4; fd < 256; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            return fd;
    return -1;
}

int fake_rackd_main(char **argv)
{
    int ready_fd = (int)strtol(argv[4], NULL, 10), listener;

    alarm(60); /* whatever a test forgets */
    if (first_open_fd() >= 0)
        note(argv, "inherited a descriptor");
    note(argv, "started");
    if (mode_is("refuse")) {
        dprintf(ready_fd, "no room\n");
        return 1;
    }
    if (mode_is("crash")) {
        fprintf(stderr, "first line\nthe last words\n\nreaper: it is gone\n");
        return 1;
    }
    listener = listen_at(argv[2]);
    if (write(ready_fd, "\n", 1) != 1)
        return 1;
    close(ready_fd);
    for (;;)
        serve(argv, listener);
}
