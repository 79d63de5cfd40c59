/* Parses references of images, by the rules of Docker. pull.c needs the
 * registry for the login, and the tag since an engine pulls all tags without
 * one. */
#include "engine/ref.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#define TAG_MAX      128
#define REF_NAME_MAX 255

static bool all_of(const char *text, size_t len, const char *more)
{
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)text[i]) &&
            (text[i] == '\0' || strchr(more, text[i]) == NULL))
            return false;
    }
    return len > 0;
}

/* True for a part of a path: lower case letters and digits, with ".", "_", "__"
 * or dashes between them. */
static bool is_part(const char *part, size_t len)
{
    if (!all_of(part, len, "._-") || !isalnum((unsigned char)part[0]) ||
        !isalnum((unsigned char)part[len - 1]))
        return false;
    for (size_t i = 1; i < len; i++) {
        bool dot = part[i] == '.' && !isalnum((unsigned char)part[i - 1]);
        bool after = part[i] == '_' && part[i - 1] != '_' &&
                     !isalnum((unsigned char)part[i - 1]);

        if (dot || after || isupper((unsigned char)part[i]))
            return false;
    }
    return !isupper((unsigned char)part[0]);
}

static bool is_path(const char *path)
{
    while (true) {
        size_t len = strcspn(path, "/");

        if (!is_part(path, len))
            return false;
        if (path[len] == '\0')
            return true;
        path += len + 1;
    }
}

/* Length of the registry. The part before the first '/' is one when it looks
 * like a host. */
static size_t registry_len(const char *name)
{
    size_t len = strcspn(name, "/");

    if (name[len] == '\0')
        return 0;
    if (len == strlen("localhost") && str_starts(name, "localhost"))
        return len;
    for (size_t i = 0; i < len; i++) {
        if (name[i] == '.' || name[i] == ':' || isupper((unsigned char)name[i]))
            return len;
    }
    return 0;
}

static bool is_good(const struct ref *r, const char *path)
{
    size_t colon = r->digest == NULL ? 0 : strcspn(r->digest, ":");

    if (!is_path(path) || strlen(r->name) > REF_NAME_MAX)
        return false;
    if (r->tag != NULL &&
        (strlen(r->tag) > TAG_MAX || !all_of(r->tag, strlen(r->tag), "_.-") ||
         r->tag[0] == '.' || r->tag[0] == '-'))
        return false;
    return r->digest == NULL ||
           (all_of(r->digest, colon, "+._-") && r->digest[colon] == ':' &&
            strlen(r->digest + colon + 1) >= 32 &&
            all_of(r->digest + colon + 1, strlen(r->digest + colon + 1), ""));
}

int ref_parse(struct ref *out, const char *text, struct err *err)
{
    size_t name_len = strcspn(text, "@"), host_len;
    const char *slash = memrchr(text, '/', name_len);
    const char *colon = memrchr(text, ':', name_len);
    const char *path, *why = "";

    *out = (struct ref){ 0 };
    if (text[name_len] == '@')
        out->digest = xstrdup(text + name_len + 1);
    if (colon != NULL && (slash == NULL || colon > slash)) {
        out->tag =
            str_dup_len(colon + 1, (size_t)(text + name_len - colon - 1));
        name_len = (size_t)(colon - text);
    } else if (out->digest == NULL) {
        out->tag = xstrdup("latest");
    }
    out->name = str_dup_len(text, name_len);
    host_len = registry_len(out->name);
    out->registry =
        host_len == 0 ? xstrdup("docker.io") : str_dup_len(out->name, host_len);
    path = out->name + host_len + (host_len > 0);
    if (is_good(out, path))
        return 0;

    for (const char *p = path; *p != '\0'; p++) {
        if (isupper((unsigned char)*p))
            why = ": repository name must be lowercase";
    }
    ref_release(out);
    return err_set(err, ERR_INVALID, "invalid image reference \"%.200s\"%s",
                   text, why);
}

void ref_release(struct ref *r)
{
    free(r->name);
    free(r->registry);
    free(r->tag);
    free(r->digest);
    *r = (struct ref){ 0 };
}
