/* Decodes one service: the table of its keys, its defaults, and the checks that
 * need all keys. manifest.c calls decode_service() for every entry of
 * `services`. A new key of a service is a row here. */
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "manifest/decode.h"
#include "manifest/sections.h"

#define SERVICE(member) offsetof(struct manifest_service, member)

/* Domains come as text with commas or as a list; blank ones are dropped. */
static void add_domains(struct strv *domains, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, ","), used = len, start;

        start = strspn(text, " \t\r\n");
        while (used > start && strchr(" \t\r\n", text[used - 1]) != NULL)
            used--;
        if (used > start)
            strv_add_len(domains, text + start, used - start);
        text += len + (text[len] == ',');
    }
}

static void add_domain(const struct at *at, void *out)
{
    if (node_is_null(at->node))
        return;
    if (at_is_string(at)) {
        add_domains(out, at->node->text);
    } else {
        cleanup_free char *got = node_describe(at->node);

        at_error(at,
                 "unknown type for service domain: it must be text, "
                 "not %s",
                 got);
    }
}

static void decode_domain(const struct at *at, void *out)
{
    if (at->node->kind == NODE_LIST)
        decode_list(at, "", add_domain, out);
    else
        add_domain(at, out);
}

/* internalAndExternal is v2's key for a service that is internal as well; here
 * that is the same as internal. */
static void decode_both(const struct at *at, void *out)
{
    bool both = false;

    decode_bool(at, &both);
    if (both)
        *(bool *)out = true;
}

static void decode_termination(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "grace", decode_seconds, SERVICE(termination_grace), 0 },
        { 0 },
    };

    decode_map(at, "a map of grace", keys, out);
}

static void decode_tls(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "redirect", decode_a_bool, 0, 0 },
        { 0 },
    };

    decode_map(at, "a map of redirect", keys, out);
}

static void decode_dns(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "ndots", decode_an_int, 0, 0 },
        { 0 },
    };

    decode_map(at, "a map of ndots", keys, out);
}

/* All keys that v2 or v3 know. */
static const struct decode_key service_keys[] = {
    { "accessControl", decode_a_map, 0, DECODE_CLOUD },
    { "agent", decode_agent, 0, 0 },
    { "annotations", decode_annotations, 0, DECODE_CLOUD },
    { "build", decode_build, 0, 0 },
    { "certificate", decode_any, 0, DECODE_CLOUD },
    { "command", decode_command, SERVICE(command), 0 },
    { "configMounts", decode_config_mounts, SERVICE(config_mounts), 0 },
    { "deployment", decode_deployment, 0, DECODE_CLOUD },
    { "disableHostUsers", decode_a_bool, 0, DECODE_CLOUD },
    { "dnsConfig", decode_dns, 0, DECODE_CLOUD },
    { "domain", decode_domain, SERVICE(domains), DECODE_ADDS },
    { "drain", decode_an_int, 0, DECODE_CLOUD },
    { "environment", decode_environment, SERVICE(environment), DECODE_ADDS },
    { "grpcHealthEnabled", decode_bool, SERVICE(grpc_health), 0 },
    { "health", decode_health, SERVICE(health), 0 },
    { "image", decode_text, SERVICE(image), 0 },
    { "imagePullSecrets", decode_pull_secrets, 0, 0 },
    { "ingressAnnotations", decode_annotations, 0, DECODE_CLOUD },
    { "init", decode_bool, SERVICE(init), 0 },
    { "initContainer", decode_init_container, 0, 0 },
    { "internal", decode_bool, SERVICE(internal), 0 },
    { "internalAndExternal", decode_both, SERVICE(internal), 0 },
    { "internalRouter", decode_bool, SERVICE(internal_router), 0 },
    { "labels", decode_labels, 0, DECODE_CLOUD },
    { "lifecycle", decode_lifecycle, 0, 0 },
    { "links", decode_texts, SERVICE(links), 0 },
    { "liveness", decode_liveness, SERVICE(liveness), 0 },
    { "nlb", decode_nlb, SERVICE(nlb), 0 },
    { "nodeAffinityLabels", decode_a_list, 0, DECODE_CLOUD },
    { "nodeSelectorLabels", decode_labels, 0, DECODE_CLOUD },
    { "policies", decode_any, 0, DECODE_CLOUD },
    { "port", decode_port, SERVICE(port), 0 },
    { "ports", decode_ports, SERVICE(ports), 0 },
    { "privileged", decode_bool, SERVICE(privileged), 0 },
    { "resources", decode_uses, 0, 0 },
    { "scale", decode_scale, 0, DECODE_NULL },
    { "securityContext", decode_security, 0, 0 },
    { "singleton", decode_bool, SERVICE(singleton), 0 },
    { "startupProbe", decode_startup, SERVICE(startup), 0 },
    { "sticky", decode_a_bool, 0, DECODE_CLOUD },
    { "tags", decode_any, 0, DECODE_CLOUD },
    { "termination", decode_termination, 0, 0 },
    { "test", decode_text, SERVICE(test), 0 },
    { "timeout", decode_seconds, SERVICE(timeout), 0 },
    { "tls", decode_tls, 0, DECODE_CLOUD },
    { "volumeOptions", decode_volume_options, SERVICE(volume_options), 0 },
    { "volumes", decode_volumes, 0, 0 },
    { "whitelist", decode_a_text, 0, DECODE_CLOUD },
    { 0 },
};

static void init_service(struct manifest_service *s, const struct at *at)
{
    s->name = xstrdup(at->key);
    s->pos = at->key_pos;
    s->init = true;
    s->scale.count = 1;
    s->security.run_as_user = s->security.run_as_group = -1;
    s->termination_grace = 30;
}

static void finish_build(const struct at *at, struct manifest_service *s)
{
    if (s->image != NULL) {
        if (s->build_path != NULL || s->build_manifest != NULL)
            diags_add(at->load->warnings, DIAG_WARNING, s->pos,
                      "service %.100s has an image: its build is not used",
                      s->name);
        free(s->build_path);
        free(s->build_manifest);
        s->build_path = s->build_manifest = NULL;
        return;
    }
    if (s->build_path == NULL)
        s->build_path = xstrdup(".");
    if (s->build_manifest == NULL)
        s->build_manifest = xstrdup("Dockerfile");
}

static void finish_service(const struct at *at, struct manifest_service *s)
{
    finish_build(at, s);
    port_finish(s);
    health_finish(s);
    nlb_finish(at->load, s);
    if (s->agent)
        s->scale.count = 1;
    if (s->timeout == 0)
        s->timeout = 60;
    if (s->internal && s->internal_router)
        diags_add(at->load->errors, DIAG_ERROR, s->pos,
                  "service %.100s can not have both internal and "
                  "internalRouter set as true",
                  s->name);
}

void decode_service(const struct at *at, void *out)
{
    struct manifest *m = out;
    struct manifest_service *s = vec_add(&m->services);

    init_service(s, at);
    decode_check_name(at, "service");
    if (!node_is_null(at->node))
        decode_map(at, "a map of build, port, environment, ...", service_keys,
                   s);
    finish_service(at, s);
}
