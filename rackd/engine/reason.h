/*
 * reason -- what an engine's error text means.
 *
 * Engines answer with an HTTP status and a sentence. Where the status does not
 * say enough, the sentence is matched here and nowhere else; reason.c names
 * the engine and version on which each was seen.
 *
 *     if (engine_says(err->msg, REASON_PORT_TAKEN))
 *         ...
 */
#ifndef ENGINE_REASON_H
#define ENGINE_REASON_H

#include <stdbool.h>

#include "base/err.h"

enum engine_reason {
    REASON_NONE,            /* not one that we know */
    REASON_INIT_MISSING,    /* it has no init program for `init: true` */
    REASON_NETWORK_MISSING, /* the network itself is not there */
    REASON_CONNECTED,       /* the container is on the network already */
    REASON_SUBNET_OVERLAPS, /* another network has these addresses */
    REASON_POOL_EMPTY,      /* it has no addresses for another network */
    REASON_DISK_FULL,
    REASON_JOIN_FAILED, /* the container whose network to share is not there */
    REASON_COMMAND_NOT_FOUND,
    REASON_RLIMIT, /* it may not set the limits it is told to */
    REASON_PERMISSION_DENIED,
    REASON_NO_SUCH_FILE,
    REASON_PORT_TAKEN,
    REASON_EXEC_FORMAT, /* the program is for another processor */
    REASON_CAPS,        /* it cannot give a container all rights */
    REASON_INVALID_MOUNT,
    REASON_REMOVAL_UNDER_WAY, /* somebody removes it already */
    REASON_STEP_FAILED,       /* a RUN step of a build ended with a status */
    REASON_IMAGE,             /* a build speaks of an image, not of a file */
    REASON_NETWORK, /* it speaks of a network in a way not listed above */
};

/* The first reason of the table that the text gives. */
enum engine_reason engine_reason(const char *text);

/* Does it give this one, among others perhaps? */
bool engine_says(const char *text, enum engine_reason reason);

/* What the text of a failed pull means. ERR_UNAVAILABLE: no registry answered;
 * ERR_NOT_FOUND: it has no such image, or not for us; ERR_NONE: something
 * else. */
enum err_code engine_registry_code(const char *text);

/* What a line of a pull says of its layer. */
enum engine_layer {
    LAYER_OTHER, /* waiting, verifying, extracting: nothing to count */
    LAYER_DOWNLOADING,
    LAYER_DOWNLOADED,
    LAYER_DONE,
};

enum engine_layer engine_layer(const char *status);

#endif /* ENGINE_REASON_H */
