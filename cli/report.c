/* The longer messages: errors with their reason and advice, the table when all
 * is ready, what was removed. render.c and the commands call it. */
#include "cli/report.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/events.h"
#include "cli/table.h"
#include "cli/term.h"
#include "cli/timings.h"

#define LABEL_WIDTH 7

/* Adds " why text", with further lines below the beginning of the text. */
static void add_block(struct str *out, const struct term *look,
                      const char *label, const char *text)
{
    cleanup_free char *head = xasprintf("%-*s", LABEL_WIDTH - 2, label);
    bool first = true;

    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        str_add(out, "  ");
        if (first)
            term_paint(look, out, "2", head);
        else if (len > 0)
            str_printf(out, "%*s", LABEL_WIDTH - 2, "");
        str_add_len(out, text, len);
        str_add_char(out, '\n');
        text += len + (text[len] == '\n' ? 1 : 0);
        first = false;
    }
}

/* Adds a line. A text of rackd may end with a line end, one of cvx never
 * does. */
static void add_line(struct str *out, const char *text)
{
    size_t len = strlen(text);

    while (len > 0 && text[len - 1] == '\n')
        len--;
    str_add_len(out, text, len);
    str_add_char(out, '\n');
}

void report_error(const struct event *e, const struct term *look,
                  struct str *out)
{
    term_paint(look, out, "1;31", "ERROR:");
    str_add_char(out, ' ');
    add_line(out, *e->text == '\0' ? "the session failed" : e->text);
    if (*event_string(e->json, "diag_text") != '\0')
        add_line(out, event_string(e->json, "diag_text"));
    add_block(out, look, "why", e->why);
    add_block(out, look, "do", e->todo);
}

void report_warning(const char *text, const struct term *look, struct str *out)
{
    term_paint(look, out, "1;33", "WARNING:");
    str_add_char(out, ' ');
    add_line(out, text);
}

void report_masked(struct str *out, const char *url)
{
    const char *rest = strstr(url, "://");
    const char *at, *colon;

    rest = rest == NULL ? url : rest + 3;
    /* The last '@' before the path ends the login: a password may contain
     * one. */
    at = memrchr(rest, '@', strcspn(rest, "/?#"));
    colon = at == NULL ? NULL : memchr(rest, ':', (size_t)(at - rest));
    if (colon == NULL) {
        str_add(out, url);
        return;
    }
    str_add_len(out, url, (size_t)(colon - url) + 1);
    str_printf(out, "****%s", at);
}

void report_service_url(const cJSON *service, struct str *out)
{
    const char *url = event_string(service, "url");
    const cJSON *ports = cJSON_GetObjectItemCaseSensitive(service, "ports");
    const cJSON *port = cJSON_GetArrayItem(ports, 0);
    int host = (int)event_number(port, "host");

    if (*url != '\0')
        str_add(out, url);
    else if (host > 0)
        str_printf(out, "127.0.0.1:%d", host);
}

static void add_service(struct table *t, const cJSON *service)
{
    cleanup_str struct str url = { 0 }, type = { 0 };
    int replicas = (int)event_number(service, "replicas");

    report_service_url(service, &url);
    str_add(&type, "service");
    if (replicas > 1)
        str_printf(&type, " x %d", replicas);
    if (url.len == 0 && event_true(service, "internal"))
        str_add(&url, "internal");
    table_row(t, event_string(service, "name"), str_c(&type),
              url.len == 0 ? "-" : str_c(&url));
}

/* The password of the user's own database must not get into the log of a CI
 * job, so it is masked. That of ours is random and dies with the session. */
static void add_resource(struct table *t, const cJSON *resource)
{
    cleanup_str struct str shown = { 0 };
    const char *url = event_string(resource, "host_url");
    bool external = event_true(resource, "external");

    if (*url == '\0')
        url = event_string(resource, "url");
    if (external)
        report_masked(&shown, url);
    else
        str_add(&shown, *url == '\0' ? "-" : url);
    if (external)
        str_add(&shown, " (external)");
    table_row(t, event_string(resource, "name"), event_string(resource, "type"),
              str_c(&shown));
}

/* Adds a table with its heading dimmed. */
static void add_table(struct str *out, const struct term *look,
                      const struct table *t)
{
    cleanup_str struct str text = { 0 }, head = { 0 };
    size_t end;

    table_print(t, &text);
    end = strcspn(str_c(&text), "\n");
    str_add_len(&head, str_c(&text), end);
    term_paint(look, out, "2", str_c(&head));
    str_add(out, str_c(&text) + end);
}

static void add_slower(const struct event *e, struct str *out)
{
    double usual = event_number(e->json, "usual");
    cleanup_str struct str culprit = { 0 };

    if (usual <= 0)
        return;
    timings_culprit(&culprit,
                    cJSON_GetObjectItemCaseSensitive(e->json, "culprit"));
    timings_slower(out, usual * 1000, str_c(&culprit));
}

void report_ready(const struct event *e, const struct term *look,
                  struct str *out)
{
    cleanup_table struct table t = { .columns = 3 };
    cleanup_free char *took = xasprintf("ready in %.1f s", e->seconds);
    cleanup_str struct str slower = { 0 };
    const cJSON *item;

    table_row(&t, "NAME", "TYPE", "URL");
    cJSON_ArrayForEach(item,
                       cJSON_GetObjectItemCaseSensitive(e->json, "services"))
        add_service(&t, item);
    cJSON_ArrayForEach(item,
                       cJSON_GetObjectItemCaseSensitive(e->json, "resources"))
        add_resource(&t, item);
    str_add_char(out, '\n');
    add_table(out, look, &t);
    str_add_char(out, '\n');
    add_slower(e, &slower);
    term_paint(look, out, "1;32", took);
    str_printf(out, "%s\n\n", str_c(&slower));
}

static void add_count(struct str *out, int n, const char *what)
{
    str_printf(out, "%d %s%s", n, what, n == 1 ? "" : "s");
}

void report_removed(const struct event *e, struct str *out)
{
    str_add(out, "removed ");
    add_count(out, e->containers, "container");
    str_add(out, ", ");
    add_count(out, e->networks, "network");
    str_add(out, ", ");
    add_count(out, e->volumes, "volume");
    str_printf(out, " in %.1f s", e->seconds);
}

void report_warm(const struct event *e, struct str *out)
{
    add_count(out, e->containers, "container");
    str_printf(out,
               " kept frozen for the next start (%.0f MB, %.0f minutes; cvx "
               "down removes them)",
               event_number(e->json, "bytes") / 1e6,
               event_number(e->json, "minutes"));
}

void report_check(const struct event *e, const struct term *look,
                  struct str *out)
{
    bool fail = strcmp(e->level, "fail") == 0;
    bool warn = strcmp(e->level, "warn") == 0;

    if (fail)
        term_paint(look, out, "1;31", look->utf8 ? "✘" : "FAIL");
    else if (warn)
        term_paint(look, out, "1;33", look->utf8 ? "!" : "WARN");
    else
        term_paint(look, out, "32", look->utf8 ? "✔" : "ok  ");
    str_printf(out, " %s", e->name);
    if (*e->text != '\0')
        str_printf(out, ": %s", e->text);
    str_add_char(out, '\n');
    add_block(out, look, "do", e->todo);
}
