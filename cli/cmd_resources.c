/* `cvx resources`, `resources info`, `resources url`, `resources reset`: the
 * resources of a running app, and the data that was kept of one. */
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/app.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/events.h"
#include "cli/http.h"
#include "cli/query.h"
#include "cli/table.h"

/* The URL by which this machine reaches the resource, since whoever asks cvx is
 * not in a container. */
static const char *url_of(const cJSON *resource)
{
    const char *url = event_string(resource, "host_url");

    return *url != '\0' ? url : event_string(resource, "url");
}

int cmd_resources(struct cli *cli, struct err *err)
{
    cleanup_table struct table t = { .columns = 3 };
    cleanup_str struct str out = { 0 };
    cJSON *answer = query_fetch(cli, "/resources", err);
    const cJSON *r;

    if (answer == NULL)
        return -1;
    table_row(&t, "NAME", "TYPE", "URL");
    cJSON_ArrayForEach(r, cJSON_GetObjectItemCaseSensitive(answer, "resources"))
        table_row(&t, event_string(r, "name"), event_string(r, "type"),
                  url_of(r));
    table_print(&t, &out);
    if (!query_print_json(cli, answer))
        term_put(&cli->out, &out);
    cJSON_Delete(answer);
    return CLI_OK;
}

/* Fetches the answer, and finds in it the resource that the argument names. */
static cJSON *fetch_one(struct cli *cli, const char *path, const cJSON **found,
                        struct err *err)
{
    const char *name = cli->flags.args.v[0];
    cJSON *answer = query_fetch(cli, path, err);

    if (answer == NULL)
        return NULL;
    *found = query_find(cJSON_GetObjectItemCaseSensitive(answer, "resources"),
                        "name", name);
    if (*found != NULL)
        return answer;
    err_set(err, ERR_NOT_FOUND, "no such resource: %s", name);
    cJSON_Delete(answer);
    return NULL;
}

int cmd_resources_info(struct cli *cli, struct err *err)
{
    cleanup_table struct table t = { .columns = 2 };
    cleanup_str struct str out = { 0 };
    const cJSON *r = NULL;
    cJSON *answer = fetch_one(cli, "/resources", &r, err);

    if (answer == NULL)
        return -1;
    table_row(&t, "Name", event_string(r, "name"));
    table_row(&t, "Type", event_string(r, "type"));
    if (*url_of(r) != '\0')
        table_row(&t, "URL", url_of(r));
    if (*event_string(r, "url") != '\0')
        table_row(&t, "In services", event_string(r, "url"));
    table_row(&t, "Status", event_string(r, "status"));
    table_print(&t, &out);
    if (!query_print_json(cli, r))
        term_put(&cli->out, &out);
    cJSON_Delete(answer);
    return CLI_OK;
}

/* Prints the whole URL with its password, also of a database that is not ours:
 * that is what was asked for. */
int cmd_resources_url(struct cli *cli, struct err *err)
{
    const cJSON *r = NULL;
    cJSON *answer = fetch_one(cli, "/resources?secrets=1", &r, err);
    int status = CLI_OK;

    if (answer == NULL)
        return -1;
    if (*url_of(r) == '\0')
        status = err_set(err, ERR_NOT_FOUND, "no url for resource: %s",
                         cli->flags.args.v[0]);
    else if (!query_print_json(cli, r))
        term_printf(&cli->out, "%s\n", url_of(r));
    cJSON_Delete(answer);
    return status;
}

int cmd_resources_reset(struct cli *cli, struct err *err)
{
    const char *name = cli->flags.args.v[0];
    cJSON *answer;

    if (!flags_has(&cli->flags, "json"))
        term_printf(&cli->out, "Resetting %s... ", name);
    answer = app_reset(&cli->flags, name, err);
    if (answer == NULL)
        return -1;
    if (!query_print_json(cli, answer))
        term_printf(&cli->out, "OK\n");
    cJSON_Delete(answer);
    return CLI_OK;
}
