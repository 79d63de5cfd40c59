/* What commands share that ask rackd one question about an app and print the
 * answer: ps, services, resources and others. */
#include "cli/query.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "cli/app.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/events.h"

cJSON *query_fetch(struct cli *cli, const char *path, struct err *err)
{
    cleanup_client struct client c = { 0 };
    cleanup_free char *app = app_name(&cli->flags, err);
    cleanup_free char *target =
        app == NULL ? NULL : app_target(&cli->flags, path, err);

    if (target == NULL || client_open_app(&c, app, err) < 0)
        return NULL;
    return client_call(&c, "GET", target, NULL, err);
}

bool query_print_json(struct cli *cli, const cJSON *answer)
{
    cleanup_free char *text = NULL;

    if (!flags_has(&cli->flags, "json"))
        return false;
    text = cJSON_PrintUnformatted(answer);
    term_printf(&cli->out, "%s\n", text);
    return true;
}

const cJSON *query_find(const cJSON *list, const char *key, const char *name)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list)
    {
        if (strcmp(event_string(item, key), name) == 0)
            return item;
    }
    return NULL;
}
