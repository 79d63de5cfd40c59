/* `cvx logs`: prints lines of a running app, those that rackd has stored and,
 * with --follow, those that come. */
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/percent.h"
#include "base/str.h"
#include "cli/app.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/events.h"
#include "cli/stream.h"
#include "cli/tags.h"
#include "cli/text.h"
#include "cli/when.h"

struct logs {
    struct cli *cli;
    struct tags tags;
    bool json;
};

static enum text_strip strip_for(const struct term *t)
{
    if (t->colour)
        return t->is_tty ? TEXT_NO_MOVES : TEXT_KEEP;
    return t->is_tty ? TEXT_NO_CSI : TEXT_NO_COLOUR;
}

static void add_line(const struct logs *l, const char *line, size_t len,
                     struct str *out)
{
    const struct term *t = &l->cli->out;

    if (memchr(line, '\033', len) == NULL) {
        str_add_len(out, line, len);
        return;
    }
    text_strip(out, line, len, strip_for(t));
    if (t->colour)
        str_add(out, "\033[0m");
}

/* Adds lines in the format of Convox: "2026-01-02T15:04:05Z service/web/1
 * text". */
static void add_lines(struct logs *l, const struct event *e, struct str *out)
{
    cleanup_str struct str head = { 0 }, painted = { 0 };
    const char *line = e->line, *end = e->line + e->len, *nl;

    when_rfc3339(&head, e->time_ms);
    str_printf(&head, " %s", e->source);
    tags_paint(&l->tags, e->tag, str_c(&head), &painted);
    str_add_char(&painted, ' ');
    do {
        nl = memchr(line, '\n', (size_t)(end - line));
        if (nl == NULL)
            nl = end;
        str_add_len(out, str_c(&painted), painted.len);
        add_line(l, line, (size_t)(nl - line), out);
        str_add_char(out, '\n');
        line = nl + 1;
    } while (line <= end);
}

static void on_event(const struct event *e, const char *line, size_t len,
                     void *user)
{
    struct logs *l = user;
    cleanup_str struct str out = { 0 };

    if (l->json) {
        str_add_len(&out, line, len);
        str_add_char(&out, '\n');
    } else if (e->type == EVENT_TEXT) {
        add_lines(l, e, &out);
    } else if (e->type == EVENT_LOST) {
        term_printf(&l->cli->err, "WARNING: %" PRId64 " log lines dropped\n",
                    e->lines);
    }
    term_put(&l->cli->out, &out);
}

static int add_query(struct str *target, const struct flags *f, struct err *err)
{
    const char *service = flags_get(f, "service");
    const char *tail = flags_get(f, "tail");
    long long since;
    long lines;

    if (flags_duration(f, "since", -1, &since, err) < 0)
        return -1;
    if (tail != NULL && !str_to_long(tail, 0, 100000000, &lines))
        return err_set(err, ERR_INVALID, "not a number of lines: --tail %s",
                       tail);
    if (service != NULL) {
        str_add(target, "&service=");
        percent_encode(target, service, "");
    }
    if (since >= 0)
        str_printf(target, "&since_ms=%" PRId64,
                   when_unix_ms() - (int64_t)since);
    if (tail != NULL)
        str_printf(target, "&tail=%ld", lines);
    if (flags_has(f, "follow"))
        str_add(target, "&follow=1");
    if (!flags_has(f, "json"))
        str_add(target, "&text=1");
    return 0;
}

int cmd_logs(struct cli *cli, struct err *err)
{
    cleanup_client struct client c = { 0 };
    cleanup_free char *app = app_name(&cli->flags, err);
    cleanup_free char *path =
        app == NULL ? NULL : app_target(&cli->flags, "/logs", err);
    cleanup_str struct str target = { 0 };
    struct logs l = { .cli = cli, .json = flags_has(&cli->flags, "json") };
    int status;

    if (path == NULL)
        return -1;
    str_add(&target, path);
    if (add_query(&target, &cli->flags, err) < 0 ||
        client_open_app(&c, app, err) < 0)
        return -1;
    tags_init(&l.tags, cli->out.colour);
    status = stream_run(&c, "GET", str_c(&target), NULL, on_event, &l, err);
    tags_release(&l.tags);
    return status;
}
