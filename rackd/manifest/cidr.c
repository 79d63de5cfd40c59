/* Checks an IP range such as 10.0.0.0/16. Used while a load balancer's
 * listeners (nlb.c) and whitelists (cloud.c) are decoded. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "manifest/sections.h"

enum cidr cidr_check(const char *text, char *canonical)
{
    const char *slash = strchr(text, '/');
    cleanup_free char *address = NULL;
    struct in6_addr six;
    struct in_addr four;
    uint32_t host, mask;
    char shown[INET_ADDRSTRLEN];
    long bits;

    if (slash == NULL)
        return CIDR_MALFORMED;
    address = str_dup_len(text, (size_t)(slash - text));
    if (inet_pton(AF_INET6, address, &six) == 1 &&
        str_to_long(slash + 1, 0, 128, &bits))
        return CIDR_IPV6;
    if (inet_pton(AF_INET, address, &four) != 1 ||
        !str_to_long(slash + 1, 0, 32, &bits))
        return CIDR_MALFORMED;

    host = ntohl(four.s_addr);
    mask = bits == 0 ? 0 : UINT32_MAX << (32 - bits);
    four.s_addr = htonl(host & mask);
    inet_ntop(AF_INET, &four, shown, sizeof(shown));
    snprintf(canonical, CIDR_MAX, "%s/%ld", shown, bits);
    return strcmp(canonical, text) == 0 ? CIDR_FINE : CIDR_NOT_CANONICAL;
}
