/*
 * Reads the engines' English. Called with the text of a failed call by whoever
 * can do something about some failures (run/) and by what explains them to the
 * user. A text that a newer engine words differently gets one more row.
 */
#include "engine/reason.h"

#include <stddef.h>
#include <string.h>

/* In this order a text's first reason is found, so special ones come first.
 * `also`, where given, must follow `words`. */
static const struct {
    const char *words, *also;
    enum engine_reason reason;
} rows[] = {
    /* Podman 4.3.1, at the create. */
    { "container-init binary not found", NULL, REASON_INIT_MISSING },
    /* Docker 20.10.24, at the start. */
    { "\"docker-init\": executable file not found", NULL, REASON_INIT_MISSING },
    /* Docker 20.10.24, 28.5.2: "network app-s1 not found". */
    { "network ", "not found", REASON_NETWORK_MISSING },
    /* Docker 20.10.24: "endpoint with name x already exists in network y". */
    { "already exists in network", NULL, REASON_CONNECTED },
    /* Docker 20.10.24: "Pool overlaps with other one on this address space". */
    { "overlaps", NULL, REASON_SUBNET_OVERLAPS },
    /* Podman 4.3.1: "subnet 10.1.0.0/24 is already used on the host or by
     * another config"; netavark words it "already being used". */
    { "already being used", NULL, REASON_SUBNET_OVERLAPS },
    { "already used", NULL, REASON_SUBNET_OVERLAPS },
    /* Docker 20.10.24: "networks have same bridge name" comes with it where
     * another network's bridge has the address. */
    { "conflicts with network", NULL, REASON_SUBNET_OVERLAPS },
    /* Docker 20.10.24: "could not find an available, non-overlapping IPv4
     * address pool among the defaults to assign to the network". */
    { "non-overlapping", NULL, REASON_POOL_EMPTY },
    /* Docker 28.5.2: "all predefined address pools have been fully
     * subnetted". */
    { "address pool", NULL, REASON_POOL_EMPTY },
    { "fully subnetted", NULL, REASON_POOL_EMPTY },
    /* The kernel's ENOSPC and EDQUOT, as every engine passes them on. */
    { "no space left on device", NULL, REASON_DISK_FULL },
    { "disk quota exceeded", NULL, REASON_DISK_FULL },
    /* Docker 20.10.24: "cannot join network of a non running container". */
    { "join network of", NULL, REASON_JOIN_FAILED },
    /* runc 1.1.5 under Docker 20.10.24, and crun under Podman 4.3.1. */
    { "executable file not found", NULL, REASON_COMMAND_NOT_FOUND },
    { "setting rlimit", NULL, REASON_RLIMIT },
    { "permission denied", NULL, REASON_PERMISSION_DENIED },
    { "no such file or directory", NULL, REASON_NO_SUCH_FILE },
    /* Docker 20.10.24: "Bind for 127.0.0.1:8080 failed: port is already
     * allocated". */
    { "port is already allocated", NULL, REASON_PORT_TAKEN },
    /* Podman 4.3.1, and Docker where the proxy cannot listen. */
    { "address already in use", NULL, REASON_PORT_TAKEN },
    /* Docker Desktop, from its documentation. */
    { "ports are not available", NULL, REASON_PORT_TAKEN },
    { "exec format error", NULL, REASON_EXEC_FORMAT },
    /* runc 1.1.5: "unable to apply caps: operation not permitted". */
    { "unable to apply caps", NULL, REASON_CAPS },
    /* Docker 20.10.24: "invalid mount config for type "bind": ...". */
    { "invalid mount", NULL, REASON_INVALID_MOUNT },
    /* Podman 4.3.1: "unable to find network with name or ID x". */
    { "network", NULL, REASON_NETWORK },
};

static bool has_row(const char *text, size_t i)
{
    const char *at = strcasestr(text, rows[i].words);

    /* What is missing must be the sentence's subject: elsewhere "network" and
     * "not found" may speak of two things. */
    if (rows[i].reason == REASON_NETWORK_MISSING && at != text)
        return false;
    return at != NULL &&
           (rows[i].also == NULL || strcasestr(at, rows[i].also) != NULL);
}

enum engine_reason engine_reason(const char *text)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (has_row(text, i))
            return rows[i].reason;
    return REASON_NONE;
}

bool engine_says(const char *text, enum engine_reason reason)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (rows[i].reason == reason && has_row(text, i))
            return true;
    return false;
}

/* Docker 20.10.24 and 28.5.2; Podman 4.3.1 has the same words. */
enum engine_layer engine_layer(const char *status)
{
    if (strcmp(status, "Downloading") == 0)
        return LAYER_DOWNLOADING;
    if (strcmp(status, "Download complete") == 0)
        return LAYER_DOWNLOADED;
    if (strcmp(status, "Pull complete") == 0 ||
        strcmp(status, "Already exists") == 0)
        return LAYER_DONE;
    return LAYER_OTHER;
}
