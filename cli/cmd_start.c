/* `cvx start`: turns the flags into the request, and runs an attached session
 * (session.c) until it ends. */
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/app.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/session.h"

static void add_bool(cJSON *json, const char *key, bool value)
{
    cJSON_AddBoolToObject(json, key, value);
}

/* The default depends on who watches: a person at a terminal wants the other
 * services to go on, a CI job wants to know that one failed. */
static bool exits_on_failure(const struct cli *cli)
{
    if (flags_has(&cli->flags, "no-exit-on-failure"))
        return false;
    return flags_has(&cli->flags, "exit-on-failure") ||
           (!cli->out.is_tty && !flags_has(&cli->flags, "detach"));
}

/* Adds a duration in whole seconds, rounded up: 0 would mean "no limit". */
static int add_seconds(cJSON *json, const char *key, const struct flags *flags,
                       const char *name, struct err *err)
{
    long long ms, seconds;

    if (flags_duration(flags, name, 0, &ms, err) < 0)
        return -1;
    seconds = (ms + 999) / 1000;
    cJSON_AddNumberToObject(json, key, (double)seconds);
    return 0;
}

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);

    return value != NULL && *value != '\0' && strcmp(value, "0") != 0;
}

static int add_options(cJSON *json, const struct cli *cli, struct err *err)
{
    const struct flags *f = &cli->flags;

    cJSON_AddItemToObject(json, "services", app_strings(&f->args));
    add_bool(json, "detach", flags_has(f, "detach"));
    add_bool(json, "keep_data", flags_has(f, "keep-data"));
    add_bool(json, "no_build", flags_has(f, "no-build"));
    add_bool(json, "no_cache", flags_has(f, "no-cache"));
    add_bool(json, "warm", flags_has(f, "warm") || is_set("CVX_WARM"));
    add_bool(json, "exit_on_failure", exits_on_failure(cli));
    add_bool(json, "strict", flags_has(f, "strict"));
    add_bool(json, "text", !flags_has(f, "json"));
    if (add_seconds(json, "wait_timeout", f, "wait-timeout", err) < 0)
        return -1;
    return add_seconds(json, "ttl", f, "ttl", err);
}

int cmd_start(struct cli *cli, struct err *err)
{
    cleanup_client struct client client = { 0 };
    cJSON *request = app_source(&cli->flags, err);
    struct session_spec spec = { .client = &client,
                                 .out = &cli->out,
                                 .err = &cli->err,
                                 .only = &cli->flags.args,
                                 .request = request,
                                 .json = flags_has(&cli->flags, "json") };
    int status = -1;

    if (request == NULL)
        return -1;
    if (add_options(request, cli, err) == 0 &&
        client_open(&client, CLIENT_START, err) == 0)
        status = session_run(&spec, err);
    cJSON_Delete(request);
    return status;
}
