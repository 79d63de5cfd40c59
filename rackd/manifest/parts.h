/*
 * parts -- the decoders of single keys, one file per subject, and the little
 * that the files ask of each other. `out` is what decode_map() handed on: it
 * points to the struct named above each group.
 */
#ifndef MANIFEST_PARTS_H
#define MANIFEST_PARTS_H

#include <stdbool.h>
#include <stddef.h>

struct at;
struct load;
struct manifest_service;

/* struct manifest: an entry of services, resources, timers, configs */
void decode_service(const struct at *at, void *out);
void decode_resource(const struct at *at, void *out);
void decode_timer(const struct at *at, void *out);
void decode_configs(const struct at *at, void *out);

/* struct manifest_service, as they set more than one member */
void decode_agent(const struct at *at, void *out);
void decode_build(const struct at *at, void *out);
void decode_init_container(const struct at *at, void *out);
void decode_lifecycle(const struct at *at, void *out);
void decode_pull_secrets(const struct at *at, void *out);
void decode_scale(const struct at *at, void *out);
void decode_security(const struct at *at, void *out);
void decode_uses(const struct at *at, void *out);
void decode_volumes(const struct at *at, void *out);

/* struct manifest_envs, manifest_volume_options, manifest_config_mounts */
void decode_environment(const struct at *at, void *out);
void decode_volume_options(const struct at *at, void *out);
void decode_config_mounts(const struct at *at, void *out);

/* struct manifest_port; struct manifest_ports; an int: the port of a check,
 * in any form that `port` has */
void decode_port(const struct at *at, void *out);
void decode_ports(const struct at *at, void *out);
void decode_nlb(const struct at *at, void *out);
void decode_check_port(const struct at *at, void *out);

/* struct manifest_check */
void decode_health(const struct at *at, void *out);
void decode_liveness(const struct at *at, void *out);
void decode_startup(const struct at *at, void *out);

/* Nothing: judged, not kept */
void decode_annotations(const struct at *at, void *out);
void decode_app_settings(const struct at *at, void *out);
void decode_balancer(const struct at *at, void *out);
void decode_budget(const struct at *at, void *out);
void decode_deployment(const struct at *at, void *out);
void decode_labels(const struct at *at, void *out);

/* Its own struct: scale has to know */
struct autoscale {
    bool given; /* there is a trigger */
    bool has_gpu, can_sleep;
};
void decode_autoscale(const struct at *at, void *out);

/* What can be settled only when a service has been read */
void port_finish(struct manifest_service *s);
void health_finish(struct manifest_service *s);
void nlb_finish(struct load *load, const struct manifest_service *s);

/* ... or the whole manifest: the top-level environment goes in front of
 * every service's; what is named must be there. */
void environment_combine(struct load *load);
void validate_refs(struct load *load);
void nlb_release(struct load *load);

/* What is wrong with an IPv4 range. For CIDR_NOT_CANONICAL, what it should
 * be is in `canonical` (CIDR_MAX bytes). */
#define CIDR_MAX 20
enum cidr { CIDR_FINE, CIDR_MALFORMED, CIDR_IPV6, CIDR_NOT_CANONICAL };
enum cidr cidr_check(const char *text, char *canonical);

#endif /* MANIFEST_PARTS_H */
