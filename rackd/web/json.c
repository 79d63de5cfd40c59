/*
 * Members of JSON objects, in and out. Handlers read request bodies and make
 * answers with it; log lines are quoted without cJSON, which is slower and lets
 * bytes through that are no UTF-8.
 */
#include <cjson/cJSON.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"
#include "web/web.h"

const char *web_text(const struct cJSON *object, const char *name)
{
    const char *text =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

    return text == NULL ? "" : text;
}

int web_bool(const struct cJSON *object, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, name));
}

double web_number(const struct cJSON *object, const char *name,
                  double otherwise)
{
    const struct cJSON *n = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsNumber(n) ? n->valuedouble : otherwise;
}

void web_put(struct cJSON *object, const char *name, const char *text)
{
    cleanup_free char *clean = utf8_clean(text);

    cJSON_AddStringToObject(object, name, clean);
}

static void quote_char(struct str *out, const char *at, size_t len)
{
    unsigned char c = (unsigned char)*at;

    if (len == 0)
        str_add(out, "\xef\xbf\xbd");
    else if (c == '"' || c == '\\')
        str_printf(out, "\\%c", c);
    else if (c < 0x20 || c == 0x7f)
        str_printf(out, "\\u%04x", c);
    else
        str_add_len(out, at, len);
}

void web_quote(struct str *out, const char *text, size_t len)
{
    size_t plain = 0; /* start of what can be copied as it is */
    size_t i = 0;

    str_add_char(out, '"');
    while (i < len) {
        unsigned char c = (unsigned char)text[i];
        size_t n;

        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            i++;
            continue;
        }
        str_add_len(out, text + plain, i - plain);
        n = utf8_len(text + i, len - i);
        quote_char(out, text + i, n);
        i += n == 0 ? 1 : n;
        plain = i;
    }
    str_add_len(out, text + plain, len - plain);
    str_add_char(out, '"');
}
