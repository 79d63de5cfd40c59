/* The growing string that all text is built with. Also linked into the reaper,
 * which is why it needs nothing but base/mem.c. */
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* Makes room for `more` bytes and a NUL. */
static void reserve(struct str *s, size_t more)
{
    size_t need = s->len + more + 1;

    if (need <= s->cap)
        return;
    s->cap = need < 64 ? 64 : need + need / 2;
    s->s = xrealloc(s->s, s->cap);
}

void str_add_len(struct str *s, const char *text, size_t len)
{
    reserve(s, len);
    if (len > 0)
        memcpy(s->s + s->len, text, len);
    s->len += len;
    s->s[s->len] = '\0';
}

void str_add(struct str *s, const char *text)
{
    str_add_len(s, text, strlen(text));
}

void str_add_char(struct str *s, char c)
{
    str_add_len(s, &c, 1);
}

void str_vprintf(struct str *s, const char *fmt, va_list ap)
{
    va_list again;
    int len;

    va_copy(again, ap);
    len = vsnprintf(NULL, 0, fmt, ap);
    if (len > 0) {
        reserve(s, (size_t)len);
        vsnprintf(s->s + s->len, (size_t)len + 1, fmt, again);
        s->len += (size_t)len;
    }
    va_end(again);
}

void str_printf(struct str *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(s, fmt, ap);
    va_end(ap);
}

const char *str_c(const struct str *s)
{
    return s->s == NULL ? "" : s->s;
}

void str_cut(struct str *s, size_t len)
{
    if (len >= s->len)
        return;
    s->len = len;
    s->s[len] = '\0';
}

void str_drop(struct str *s, size_t len)
{
    if (len == 0)
        return;
    if (len >= s->len) {
        str_cut(s, 0);
        return;
    }
    memmove(s->s, s->s + len, s->len - len + 1);
    s->len -= len;
}

char *str_take(struct str *s)
{
    char *text = s->s == NULL ? xstrdup("") : s->s;

    *s = (struct str){ 0 };
    return text;
}

void str_release(struct str *s)
{
    free(s->s);
    *s = (struct str){ 0 };
}

bool str_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *text, const char *suffix)
{
    size_t len = strlen(text), tail = strlen(suffix);

    return len >= tail && strcmp(text + len - tail, suffix) == 0;
}

char *str_dup_len(const char *text, size_t len)
{
    char *copy = xcalloc(1, len + 1);

    if (len > 0)
        memcpy(copy, text, len);
    return copy;
}

bool str_to_long(const char *text, long min, long max, long *out)
{
    char *end;
    long value;

    if (text == NULL || *text == '\0' || *text == ' ' || *text == '+')
        return false;
    errno = 0;
    value = strtol(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < min || value > max)
        return false;
    *out = value;
    return true;
}
