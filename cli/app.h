/* app -- which app a command is about, and what rackd is told of the user's
 * directory and environment. */
#ifndef CLI_APP_H
#define CLI_APP_H

#include <cjson/cJSON.h>

struct err;
struct flags;
struct strv;

/* The name of the app: -a, else the text of .convox/app, else the name of the
 * directory. It is passed on as it is; rackd makes a valid name of it. The
 * caller frees it; NULL with *err set. */
char *app_name(const struct flags *flags, struct err *err);

/* "PATH?app=NAME"; the caller frees it. NULL with *err set. */
char *app_target(const struct flags *flags, const char *path, struct err *err);

/* The "source" of PROTOCOL.md, from the flags -m, -a, -e and --env-file. The
 * caller deletes it; NULL with *err set. */
cJSON *app_source(const struct flags *flags, struct err *err);

/* The strings as a JSON list. */
cJSON *app_strings(const struct strv *list);

/* Deletes the data that --keep-data kept of a resource, or ("") of the whole
 * app; rackd is started when none runs. The caller deletes the answer; NULL
 * with *err set. */
cJSON *app_reset(const struct flags *flags, const char *resource,
                 struct err *err);

/* The user's variables that rackd needs to find the engine (DOCKER_HOST, HOME,
 * ...): rackd may have been started from another environment. */
cJSON *app_client_env(void);

#endif /* CLI_APP_H */
