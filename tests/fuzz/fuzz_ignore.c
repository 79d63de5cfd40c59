/* .dockerignore: the first line of the input is a path, the rest the file.
 * The Dockerfile reader gets the same bytes: both come from the user's tree. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/strv.h"
#include "engine/context.h"
#include "engine/dockerfile.h"
#include "engine/ignore.h"
#include "engine/path_clean.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_dockerfile(const char *text, size_t len)
{
    struct dockerfile d;
    struct strv replace = { 0 };
    struct str out = { 0 };

    dockerfile_parse(&d, text, len, NULL);
    for (size_t i = 0; i < d.bases.len; i++)
        strv_printf(&replace, "%s=new", d.bases.v[i]);
    dockerfile_rewrite(&out, text, len, &replace);
    str_release(&out);
    strv_release(&replace);
    dockerfile_release(&d);
}

/* A path as a walk makes it. */
static int is_plain(const char *path, size_t len)
{
    char *clean = path_clean(path);
    int plain = strlen(path) == len && *path != '/' && *path != '.' &&
                strcmp(clean, path) == 0;

    free(clean);
    return plain;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *nl = size == 0 ? NULL : memchr(text, '\n', size);
    size_t len = nl == NULL ? 0 : (size_t)(nl - text);
    char *path = str_dup_len(text, len);
    size_t used = nl == NULL ? 0 : len + 1;
    struct ignore *ig = ignore_new(text + used, size - used);
    bool ignored = ignore_match(ig, path);

    /* What may be skipped can hold nothing that comes back. */
    if (ignored && is_plain(path, len) && ignore_can_skip(ig, path)) {
        char *below = malloc(len + 3);

        memcpy(below, path, len);
        memcpy(below + len, "/x", 3);
        if (!ignore_match(ig, below))
            abort();
        free(below);
    }
    ignore_free(ig);
    free(path);
    read_dockerfile(text, size);
    return 0;
}
