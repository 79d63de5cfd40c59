/*
 * client -- the rackd of this user: where it is, connecting, starting it.
 *
 * As tmux does it: connect; where nobody answers take the lock beside the
 * socket, try again, and only then start one. So any number of cvx at once
 * start one rackd.
 *
 *     struct client c = { 0 };
 *     client_open(&c, CLIENT_START, &err)
 *     client_request(&c, &http, "GET", "/ps", NULL, &err)
 *     client_release(&c)
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
    CLIENT_START, /* start rackd when there is none; replace an idle one of
                     another build */
    CLIENT_FIND,  /* ERR_UNAVAILABLE when there is none: nothing runs */
};

/*
 * $XDG_RUNTIME_DIR/cvx, where that is a directory of ours; else ~/.cvx/run.
 * Made with mode 0700; refused when others could write there.
 */
int client_paths(struct client *c, struct err *err);

int client_open(struct client *c, enum client_mode mode, struct err *err);

/* CLIENT_FIND for a command about a running app: without a rackd there is
 * none, so the error is "app not running: APP". */
int client_open_app(struct client *c, const char *app, struct err *err);

/* Send one request on a connection of its own; `body` may be NULL. */
int client_request(const struct client *c, struct http *h, const char *method,
                   const char *target, const cJSON *body, struct err *err);

/*
 * Ask and parse the answer; NULL: *err says why. rackd's own error text
 * ({"error":...}) is the message then; the code is ERR_NOT_FOUND for 404.
 */
cJSON *client_call(const struct client *c, const char *method,
                   const char *target, const cJSON *body, struct err *err);

/* The error of an answer of 400 and above, whose body is complete. */
int client_refused(const struct http *h, struct err *err);

/* Ask rackd to end and wait until its process is gone. */
int client_quit(const struct client *c, struct err *err);

void client_release(struct client *c);

#define cleanup_client __attribute__((cleanup(client_release)))

#endif /* CLI_CLIENT_H */
