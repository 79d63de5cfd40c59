/*
 * Writes lines of a hub as JSON text, without an object for each: 2 M lines go
 * through here at once. start.c and logs.c call it when there are lines and
 * when the client has read some.
 */
#include "api/log_json.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "logs/hub.h"
#include "web/web.h"

static void add_lost(struct str *out, uint64_t lost, uint64_t ms)
{
    if (lost > 0)
        str_printf(out, "{\"type\":\"lost\",\"ms\":%llu,\"lines\":%llu}\n",
                   (unsigned long long)ms, (unsigned long long)lost);
}

/* What all lines of it have in common: an event without its end. */
static void add_head(struct str *out, const char *type,
                     const struct hub_text *t, uint64_t ms)
{
    str_printf(out, "{\"type\":\"%s\",\"ms\":%llu,\"time\":%lld,\"tag\":", type,
               (unsigned long long)ms, (long long)t->time_ms);
    web_quote(out, t->tag, strlen(t->tag));
    str_add(out, ",\"source\":");
    web_quote(out, t->source, strlen(t->source));
    str_printf(out, ",\"stream\":\"%s\"%s", t->is_stderr ? "stderr" : "stdout",
               t->partial ? ",\"partial\":true" : "");
}

static void send_as_text(struct web_req *req, const struct hub_text *t,
                         uint64_t lost, uint64_t ms)
{
    cleanup_str struct str out = { 0 };
    size_t len = t->len + !t->partial; /* its line end is behind it */

    add_lost(&out, lost, ms);
    add_head(&out, "text", t, ms);
    str_printf(&out, ",\"bytes\":%zu}\n", len);
    web_event_bytes(req, str_c(&out), out.len, t->text, len);
}

static void send_as_logs(struct web_req *req, const struct hub_text *t,
                         uint64_t lost, uint64_t ms)
{
    cleanup_str struct str head = { 0 }, out = { 0 };
    const char *line = t->text, *end = t->text + t->len;

    add_lost(&out, lost, ms);
    add_head(&head, "log", t, ms);
    str_add(&head, ",\"line\":");
    for (size_t i = 0; i < t->lines; i++) {
        const char *nl =
            t->partial ? end : memchr(line, '\n', (size_t)(end - line) + 1);

        str_add_len(&out, str_c(&head), head.len);
        web_quote(&out, line, (size_t)(nl - line));
        str_add(&out, "}\n");
        line = nl + 1;
    }
    web_event_text(req, str_c(&out), out.len);
}

bool send_lines(struct web_req *req, struct hub_sub *sub, bool text,
                uint64_t ms)
{
    const struct hub_text *t;
    uint64_t lost;

    while (web_queued(req) < WEB_HIGH_WATER) {
        t = hub_next(sub, &lost);
        if (t == NULL)
            return true;
        if (text)
            send_as_text(req, t, lost, ms);
        else
            send_as_logs(req, t, lost, ms);
    }
    return false;
}
