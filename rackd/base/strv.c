/* The list of strings that arguments, labels and names are kept in. */
#include "base/strv.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* Takes `text` over. */
static void push(struct strv *list, char *text)
{
    /* The room doubles whenever the length is one less than a power of two, so
     * that the struct needs no member for its capacity. */
    if ((list->len & (list->len + 1)) == 0)
        list->v = xrealloc(list->v, (2 * list->len + 2) * sizeof(*list->v));
    list->v[list->len++] = text;
    list->v[list->len] = NULL;
}

void strv_add(struct strv *list, const char *text)
{
    push(list, xstrdup(text));
}

void strv_add_len(struct strv *list, const char *text, size_t len)
{
    push(list, str_dup_len(text, len));
}

void strv_add_all(struct strv *list, const struct strv *from)
{
    for (size_t i = 0; i < from->len; i++)
        strv_add(list, from->v[i]);
}

void strv_printf(struct strv *list, const char *fmt, ...)
{
    struct str s = { 0 };
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(&s, fmt, ap);
    va_end(ap);
    push(list, str_take(&s));
}

bool strv_has(const struct strv *list, const char *text)
{
    for (size_t i = 0; i < list->len; i++)
        if (strcmp(list->v[i], text) == 0)
            return true;
    return false;
}

const char *strv_value(const struct strv *list, const char *key)
{
    size_t len = strlen(key);

    for (size_t i = 0; i < list->len; i++)
        if (strncmp(list->v[i], key, len) == 0 && list->v[i][len] == '=')
            return list->v[i] + len + 1;
    return "";
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(struct strv *list)
{
    if (list->len > 1)
        qsort(list->v, list->len, sizeof(*list->v), by_text);
}

char *strv_join(const struct strv *list, const char *between)
{
    struct str s = { 0 };

    for (size_t i = 0; i < list->len; i++)
        str_printf(&s, "%s%s", i == 0 ? "" : between, list->v[i]);
    return str_take(&s);
}

void strv_release(struct strv *list)
{
    for (size_t i = 0; i < list->len; i++)
        free(list->v[i]);
    free(list->v);
    *list = (struct strv){ 0 };
}
