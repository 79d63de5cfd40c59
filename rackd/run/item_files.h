/* item_files -- files, and the owners of volumes, are put into an item's
 * container between its create and its start. */
#ifndef RUN_ITEM_FILES_H
#define RUN_ITEM_FILES_H

#include <stddef.h>

#include "run/session_timer.h"

struct item;
struct volume;

struct item_files {
    char *archive; /* on its way into the container */
    size_t archive_len;
    unsigned tries;
    struct session_timer again; /* the next try */
    struct volume *owns;        /* whose root is being given its owner */
    size_t mounts_done;         /* mounts whose owner has been seen to */
};

/* Put everything in, then go on (item_wait()). */
void item_put_files(struct item *it);

/* The container is gone: what was on its way goes into the next one. */
void item_files_stop(struct item *it);

#endif /* RUN_ITEM_FILES_H */
