/* `cvx ps`: lists the processes of a running app, in the table of Convox. */
#include "base/err.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/events.h"
#include "cli/query.h"
#include "cli/table.h"
#include "cli/when.h"

int cmd_ps(struct cli *cli, struct err *err)
{
    cleanup_table struct table t = { .columns = 6 };
    cleanup_str struct str out = { 0 };
    cJSON *answer = query_fetch(cli, "/ps", err);
    const cJSON *p;

    if (answer == NULL)
        return -1;
    table_row(&t, "ID", "SERVICE", "STATUS", "RELEASE", "STARTED", "COMMAND");
    cJSON_ArrayForEach(p, cJSON_GetObjectItemCaseSensitive(answer, "processes"))
    {
        cleanup_str struct str ago = { 0 };
        int64_t started = (int64_t)event_number(p, "started");

        if (started > 0)
            when_ago(&ago, started, when_unix_ms() / 1000);
        table_row(&t, event_string(p, "id"), event_string(p, "service"),
                  event_string(p, "status"), event_string(p, "release"),
                  str_c(&ago), event_string(p, "command"));
    }
    table_print(&t, &out);
    if (!query_print_json(cli, answer))
        term_put(&cli->out, &out);
    cJSON_Delete(answer);
    return CLI_OK;
}
