/*
 * Endpoints in the words of DOCKER_HOST, and why one cannot be reached. Clients
 * and streams parse theirs when they are made.
 */
#include "net/endpoint.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/un.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

/* DNS knows no name of more than 253 characters. */
#define HOST_MAX 255

struct scheme {
    const char *prefix;
    bool tls;
    int port, tls_port;
};

static const struct scheme schemes[] = {
    { "tcp://", false, 2375, 2376 },
    { "http://", false, 80, 443 },
    { "https://", true, 443, 443 },
};

static int parse_unix(struct endpoint *out, const char *path, struct err *err)
{
    size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path);

    if (path[0] == '\0')
        return err_set(err, ERR_INVALID, "unix:// needs a path");
    if (strlen(path) >= max)
        return err_set(err, ERR_INVALID,
                       "socket path longer than %zu bytes: %s", max - 1, path);
    out->path = xstrdup(path);
    out->shown = xstrdup(path);
    return 0;
}

/* The length of a host made of harmless characters, 0 when it is not one. */
static size_t host_len(const char *host, bool brackets)
{
    size_t len = 0;

    while (isalnum((unsigned char)host[len]) ||
           strchr(brackets ? ":.%" : "-._", host[len]) != NULL) {
        if (host[len] == '\0' || len > HOST_MAX)
            break;
        len++;
    }
    return len > HOST_MAX ? 0 : len;
}

static bool parse_host(struct endpoint *out, const char *text)
{
    bool brackets = text[0] == '[';
    const char *host = text + (brackets ? 1 : 0);
    size_t len = host_len(host, brackets);
    const char *rest = host + len;
    cleanup_free char *port = NULL;
    long number;

    if (len == 0 || (brackets && *rest++ != ']'))
        return false;
    if (rest[0] == ':') {
        port = str_dup_len(rest + 1, strcspn(rest + 1, "/"));
        rest += 1 + strlen(port);
        if (!str_to_long(port, 1, 65535, &number))
            return false;
        out->port = (int)number;
    }
    if (strcmp(rest, "") != 0 && strcmp(rest, "/") != 0)
        return false;
    out->host = str_dup_len(host, len);
    out->shown =
        xasprintf(brackets ? "[%s]:%d" : "%s:%d", out->host, out->port);
    return true;
}

int endpoint_parse(struct endpoint *out, const char *text, bool tls,
                   struct err *err)
{
    *out = (struct endpoint){ 0 };
    if (str_starts(text, "unix://"))
        return parse_unix(out, text + strlen("unix://"), err);

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        const struct scheme *s = &schemes[i];

        if (!str_starts(text, s->prefix))
            continue;
        out->tls = tls || s->tls;
        out->port = out->tls ? s->tls_port : s->port;
        if (parse_host(out, text + strlen(s->prefix)))
            return 0;
        break;
    }
    return err_set(err, ERR_INVALID,
                   "not an endpoint: %s (unix:///PATH or tcp://HOST:PORT)",
                   text);
}

void endpoint_release(struct endpoint *e)
{
    free(e->path);
    free(e->host);
    free(e->shown);
    *e = (struct endpoint){ 0 };
}

int endpoint_refused(const struct endpoint *e, int os_errno, struct err *err)
{
    switch (os_errno) {
    case 0:
        return err_set(err, ERR_UNAVAILABLE, "cannot connect: %s", e->shown);
    case EACCES:
    case EPERM:
        return err_set(err, ERR_UNAVAILABLE, "permission denied: %s", e->shown);
    case ENOENT:
        return err_set(err, ERR_UNAVAILABLE, "no such file: %s", e->shown);
    case ECONNREFUSED:
        return err_set(err, ERR_UNAVAILABLE, "connection refused: %s",
                       e->shown);
    default:
        return err_set(err, ERR_UNAVAILABLE, "cannot connect: %s: %s", e->shown,
                       strerror(os_errno));
    }
}
