/*
 * subnet -- a free IPv4 network for a session, and the addresses in it.
 *
 * The engine's own pools hold 31 networks and then fail for everybody; small
 * networks of our own choice do not run out, and a known network lets every
 * container have its address before it exists.
 *
 *     subnet_host_used(&routes);
 *     subnet_pick(&(struct subnet_spec){ .used = &engine_networks,
 *                                        .routes = &routes,
 *                                        .seed = subnet_seed("local/s1") },
 *                 &net, &err);
 *     subnet_print(&net, cidr);               "10.213.7.0/24"
 *     subnet_ip(&net, 1, ip);                 "10.213.7.1", the gateway
 *
 * Pure, except subnet_host_used().
 */
#ifndef HOST_SUBNET_H
#define HOST_SUBNET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strv.h"

struct err;

/* Where to look, in this order, when the spec does not say. */
#define SUBNET_RANGES "10.192.0.0/10", "172.16.0.0/12", "192.168.0.0/16"

/* The size of the networks that are picked: room for 253 containers. */
#define SUBNET_BITS 24U

#define SUBNET_CIDR_LEN 19 /* "255.255.255.255/32" and a NUL */
#define SUBNET_IP_LEN   16

struct subnet {
    uint32_t addr; /* host order; no bits below the mask */
    unsigned bits;
};

/* Reads "10.1.2.0/24"; an address alone is a /32. False for anything else,
 * including IPv6. Bits below the mask are cleared. */
bool subnet_parse(const char *text, struct subnet *out);

bool subnet_overlaps(const struct subnet *a, const struct subnet *b);

/* Adds the networks of this machine's routes and addresses. The default route
 * is left out: it covers everything. */
void subnet_host_used(struct strv *used);

/* A number made of a name; the same name gives the same number everywhere. */
uint64_t subnet_seed(const char *text);

struct subnet_spec {
    const struct strv *ranges; /* NULL: SUBNET_RANGES */
    const struct strv *used;   /* the engine's networks: never overlapped */
    const struct strv *routes; /* the host's, or NULL; a wide one, such as a
                                  VPN's 10.0.0.0/8, is avoided if possible */
    uint64_t seed; /* where to begin, so that two racks seldom collide */
};

/* The same spec gives the same answer. What in `used` and `routes` is no IPv4
 * network is ignored. ERR_UNAVAILABLE when every network is taken. */
int subnet_pick(const struct subnet_spec *spec, struct subnet *out,
                struct err *err);

void subnet_print(const struct subnet *s, char out[SUBNET_CIDR_LEN]);

/* The n-th address: 1 is the gateway's, containers have 2 and up. False for 0,
 * for the broadcast address, and for what is past it. */
bool subnet_ip(const struct subnet *s, unsigned n, char out[SUBNET_IP_LEN]);

#endif /* HOST_SUBNET_H */
