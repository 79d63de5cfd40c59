/*
 * reaper_process -- the reaper (images/reaper) as a process on this machine,
 * nobody's child, that removes what carries our labels once we are dead.
 *
 *     reaper_process_start(&p, loop, "/var/run/docker.sock", &labels,
 *                          on_lost, user, &err);
 *     reaper_process_close(p, true, on_closed, user);
 *
 * From the moment start() returns nothing that is created can be left behind
 * by a kill of this process, of its group or its session. It holds the other
 * end of the process's stdin: no message is needed, its closing says all.
 */
#ifndef GUARD_REAPER_PROCESS_H
#define GUARD_REAPER_PROCESS_H

#include <stdbool.h>
#include <uv.h>

struct err;
struct reaper_process;
struct strv;

typedef void (*reaper_process_cb)(void *user);

/* on_lost: it has ended, whoever ended it; close it then, and perhaps start
 * another. Never from inside the call. */
int reaper_process_start(struct reaper_process **out, uv_loop_t *loop,
                         const char *socket_path, const struct strv *labels,
                         reaper_process_cb on_lost, void *user,
                         struct err *err);

/* done: everything has been removed, it need not look. Else it removes what is
 * there. `cb` may be NULL; p is freed after it. */
void reaper_process_close(struct reaper_process *p, bool done,
                          reaper_process_cb cb, void *user);

#endif /* GUARD_REAPER_PROCESS_H */
