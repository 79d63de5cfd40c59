/* Reads what the engine says of a container, from an inspect or from a list.
 * container.c calls it. */
#include "engine/state.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/json.h"

long long state_time(const char *text)
{
    struct tm tm = { 0 };
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    int hours = 0, minutes = 0;
    long long seconds;

    if (rest == NULL || tm.tm_year < 70)
        return 0; /* "0001-01-01T00:00:00Z", which stands for never */
    seconds = (long long)timegm(&tm);
    rest += *rest == '.' ? 1 + strspn(rest + 1, "0123456789") : 0;
    if ((*rest == '+' || *rest == '-') &&
        sscanf(rest + 1, "%2d:%2d", &hours, &minutes) == 2)
        seconds -= (*rest == '+' ? 60LL : -60LL) * (hours * 60 + minutes);
    return seconds;
}

/* Docker puts a '/' before names, Podman does not. */
static char *plain_name(const char *name)
{
    return xstrdup(*name == '/' ? name + 1 : name);
}

static void add_port(struct engine_state *s, long long container,
                     long long host, bool udp)
{
    struct engine_published *p;

    if (container <= 0 || container > 65535 || host <= 0 || host > 65535)
        return;
    /* Docker lists a port twice, for IPv4 and for IPv6. */
    for (size_t i = 0; i < s->port_count; i++) {
        p = &s->ports[i];
        if (p->container == container && p->host == host && p->udp == udp)
            return;
    }
    s->ports = xrealloc(s->ports, (s->port_count + 1) * sizeof(*s->ports));
    p = &s->ports[s->port_count++];
    p->container = (int)container;
    p->host = (int)host;
    p->udp = udp;
}

/* The address on the first network that has one. The older field beside
 * Networks is gone from Docker 29. */
static char *first_ip(const cJSON *json)
{
    const cJSON *net;

    cJSON_ArrayForEach(net,
                       json_get(json_get(json, "NetworkSettings"), "Networks"))
    {
        const char *ip = json_text(net, "IPAddress");

        if (*ip != '\0')
            return xstrdup(ip);
    }
    return xstrdup("");
}

static void read_networks(struct engine_state *s, const cJSON *networks)
{
    const cJSON *net;

    cJSON_ArrayForEach(net, networks) strv_add(&s->networks, net->string);
}

/* { "80/tcp": [ { "HostIp": "", "HostPort": "32768" } ], "53/udp": null } */
static void read_port_map(struct engine_state *s, const cJSON *map)
{
    const cJSON *entry, *binding;
    long container, host;

    cJSON_ArrayForEach(entry, map)
    {
        cleanup_free char *port =
            str_dup_len(entry->string, strcspn(entry->string, "/"));
        bool udp = str_ends(entry->string, "/udp");

        if (!cJSON_IsArray(entry) || !str_to_long(port, 1, 65535, &container))
            continue;
        cJSON_ArrayForEach(binding, entry)
        {
            if (str_to_long(json_text(binding, "HostPort"), 1, 65535, &host))
                add_port(s, container, host, udp);
        }
    }
}

void state_from_inspect(struct engine_state *out, const cJSON *json)
{
    const cJSON *config = json_get(json, "Config");
    const cJSON *state = json_get(json, "State");

    out->id = xstrdup(json_text(json, "Id"));
    out->name = plain_name(json_text(json, "Name"));
    out->image = xstrdup(json_text(config, "Image"));
    json_pairs(json_get(config, "Labels"), &out->labels);
    out->state = xstrdup(json_text(state, "Status"));
    out->exit_code = (int)json_int(state, "ExitCode");
    out->oom_killed = json_true(state, "OOMKilled");
    out->error = xstrdup(json_text(state, "Error"));
    out->created = state_time(json_text(json, "Created"));
    out->ip = first_ip(json);
    read_networks(out, json_get(json_get(json, "NetworkSettings"), "Networks"));
    read_port_map(out, json_map(json_get(json, "NetworkSettings"), "Ports"));
}

/* A container with links has further names, with a second '/' in them. */
static char *list_name(const cJSON *names)
{
    const cJSON *name;

    cJSON_ArrayForEach(name, names)
    {
        const char *text = cJSON_GetStringValue(name);

        if (text != NULL && strchr(text + (*text == '/'), '/') == NULL)
            return plain_name(text);
    }
    return xstrdup("");
}

void state_from_list(struct engine_state *out, const cJSON *json)
{
    const cJSON *port;

    out->id = xstrdup(json_text(json, "Id"));
    out->name = list_name(json_get(json, "Names"));
    out->image = xstrdup(json_text(json, "Image"));
    json_pairs(json_get(json, "Labels"), &out->labels);
    out->state = xstrdup(json_text(json, "State"));
    out->error = xstrdup("");
    out->created = json_int(json, "Created");
    out->ip = first_ip(json);
    cJSON_ArrayForEach(port, json_get(json, "Ports"))
    {
        add_port(out, json_int(port, "PrivatePort"),
                 json_int(port, "PublicPort"),
                 strcmp(json_text(port, "Type"), "udp") == 0);
    }
}

void state_release(struct engine_state *s)
{
    free(s->id);
    free(s->name);
    free(s->image);
    strv_release(&s->labels);
    strv_release(&s->networks);
    free(s->state);
    free(s->error);
    free(s->ip);
    free(s->ports);
    *s = (struct engine_state){ 0 };
}
