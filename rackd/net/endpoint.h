/*
 * endpoint -- where a server listens, from the words of DOCKER_HOST:
 *
 *     unix://PATH   tcp://HOST[:PORT]   http://HOST[:PORT] https://HOST[:PORT]
 *
 * A HOST is a name, an IPv4 address or an IPv6 address in brackets. Without a
 * PORT it is Docker's (2375, 2376 with TLS) for tcp, 80 and 443 for the
 * others. Pure: nothing is looked up, nothing is opened.
 */
#ifndef NET_ENDPOINT_H
#define NET_ENDPOINT_H

#include <stdbool.h>

struct err;

struct endpoint {
    char *path; /* the socket; NULL: tcp */
    char *host; /* without brackets; NULL: unix */
    int port;
    bool tls;
    char *shown; /* for messages: the path, or HOST:PORT */
};

/* `tls` turns tcp:// into TLS; https:// always is. ERR_INVALID else. */
int endpoint_parse(struct endpoint *out, const char *text, bool tls,
                   struct err *err);
void endpoint_release(struct endpoint *e);

/*
 * Why a connection could not be made, for people: "permission denied: PATH",
 * "no such file: PATH", "connection refused: HOST:PORT". `os_errno` is
 * positive, 0 when unknown. Always ERR_UNAVAILABLE; returns -1.
 */
int endpoint_refused(const struct endpoint *e, int os_errno, struct err *err);

#endif /* NET_ENDPOINT_H */
