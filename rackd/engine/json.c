/* Helpers around cJSON; every file of engine/ that reads or writes the JSON of
 * the engine uses them. */
#include "engine/json.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"

/* A double holds every integer up to here. */
#define EXACT_MAX 9007199254740992.0

const cJSON *json_get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

const cJSON *json_map(const cJSON *object, const char *key)
{
    const cJSON *item = json_get(object, key);

    return cJSON_IsObject(item) ? item : NULL;
}

const char *json_text(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(json_get(object, key));

    return text == NULL ? "" : text;
}

long long json_int(const cJSON *object, const char *key)
{
    const cJSON *item = json_get(object, key);

    /* cJSON's valueint stops at 2147483647, and the memory of a machine is
     * more. */
    if (!cJSON_IsNumber(item))
        return 0;
    if (item->valuedouble > EXACT_MAX)
        return (long long)EXACT_MAX;
    if (item->valuedouble < -EXACT_MAX)
        return -(long long)EXACT_MAX;
    return (long long)item->valuedouble;
}

bool json_true(const cJSON *object, const char *key)
{
    return cJSON_IsTrue(json_get(object, key)) != 0;
}

void json_strings(const cJSON *array, struct strv *out)
{
    const cJSON *item;

    /* In old images ENTRYPOINT may be a string instead of a list. */
    if (cJSON_IsString(array))
        strv_add(out, array->valuestring);
    if (!cJSON_IsArray(array))
        return;
    cJSON_ArrayForEach(item, array)
    {
        if (cJSON_IsString(item))
            strv_add(out, item->valuestring);
    }
}

void json_keys(const cJSON *object, struct strv *out)
{
    const cJSON *item;

    if (!cJSON_IsObject(object))
        return;
    cJSON_ArrayForEach(item, object) strv_add(out, item->string);
}

void json_pairs(const cJSON *object, struct strv *out)
{
    const cJSON *item;

    if (!cJSON_IsObject(object))
        return;
    cJSON_ArrayForEach(item, object)
    {
        if (cJSON_IsString(item))
            strv_printf(out, "%s=%s", item->string, item->valuestring);
    }
}

void json_add_text(cJSON *object, const char *key, const char *text)
{
    if (text != NULL)
        cJSON_AddStringToObject(object, key, text);
}

void json_add_strings(cJSON *object, const char *key, const struct strv *list)
{
    cJSON *array;

    if (list == NULL || list->len == 0)
        return;
    array = cJSON_AddArrayToObject(object, key);
    for (size_t i = 0; i < list->len; i++)
        cJSON_AddItemToArray(array, cJSON_CreateString(list->v[i]));
}

void json_add_pairs(cJSON *object, const char *key, const struct strv *list)
{
    cJSON *map;

    if (list == NULL || list->len == 0)
        return;
    map = cJSON_AddObjectToObject(object, key);
    for (size_t i = 0; i < list->len; i++) {
        const char *eq = strchr(list->v[i], '=');
        size_t len =
            eq == NULL ? strlen(list->v[i]) : (size_t)(eq - list->v[i]);
        cleanup_free char *name = str_dup_len(list->v[i], len);

        /* As in an environment, the last of two equal keys counts. */
        cJSON_DeleteItemFromObjectCaseSensitive(map, name);
        cJSON_AddStringToObject(map, name, eq == NULL ? "" : eq + 1);
    }
}

char *json_take_text(cJSON *tree)
{
    char *text = cJSON_PrintUnformatted(tree);

    cJSON_Delete(tree);
    if (text == NULL)
        abort(); /* only when there is no memory */
    return text;
}
