/* Decoders of `port`, `ports` and `agent`, which the table in service.c calls,
 * and of the ports of health checks. */
#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "manifest/decode.h"
#include "manifest/sections.h"

#define PORT_WANT "a port, SCHEME:PORT or a map of port and scheme"

static void lower(char *text)
{
    for (; *text != '\0'; text++)
        *text = (char)tolower((unsigned char)*text);
}

static bool in_range(const struct at *at, long long port)
{
    cleanup_free char *path = NULL;

    if (port >= 1 && port <= 65535)
        return true;
    path = at_path(at);
    at_error(at, "%s: port %lld out of range, it must be from 1 to 65535", path,
             port);
    return false;
}

/* Reads a port from its digits; false after an error. */
static bool to_port(const struct at *at, const char *digits, const char *want,
                    int *out)
{
    cleanup_free char *path = NULL;
    long port;

    if (str_to_long(digits, -99999999, 99999999, &port)) {
        if (!in_range(at, port))
            return false;
        *out = (int)port;
        return true;
    }
    path = at_path(at);
    at_error(at, "%s: invalid port: \"%.60s\", it must be %s", path,
             at_shown(at), want);
    return false;
}

/* "3000" or "https:3000" */
static void port_of_text(const struct at *at, struct manifest_port *port)
{
    const char *text = at->node->text, *colon = strchr(text, ':');

    if (!to_port(at, colon == NULL ? text : colon + 1, PORT_WANT, &port->port))
        return;
    if (colon != NULL && colon > text) {
        free(port->scheme);
        port->scheme = str_dup_len(text, (size_t)(colon - text));
    }
}

static void port_of_scalar(const struct at *at, void *out)
{
    struct manifest_port *port = out;

    if (at->node->kind != NODE_SCALAR ||
        (at->node->type != NODE_TEXT && at->node->type != NODE_INT)) {
        at_wrong(at, PORT_WANT);
    } else if (at->node->type == NODE_TEXT) {
        port_of_text(at, port);
    } else if (at->node->whole != 0 && in_range(at, at->node->whole)) {
        port->port = (int)at->node->whole;
    }
}

static void warn_scheme(const struct at *at, const struct manifest_port *port)
{
    static const char *const known[] = { "http", "https", "grpc", "grpcs",
                                         "h2c",  "tcp",   "tls",  NULL };
    cleanup_free char *path = NULL;

    for (size_t i = 0; known[i] != NULL; i++)
        if (strcmp(port->scheme, known[i]) == 0)
            return;
    path = at_path(at);
    at_warn(at, "%s: unknown scheme \"%.60s\"", path, port->scheme);
}

void decode_port(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "port", port_of_scalar, 0, 0 },
        { "scheme", decode_text, offsetof(struct manifest_port, scheme), 0 },
        { 0 },
    };
    struct manifest_port *port = out;
    size_t errors = at->load->errors->errors;

    port->pos = at->node->pos;
    if (at->node->kind == NODE_MAP) {
        decode_map(at, PORT_WANT, keys, port);
        if (port->port == 0 && at->load->errors->errors == errors)
            at_error(at, "could not parse port: the map has no port");
    } else {
        port_of_scalar(at, port);
    }
    if (port->port == 0)
        return;
    if (port->scheme == NULL)
        port->scheme = xstrdup("http");
    lower(port->scheme);
    warn_scheme(at, port);
}

void decode_check_port(const struct at *at, void *out)
{
    struct manifest_port port = { 0 };

    decode_port(at, &port);
    if (port.port != 0)
        *(int *)out = port.port;
    free(port.scheme);
}

/* "5000/udp" */
static void internal_of_text(const struct at *at, struct manifest_port *port)
{
    const char *text = at->node->text, *slash = strchr(text, '/');
    cleanup_free char *digits = str_dup_len(
        text, slash == NULL ? strlen(text) : (size_t)(slash - text));

    if (!to_port(at, digits, "PORT or PORT/udp", &port->port))
        return;
    port->protocol = xstrdup(slash == NULL ? "tcp" : slash + 1);
    lower(port->protocol);
    if (strcmp(port->protocol, "tcp") == 0 ||
        strcmp(port->protocol, "udp") == 0)
        return;
    at_error(at, "invalid port: \"%.60s\": the protocol must be tcp or udp",
             at_shown(at));
    free(port->protocol);
    *port = (struct manifest_port){ 0 };
}

static void add_internal(const struct at *at, void *out)
{
    struct manifest_ports *ports = out;
    struct manifest_port port = { .pos = at->node->pos };

    if (node_is_null(at->node))
        return;
    if (at->node->kind != NODE_SCALAR ||
        (at->node->type != NODE_TEXT && at->node->type != NODE_INT)) {
        cleanup_free char *got = node_describe(at->node);

        at_error(at, "invalid port: it must be PORT or PORT/udp, not %s", got);
        return;
    }
    if (at->node->type == NODE_TEXT) {
        internal_of_text(at, &port);
    } else if (in_range(at, at->node->whole)) {
        port.port = (int)at->node->whole;
        port.protocol = xstrdup("tcp");
    }
    if (port.port != 0)
        *(struct manifest_port *)vec_add(ports) = port;
}

void decode_ports(const struct at *at, void *out)
{
    decode_list(at, "a list of PORT or PORT/udp", add_internal, out);
}

/* In v2 a map of any content means yes, and may list ports ({ports:
 * [8125/udp]}); in v3 it is a bool. */
void decode_agent(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "enabled", decode_a_bool, 0, 0 },
        { "ports", decode_ports, offsetof(struct manifest_service, ports), 0 },
        { 0 },
    };
    struct manifest_service *s = out;

    if (at->node->kind == NODE_MAP) {
        s->agent = true;
        decode_map(at, "", keys, s);
    } else if (at->node->kind == NODE_SCALAR && at->node->type == NODE_BOOL) {
        s->agent = at->node->boolean;
    } else {
        cleanup_free char *got = node_describe(at->node);

        at_error(at,
                 "could not parse agent: it must be true, false or a map of "
                 "ports, not %s",
                 got);
    }
}

/* A port listed in both `port` and `ports` is the routed one only. */
void port_finish(struct manifest_service *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->ports.len; i++) {
        struct manifest_port *port = &s->ports.v[i];

        if (port->port == s->port.port && strcmp(port->protocol, "tcp") == 0)
            free(port->protocol);
        else
            s->ports.v[kept++] = *port;
    }
    s->ports.len = kept;
}
