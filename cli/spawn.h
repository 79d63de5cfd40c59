/*
 * spawn -- find and start rackd, as a daemon of its own.
 *
 * It is called with the lock held, so that of several cvx only one starts it.
 * rackd gets `--socket PATH --ready-fd N`, writes one byte to N once it
 * listens, or a line of text that says why it cannot; nobody polls.
 */
#ifndef CLI_SPAWN_H
#define CLI_SPAWN_H

struct err;

/* The program: $CVX_RACKD (for tests), beside cvx, in ../libexec/cvx, or in
 * PATH; an absolute path the caller frees; NULL when there is none. */
char *spawn_find(void);

/* Start `program` and wait until it listens. Output goes to `log` (0600). */
int spawn_rackd(const char *program, const char *socket_path, const char *log,
                int timeout_ms, struct err *err);

/* The last line of the file in which rackd says something; "" when there is
 * none. The caller frees it. */
char *spawn_last_line(const char *log);

#endif /* CLI_SPAWN_H */
