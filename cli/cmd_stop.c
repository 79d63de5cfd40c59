/* `cvx stop` and `cvx down`: stop an app; `down` also removes its warm
 * resources and, with --data, its kept data. */
#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/percent.h"
#include "base/str.h"
#include "cli/app.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/events.h"
#include "cli/report.h"
#include "cli/stream.h"

struct stopping {
    struct cli *cli;
    bool json, down;
    struct str removed;
};

static void on_event(const struct event *e, const char *line, size_t len,
                     void *user)
{
    struct stopping *s = user;
    cleanup_str struct str text = { 0 };

    if (s->json) {
        term_printf(&s->cli->out, "%.*s\n", (int)len, line);
        return;
    }
    if (e->type == EVENT_REMOVED)
        report_removed(e, &s->removed);
    if (e->type == EVENT_WARM) {
        str_add_char(&s->removed, '\n');
        report_warm(e, &s->removed);
    }
    if (e->type == EVENT_ERROR)
        report_error(e, &s->cli->err, &text);
    if (e->type == EVENT_WARNING)
        report_warning(e->text, &s->cli->err, &text);
    term_put(&s->cli->err, &text);
}

/* Stops the app and prints "Stopping X... OK", as Convox does. */
static int stop(struct stopping *s, const struct client *c, const char *app,
                struct err *err)
{
    cleanup_str struct str target = { 0 };
    int status;

    str_add(&target, "/apps/");
    percent_encode(&target, app, "");
    str_add(&target, s->down ? "/stop?warm=drop" : "/stop");
    if (!s->json)
        term_printf(&s->cli->out, "Stopping %s... ", app);
    status = stream_run(c, "POST", str_c(&target), NULL, on_event, s, err);
    if (status == 0 && !s->json)
        term_printf(&s->cli->out, "OK\n%s%s", str_c(&s->removed),
                    s->removed.len > 0 ? "\n" : "");
    return status;
}

/* Deletes the data that --keep-data kept. When there is none, that is success
 * too. */
static int forget(struct cli *cli, const char *app, struct err *err)
{
    bool json = flags_has(&cli->flags, "json");
    cJSON *answer;
    int volumes = 0;

    if (!json)
        term_printf(&cli->out, "Forgetting the data of %s... ", app);
    answer = app_reset(&cli->flags, "", err);
    if (answer == NULL && err->code != ERR_NOT_FOUND)
        return -1;
    if (answer != NULL)
        volumes = (int)event_number(answer, "volumes");
    if (json)
        term_printf(&cli->out, "{\"type\":\"forgotten\",\"volumes\":%d}\n",
                    volumes);
    else
        term_printf(&cli->out, "OK\nremoved %d kept volume%s\n", volumes,
                    volumes == 1 ? "" : "s");
    cJSON_Delete(answer);
    return CLI_OK;
}

/* With --data an app that does not run is success: its data can be deleted all
 * the same. */
static int stop_if_running(struct stopping *s, const char *app, struct err *err)
{
    cleanup_client struct client c = { 0 };
    bool asked = client_open_app(&c, app, err) == 0;
    int status = asked ? stop(s, &c, app, err) : -1;

    if (status >= 0 || err->code != ERR_NOT_FOUND ||
        !flags_has(&s->cli->flags, "data"))
        return status;
    if (!asked && !s->json)
        term_printf(&s->cli->out, "Stopping %s... ", app);
    if (!s->json)
        term_puts(&s->cli->out, "OK, it was not running\n");
    return CLI_OK;
}

int cmd_down(struct cli *cli, struct err *err)
{
    cleanup_free char *app = app_name(&cli->flags, err);
    struct stopping s = { .cli = cli, .json = flags_has(&cli->flags, "json") };
    int status;

    s.down = true;
    if (app == NULL)
        return -1;
    status = stop_if_running(&s, app, err);
    str_release(&s.removed);
    if (status == 0 && flags_has(&cli->flags, "data"))
        status = forget(cli, app, err);
    return status;
}

int cmd_stop(struct cli *cli, struct err *err)
{
    cleanup_client struct client c = { 0 };
    cleanup_free char *app = app_name(&cli->flags, err);
    struct stopping s = { .cli = cli, .json = flags_has(&cli->flags, "json") };
    int status;

    if (app == NULL || client_open_app(&c, app, err) < 0)
        return -1;
    status = stop(&s, &c, app, err);
    str_release(&s.removed);
    return status;
}
