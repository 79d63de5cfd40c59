/* query -- commands that ask one question about an app and print the answer. */
#ifndef CLI_QUERY_H
#define CLI_QUERY_H

#include <cjson/cJSON.h>
#include <stdbool.h>

struct cli;
struct err;

/* Sends GET PATH?app=... about a running app. The caller deletes the answer;
 * NULL with *err set. */
cJSON *query_fetch(struct cli *cli, const char *path, struct err *err);

/* Prints the JSON itself when --json was given, and is true then. */
bool query_print_json(struct cli *cli, const cJSON *answer);

/* The entry of a JSON list whose member `key` is `name`; NULL: none. */
const cJSON *query_find(const cJSON *list, const char *key, const char *name);

#endif /* CLI_QUERY_H */
