/* `cvx validate` and `cvx plan`: let rackd read convox.yml, and print what it
 * found or what it would create. */
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/app.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/events.h"
#include "cli/query.h"

static cJSON *judge(struct cli *cli, const char *path, struct err *err)
{
    cleanup_client struct client c = { 0 };
    cJSON *source = app_source(&cli->flags, err), *answer = NULL;

    if (source == NULL)
        return NULL;
    cJSON_AddBoolToObject(source, "strict", flags_has(&cli->flags, "strict"));
    if (client_open(&c, CLIENT_START, err) == 0)
        answer = client_call(&c, "POST", path, source, err);
    cJSON_Delete(source);
    return answer;
}

static int length(const cJSON *answer, const char *key)
{
    return cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(answer, key));
}

static void print_text(struct term *to, const cJSON *answer, const char *key)
{
    const char *text = event_string(answer, key);

    if (*text == '\0')
        return;
    term_puts(to, text);
    if (!str_ends(text, "\n"))
        term_puts(to, "\n");
}

static void add_count(struct str *out, int n, const char *what)
{
    if (n > 0)
        str_printf(out, "%s%d %s%s", out->len == 0 ? "" : ", ", n, what,
                   n == 1 ? "" : "s");
}

/* Prints "convox.yml: ok", "convox.yml: ok (2 warnings)" or "convox.yml: 1
 * error". */
static void print_verdict(struct cli *cli, const cJSON *answer, bool ok)
{
    cleanup_str struct str counts = { 0 };
    const char *file = flags_get(&cli->flags, "manifest");

    add_count(&counts, length(answer, "errors"), "error");
    add_count(&counts, length(answer, "warnings"), "warning");
    if (flags_has(&cli->flags, "verbose"))
        add_count(&counts, length(answer, "notes"), "note");
    if (file == NULL)
        file = "convox.yml";
    if (ok && counts.len == 0)
        term_printf(&cli->out, "%s: ok\n", file);
    else if (ok)
        term_printf(&cli->out, "%s: ok (%s)\n", file, str_c(&counts));
    else
        term_printf(&cli->err, "%s: %s\n", file, str_c(&counts));
}

int cmd_validate(struct cli *cli, struct err *err)
{
    cJSON *answer = judge(cli, "/validate", err);
    bool ok;

    if (answer == NULL)
        return -1;
    ok = event_true(answer, "ok");
    if (!query_print_json(cli, answer)) {
        print_text(&cli->err, answer, "diag_text");
        if (flags_has(&cli->flags, "verbose"))
            print_text(&cli->err, answer, "notes_text");
        print_verdict(cli, answer, ok);
    }
    cJSON_Delete(answer);
    return ok ? CLI_OK : CLI_FAILED;
}

int cmd_plan(struct cli *cli, struct err *err)
{
    cJSON *answer = judge(cli, "/plan", err);
    bool ok;

    if (answer == NULL)
        return -1;
    ok = event_true(answer, "ok");
    if (!query_print_json(cli, answer)) {
        print_text(&cli->err, answer, "diag_text");
        print_text(&cli->out, answer, "plan");
    }
    cJSON_Delete(answer);
    return ok ? CLI_OK : CLI_FAILED;
}
