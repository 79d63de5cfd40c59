/*
 * strv -- a list of strings that owns them, NULL terminated, so that `v` can
 * be handed to exec or walked without the length.
 *
 *     struct strv argv = { 0 };
 *     strv_add(&argv, "sh");
 *     strv_printf(&argv, "--port=%d", port);
 *     strv_release(&argv);
 *
 * A zeroed struct is an empty list; its `v` is NULL.
 */
#ifndef BASE_STRV_H
#define BASE_STRV_H

#include <stdbool.h>
#include <stddef.h>

struct strv {
    char **v;
    size_t len;
};

/* These copy the text and add it at the end. */
void strv_add(struct strv *list, const char *text);
void strv_add_len(struct strv *list, const char *text, size_t len);
void strv_add_all(struct strv *list, const struct strv *from);
void strv_printf(struct strv *list, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
bool strv_has(const struct strv *list, const char *text);

/* The value of KEY in a list of "KEY=VALUE" (labels, an environment): of the
 * first element with that key, borrowed; "" when there is none. */
const char *strv_value(const struct strv *list, const char *key);
/* By bytes, in place. */
void strv_sort(struct strv *list);

/* The elements as one text, such as "a, b, c"; the caller frees it. */
char *strv_join(const struct strv *list, const char *between);

void strv_release(struct strv *list);

#define cleanup_strv __attribute__((cleanup(strv_release)))

#endif /* BASE_STRV_H */
