/* Writes to stdout and stderr, and knows what they are. Every command writes
 * through here. */
#include "cli/term.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"

int term_colour_parse(const char *when, enum term_colour *out, struct err *err)
{
    *out = TERM_AUTO;
    if (when == NULL || strcmp(when, "auto") == 0)
        return 0;
    if (strcmp(when, "always") == 0)
        *out = TERM_ALWAYS;
    else if (strcmp(when, "never") == 0)
        *out = TERM_NEVER;
    else
        return err_set(err, ERR_INVALID,
                       "--color is auto, always or never, not %s", when);
    return 0;
}

bool term_wants_colour(enum term_colour colour, bool tty, const char *no_color,
                       const char *force, const char *type)
{
    if (colour != TERM_AUTO)
        return colour == TERM_ALWAYS;
    if (no_color != NULL && *no_color != '\0')
        return false;
    if (force != NULL && *force != '\0' && strcmp(force, "0") != 0)
        return true;
    return tty && (type == NULL || strcmp(type, "dumb") != 0);
}

static bool wants_utf8(void)
{
    static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

    for (size_t i = 0; i < 3; i++) {
        const char *value = getenv(names[i]);

        if (value != NULL && *value != '\0')
            return strcasestr(value, "utf-8") != NULL ||
                   strcasestr(value, "utf8") != NULL;
    }
    return false;
}

void term_init(struct term *t, int fd, enum term_colour colour)
{
    const char *type = getenv("TERM");
    bool tty = isatty(fd) == 1;

    *t = (struct term){ .fd = fd, .utf8 = wants_utf8() };
    t->is_tty = tty && type != NULL && strcmp(type, "dumb") != 0;
    t->colour = term_wants_colour(colour, tty, getenv("NO_COLOR"),
                                  getenv("CLICOLOR_FORCE"), type);
    term_measure(t);
}

void term_measure(struct term *t)
{
    struct winsize size = { 0 };

    t->columns = 80;
    t->rows = 24;
    if (!t->is_tty || ioctl(t->fd, TIOCGWINSZ, &size) < 0)
        return;
    if (size.ws_col >= 8)
        t->columns = size.ws_col;
    if (size.ws_row > 0)
        t->rows = size.ws_row;
}

/* Waits after a write that failed with `error`, until another try makes
 * sense. */
static void wait_writable(struct term *t, int error)
{
    struct pollfd p = { .fd = t->fd, .events = POLLOUT };

    if (error == EINTR) {
        if (t->on_interrupt != NULL)
            t->on_interrupt(t->user);
        return;
    }
    /* Another process may have made stdout non-blocking: that flag is shared by
     * all who have the file open. */
    if (error != EAGAIN || (poll(&p, 1, -1) < 0 && errno != EINTR))
        t->failed = true;
}

void term_write(struct term *t, const char *text, size_t len)
{
    while (len > 0 && !t->failed) {
        ssize_t n = write(t->fd, text, len);

        if (n < 0) {
            wait_writable(t, errno);
            continue;
        }
        text += n;
        len -= (size_t)n;
    }
}

void term_put(struct term *t, const struct str *text)
{
    term_write(t, str_c(text), text->len);
}

void term_puts(struct term *t, const char *text)
{
    term_write(t, text, strlen(text));
}

void term_printf(struct term *t, const char *fmt, ...)
{
    cleanup_str struct str s = { 0 };
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(&s, fmt, ap);
    va_end(ap);
    term_put(t, &s);
}

void term_paint(const struct term *t, struct str *out, const char *code,
                const char *text)
{
    if (t->colour)
        str_printf(out, "\033[%sm%s\033[0m", code, text);
    else
        str_add(out, text);
}
