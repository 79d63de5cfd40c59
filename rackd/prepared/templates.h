/*
 * templates -- images of databases' first data (run/template.h), made one
 * session after the other: each starts the databases of a plan, stops them
 * cleanly and keeps what they wrote.
 *
 *     ts = templates_new(&spec);       listens to every start from now on
 *     templates_make(ts, ...);         for `cvx templates build`
 *     templates_close(ts);             after all tenants are over
 *
 * A start that missed a template, and is ready, has it made behind its back;
 * ten of them ask ten times, and the second time it is there.
 */
#ifndef PREPARED_TEMPLATES_H
#define PREPARED_TEMPLATES_H

#include <stdbool.h>

struct app_runs;
struct env;
struct link;
struct plan;
struct store;
struct template_list;
struct templates;
struct tenants;

/* What happens to one that is made: state is "there" (it was), "made", "bad"
 * (it did not work lately), "failed" (`text` says why), and at last "end"
 * (`text`: "" or what went wrong). */
typedef void (*template_cb)(const char *state, const char *resource,
                            const char *text, void *user);

/* All borrowed, until templates_close(). */
struct templates_spec {
    struct tenants *tenants;
    struct app_runs *runs;
    struct template_list *list;
};

struct templates *templates_new(const struct templates_spec *spec);

/* Makes those of `plan` that are missing, after those that wait; the plan is
 * referenced. False: there are none to make. cb runs to the "end", from the
 * loop. */
bool templates_make(struct templates *ts, struct link *link, struct plan *plan,
                    const struct env *client_env, const char *dir,
                    template_cb cb, void *user);

/* Nothing is being made, and nothing waits to be. */
bool templates_are_idle(const struct templates *ts);

/* No session of it lives any more. It frees itself from the loop. */
void templates_close(struct templates *ts);

#endif /* PREPARED_TEMPLATES_H */
