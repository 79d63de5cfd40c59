/* Chooses a session's network. run/network.c calls it before it creates the
 * network, and again when the engine says that the choice overlaps. */
#include "host/subnet.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"

/* A route this wide, or wider, is somebody's whole intranet. A network inside
 * it works all the same, because the kernel prefers the narrower route; so it
 * is avoided only while there is another choice. */
#define WIDE_BITS 12U

struct subnets {
    struct subnet *v;
    size_t len, cap;
};

static uint32_t mask_of(unsigned bits)
{
    return bits == 0 ? 0 : UINT32_MAX << (32 - bits);
}

bool subnet_parse(const char *text, struct subnet *out)
{
    const char *slash = strchr(text, '/');
    size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
    char host[SUBNET_IP_LEN];
    struct in_addr addr;
    long bits = 32;

    if (len >= sizeof(host) ||
        (slash != NULL && !str_to_long(slash + 1, 0, 32, &bits)))
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    if (inet_pton(AF_INET, host, &addr) != 1)
        return false;
    out->bits = (unsigned)bits;
    out->addr = ntohl(addr.s_addr) & mask_of(out->bits);
    return true;
}

bool subnet_overlaps(const struct subnet *a, const struct subnet *b)
{
    uint32_t mask = mask_of(a->bits < b->bits ? a->bits : b->bits);

    return (a->addr & mask) == (b->addr & mask);
}

void subnet_print(const struct subnet *s, char out[SUBNET_CIDR_LEN])
{
    snprintf(out, SUBNET_CIDR_LEN, "%u.%u.%u.%u/%u", s->addr >> 24,
             s->addr >> 16 & 255, s->addr >> 8 & 255, s->addr & 255,
             s->bits <= 32 ? s->bits : 32);
}

bool subnet_ip(const struct subnet *s, unsigned n, char out[SUBNET_IP_LEN])
{
    uint32_t last = ~mask_of(s->bits), ip = s->addr + n;

    if (n == 0 || n >= last)
        return false;
    snprintf(out, SUBNET_IP_LEN, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255,
             ip >> 8 & 255, ip & 255);
    return true;
}

uint64_t subnet_seed(const char *text)
{
    return hash_text(text);
}

static void add_route(struct strv *used, uint32_t dest, uint32_t mask)
{
    unsigned bits = (unsigned)__builtin_popcount(mask);
    struct subnet s = { .addr = ntohl(dest) & mask_of(bits), .bits = bits };
    char text[SUBNET_CIDR_LEN];

    if (bits == 0)
        return;
    subnet_print(&s, text);
    strv_add(used, text);
}

static void add_routes(struct strv *used)
{
    FILE *f = fopen("/proc/net/route", "re");
    char line[512];
    uint32_t dest, mask;
    unsigned flags;

    if (f == NULL)
        return;
    while (fgets(line, sizeof(line), f) != NULL)
        if (sscanf(line, /* NOLINT(cert-err34-c): the kernel's own format */
                   "%*s %" SCNx32 " %*x %x %*d %*d %*d %" SCNx32, &dest, &flags,
                   &mask) == 3 &&
            (flags & RTF_UP) != 0)
            add_route(used, dest, mask);
    fclose(f);
}

static void add_addresses(struct strv *used)
{
    struct ifaddrs *all, *one;
    struct sockaddr_in addr, mask;

    if (getifaddrs(&all) < 0)
        return;
    for (one = all; one != NULL; one = one->ifa_next) {
        if (one->ifa_addr == NULL || one->ifa_netmask == NULL ||
            one->ifa_addr->sa_family != AF_INET)
            continue;
        memcpy(&addr, one->ifa_addr, sizeof(addr));
        memcpy(&mask, one->ifa_netmask, sizeof(mask));
        add_route(used, addr.sin_addr.s_addr, mask.sin_addr.s_addr);
    }
    freeifaddrs(all);
}

void subnet_host_used(struct strv *used)
{
    add_routes(used);
    add_addresses(used);
}

/* Routes wider than `min_bits` are left out, and so is what is no network. */
static void add_parsed(struct subnets *to, const struct strv *from,
                       unsigned min_bits)
{
    struct subnet s;

    for (size_t i = 0; from != NULL && i < from->len; i++) {
        if (!subnet_parse(from->v[i], &s) || s.bits < min_bits)
            continue;
        to->v = xrealloc(to->v, (to->len + 1) * sizeof(*to->v));
        to->v[to->len++] = s;
    }
}

static bool is_free(const struct subnets *used, const struct subnet *s)
{
    for (size_t i = 0; i < used->len; i++)
        if (subnet_overlaps(&used->v[i], s))
            return false;
    return true;
}

/* Tries every network of the range once, beginning where the seed says. */
static bool pick_from(const struct subnet *range, uint64_t seed,
                      const struct subnets *used, struct subnet *out)
{
    uint32_t count, start;

    if (range->bits > SUBNET_BITS)
        return false;
    count = 1U << (SUBNET_BITS - range->bits);
    start = (uint32_t)(seed % count);
    for (uint32_t i = 0; i < count; i++) {
        struct subnet s = { .bits = SUBNET_BITS };

        s.addr = range->addr + ((start + i) % count << (32 - SUBNET_BITS));
        if (is_free(used, &s)) {
            *out = s;
            return true;
        }
    }
    return false;
}

static bool pick(const struct subnet_spec *spec, const struct subnets *ranges,
                 unsigned min_route_bits, struct subnet *out)
{
    struct subnets used = { 0 };
    bool found = false;

    add_parsed(&used, spec->used, 0);
    add_parsed(&used, spec->routes, min_route_bits);
    for (size_t i = 0; i < ranges->len && !found; i++)
        found = pick_from(&ranges->v[i], spec->seed, &used, out);
    free(used.v);
    return found;
}

int subnet_pick(const struct subnet_spec *spec, struct subnet *out,
                struct err *err)
{
    static const char *const defaults[] = { SUBNET_RANGES };
    cleanup_strv struct strv usual = { 0 };
    struct subnets ranges = { 0 };
    bool found;

    for (size_t i = 0; i < sizeof(defaults) / sizeof(*defaults); i++)
        strv_add(&usual, defaults[i]);
    add_parsed(&ranges, spec->ranges != NULL ? spec->ranges : &usual, 0);
    found =
        pick(spec, &ranges, 0, out) || pick(spec, &ranges, WIDE_BITS + 1, out);
    free(ranges.v);
    if (!found)
        return err_set(err, ERR_UNAVAILABLE,
                       "no free address pool: every /%u network that cvx may "
                       "use is taken by the engine's networks or by this "
                       "machine's routes; remove networks that nobody needs "
                       "(docker network prune)",
                       SUBNET_BITS);
    return 0;
}
