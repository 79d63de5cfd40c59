/* json -- cJSON without its traps: keys are compared with their case, absent
 * members are empty, and numbers are clamped. Private to engine/. */
#ifndef ENGINE_JSON_H
#define ENGINE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>

struct str;
struct strv;

const cJSON *json_get(const cJSON *object, const char *key);

/* The member when it is an object, so that its children have names; else
 * NULL. */
const cJSON *json_map(const cJSON *object, const char *key);

/* The value of a member, or "", 0 and false when it is absent or of another
 * type. Texts are borrowed. */
const char *json_text(const cJSON *object, const char *key);
long long json_int(const cJSON *object, const char *key);
bool json_true(const cJSON *object, const char *key);

/* Append the strings of an array; the keys of an object; "key=value" for each
 * member of an object. */
void json_strings(const cJSON *array, struct strv *out);
void json_keys(const cJSON *object, struct strv *out);
void json_pairs(const cJSON *object, struct strv *out);

/* Add a member, unless the list or text is NULL or the list is empty. */
void json_add_text(cJSON *object, const char *key, const char *text);
void json_add_strings(cJSON *object, const char *key, const struct strv *list);
void json_add_pairs(cJSON *object, const char *key, const struct strv *list);

/* The tree as text, which the caller frees; the tree is deleted. */
char *json_take_text(cJSON *tree);

#endif /* ENGINE_JSON_H */
