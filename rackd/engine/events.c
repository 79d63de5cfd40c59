/* The engine's stream of events. run/engine_events.c keeps one open per
 * session, and hears through it of exits, of kills by others, and of the end of
 * the engine itself. */
#include <stdio.h>
#include <string.h>

#include "base/label.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/client.h"
#include "engine/json.h"
#include "engine/lines.h"
#include "engine/path.h"

struct events {
    struct engine_call call; /* first: see call_new() */
    engine_event_cb event;
    engine_done_cb ready;
    struct lines lines;
};

static void events_release(struct engine_call *call)
{
    lines_release(&container_of(call, struct events, call)->lines);
}

static void on_head(struct engine_call *call)
{
    container_of(call, struct events, call)->ready(NULL, call->user);
}

/* cJSON reads numbers as doubles, which cannot hold nanoseconds since 1970:
 * read them from the text. Within a JSON string the quotes would be escaped, so
 * this finds the right key. */
static long long time_ns(const char *line, const cJSON *json)
{
    static const char key[] = "\"timeNano\":";
    const char *at = strstr(line, key);

    if (at == NULL)
        return json_int(json, "time") * 1000000000LL;
    return strtoll(at + strlen(key), NULL, 10);
}

static int exit_code(const cJSON *attributes)
{
    const char *text = json_text(attributes, "exitCode");
    long code;

    if (*text == '\0')
        text = json_text(attributes, "containerExitCode"); /* Podman */
    return str_to_long(text, -1, 0xffff, &code) ? (int)code : 0;
}

/* Podman 4.3 says "remove" where Docker says "destroy". */
static const char *action_of(const cJSON *json)
{
    const char *action = json_text(json, "Action");

    if (strcmp(json_text(json, "Type"), "container") == 0 &&
        strcmp(action, "remove") == 0)
        return "destroy";
    return action;
}

static bool on_line(const char *line, size_t len, void *user)
{
    struct events *ev = user;
    const cJSON *attributes;
    cJSON *json;

    (void)len;
    line += *line == '\x1e'; /* application/json-seq */
    json = cJSON_Parse(line);
    if (json != NULL && *json_text(json, "Type") != '\0') {
        attributes = json_get(json_get(json, "Actor"), "Attributes");
        ev->event(
            &(struct engine_event){
                .type = json_text(json, "Type"),
                .action = action_of(json),
                .id = json_text(json_get(json, "Actor"), "ID"),
                .exit_code = exit_code(attributes),
                .container = json_text(attributes, "container"),
                .session = json_text(attributes, LABEL_SESSION),
                .kind = json_text(attributes, LABEL_KIND),
                .name = json_text(attributes, LABEL_NAME),
                .time_ns = time_ns(line, json) },
            ev->call.user);
    }
    cJSON_Delete(json);
    return call_wanted(&ev->call);
}

static void on_data(struct engine_call *call, const char *data, size_t len)
{
    struct events *ev = container_of(call, struct events, call);

    lines_feed(&ev->lines, data, len, on_line, ev);
}

static void on_end(struct engine_call *call, const struct answer *a,
                   const struct err *err)
{
    (void)a;
    call_end(call);
    call->cb.done(err, call->user);
}

static struct events *events_new(struct engine *e, engine_event_cb event,
                                 engine_done_cb done, void *user)
{
    struct events *ev = call_new(e, sizeof(*ev));

    ev->call.release = events_release;
    ev->call.cb.done = done;
    ev->call.user = user;
    ev->event = event;
    return ev;
}

static void send_it(struct events *ev, const char *path)
{
    call_send(&ev->call,
              &(struct request){ .method = "GET",
                                 .path = path,
                                 .stream = true,
                                 .on_head = ev->ready == NULL ? NULL : on_head,
                                 .on_data = on_data,
                                 .step = on_end });
}

struct engine_call *engine_events(struct engine *e, const char *label,
                                  engine_event_cb event, engine_done_cb ready,
                                  engine_done_cb done, void *user)
{
    struct events *ev = events_new(e, event, done, user);
    cleanup_str struct str path = { 0 };

    ev->ready = ready;
    str_add(&path, "/events");
    path_label(&path, label);
    send_it(ev, str_c(&path));
    return &ev->call;
}

struct engine_call *engine_network_events(struct engine *e, const char *id,
                                          engine_event_cb event,
                                          engine_done_cb done, void *user)
{
    struct events *ev = events_new(e, event, done, user);
    cleanup_str struct str path = { 0 };

    str_add(&path, "/events");
    path_filter(&path, "network", id);
    send_it(ev, str_c(&path));
    return &ev->call;
}
