/* Decoders of annotations, labels, deployment and balancers: keys that mean
 * nothing on a local rack. The Convox loaders still refuse wrong values there,
 * so a file that passes here must not fail on a real rack later. */
#include <arpa/inet.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "manifest/decode.h"
#include "manifest/sections.h"

static void check_annotation(const struct at *at, void *out)
{
    const struct node *node = at->node;

    (void)out;
    if (node->kind == NODE_MAP) {
        for (size_t i = 0; i < node->entries.len; i++) {
            const struct node_entry *entry = &node->entries.v[i];

            if (entry->value->kind != NODE_SCALAR ||
                entry->value->type != NODE_TEXT)
                diags_add(at->load->errors, DIAG_ERROR, entry->value->pos,
                          "annotation value is not a string: %.100s",
                          entry->key->text);
        }
    } else if (!at_is_string(at)) {
        at_wrong(at, "KEY=VALUE or a map of text");
    } else if (strchr(node->text, '=') == NULL) {
        at_error(at, "invalid annotation format: %.100s (KEY=VALUE)",
                 at_shown(at));
    }
}

void decode_annotations(const struct at *at, void *out)
{
    decode_list(at, "a list of KEY=VALUE", check_annotation, out);
}

/* Reserved label keys are an error, as in v3. v2 has no labels: files written
 * for it hold a list here, which is let through. */
void decode_labels(const struct at *at, void *out)
{
    static const char *const reserved[] = { "system", "rack",    "app",
                                            "name",   "service", "release",
                                            "type",   NULL };

    (void)out;
    if (at->node->kind != NODE_MAP)
        return;
    for (size_t i = 0; i < at->node->entries.len; i++) {
        const struct node *key = at->node->entries.v[i].key;

        for (size_t j = 0; reserved[j] != NULL; j++)
            if (strcmp(key->text, reserved[j]) == 0)
                diags_add(at->load->errors, DIAG_ERROR, key->pos,
                          "reserved label key '%s' is not allowed", key->text);
    }
}

struct deployment {
    int minimum, maximum;
    bool has_maximum;
};

static void decode_maximum(const struct at *at, void *out)
{
    struct deployment *d = out;

    decode_int(at, &d->maximum);
    d->has_maximum = true;
}

/* v2 accepts a maximum below 100 and v3 does not. Both kinds of file must load,
 * so it is only a warning here. */
void decode_deployment(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "minimum", decode_int, offsetof(struct deployment, minimum), 0 },
        { "maximum", decode_maximum, 0, 0 },
        { 0 },
    };
    struct deployment d = { 0 };
    const char *name = at_owner(at);

    (void)out;
    if (!decode_map(at, "a map of minimum and maximum", keys, &d))
        return;
    if (d.minimum < 0)
        at_error(at, "service %.100s deployment minimum can not be less than 0",
                 name);
    if (d.minimum > 100)
        at_error(at,
                 "service %.100s deployment minimum can not be greater than "
                 "100",
                 name);
    if (d.has_maximum && d.maximum < 100)
        at_warn(at,
                "service %.100s deployment maximum can not be less than 100 "
                "on a v3 rack",
                name);
    if (d.maximum > 200)
        at_error(at,
                 "service %.100s deployment maximum can not be greater than "
                 "200",
                 name);
}

/* A whitelist may hold IPv4 and IPv6 ranges, and need not be in canonical
 * form. */
static bool is_cidr(const char *text)
{
    char canonical[CIDR_MAX];

    return cidr_check(text, canonical) != CIDR_MALFORMED;
}

static void check_cidr(const struct at *at)
{
    if (!is_cidr(at->node->text))
        at_error(at,
                 "balancer %.100s whitelist %.60s is not a valid cidr range",
                 at_owner(at), at_shown(at));
}

static void check_range(const struct at *at, void *out)
{
    (void)out;
    if (!at_is_string(at))
        at_wrong(at, "a CIDR range");
    else
        check_cidr(at);
}

static void decode_balancer_whitelist(const struct at *at, void *out)
{
    if (at->node->kind == NODE_LIST)
        decode_list(at, "", check_range, out);
    else
        check_range(at, out);
}

static void decode_balancer_port(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "protocol", decode_a_text, 0, 0 },
        { "port", decode_an_int, 0, 0 },
        { 0 },
    };
    long source;

    if (!str_to_long(at->key, 1, 65535, &source))
        diags_add(at->load->errors, DIAG_ERROR, at->key_pos,
                  "balancer %.100s: \"%.60s\" is not a port", at_owner(at),
                  at->key);
    if (at->node->kind == NODE_MAP)
        decode_map(at, "", keys, NULL);
    else if (at->node->kind != NODE_SCALAR || at->node->type != NODE_INT)
        at_wrong(at, "a port or a map of protocol and port");
    ++*(size_t *)out;
}

static void decode_balancer_ports(const struct at *at, void *out)
{
    decode_named(at, "a map of ports to ports", decode_balancer_port, out);
}

struct balancer {
    char *service;
    size_t ports;
};

static void decode_balancer_service(const struct at *at, void *out)
{
    struct balancer *b = out;

    decode_text(at, &b->service);
    if (b->service != NULL)
        decode_ref_add(at, REF_BALANCER_SERVICE, at_owner(at), b->service);
}

void decode_balancer(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "service", decode_balancer_service, 0, 0 },
        { "ports", decode_balancer_ports, offsetof(struct balancer, ports), 0 },
        { "whitelist", decode_balancer_whitelist, 0, 0 },
        { "annotations", decode_annotations, 0, 0 },
        { 0 },
    };
    struct balancer b = { 0 };

    (void)out;
    if (!node_is_null(at->node) &&
        !decode_map(at, "a map of service and ports", keys, &b))
        return;
    if (b.ports == 0)
        diags_add(at->load->errors, DIAG_ERROR, at->key_pos,
                  "balancer %.100s has no ports", at->key);
    if (b.service == NULL)
        diags_add(at->load->errors, DIAG_ERROR, at->key_pos,
                  "balancer %.100s has blank service", at->key);
    free(b.service);
}
