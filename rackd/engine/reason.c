/*
 * Reads the engines' English. Called with the text of a failed call by whoever
 * can do something about some failures (run/) and by what explains them to the
 * user. A text that a newer engine words differently gets one more row.
 */
#include "engine/reason.h"

#include <stddef.h>
#include <string.h>

/*
 * In this order a text's first reason is found, so special ones come first.
 * `also`, where given, must follow `words`. Each row says where it was seen;
 * those "not met" are from the engines' sources.
 */
static const struct {
    const char *words, *also;
    enum engine_reason reason;
} rows[] = {
    /* Podman 4.3.1, at the create. */
    { "container-init binary not found", NULL, REASON_INIT_MISSING },
    /* Docker 20.10.24, at the start. */
    { "\"docker-init\": executable file not found", NULL, REASON_INIT_MISSING },
    /* Docker 20.10.24, at the start and at a connect. */
    { "network ", "not found", REASON_NETWORK_MISSING },
    /* Docker 20.10.24, at a connect. */
    { "already exists in network", NULL, REASON_CONNECTED },
    /* Docker 20.10.24. */
    { "overlaps", NULL, REASON_SUBNET_OVERLAPS },
    /* Podman; not met. */
    { "already being used", NULL, REASON_SUBNET_OVERLAPS },
    { "already used", NULL, REASON_SUBNET_OVERLAPS },
    /* Older Docker, which names the other network's bridge; not met. */
    { "conflicts with network", NULL, REASON_SUBNET_OVERLAPS },
    /* Docker before 28; not met. */
    { "non-overlapping", NULL, REASON_POOL_EMPTY },
    /* Docker 28: "all predefined address pools have been fully subnetted"; not
     * met. */
    { "address pool", NULL, REASON_POOL_EMPTY },
    { "fully subnetted", NULL, REASON_POOL_EMPTY },
    /* The kernel's ENOSPC and EDQUOT, which every engine passes on. */
    { "no space left on device", NULL, REASON_DISK_FULL },
    { "disk quota exceeded", NULL, REASON_DISK_FULL },
    /* Docker 20.10.24, where the container is there and does not run. */
    { "join network of", NULL, REASON_JOIN_FAILED },
    /* Docker 20.10.24 with runc 1.1.5; Podman 4.3.1, at the attach. */
    { "executable file not found", NULL, REASON_COMMAND_NOT_FOUND },
    /* Docker 20.10.24 with runc 1.1.5. */
    { "setting rlimit", NULL, REASON_RLIMIT },
    { "permission denied", NULL, REASON_PERMISSION_DENIED },
    { "no such file or directory", NULL, REASON_NO_SUCH_FILE },
    /* Docker 20.10.24, where another container has the port. */
    { "port is already allocated", NULL, REASON_PORT_TAKEN },
    /* Docker 20.10.24 and Podman 4.3.1, where another program has it. */
    { "address already in use", NULL, REASON_PORT_TAKEN },
    /* Docker Desktop; not met. */
    { "ports are not available", NULL, REASON_PORT_TAKEN },
    /* The kernel's ENOEXEC, which every engine passes on. */
    { "exec format error", NULL, REASON_EXEC_FORMAT },
    /* Docker 20.10.24 with runc 1.1.5, where the engine itself is confined. */
    { "unable to apply caps", NULL, REASON_CAPS },
    /* Docker 20.10.24, at the create. */
    { "invalid mount", NULL, REASON_INVALID_MOUNT },
    /* Docker 20.10.24, where a container is removed twice at once. */
    { "already in progress", NULL, REASON_REMOVAL_UNDER_WAY },
    /* Docker 20.10.24 (classic builder); BuildKit of Docker 28.5.2; BuildKit of
     * Docker 20.10, not met. */
    { "returned a non-zero code", NULL, REASON_STEP_FAILED },
    { "did not complete successfully", NULL, REASON_STEP_FAILED },
    { "executor failed running", NULL, REASON_STEP_FAILED },
    /* Podman 4.3.1, at the create: "unable to find network with name or ID". */
    { "network", NULL, REASON_NETWORK },
    /* Docker 20.10.24 and 28.5.2, in a build whose base image is not there. */
    { "manifest", NULL, REASON_IMAGE },
    { "pull", NULL, REASON_IMAGE },
    { "repository", NULL, REASON_IMAGE },
    { "resolve source metadata", NULL, REASON_IMAGE },
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

/*
 * The engines pass on what their registry client says (Go's net, net/http and
 * containers' libraries), alike in Docker 20.10.24 and 28.5.2 and in Podman
 * 4.3.1; "toomanyrequests" and the texts of proxies are a registry's own.
 */
enum err_code engine_registry_code(const char *text)
{
    static const struct {
        enum err_code code;
        const char *words;
    } known[] = {
        { ERR_UNAVAILABLE, "no such host" },
        { ERR_UNAVAILABLE, "connection refused" },
        { ERR_UNAVAILABLE, "connection reset" },
        { ERR_UNAVAILABLE, "i/o timeout" },
        { ERR_UNAVAILABLE, "network is unreachable" },
        { ERR_UNAVAILABLE, "no route to host" },
        { ERR_UNAVAILABLE, "TLS handshake timeout" },
        { ERR_UNAVAILABLE, "server misbehaving" },
        { ERR_UNAVAILABLE, "Temporary failure in name resolution" },
        { ERR_UNAVAILABLE, "context deadline exceeded" },
        { ERR_UNAVAILABLE, "request canceled while waiting" },
        { ERR_UNAVAILABLE, "proxyconnect" },
        { ERR_UNAVAILABLE, "toomanyrequests" },
        { ERR_UNAVAILABLE, "Bad Gateway" },
        { ERR_UNAVAILABLE, "Service Unavailable" },
        { ERR_UNAVAILABLE, "Gateway Time" },
        { ERR_NOT_FOUND, "manifest unknown" },
        { ERR_NOT_FOUND, "not found" },
        { ERR_NOT_FOUND, "pull access denied" },
        { ERR_NOT_FOUND, "repository does not exist" },
        { ERR_NOT_FOUND, "unauthorized" },
        { ERR_NOT_FOUND, "denied" },
        { ERR_NOT_FOUND, "no basic auth credentials" },
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (strstr(text, known[i].words) != NULL)
            return known[i].code;
    }
    return ERR_NONE;
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
