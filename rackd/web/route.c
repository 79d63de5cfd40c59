/*
 * Patterns of paths. web.c asks for each row of its tables, once for every
 * request.
 */
#include "web/route.h"

#include <string.h>

#include "base/percent.h"
#include "base/str.h"
#include "base/vec.h"
#include "net/httphead.h"

static void add_arg(struct httphead_fields *args, const char *name,
                    size_t name_len, const char *value, size_t len)
{
    struct httphead_field *f = vec_add(args);

    f->name = args->text.len;
    str_add_len(&args->text, name, name_len);
    str_add_char(&args->text, '\0');
    f->value = args->text.len;
    str_add_len(&args->text, value, len);
    str_add_char(&args->text, '\0');
}

/* "demo" against "demo", "{app}" or "{id}.tgz"; `text` is decoded. */
static bool segment_fits(const char *pattern, size_t pattern_len,
                         const struct str *text, struct httphead_fields *args)
{
    const char *name_end = memchr(pattern, '}', pattern_len);
    size_t name_len, end_len;

    if (pattern[0] != '{' || name_end == NULL)
        return text->len == pattern_len &&
               memcmp(str_c(text), pattern, pattern_len) == 0;
    name_len = (size_t)(name_end - pattern) - 1;
    end_len = pattern_len - name_len - 2;
    if (text->len <= end_len ||
        memcmp(text->s + text->len - end_len, name_end + 1, end_len) != 0)
        return false;
    add_arg(args, pattern + 1, name_len, text->s, text->len - end_len);
    return true;
}

/* The length of NAME when the pattern's last segment is "{NAME:*}", else 0. */
static size_t rest_name_len(const char *pattern)
{
    size_t len = strlen(pattern);

    if (len < 5 || pattern[0] != '{' || strchr(pattern, '/') != NULL ||
        !str_ends(pattern, ":*}"))
        return 0;
    return len - 4;
}

bool route_fits(const char *pattern, const char *raw_path,
                struct httphead_fields *args)
{
    while (*pattern == '/' && *raw_path == '/') {
        size_t pattern_len = strcspn(++pattern, "/"), len;
        cleanup_str struct str text = { 0 };

        raw_path += strspn(raw_path, "/");
        if (rest_name_len(pattern) > 0) {
            if (!percent_decode(&text, raw_path, strlen(raw_path),
                                PERCENT_PATH))
                return false;
            add_arg(args, pattern + 1, rest_name_len(pattern), str_c(&text),
                    text.len);
            return true;
        }
        len = strcspn(raw_path, "/");
        if (!percent_decode(&text, raw_path, len, PERCENT_PATH) ||
            !segment_fits(pattern, pattern_len, &text, args))
            return false;
        pattern += pattern_len;
        raw_path += len;
    }
    return *pattern == '\0' && *raw_path == '\0';
}
