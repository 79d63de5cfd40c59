/* Decodes `nlb`: TCP ports that a load balancer would publish, and that this
 * machine publishes at the same number. The checks, their order and their
 * wording are those of Convox v2. */
#include <regex.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "manifest/decode.h"
#include "manifest/sections.h"

#define PORTS 65536

/* Which service has which port, filled as services are read in order. A service
 * is its index in the manifest plus 1; 0 means nobody. */
struct load_nlb {
    size_t owner[PORTS];
    int container[PORTS]; /* the containerPort of that listener */
    size_t inner[PORTS];  /* the last service with that containerPort */
};

struct listener {
    int port, container;
    char *protocol, *scheme, *certificate;
};

static void trim_lower(char **text, const char *missing)
{
    char *old = *text == NULL ? xstrdup("") : *text;
    size_t start = strspn(old, " \t"), len = strlen(old + start);

    while (len > 0 && strchr(" \t", old[start + len - 1]) != NULL)
        len--;
    *text = len == 0 ? xstrdup(missing) : str_dup_len(old + start, len);
    for (char *s = *text; *s != '\0'; s++)
        if (*s >= 'A' && *s <= 'Z')
            *s = (char)(*s - 'A' + 'a');
    free(old);
}

static bool is_arn(const char *text)
{
    static const char pattern[] =
        "^arn:aws[-a-z]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[a-zA-Z0-9-]+$|"
        "^arn:aws[-a-z]*:iam::[0-9]{12}:server-certificate/.+$";
    regex_t re;
    bool found;

    if (strlen(text) > 2048 ||
        regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    found = regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    return found;
}

/* Checks one range of allow_cidr; `seen` has the ranges of this listener so
 * far. */
static void check_range(const struct at *at, int port, struct names *seen)
{
    const char *name = at_owner(at), *text = at->node->text;
    char canonical[CIDR_MAX];

    if (!at_is_scalar(at)) {
        at_wrong(at, "an IPv4 CIDR range such as 10.0.0.0/16");
        return;
    }
    switch (cidr_check(text, canonical)) {
    case CIDR_MALFORMED:
        at_error(at,
                 "service %.100s nlb port %d: allow_cidr entry \"%.60s\" is "
                 "not a valid IPv4 CIDR (e.g. 10.0.0.0/16)",
                 name, port, at_shown(at));
        return;
    case CIDR_IPV6:
        at_error(at,
                 "service %.100s nlb port %d: allow_cidr entry \"%.60s\" is "
                 "not a valid IPv4 CIDR (IPv6 not supported)",
                 name, port, at_shown(at));
        return;
    case CIDR_NOT_CANONICAL:
        at_error(at,
                 "service %.100s nlb port %d: allow_cidr entry \"%.60s\" is "
                 "not canonical; use \"%s\" instead",
                 name, port, at_shown(at), canonical);
        return;
    case CIDR_FINE:
        break;
    }
    if (names_add(seen, text, 0) != NAMES_NEW)
        at_error(at,
                 "service %.100s nlb port %d: allow_cidr contains duplicate "
                 "entry: %.60s",
                 name, port, at_shown(at));
}

struct ranges {
    int port;
    struct names seen;
};

static void add_range(const struct at *at, void *out)
{
    struct ranges *ranges = out;

    check_range(at, ranges->port, &ranges->seen);
}

/* allow_cidr is checked in a second pass, because its messages name the port,
 * which may come after it in the map. */
static void check_ranges(const struct at *at, int port)
{
    struct ranges ranges = { .port = port };
    const struct node_entry *entry;

    for (size_t i = 0; i < at->node->entries.len; i++) {
        struct at list = *at;

        entry = &at->node->entries.v[i];
        list.up = at;
        list.key = entry->key->text;
        list.node = entry->value;
        if (!entry->hidden && strcmp(list.key, "allow_cidr") == 0 &&
            !node_is_null(list.node))
            decode_list(&list, "a list of IPv4 CIDR ranges", add_range,
                        &ranges);
    }
    names_release(&ranges.seen);
}

/* Reports the first thing that is wrong, in the order of the Convox loader.
 * True when nothing is. */
static bool check_listener(const struct at *at, const struct listener *l)
{
    const char *name = at_owner(at);

    if (l->port < 1 || l->port > 65535)
        at_error(at, "service %.100s: nlb port %d out of range", name, l->port);
    else if (l->container < 1 || l->container > 65535)
        at_error(at, "service %.100s: nlb containerPort %d out of range", name,
                 l->container);
    else if (strcmp(l->protocol, "tcp") != 0 && strcmp(l->protocol, "tls") != 0)
        at_error(at,
                 "service %.100s nlb port %d: protocol must be tcp or tls, "
                 "got \"%.60s\"",
                 name, l->port, l->protocol);
    else if (strcmp(l->protocol, "tls") == 0 && l->certificate == NULL)
        at_error(at,
                 "service %.100s nlb port %d: protocol tls requires a "
                 "certificate (provide an ACM ARN; run 'convox certs list' "
                 "to see available ARNs)",
                 name, l->port);
    else if (strcmp(l->protocol, "tls") != 0 && l->certificate != NULL)
        at_error(at,
                 "service %.100s nlb port %d: certificate is only valid with "
                 "protocol: tls",
                 name, l->port);
    else if (l->certificate != NULL && !is_arn(l->certificate))
        at_error(at,
                 "service %.100s nlb port %d: certificate must be a full ACM "
                 "or IAM server-certificate ARN, got \"%.60s\" (run 'convox "
                 "certs list' to see available ARNs)",
                 name, l->port, l->certificate);
    else if (strcmp(l->scheme, "public") != 0 &&
             strcmp(l->scheme, "internal") != 0)
        at_error(at,
                 "service %.100s nlb port %d: scheme must be public or "
                 "internal, got \"%.60s\"",
                 name, l->port, l->scheme);
    else
        return true;
    return false;
}

/* False, after an error, when the port is taken by another listener of this
 * service or of another one. */
static bool check_taken(const struct at *at, const struct listener *l)
{
    struct load *load = at->load;
    struct load_nlb *nlb = load->nlb;
    size_t own = load->m->services.len;
    size_t owner = nlb->owner[l->port];

    if (owner == own && nlb->container[l->port] != l->container)
        at_error(at,
                 "service %.100s: nlb port %d declared with conflicting "
                 "containerPort values",
                 at_owner(at), l->port);
    else if (owner == own)
        at_error(at, "service %.100s: duplicate nlb port %d", at_owner(at),
                 l->port);
    else if (nlb->inner[l->container] == own)
        at_error(at,
                 "service %.100s: nlb containerPort %d used by multiple nlb "
                 "listeners",
                 at_owner(at), l->container);
    else if (owner != 0)
        at_error(at,
                 "nlb port %d declared by services %.100s and %.100s; rack "
                 "NLB listener is shared, each port must be unique across "
                 "services",
                 l->port, load->m->services.v[owner - 1].name, at_owner(at));
    else
        return true;
    return false;
}

static void add_listener(const struct at *at, struct listener *l,
                         struct manifest_ports *ports)
{
    struct load_nlb *nlb = at->load->nlb;
    struct manifest_port *port;

    if (!check_listener(at, l) || !check_taken(at, l))
        return;
    nlb->owner[l->port] = nlb->inner[l->container] = at->load->m->services.len;
    nlb->container[l->port] = l->container;
    port = vec_add(ports);
    port->port = l->container;
    port->published = l->port;
    port->protocol = xstrdup("tcp");
    port->pos = at->node->pos;
}

static void decode_listener(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "port", decode_int, offsetof(struct listener, port), 0 },
        { "containerPort", decode_int, offsetof(struct listener, container),
          0 },
        { "protocol", decode_text, offsetof(struct listener, protocol), 0 },
        { "scheme", decode_text, offsetof(struct listener, scheme), 0 },
        { "certificate", decode_text, offsetof(struct listener, certificate),
          DECODE_CLOUD },
        { "cross_zone", decode_a_bool, 0, DECODE_CLOUD },
        { "allow_cidr", decode_any, 0, DECODE_CLOUD },
        { "preserve_client_ip", decode_a_bool, 0, DECODE_CLOUD },
        { 0 },
    };
    struct listener l = { 0 };
    size_t errors = at->load->errors->errors;

    if (at->load->nlb == NULL)
        at->load->nlb = xcalloc(1, sizeof(*at->load->nlb));
    if (!decode_map(at, "a map with a port", keys, &l))
        return;
    trim_lower(&l.protocol, "tcp");
    trim_lower(&l.scheme, "public");
    if (l.container == 0)
        l.container = l.port;
    check_ranges(at, l.port);
    if (at->load->errors->errors == errors)
        add_listener(at, &l, out);
    free(l.protocol);
    free(l.scheme);
    free(l.certificate);
}

void decode_nlb(const struct at *at, void *out)
{
    decode_list(at, "a list of maps with a port", decode_listener, out);
}

void nlb_finish(struct load *load, const struct manifest_service *s)
{
    if (s->agent && s->nlb.len > 0)
        diags_add(load->errors, DIAG_ERROR, s->nlb.v[0].pos,
                  "service %.100s: agent mode is incompatible with nlb ports",
                  s->name);
}

void nlb_release(struct load *load)
{
    free(load->nlb);
}
