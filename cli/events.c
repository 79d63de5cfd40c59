/* Decodes the events of rackd's streams, line by line. session.c and stream.c
 * read them. */
#include "cli/events.h"

#include <string.h>

#include "cli/http.h"

const char *event_string(const cJSON *json, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

    return cJSON_IsString(item) ? item->valuestring : "";
}

double event_number(const cJSON *json, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

    /* Beyond 2^53 a double cannot hold every integer, and it would not fit the
     * types that callers cast to. */
    if (!cJSON_IsNumber(item) || item->valuedouble > 9e15 ||
        item->valuedouble < -9e15)
        return 0;
    return item->valuedouble;
}

bool event_true(const cJSON *json, const char *key)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, key));
}

static int whole(const cJSON *json, const char *key)
{
    double n = event_number(json, key);

    return n > 1e9 || n < -1e9 ? 0 : (int)n;
}

static enum event_type type_of(const char *name)
{
    static const struct {
        const char *name;
        enum event_type type;
    } types[] = {
        { "log", EVENT_LOG },           { "text", EVENT_TEXT },
        { "state", EVENT_STATE },       { "progress", EVENT_PROGRESS },
        { "session", EVENT_SESSION },   { "lost", EVENT_LOST },
        { "ready", EVENT_READY },       { "warning", EVENT_WARNING },
        { "error", EVENT_ERROR },       { "stopping", EVENT_STOPPING },
        { "removed", EVENT_REMOVED },   { "check", EVENT_CHECK },
        { "leftover", EVENT_LEFTOVER }, { "template", EVENT_TEMPLATE },
        { "warm", EVENT_WARM },         { "end", EVENT_END },
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (strcmp(name, types[i].name) == 0)
            return types[i].type;
    return EVENT_OTHER;
}

static void read_strings(struct event *e)
{
    const struct {
        const char **field, *key;
    } strings[] = {
        { &e->session, "session" }, { &e->app, "app" },
        { &e->kind, "kind" },       { &e->name, "name" },
        { &e->state, "state" },     { &e->text, "text" },
        { &e->tag, "tag" },         { &e->source, "source" },
        { &e->line, "line" },       { &e->why, "why" },
        { &e->todo, "todo" },       { &e->level, "level" },
        { &e->reason, "reason" },
    };

    for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++)
        *strings[i].field = event_string(e->json, strings[i].key);
}

static void read_numbers(struct event *e)
{
    const cJSON *j = e->json;

    e->ms = (int64_t)event_number(j, "ms");
    e->replica = whole(j, "replica");
    e->has_exit = cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(j, "exit"));
    e->exit = whole(j, "exit");
    e->current = (int64_t)event_number(j, "current");
    e->total = (int64_t)event_number(j, "total");
    e->layers = whole(j, "layers");
    e->layers_done = whole(j, "layers_done");
    e->time_ms = (int64_t)event_number(j, "time");
    e->partial = event_true(j, "partial");
    e->lines = (int64_t)event_number(j, "lines");
    e->seconds = event_number(j, "seconds");
    e->containers = whole(j, "containers");
    e->networks = whole(j, "networks");
    e->volumes = whole(j, "volumes");
    e->status = whole(j, "status");
}

bool event_parse(struct event *e, const char *line, size_t len)
{
    *e = (struct event){ .json = cJSON_ParseWithLength(line, len) };
    if (*event_string(e->json, "type") == '\0') {
        event_release(e);
        return false;
    }
    e->type = type_of(event_string(e->json, "type"));
    read_strings(e);
    read_numbers(e);
    e->len = strlen(e->line);
    return true;
}

static bool is_log(const char *line, size_t len)
{
    static const char start[] = "{\"type\":\"log\",";

    return len > sizeof(start) && memcmp(line, start, sizeof(start) - 1) == 0;
}

/* Reads the bytes that follow a `text` event: whole lines without their last
 * line end, or a piece of a line. */
static bool read_text(struct event *e, struct http *h)
{
    int64_t bytes = (int64_t)event_number(e->json, "bytes");

    if (!http_bytes(h, bytes > 0 ? (size_t)bytes : 0, &e->line))
        return false;
    e->len = (size_t)bytes - (e->partial || bytes == 0 ? 0 : 1);
    return true;
}

bool event_next(struct event *e, struct http *h, bool raw, const char **line,
                size_t *len)
{
    while (http_line(h, line, len)) {
        *e = (struct event){ .type = EVENT_LOG };
        if (raw && is_log(*line, *len))
            return true;
        if (!event_parse(e, *line, *len))
            continue;
        if (e->type != EVENT_TEXT || read_text(e, h))
            return true;
        event_release(e);
        return false;
    }
    return false;
}

void event_release(struct event *e)
{
    cJSON_Delete(e->json);
    *e = (struct event){ 0 };
}
