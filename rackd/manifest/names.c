/* A hash set of names. The lookups of references and duplicates use it while a
 * manifest is loaded. */
#include "manifest/names.h"

#include <stdint.h>
#include <string.h>
#include <uthash.h>

#include "base/mem.h"

struct names_slot {
    char *name;
    size_t number;
    UT_hash_handle hh;
};

static struct names_slot *find(const struct names *set, const char *name)
{
    struct names_slot *slot = NULL;

    HASH_FIND_STR(set->slots, name, slot);
    return slot;
}

size_t names_add(struct names *set, const char *name, size_t number)
{
    struct names_slot *slot = find(set, name);

    if (slot != NULL)
        return slot->number;
    slot = xcalloc(1, sizeof(*slot));
    slot->name = xstrdup(name);
    slot->number = number;
    HASH_ADD_KEYPTR(hh, set->slots, slot->name, strlen(slot->name), slot);
    return NAMES_NEW;
}

bool names_has(const struct names *set, const char *name)
{
    return find(set, name) != NULL;
}

void names_release(struct names *set)
{
    struct names_slot *slot = set->slots, *next;

    HASH_CLEAR(hh, set->slots); /* the slots stay linked */
    for (; slot != NULL; slot = next) {
        next = slot->hh.next;
        free(slot->name);
        free(slot);
    }
}
