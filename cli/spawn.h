/*
 * spawn -- find and start rackd, as a daemon.
 *
 * client.c calls it with the lock held, so that of several cvx only one starts
 * it. rackd gets `--socket PATH --ready-fd N`. It writes one byte to N once it
 * listens, or a line of text that says why it cannot; so nobody has to poll.
 */
#ifndef CLI_SPAWN_H
#define CLI_SPAWN_H

struct err;

/* The path of rackd: $CVX_RACKD (for tests), beside cvx, in ../libexec/cvx,
 * or in PATH. An absolute path, which the caller frees; NULL when there is
 * none. */
char *spawn_find(void);

/* Starts `program` and waits until it listens. Its output goes to `log` (mode
 * 0600). 0, or -1 with *err set. */
int spawn_rackd(const char *program, const char *socket_path, const char *log,
                int timeout_ms, struct err *err);

/* The last line that rackd wrote to its log; "" when there is none. The caller
 * frees it. */
char *spawn_last_line(const char *log);

#endif /* CLI_SPAWN_H */
