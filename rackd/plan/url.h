/*
 * url -- a connection URL taken apart, as database clients understand it.
 *
 *     struct url u;
 *     if (url_parse("mysql://me:p%40ss@db.example.com/shop", &u)) ...
 *     url_release(&u);
 *
 * Lenient: what people put into DATABASE_URL is accepted, i.e. a "jdbc:" in
 * front, HOST:PORT without a scheme, passwords with a raw '/' or '@' in them,
 * several hosts (the first counts), and user, password, host, port and
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

/* False when there is no host in it; `u` needs url_release() either way. */
bool url_parse(const char *text, struct url *u);

void url_release(struct url *u);

/*
 * The "user:password@" part after a "://": how many bytes of `text` (which
 * begins just after it) come before the '@'. 0: there is none.
 */
size_t url_login_len(const char *text);

#define cleanup_url __attribute__((cleanup(url_release)))

#endif /* PLAN_URL_H */
