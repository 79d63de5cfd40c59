/*
 * image -- an image that a container is created from, or a build begins with.
 *
 * It is assumed to be on the engine until a create or a build misses it. Then
 * it is pulled; where no registry answers, a stand-in (images/) is looked for.
 * Whoever waits for it looks at its state when poked. Members are read-only
 * outside image.c.
 */
#ifndef RUN_IMAGE_H
#define RUN_IMAGE_H

#include <stddef.h>
#include <stdint.h>

struct engine_call;
struct layer;
struct session;

enum image_state {
    IMAGE_ASSUMED, /* nobody has missed it yet */
    IMAGE_CHECKING,
    IMAGE_PULLING,
    IMAGE_SEARCHING, /* no registry answered: is there a stand-in? */
    IMAGE_READY,
    IMAGE_FAILED,
};

struct image {
    struct session *s;
    char *ref;           /* as the plan has it */
    char *use;           /* what to create from: ref, or a stand-in */
    const char *standin; /* images/FOLDER that may stand in, or NULL */
    enum image_state state;
    struct engine_call *call;
    struct layer *layers; /* of a running pull */
    unsigned layer_count, layers_done;
    uint64_t last_progress_ms;
    char *pull_error;
    char *asked_by; /* who needs it, for messages */
    size_t mark;    /* in the session's marks */
};

/* The session's image for `ref`, made when it is new. */
struct image *image_get(struct session *s, const char *ref, const char *standin,
                        const char *asked_by);

/* Make sure that the engine has it, for a build. */
void image_check(struct image *img);

/* The same once more: somebody may have removed it. */
void image_check_again(struct image *img);

/* The engine says it has no such image: pull it. */
void image_missing(struct image *img);

/* A start's marks begin: it gets a new one. */
void image_mark(struct image *img);
void image_cancel(struct image *img);
void image_free(struct image *img);

#endif /* RUN_IMAGE_H */
