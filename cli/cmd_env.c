/* `cvx env`, `env get`, `env set`, `env unset`: the app's environment, which
 * rackd stores. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/app.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/events.h"
#include "cli/query.h"

/* Bytes; more than rackd accepts in a request. */
#define STDIN_MAX ((size_t)7 << 20)

/* Sends GET for a NULL body, else POST. The app need not run for this question,
 * so rackd is started. */
static cJSON *call_env(struct cli *cli, const cJSON *body, struct err *err)
{
    cleanup_client struct client c = { 0 };
    cleanup_free char *target = app_target(&cli->flags, "/env", err);

    if (target == NULL || client_open(&c, CLIENT_START, err) < 0)
        return NULL;
    return client_call(&c, body == NULL ? "GET" : "POST", target, body, err);
}

int cmd_env(struct cli *cli, struct err *err)
{
    cleanup_str struct str out = { 0 };
    cJSON *answer = call_env(cli, NULL, err);
    const cJSON *pair;

    if (answer == NULL)
        return -1;
    cJSON_ArrayForEach(pair, cJSON_GetObjectItemCaseSensitive(answer, "env"))
        str_printf(&out, "%s=%s\n", event_string(pair, "key"),
                   event_string(pair, "value"));
    if (out.len == 0)
        str_add(&out, "\n");
    if (!query_print_json(cli, answer))
        term_put(&cli->out, &out);
    cJSON_Delete(answer);
    return CLI_OK;
}

int cmd_env_get(struct cli *cli, struct err *err)
{
    const char *key = cli->flags.args.v[0];
    cJSON *answer = call_env(cli, NULL, err);
    const cJSON *pair;
    int status = CLI_OK;

    if (answer == NULL)
        return -1;
    pair =
        query_find(cJSON_GetObjectItemCaseSensitive(answer, "env"), "key", key);
    if (pair == NULL)
        status = err_set(err, ERR_NOT_FOUND, "env not found: %s", key);
    else if (!query_print_json(cli, pair))
        term_printf(&cli->out, "%s\n", event_string(pair, "value"));
    cJSON_Delete(answer);
    return status;
}

static int read_stdin(struct str *text, struct err *err)
{
    char buf[16384];
    ssize_t n;

    for (;;) {
        n = read(STDIN_FILENO, buf, sizeof(buf));
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return err_set(err, ERR_SYSTEM, "stdin: %s", strerror(errno));
        if (n > 0)
            str_add_len(text, buf, (size_t)n);
        if (text->len > STDIN_MAX)
            return err_set(err, ERR_INVALID, "stdin: more than %zu MB",
                           STDIN_MAX >> 20);
    }
}

/* Reads KEY=VALUE from the arguments. Only when there are none is stdin read:
 * in a CI job it may be a pipe that never ends. */
static int read_pairs(struct cli *cli, struct env *env, struct err *err)
{
    const struct strv *args = &cli->flags.args;
    cleanup_str struct str text = { 0 };

    for (size_t i = 0; i < args->len; i++)
        if (!env_parse_pair(env, args->v[i], "argument"))
            return err_set(err, ERR_INVALID, "Key=Value expected: %s",
                           args->v[i]);
    if (args->len > 0)
        return 0;
    if (isatty(STDIN_FILENO) == 1)
        return err_set(err, ERR_INVALID, "at least 1 arg required");
    if (read_stdin(&text, err) < 0)
        return -1;
    env_parse(env, str_c(&text), text.len, false, "stdin");
    return 0;
}

/* Prints "Setting A, B... OK" and the new release, as Convox does. */
static int change(struct cli *cli, const char *verb, struct strv *names,
                  const cJSON *body, struct err *err)
{
    cleanup_free char *list = NULL;
    bool only_id = flags_has(&cli->flags, "id");
    bool json = flags_has(&cli->flags, "json");
    struct term *human = only_id || json ? &cli->err : &cli->out;
    cJSON *answer;
    const char *release;

    strv_sort(names);
    list = strv_join(names, ", ");
    term_printf(human, "%s %s... ", verb, list);
    answer = call_env(cli, body, err);
    if (answer == NULL)
        return -1;
    release = event_string(answer, "release");
    term_printf(human, "OK\nRelease: %s\n", release);
    if (!query_print_json(cli, answer) && only_id)
        term_puts(&cli->out, release);
    cJSON_Delete(answer);
    return CLI_OK;
}

int cmd_env_set(struct cli *cli, struct err *err)
{
    cleanup_env struct env env = { 0 };
    cleanup_strv struct strv names = { 0 };
    cJSON *body, *set;
    int status;

    if (read_pairs(cli, &env, err) < 0)
        return -1;
    body = cJSON_CreateObject();
    set = cJSON_AddArrayToObject(body, "set");
    for (size_t i = 0; i < env.len; i++) {
        cleanup_free char *pair =
            xasprintf("%s=%s", env.v[i].key, env.v[i].value);

        strv_add(&names, env.v[i].key);
        cJSON_AddItemToArray(set, cJSON_CreateString(pair));
    }
    cJSON_AddBoolToObject(body, "replace", flags_has(&cli->flags, "replace"));
    status = change(cli, "Setting", &names, body, err);
    cJSON_Delete(body);
    return status;
}

int cmd_env_unset(struct cli *cli, struct err *err)
{
    cleanup_strv struct strv names = { 0 };
    cJSON *body = cJSON_CreateObject();
    int status;

    strv_add_all(&names, &cli->flags.args);
    cJSON_AddItemToObject(body, "unset", app_strings(&names));
    status = change(cli, "Unsetting", &names, body, err);
    cJSON_Delete(body);
    return status;
}
