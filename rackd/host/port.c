/* Free ports of 127.0.0.1, and who holds those that are not free. run/ picks
 * the ports of a session here before it creates containers; messages about a
 * port that is taken name its holder. */
#include "host/port.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

/* Attempts at finding a port that was not handed out lately. */
#define ANY_TRIES 64

/* State of a listening socket in /proc/net/tcp. */
#define LISTENING 0x0a

struct listener {
    unsigned uid;
    uint64_t inode;
};

/* A socket bound to 127.0.0.1:*port; -1 with errno when that fails. With port 0
 * the kernel chooses, and *port is what it chose. */
static int bind_loopback(int *port)
{
    struct sockaddr_in addr = { .sin_family = AF_INET };
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1, failed;

    if (fd < 0)
        return -1;
    addr.sin_port = htons((uint16_t)*port);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    /* With this a connection in TIME_WAIT does not make the port look taken,
     * while a listener still does. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&addr, len) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) < 0) {
        failed = errno;
        close(fd);
        errno = failed;
        return -1;
    }
    *port = ntohs(addr.sin_port);
    return fd;
}

/* Would a listener on this local address, as /proc/net prints it, keep us from
 * binding 127.0.0.1? One on ::1 would not. */
static bool covers_loopback(const char *hex)
{
    uint32_t loopback = htonl(INADDR_LOOPBACK);
    char v4[9];

    snprintf(v4, sizeof(v4), "%08" PRIX32, loopback);
    if (strlen(hex) == 8)
        return strcmp(hex, v4) == 0 || strcmp(hex, "00000000") == 0;
    return strspn(hex, "0") == 32 ||
           (str_starts(hex, "0000000000000000") && strcmp(hex + 24, v4) == 0);
}

/* Looks for the port's listener in one file of /proc/net. */
static bool find_in(const char *path, int port, struct listener *out)
{
    FILE *f = fopen(path, "re");
    char line[512], addr[33];
    unsigned at, state, uid;
    uint64_t inode;
    bool found = false;

    if (f == NULL)
        return false;
    while (!found && fgets(line, sizeof(line), f) != NULL) {
        if (sscanf(line, /* NOLINT(cert-err34-c): the kernel's own format */
                   "%*u: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%*x %*x:%*x "
                   "%*x %u %*u %" SCNu64,
                   addr, &at, &state, &uid, &inode) != 5)
            continue;
        found = (int)at == port && state == LISTENING && covers_loopback(addr);
    }
    fclose(f);
    if (found)
        *out = (struct listener){ .uid = uid, .inode = inode };
    return found;
}

static bool find_listener(int port, struct listener *out)
{
    return find_in("/proc/net/tcp", port, out) ||
           find_in("/proc/net/tcp6", port, out);
}

bool port_is_free(int port)
{
    struct listener who;
    int fd;

    if (port < 1 || port > 65535)
        return false;
    fd = bind_loopback(&port);
    if (fd >= 0) {
        close(fd);
        return true;
    }
    return errno == EACCES && !find_listener(port, &who);
}

static bool is_recent(const struct port_book *book, int port)
{
    for (size_t i = 0; i < PORT_BOOK_LEN; i++)
        if (book->recent[i] == port)
            return true;
    return false;
}

static void remember(struct port_book *book, int port)
{
    book->recent[book->next] = port;
    book->next = (book->next + 1) % PORT_BOOK_LEN;
}

bool port_pick(struct port_book *book, int wanted, int *out)
{
    if (!port_is_free(wanted))
        return false;
    remember(book, wanted);
    *out = wanted;
    return true;
}

/* A port that was handed out lately stays bound until the end, so that the
 * kernel does not offer it again. */
int port_any(struct port_book *book, int *out, struct err *err)
{
    int fds[ANY_TRIES], count = 0, port = 0, failed = 0;

    while (count < ANY_TRIES) {
        port = 0;
        fds[count] = bind_loopback(&port);
        if (fds[count] < 0) {
            failed = errno;
            break;
        }
        count++;
        if (!is_recent(book, port))
            break;
        port = 0;
    }
    for (int i = 0; i < count; i++)
        close(fds[i]);
    if (port == 0)
        return err_set(err, ERR_SYSTEM, "no free port on 127.0.0.1: %s",
                       failed != 0 ? strerror(failed) : "all were just used");
    remember(book, port);
    *out = port;
    return 0;
}

/* Has the process a descriptor of this socket? `link` is what the kernel calls
 * it in /proc/PID/fd: "socket:[INODE]". */
static bool has_socket(const char *pid, const char *link)
{
    cleanup_free char *dir = xasprintf("/proc/%s/fd", pid);
    DIR *fds = opendir(dir);
    struct dirent *e;
    bool found = false;

    if (fds == NULL)
        return false;
    while (!found && (e = readdir(fds)) != NULL) {
        char target[64];
        ssize_t len =
            readlinkat(dirfd(fds), e->d_name, target, sizeof(target) - 1);

        target[len < 0 ? 0 : len] = '\0';
        found = strcmp(target, link) == 0;
    }
    closedir(fds);
    return found;
}

/* "nginx (pid 123)"; the name is the process's own choice, so it is made
 * printable. */
static char *describe(const char *pid)
{
    cleanup_free char *path = xasprintf("/proc/%s/comm", pid);
    char name[64] = "";
    FILE *f = fopen(path, "re");

    if (f != NULL) {
        if (fgets(name, sizeof(name), f) != NULL)
            name[strcspn(name, "\n")] = '\0';
        fclose(f);
    }
    for (char *c = name; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return xasprintf("%s (pid %s)", *name == '\0' ? "a process" : name, pid);
}

/* Who has the socket; NULL when no process that we may look into does. */
static char *find_process(uint64_t inode)
{
    cleanup_free char *link = xasprintf("socket:[%" PRIu64 "]", inode);
    DIR *proc = opendir("/proc");
    struct dirent *e;
    char *text = NULL;

    if (proc == NULL)
        return NULL;
    while (text == NULL && (e = readdir(proc)) != NULL)
        if (strspn(e->d_name, "0123456789") == strlen(e->d_name) &&
            has_socket(e->d_name, link))
            text = describe(e->d_name);
    closedir(proc);
    return text;
}

bool port_holder(int port, char **text)
{
    struct listener who;

    if (!find_listener(port, &who))
        return false;
    *text = find_process(who.inode);
    if (*text == NULL)
        *text = xstrdup(who.uid != geteuid() ? "another user's process"
                                             : "a process that is hidden");
    return true;
}
