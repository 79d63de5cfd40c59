/*
 * floor_calls -- the raw calls that floor.c times, one function a step.
 *
 *     const struct floor_step *step = floor_step_find("create", 6);
 *     step->run(&rack, &subject, arg, &err)
 *
 * A call is one blocking request on a connection of its own, so that steps of
 * different subjects may run in different threads; they share nothing that
 * changes.
 */
#ifndef BENCH_FLOOR_CALLS_H
#define BENCH_FLOOR_CALLS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

struct err;

/* What all containers of a run have in common. */
struct floor_rack {
    const char *socket; /* of the engine */
    char *name;         /* "floor-PID": its network, its containers' prefix */
    const char *joined; /* network a container is created on; NULL: ours */
    const char *prefix; /* "10.9.8": static addresses in it; NULL: none */
    const cJSON *container, *network, *endpoint; /* laid over what we ask */
};

/* One container. */
struct floor_subject {
    size_t index;
    const char *image;
    char *id;   /* NULL: there is none */
    int output; /* its attached stream, or -1 */
};

/* `arg` is what follows '=' in "connect=pool", or NULL. */
struct floor_step {
    const char *name;
    bool once; /* for all containers: the first one's turn */
    int (*run)(const struct floor_rack *r, struct floor_subject *s,
               const char *arg, struct err *err);
};

/* NULL: there is no such step. */
const struct floor_step *floor_step_find(const char *name, size_t len);

/* "create start ..."; for the usage. */
void floor_step_names(char *out, size_t size);

#endif /* BENCH_FLOOR_CALLS_H */
