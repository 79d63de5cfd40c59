/*
 * client -- the rackd of this user: where it is, how to connect to it, how to
 * start it.
 *
 * It does as tmux does: connect; when nobody answers, take the lock beside the
 * socket, try again, and only then start one. So any number of cvx at once
 * start one rackd.
 *
 *     struct client c = { 0 };
 *     client_open(&c, CLIENT_START, &err)
 *     client_request(&c, &http, "GET", "/ps", NULL, &err)
 *     client_release(&c)
 *
 * Functions return 0, or -1 with *err set.
 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <cjson/cJSON.h>

struct err;
struct http;

struct client {
    char *dir, *socket_path, *lock, *log;
};

enum client_mode {
    /* Start rackd when none runs; replace an idle one of another build. */
    CLIENT_START,
    CLIENT_FIND, /* ERR_UNAVAILABLE when none runs, so that no app does */
};

/* Fills in the paths: in $XDG_RUNTIME_DIR/cvx, when that directory is ours,
 * else in ~/.cvx/run. The directory is made with mode 0700, and refused when
 * others could write to it. */
int client_paths(struct client *c, struct err *err);

int client_open(struct client *c, enum client_mode mode, struct err *err);

/* CLIENT_FIND for a command about a running app: without a rackd no app runs,
 * so the error is "app not running: APP". */
int client_open_app(struct client *c, const char *app, struct err *err);

/* Sends one request on a new connection, `h`; `body` may be NULL. */
int client_request(const struct client *c, struct http *h, const char *method,
                   const char *target, const cJSON *body, struct err *err);

/* Sends a request and parses the answer, which the caller deletes. NULL with
 * *err set: its message is the error text of rackd ({"error":...}), its code
 * ERR_NOT_FOUND for status 404. */
cJSON *client_call(const struct client *c, const char *method,
                   const char *target, const cJSON *body, struct err *err);

/* Sets *err from an answer of status 400 and above, whose body is complete.
 * Always -1. */
int client_refused(const struct http *h, struct err *err);

/* Asks rackd to end, and waits until its process is gone. */
int client_quit(const struct client *c, struct err *err);

void client_release(struct client *c);

#define cleanup_client __attribute__((cleanup(client_release)))

#endif /* CLI_CLIENT_H */
