/* `cvx services`: lists the services of a running app, in the table of
 * Convox. */
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/events.h"
#include "cli/query.h"
#include "cli/table.h"

/* Adds "49153:3000 49154:3001": the port on this machine, and that in the
 * container. */
static void add_ports(struct str *out, const cJSON *service)
{
    const cJSON *port;

    cJSON_ArrayForEach(port, cJSON_GetObjectItemCaseSensitive(service, "ports"))
    {
        int host = (int)event_number(port, "host");

        if (host == 0)
            continue;
        str_printf(out, "%s%d:%d", out->len == 0 ? "" : " ", host,
                   (int)event_number(port, "container"));
    }
}

/* Adds the host of a URL. */
static void add_domain(struct str *out, const char *url)
{
    const char *host = strstr(url, "://");

    if (host == NULL)
        return;
    host += 3;
    str_add_len(out, host, strcspn(host, ":/"));
}

int cmd_services(struct cli *cli, struct err *err)
{
    cleanup_table struct table t = { .columns = 4 };
    cleanup_str struct str out = { 0 };
    cJSON *answer = query_fetch(cli, "/services", err);
    const cJSON *s;

    if (answer == NULL)
        return -1;
    table_row(&t, "SERVICE", "DOMAIN", "PORTS", "URL");
    cJSON_ArrayForEach(s, cJSON_GetObjectItemCaseSensitive(answer, "services"))
    {
        cleanup_str struct str ports = { 0 }, domain = { 0 };

        add_ports(&ports, s);
        add_domain(&domain, event_string(s, "url"));
        table_row(&t, event_string(s, "name"), str_c(&domain), str_c(&ports),
                  event_string(s, "url"));
    }
    table_print(&t, &out);
    if (!query_print_json(cli, answer))
        term_put(&cli->out, &out);
    cJSON_Delete(answer);
    return CLI_OK;
}
