/* `cvx templates`, `templates build`, `templates prune`: the templates of
 * databases that rackd made. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/app.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/events.h"
#include "cli/report.h"
#include "cli/stream.h"
#include "cli/table.h"
#include "cli/when.h"

struct listing {
    struct cli *cli;
    bool json;
    struct table table;
    int count;
    double bytes;
    cJSON *all; /* the list for --json */
};

/* Adds "85 MB". */
static void print_size(struct str *out, double bytes)
{
    str_printf(out, "%.0f MB", bytes / 1e6);
}

/* The name without its repository: "mysql:0123456789abcdef". */
static const char *short_name(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash == NULL ? name : slash + 1;
}

static void add_row(struct listing *l, const struct event *e)
{
    cleanup_str struct str size = { 0 }, made = { 0 }, used = { 0 };
    int64_t now_s = when_unix_ms() / 1000;
    bool stale = event_true(e->json, "stale");

    print_size(&size, event_number(e->json, "size"));
    when_ago(&made, (int64_t)event_number(e->json, "made"), now_s);
    when_ago(&used, (int64_t)event_number(e->json, "used"), now_s);
    str_add(&used, event_true(e->json, "unfinished") ? ", unfinished"
                   : stale                           ? ", stale"
                   : event_true(e->json, "foreign")  ? ", another rack's"
                                                     : "");
    table_row(&l->table, short_name(e->name), event_string(e->json, "image"),
              str_c(&size), str_c(&made), str_c(&used));
}

static void on_template(const struct event *e, const char *line, size_t len,
                        void *user)
{
    struct listing *l = user;
    cleanup_str struct str text = { 0 };

    (void)line;
    (void)len;
    if (e->type == EVENT_ERROR)
        report_error(e, &l->cli->err, &text);
    term_put(&l->cli->err, &text);
    if (e->type != EVENT_TEMPLATE)
        return;
    l->count++;
    l->bytes += event_number(e->json, "size");
    if (l->json)
        cJSON_AddItemToArray(l->all, cJSON_Duplicate(e->json, 1));
    else
        add_row(l, e);
}

static void print_list(struct listing *l)
{
    cleanup_str struct str text = { 0 };
    cleanup_free char *json = NULL;

    if (l->json) {
        json = cJSON_PrintUnformatted(l->all);
        term_printf(&l->cli->out, "%s\n", json);
        return;
    }
    table_print(&l->table, &text);
    str_printf(&text, "%d template%s, ", l->count, l->count == 1 ? "" : "s");
    print_size(&text, l->bytes);
    str_add(&text, "\n");
    if (l->count == 0) {
        str_cut(&text, 0);
        str_add(&text, "No templates yet: the first start of a database makes "
                       "one, or cvx templates build\n");
    }
    term_put(&l->cli->out, &text);
}

/* Sends a POST with `body`, which it deletes, and reads the events of the
 * answer. */
static int ask(const char *path, cJSON *body, stream_event_cb cb, void *user,
               struct err *err)
{
    cleanup_client struct client c = { 0 };
    int status = client_open(&c, CLIENT_START, err);

    if (status == 0)
        status = stream_run(&c, "POST", path, body, cb, user, err);
    cJSON_Delete(body);
    return status;
}

static cJSON *engine_body(const struct cli *cli)
{
    cJSON *body = cJSON_CreateObject();

    cJSON_AddBoolToObject(body, "all", flags_has(&cli->flags, "all"));
    cJSON_AddItemToObject(body, "client_env", app_client_env());
    return body;
}

int cmd_templates(struct cli *cli, struct err *err)
{
    struct listing l = { .cli = cli,
                         .json = flags_has(&cli->flags, "json"),
                         .table = { .columns = 5 },
                         .all = cJSON_CreateArray() };
    int status;

    table_row(&l.table, "TEMPLATE", "IMAGE", "SIZE", "MADE", "USED");
    status = ask("/templates", engine_body(cli), on_template, &l, err);
    if (status == 0)
        print_list(&l);
    table_release(&l.table);
    cJSON_Delete(l.all);
    return status;
}

/* ---- build, prune -------------------------------------------------------- */

static void tell_built(struct listing *l, const struct event *e)
{
    const char *resource = event_string(e->json, "resource");

    if (strcmp(e->state, "made") == 0 || strcmp(e->state, "there") == 0)
        term_printf(&l->cli->out, "%s: %s %s\n", resource,
                    *e->state == 'm' ? "made" : "there is",
                    short_name(e->name));
    else if (strcmp(e->state, "bad") == 0)
        term_printf(&l->cli->err,
                    "WARNING: %s: its last template did not work, so none is "
                    "made now\n",
                    resource);
    l->count++;
}

static void on_built(const struct event *e, const char *line, size_t len,
                     void *user)
{
    struct listing *l = user;
    cleanup_str struct str text = { 0 };

    if (l->json) {
        term_printf(&l->cli->out, "%.*s\n", (int)len, line);
        return;
    }
    if (e->type == EVENT_TEMPLATE)
        tell_built(l, e);
    if (e->type == EVENT_ERROR)
        report_error(e, &l->cli->err, &text);
    term_put(&l->cli->err, &text);
}

int cmd_templates_build(struct cli *cli, struct err *err)
{
    struct listing l = { .cli = cli, .json = flags_has(&cli->flags, "json") };
    cJSON *body = app_source(&cli->flags, err);
    int status;

    if (body == NULL)
        return -1;
    cJSON_AddBoolToObject(body, "strict", flags_has(&cli->flags, "strict"));
    status = ask("/templates/build", body, on_built, &l, err);
    if (status == 0 && l.count == 0 && !l.json)
        term_puts(&cli->out, "No resource of this app can have a template\n");
    return status;
}

static void on_removed(const struct event *e, const char *line, size_t len,
                       void *user)
{
    struct listing *l = user;
    cleanup_str struct str text = { 0 };

    if (l->json)
        term_printf(&l->cli->out, "%.*s\n", (int)len, line);
    else if (e->type == EVENT_TEMPLATE)
        term_printf(&l->cli->out, "removed %s\n", short_name(e->name));
    else if (e->type == EVENT_ERROR)
        report_error(e, &l->cli->err, &text);
    term_put(&l->cli->err, &text);
    if (e->type == EVENT_TEMPLATE) {
        l->count++;
        l->bytes += event_number(e->json, "size");
    }
}

int cmd_templates_prune(struct cli *cli, struct err *err)
{
    struct listing l = { .cli = cli, .json = flags_has(&cli->flags, "json") };
    cleanup_str struct str text = { 0 };
    cJSON *body = engine_body(cli);
    int status;

    cJSON_AddBoolToObject(body, "stale", flags_has(&cli->flags, "stale"));
    status = ask("/templates/prune", body, on_removed, &l, err);
    if (status != 0 || l.json)
        return status;
    str_printf(&text, "removed %d template%s, ", l.count,
               l.count == 1 ? "" : "s");
    print_size(&text, l.bytes);
    str_add(&text, "\n");
    term_put(&cli->out, &text);
    return status;
}
