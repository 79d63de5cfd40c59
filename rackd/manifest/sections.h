/* Sections -- the decoders of the single sections and keys, one file per
 * subject, and the few functions that these files call in each other. Private
 * to manifest/. Each comment names the struct that `out` points to, as
 * decode_map() passes it on. */
#ifndef MANIFEST_SECTIONS_H
#define MANIFEST_SECTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct at;
struct load;
struct manifest_service;

/* out: struct manifest; each adds an entry to services, resources, timers,
 * configs. */
void decode_service(const struct at *at, void *out);
void decode_resource(const struct at *at, void *out);
void decode_timer(const struct at *at, void *out);
void decode_configs(const struct at *at, void *out);

/* out: struct manifest_service, since these keys set more than one member. */
void decode_agent(const struct at *at, void *out);
void decode_build(const struct at *at, void *out);
void decode_init_container(const struct at *at, void *out);
void decode_lifecycle(const struct at *at, void *out);
void decode_pull_secrets(const struct at *at, void *out);
void decode_scale(const struct at *at, void *out);
void decode_security(const struct at *at, void *out);
void decode_uses(const struct at *at, void *out);
void decode_volumes(const struct at *at, void *out);

/* out: struct manifest_envs, manifest_volume_options,
 * manifest_config_mounts. */
void decode_environment(const struct at *at, void *out);
void decode_volume_options(const struct at *at, void *out);
void decode_config_mounts(const struct at *at, void *out);

/* out: struct manifest_port; struct manifest_ports (twice); an int, for the
 * port of a check, which may take any form that `port` may. */
void decode_port(const struct at *at, void *out);
void decode_ports(const struct at *at, void *out);
void decode_nlb(const struct at *at, void *out);
void decode_check_port(const struct at *at, void *out);

/* out: struct manifest_check. */
void decode_health(const struct at *at, void *out);
void decode_liveness(const struct at *at, void *out);
void decode_startup(const struct at *at, void *out);

/* These check and store nothing; out is not used. */
void decode_annotations(const struct at *at, void *out);
void decode_app_settings(const struct at *at, void *out);
void decode_balancer(const struct at *at, void *out);
void decode_budget(const struct at *at, void *out);
void decode_deployment(const struct at *at, void *out);
void decode_labels(const struct at *at, void *out);

/* out: struct autoscale, of which scale.c checks what depends on min and
 * max. */
struct autoscale {
    bool given; /* at least one trigger is given */
    bool has_gpu, can_sleep;
};
void decode_autoscale(const struct at *at, void *out);

/* service.c calls these when all keys of a service have been read: defaults,
 * and checks that concern several keys. */
void port_finish(struct manifest_service *s);
void health_finish(struct manifest_service *s);
void nlb_finish(struct load *load, const struct manifest_service *s);

/* manifest.c calls these when the whole file has been read: the first puts the
 * top-level environment in front of every service's own, the second reports
 * names that are referred to but not declared. */
void environment_combine(struct load *load);
void validate_refs(struct load *load);
/* Frees load->nlb at the end of manifest_load(). */
void nlb_release(struct load *load);

/* Checks an IPv4 range. For CIDR_NOT_CANONICAL, `canonical` (CIDR_MAX bytes) is
 * filled with the right spelling. */
#define CIDR_MAX 20
enum cidr { CIDR_FINE, CIDR_MALFORMED, CIDR_IPV6, CIDR_NOT_CANONICAL };
enum cidr cidr_check(const char *text, char *canonical);

#endif /* MANIFEST_SECTIONS_H */
