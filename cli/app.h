/* app -- which app a command is about, and what rackd is told of the caller. */
#ifndef CLI_APP_H
#define CLI_APP_H

#include <cjson/cJSON.h>

struct err;
struct flags;
struct strv;

/* -a, else the text of .convox/app, else the directory's name, as it is:
 * rackd makes it a name. The caller frees it; NULL: *err. */
char *app_name(const struct flags *flags, struct err *err);

/* "PATH?app=NAME"; the caller frees it. NULL: *err. */
char *app_target(const struct flags *flags, const char *path, struct err *err);

/* The "source" of PROTOCOL.md from -m, -a, -e and --env-file. */
cJSON *app_source(const struct flags *flags, struct err *err);

/* A JSON list of the strings. */
cJSON *app_strings(const struct strv *list);

/* Forget what --keep-data kept of a resource, or ("") of the whole app; rackd
 * is started when none runs. The caller deletes the answer; NULL: *err. */
cJSON *app_reset(const struct flags *flags, const char *resource,
                 struct err *err);

/* The caller's engine settings. */
cJSON *app_client_env(void);

#endif /* CLI_APP_H */
