/*
 * explain -- why something failed, and what to do about it, in words for the
 * user.
 */
#ifndef RUN_EXPLAIN_H
#define RUN_EXPLAIN_H

#include <stdbool.h>

struct item;

/* "exit status 137 (killed: SIGKILL, out of memory)"; the caller frees. */
char *explain_exit(int status, bool oom);

/* What to do about the engine's error text, or NULL; static. */
const char *explain_engine(const char *text);

/* The same for a step of one item's container; static. */
const char *explain_step(const struct item *it, const char *text);

/* What to do about an item that ended, or NULL; static. */
const char *explain_exit_todo(const struct item *it);

/* The last 20 lines of an item's output since it was started, or NULL; the
 * caller frees. */
char *explain_output(const struct item *it);

#endif /* RUN_EXPLAIN_H */
