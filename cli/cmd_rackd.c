/* `cvx rackd status` and `cvx rackd stop`: the daemon itself. Neither starts
 * one. */
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/events.h"
#include "cli/query.h"
#include "cli/table.h"
#include "cli/when.h"

static void add_number(struct table *t, const char *name, double value,
                       const char *unit)
{
    cleanup_free char *text = xasprintf("%.0f%s", value, unit);

    table_row(t, name, text);
}

static void print_status(struct cli *cli, const cJSON *v)
{
    cleanup_table struct table t = { .columns = 2 };
    cleanup_str struct str out = { 0 }, up = { 0 };
    cleanup_free char *memory =
        xasprintf("%.1f MB", event_number(v, "rss_kb") / 1024);

    when_elapsed(&up, (int64_t)event_number(v, "uptime_s") * 1000);
    table_row(&t, "Status", "running");
    table_row(&t, "Version", event_string(v, "version"));
    table_row(&t, "Build", event_string(v, "build"));
    add_number(&t, "Pid", event_number(v, "pid"), "");
    add_number(&t, "Sessions", event_number(v, "sessions"), "");
    table_row(&t, "Memory", memory);
    table_row(&t, "Up", str_c(&up));
    table_row(&t, "Socket", event_string(v, "socket"));
    table_row(&t, "Log", event_string(v, "log"));
    table_print(&t, &out);
    term_put(&cli->out, &out);
}

int cmd_rackd_status(struct cli *cli, struct err *err)
{
    cleanup_client struct client c = { 0 };
    cJSON *version;

    if (client_open(&c, CLIENT_FIND, err) < 0) {
        if (err->code != ERR_UNAVAILABLE)
            return -1;
        term_puts(&cli->out, flags_has(&cli->flags, "json")
                                 ? "{\"running\":false}\n"
                                 : "Status  not running\n");
        return CLI_FAILED;
    }
    version = client_call(&c, "GET", "/version", NULL, err);
    if (version == NULL)
        return -1;
    if (flags_has(&cli->flags, "json"))
        cJSON_AddBoolToObject(version, "running", true);
    if (!query_print_json(cli, version))
        print_status(cli, version);
    cJSON_Delete(version);
    return CLI_OK;
}

/* When no rackd runs, the user has what they wanted: success. */
int cmd_rackd_stop(struct cli *cli, struct err *err)
{
    cleanup_client struct client c = { 0 };

    term_puts(&cli->out, "Stopping rackd... ");
    if (client_open(&c, CLIENT_FIND, err) < 0) {
        if (err->code != ERR_UNAVAILABLE)
            return -1;
        term_puts(&cli->out, "OK, it was not running\n");
        return CLI_OK;
    }
    if (client_quit(&c, err) < 0)
        return -1;
    term_puts(&cli->out, "OK\n");
    return CLI_OK;
}
