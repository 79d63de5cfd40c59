/* Reads what the rack writes to the reaper's stdin. main.c waits here for as
 * long as the rack lives. */
#include "images/reaper/lease.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* The lines of a rack are short: whoever writes a longer one is no rack. */
#define LINE_MAX_BYTES 4096

/* Removes the first line, which ends at `end`. LEASE_NOTHING when it is none
 * that we know: a newer rack may say more. */
static enum lease_event read_line(struct lease *l, char *end)
{
    enum lease_event event = LEASE_NOTHING;

    *end = '\0';
    if (strcmp(l->in.s, "done") == 0)
        event = LEASE_DONE;
    if (str_starts(l->in.s, "lease ")) {
        event = LEASE_HELD;
        str_cut(&l->text, 0);
        str_add(&l->text, l->in.s + strlen("lease "));
    }
    str_drop(&l->in, (size_t)(end - l->in.s) + 1);
    return event;
}

/* The event of the next line that means something. */
static enum lease_event take_line(struct lease *l)
{
    enum lease_event event = LEASE_NOTHING;
    char *end;

    while (event == LEASE_NOTHING && l->in.len > 0) {
        end = memchr(l->in.s, '\n', l->in.len);
        if (end == NULL)
            return l->in.len > LINE_MAX_BYTES ? LEASE_GONE : LEASE_NOTHING;
        event = read_line(l, end);
    }
    return event;
}

enum lease_event lease_next(struct lease *l, int timeout_ms)
{
    for (;;) {
        struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
        enum lease_event event = take_line(l);
        char buf[1024];
        ssize_t n;

        if (event != LEASE_NOTHING)
            return event;
        if (poll(&p, 1, timeout_ms) == 0)
            return LEASE_NOTHING;
        n = read(STDIN_FILENO, buf, sizeof(buf));
        if (n > 0)
            str_add_len(&l->in, buf, (size_t)n);
        else if (n == 0 || (errno != EINTR && errno != EAGAIN))
            return LEASE_GONE;
    }
}

const char *lease_text(const struct lease *l)
{
    return str_c(&l->text);
}

void lease_release(struct lease *l)
{
    str_release(&l->in);
    str_release(&l->text);
}

void lease_answer(const char *why)
{
    if (*why == '\0')
        dprintf(STDOUT_FILENO, "ok\n");
    else
        dprintf(STDOUT_FILENO, "no %s\n", why);
}
