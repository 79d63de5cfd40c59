/* Fills in an error. Every fallible function of rackd and cvx ends here when it
 * fails. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    va_list ap;

    err->code = code;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    char context[128]; /* longer ones are cut, to leave room for the rest */
    char old[sizeof(err->msg)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(context, sizeof(context), fmt, ap);
    va_end(ap);

    snprintf(old, sizeof(old), "%s", err->msg);
    snprintf(err->msg, sizeof(err->msg), "%s: %.890s", context, old);
    return -1;
}
