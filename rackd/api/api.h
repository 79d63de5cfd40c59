/*
 * api -- what the handlers of cvx's requests work on: the parts of the rack,
 * lent by rack.c for as long as it listens. `user` of every handler is this.
 */
#ifndef API_API_H
#define API_API_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct app_runs;
struct links;
struct store;
struct template_list;
struct templates;
struct tenants;
struct warm_pool;

struct api {
    uv_loop_t *loop;
    struct store *store;
    struct links *links;
    struct tenants *tenants;
    struct app_runs *runs;
    struct template_list *template_list;
    struct templates *templates; /* NULL: switched off */
    struct warm_pool *warm;
    const char *socket_path;
    uint64_t started_ms;      /* loop clock */
    size_t full_bytes;        /* WEB_FULL; less, in a test */
    void (*quit)(void *user); /* POST /quit */
    void *quit_user;
};

#endif /* API_API_H */
