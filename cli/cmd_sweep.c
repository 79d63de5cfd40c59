/* `cvx sweep`: prints what dead racks left on the engine, as rackd removes
 * it. */
#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/app.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/events.h"
#include "cli/report.h"
#include "cli/stream.h"

struct sweeping {
    struct cli *cli;
    bool dry, json;
    int found, removed;
};

/* Prints "removed container demo-s1-web-1, of rackd 123, which is gone". */
static void tell(struct sweeping *s, const struct event *e)
{
    bool removed = event_true(e->json, "removed");
    const char *why_not = event_string(e->json, "error");

    s->found++;
    s->removed += removed;
    term_printf(&s->cli->out, "%s %s %s, %s\n",
                s->dry    ? "would remove"
                : removed ? "removed"
                          : "cannot remove",
                e->kind, e->name, e->why);
    if (*why_not != '\0')
        term_printf(&s->cli->err, "ERROR: %s %s: %s\n", e->kind, e->name,
                    why_not);
}

static void on_event(const struct event *e, const char *line, size_t len,
                     void *user)
{
    struct sweeping *s = user;
    cleanup_str struct str text = { 0 };

    if (s->json)
        term_printf(&s->cli->out, "%.*s\n", (int)len, line);
    else if (e->type == EVENT_LEFTOVER)
        tell(s, e);
    else if (e->type == EVENT_ERROR)
        report_error(e, &s->cli->err, &text);
    term_put(&s->cli->err, &text);
}

int cmd_sweep(struct cli *cli, struct err *err)
{
    cleanup_client struct client c = { 0 };
    struct sweeping s = { .cli = cli,
                          .dry = flags_has(&cli->flags, "dry-run"),
                          .json = flags_has(&cli->flags, "json") };
    cJSON *body;
    int status;

    if (client_open(&c, CLIENT_START, err) < 0)
        return -1;
    body = cJSON_CreateObject();
    cJSON_AddItemToObject(body, "client_env", app_client_env());
    cJSON_AddBoolToObject(body, "dry_run", s.dry);
    status = stream_run(&c, "POST", "/sweep", body, on_event, &s, err);
    cJSON_Delete(body);
    if (status == 0 && !s.json && s.found == 0)
        term_puts(&cli->out, "Nothing is left behind\n");
    return status;
}
