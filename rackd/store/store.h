/*
 * store -- what a rack remembers on disk: its id, its databases' password,
 * each app's environment (`cvx env set`) and timings of its starts. All 0600 in
 * a 0700 directory, $XDG_STATE_HOME/cvx/RACK or ~/.local/state/cvx/RACK. Small
 * files, read and written at once; writes replace the file by rename.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

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

/* Makes what is missing. */
int store_open(struct store *st, const char *rack, struct err *err);
void store_release(struct store *st);

/* An app nobody stored anything for has an empty environment. */
int store_env_load(const struct store *st, const char *app, struct env *env,
                   struct err *err);
int store_env_save(const struct store *st, const char *app,
                   const struct env *env, struct err *err);

/* Lines of JSON (history.h); none where none were stored. */
int store_timings_load(const struct store *st, const char *app, struct str *out,
                       struct err *err);
int store_timings_save(const struct store *st, const char *app,
                       const struct str *text, struct err *err);

#endif /* STORE_STORE_H */
