/*
 * url -- takes a connection URL apart, as database clients do.
 *
 *     struct url u;
 *     if (url_parse("mysql://me:p%40ss@db.example.com/shop", &u)) ...
 *     url_release(&u);
 *
 * It is lenient, since it must accept what people put into DATABASE_URL: a
 * "jdbc:" in front, HOST:PORT without a scheme, passwords with an unescaped '/'
 * or '@', several hosts (the first counts), and user, password, host, port and
 * dbname as query parameters.
 */
#ifndef PLAN_URL_H
#define PLAN_URL_H

#include <stdbool.h>
#include <stddef.h>

struct url {
    char *scheme, *user, *pass, *host, *name; /* decoded; "" when absent */
    int port;                                 /* 0: not given */
};

/* False when it names no host. `u` must be released either way. */
bool url_parse(const char *text, struct url *u);

void url_release(struct url *u);

/* Length of the "user:password" part. `text` begins just after the "://"; the
 * result is the offset of the '@', or 0 when there is no login. */
size_t url_login_len(const char *text);

#define cleanup_url __attribute__((cleanup(url_release)))

#endif /* PLAN_URL_H */
