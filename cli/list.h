/* list -- commands that ask one question about an app and print the answer. */
#ifndef CLI_LIST_H
#define CLI_LIST_H

#include <cjson/cJSON.h>
#include <stdbool.h>

struct cli;
struct err;

/* GET PATH?app=..., of a running app; NULL: *err. */
cJSON *list_fetch(struct cli *cli, const char *path, struct err *err);

/* The answer itself, when --json was given. True when it was. */
bool list_json(struct cli *cli, const cJSON *answer);

/* The entry of the list whose `key` is `name`; NULL: none. */
const cJSON *list_find(const cJSON *list, const char *key, const char *name);

#endif /* CLI_LIST_H */
