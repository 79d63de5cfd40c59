/*
 * store -- what a rack remembers on disk: its id, its databases' password, each
 * app's environment (`cvx env set`), the timings of its starts, and when each
 * template was used last.
 *
 *     struct store st = { 0 };
 *     if (store_open(&st, "local", &err) < 0)
 *         return -1;
 *     store_env_load(&st, "shop", &env, &err);
 *     ...
 *     store_release(&st);
 *
 * All of it is in $XDG_STATE_HOME/cvx/RACK or ~/.local/state/cvx/RACK, a
 * directory that nobody else may look into. The files are small: they are read
 * and written at once, on the loop's thread, and replaced by rename, so that a
 * reader never sees half of one. `app` is a name from plan_app_name(), so that
 * it can be part of a file's name.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdint.h>

struct env;
struct err;
struct str;

/* Where a stored variable says that it was set. */
#define STORE_ENV_SOURCE "cvx env set"

struct store {
    char *dir;
    char rack_id[17]; /* this rackd's alone: two on one directory differ */
    int lock_fd;
    char password[31];
};

/* Makes what is missing. On failure store_release() is still to be called. */
int store_open(struct store *st, const char *rack, struct err *err);
void store_release(struct store *st);

/* ---- an app's environment ------------------------------------------------ */

/* Adds to `env`; an app for which nothing was stored has an empty one. */
int store_env_load(const struct store *st, const char *app, struct env *env,
                   struct err *err);

/* On the disk when it returns. */
int store_env_save(const struct store *st, const char *app,
                   const struct env *env, struct err *err);

/* ---- the timings of its starts ------------------------------------------- */

/* Adds lines of JSON (timing/history.h); none where none were stored. */
int store_timings_load(const struct store *st, const char *app, struct str *out,
                       struct err *err);
int store_timings_save(const struct store *st, const char *app,
                       const struct str *text, struct err *err);

/* ---- templates ----------------------------------------------------------- */

/*
 * The engine has the templates themselves; the store has a mark for each, whose
 * time says when it was used last. `name` is the image's, with or without its
 * repository: "cvx-template/mysql:0123456789abcdef".
 */

/* The template was used just now. */
int store_template_touch(const struct store *st, const char *name,
                         struct err *err);

/* When it was used last, in unix seconds; 0: never, as far as is known. */
int64_t store_template_used(const struct store *st, const char *name);

/* The template is gone. */
void store_template_forget(const struct store *st, const char *name);

#endif /* STORE_STORE_H */
