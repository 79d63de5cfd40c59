/*
 * Remembers for ten minutes which image stood in for another, and which
 * template did not work. One for the whole rack; image.c and template.c ask it.
 */
#include "run/image_notes.h"

#include <string.h>
#include <uthash.h>

#include "base/mem.h"
#include "run/session.h"

#define FORGET_MS ((uint64_t)10 * 60 * 1000)

struct note {
    char *ref, *use;
    uint64_t since_ms;
    UT_hash_handle hh;
};

struct image_notes {
    struct note *notes;
};

struct image_notes *image_notes_new(void)
{
    return xcalloc(1, sizeof(struct image_notes));
}

static void drop(struct image_notes *n, struct note *note)
{
    HASH_DEL(n->notes, note);
    free(note->ref);
    free(note->use);
    free(note);
}

void image_notes_free(struct image_notes *n)
{
    struct note *note, *next;

    HASH_ITER (hh, n->notes, note, next)
        drop(n, note);
    free(n);
}

const char *image_notes_get(struct image_notes *n, const char *ref,
                            uint64_t now_ms)
{
    struct note *note = NULL;

    HASH_FIND_STR(n->notes, ref, note);
    if (note == NULL)
        return NULL;
    if (now_ms - note->since_ms < FORGET_MS)
        return note->use;
    drop(n, note);
    return NULL;
}

void image_notes_put(struct image_notes *n, const char *ref, const char *use,
                     uint64_t now_ms)
{
    struct note *note = NULL;

    HASH_FIND_STR(n->notes, ref, note);
    if (note != NULL)
        drop(n, note);
    note = xcalloc(1, sizeof(*note));
    note->ref = xstrdup(ref);
    note->use = xstrdup(use);
    note->since_ms = now_ms;
    HASH_ADD_KEYPTR(hh, n->notes, note->ref, strlen(note->ref), note);
}
