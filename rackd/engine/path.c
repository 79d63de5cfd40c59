/* Builds the paths of requests. Every file of engine/ that sends one uses it,
 * so that nothing from outside gets into a path unescaped. */
#include "engine/path.h"

#include <string.h>

#include "base/mem.h"
#include "base/percent.h"
#include "base/str.h"
#include "engine/json.h"

void path_begin(struct str *path, const char *kind, const char *id,
                const char *what)
{
    str_add(path, kind);
    percent_encode(path, id, "/:@");
    str_add(path, what);
}

void path_query(struct str *path, const char *key, const char *value)
{
    if (value == NULL)
        return;
    str_add_char(path, strchr(str_c(path), '?') == NULL ? '?' : '&');
    str_add(path, key);
    str_add_char(path, '=');
    percent_encode(path, value, "/:");
}

void path_filter(struct str *path, const char *key, const char *value)
{
    cJSON *filters;
    cleanup_free char *text = NULL;

    if (value == NULL)
        return;
    filters = cJSON_CreateObject();
    cJSON_AddItemToArray(cJSON_AddArrayToObject(filters, key),
                         cJSON_CreateString(value));
    text = json_take_text(filters);
    path_query(path, "filters", text);
}

void path_label(struct str *path, const char *label)
{
    path_filter(path, "label", label);
}
