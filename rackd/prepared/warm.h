/*
 * warm -- for a start with --warm: while the app runs, the resources of its
 * next start are started in a session of their own and frozen
 * (run/item_freeze.c). The next start takes that session over; if none comes,
 * it goes.
 *
 *     wp = warm_pool_new(&spec);
 *     runs.find_ready_made = warm_find_ready_made;  runs.user = wp;
 *     warm_pool_close(wp);             after all tenants are over
 *
 * It has to be asked for: what Ctrl-C leaves otherwise is nothing at all.
 */
#ifndef PREPARED_WARM_H
#define PREPARED_WARM_H

#include <stdbool.h>

struct app_run;
struct app_runs;
struct templates;
struct tenant;
struct tenants;
struct warm_pool;

/* They wait for a start this long after the last one of their app has ended. */
#define WARM_MINUTES 10

/* All borrowed, until warm_pool_close(). */
struct warm_spec {
    struct tenants *tenants;
    struct app_runs *runs;
    struct templates *templates; /* they come first */
    unsigned long max_mb;        /* memory of all that wait */
};

struct warm_pool *warm_pool_new(const struct warm_spec *spec);

/* app_runs.find_ready_made; `user` is the pool. */
struct tenant *warm_find_ready_made(struct app_run *run, void *user);

/* How many containers wait for the next start of `app`, in how many bytes; and
 * for every app. */
unsigned warm_count(const struct warm_pool *wp, const char *app,
                    long long *bytes);
unsigned warm_count_all(const struct warm_pool *wp);

/* Removes those of an app. False: there were none. */
bool warm_drop(struct warm_pool *wp, const char *app, const char *why);

/* No session of it lives any more. It frees itself from the loop. */
void warm_pool_close(struct warm_pool *wp);

#endif /* PREPARED_WARM_H */
