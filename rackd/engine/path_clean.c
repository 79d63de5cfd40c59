/* Cleans a path as Go does, for Dockerfile names and .dockerignore patterns,
 * which the docker CLI cleans in the same way. */
#include "engine/path_clean.h"

#include <stdbool.h>
#include <string.h>

#include "base/str.h"

/* Removes the last part of the path; false when there is none that could be
 * removed. */
static bool drop_last(struct str *out, size_t root)
{
    const char *text = str_c(out);
    size_t len = out->len;

    while (len > root && text[len - 1] != '/')
        len--;
    if (out->len == root || strcmp(text + len, "..") == 0)
        return false;
    str_cut(out, len > root ? len - 1 : root);
    return true;
}

char *path_clean(const char *path)
{
    struct str out = { 0 };
    size_t root = *path == '/';

    str_add_len(&out, path, root);
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        bool up = len == 2 && path[0] == '.' && path[1] == '.';
        bool same = len == 0 || (len == 1 && path[0] == '.');

        if (!same && !(up && (drop_last(&out, root) || root > 0))) {
            if (out.len > root)
                str_add_char(&out, '/');
            str_add_len(&out, path, len);
        }
        path += len + (path[len] == '/');
    }
    if (out.len == 0)
        str_add(&out, ".");
    return str_take(&out);
}
