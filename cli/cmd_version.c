/* `cvx version`: prints the version of cvx and, when one runs, that of rackd.
 * It starts none. */
#include "base/build.h"
#include "base/err.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/events.h"
#include "cli/query.h"

/* As Convox prints it: first the client, then the server. */
int cmd_version(struct cli *cli, struct err *err)
{
    cleanup_client struct client c = { 0 };
    struct err ignored = { 0 };
    cJSON *server = NULL, *all;

    (void)err;
    if (client_open(&c, CLIENT_FIND, &ignored) == 0)
        server = client_call(&c, "GET", "/version", NULL, &ignored);
    if (flags_has(&cli->flags, "json")) {
        all = cJSON_CreateObject();
        cJSON_AddStringToObject(all, "version", CVX_VERSION);
        cJSON_AddStringToObject(all, "build", cvx_build);
        cJSON_AddItemToObject(all, "rackd",
                              server == NULL ? cJSON_CreateNull() : server);
        query_print_json(cli, all);
        cJSON_Delete(all);
        return CLI_OK;
    }
    term_printf(&cli->out, "client: %s (%s)\n", CVX_VERSION, cvx_build);
    if (server == NULL)
        term_puts(&cli->out, "server: not running\n");
    else
        term_printf(&cli->out, "server: %s (%s)\n",
                    event_string(server, "version"),
                    event_string(server, "build"));
    cJSON_Delete(server);
    return CLI_OK;
}
