/* `cvx doctor`: prints the checks that rackd makes of the engine and of this
 * machine, as they come. */
#include "base/err.h"
#include "base/str.h"
#include "cli/app.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/events.h"
#include "cli/report.h"
#include "cli/stream.h"

static void on_event(const struct event *e, const char *line, size_t len,
                     void *user)
{
    struct cli *cli = user;
    cleanup_str struct str out = { 0 };

    if (flags_has(&cli->flags, "json")) {
        str_add_len(&out, line, len);
        str_add_char(&out, '\n');
    } else if (e->type == EVENT_CHECK) {
        report_check(e, &cli->out, &out);
    }
    term_put(&cli->out, &out);
}

int cmd_doctor(struct cli *cli, struct err *err)
{
    cleanup_client struct client c = { 0 };
    cJSON *body;
    int status;

    if (client_open(&c, CLIENT_START, err) < 0)
        return -1;
    body = cJSON_CreateObject();
    cJSON_AddItemToObject(body, "client_env", app_client_env());
    status = stream_run(&c, "POST", "/doctor", body, on_event, cli, err);
    cJSON_Delete(body);
    return status;
}
