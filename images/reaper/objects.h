/*
 * objects -- what the engine has of a rack: containers, networks, volumes.
 *
 *     struct objects all = { 0 };
 *     objects_list(&all, "/engine.sock", labels, count);   0, or -1
 *     objects_release(&all);
 *
 * Only what carries every label ("key=value") is listed. The engine is asked
 * for those, and its answer is checked again, because an engine that does not
 * understand a filter answers with everything. Volumes kept by --keep-data
 * (cvx.keep=true) are never listed.
 */
#ifndef REAPER_OBJECTS_H
#define REAPER_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>

enum object_kind { OBJECT_CONTAINER, OBJECT_NETWORK, OBJECT_VOLUME };

struct object {
    enum object_kind kind;
    char *id, *name; /* a volume's id is its name */
    bool is_reaper;  /* a reaper's container, started or not */
};

struct objects {
    struct object *v;
    size_t len, cap;
};

/* Adds to `out`. -1: the engine did not answer all three questions; *why says
 * why, and is valid until the next call. */
int objects_list(struct objects *out, const char *socket_path,
                 char *const *labels, size_t label_count, const char **why);

/* Removes those for which `want` is true, all at once; returns how many could
 * not be removed. What is gone already counts as removed. */
size_t objects_remove(const struct objects *all, const char *socket_path,
                      bool (*want)(const struct object *object));

void objects_release(struct objects *all);

#endif /* REAPER_OBJECTS_H */
