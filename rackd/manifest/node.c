/* The tree of YAML values: its memory, and `<<` (merge keys). parse.c builds
 * the tree; the decoders read it. Nodes live in a pool, since an alias makes
 * one node the child of several. */
#include "manifest/node.h"

#include <stdint.h>
#include <string.h>
#include <uthash.h>

#include "base/mem.h"
#include "base/vec.h"

#define CHUNK_LEN 128

struct node_chunk {
    struct node_chunk *next;
    size_t len;
    struct node v[CHUNK_LEN];
};

struct node *node_new(struct node_pool *pool, enum node_kind kind)
{
    struct node_chunk *chunk = pool->chunks;
    struct node *node;

    if (chunk == NULL || chunk->len == CHUNK_LEN) {
        chunk = xcalloc(1, sizeof(*chunk));
        chunk->next = pool->chunks;
        pool->chunks = chunk;
    }
    node = &chunk->v[chunk->len++];
    node->kind = kind;
    node->weight = 1;
    pool->count++;
    return node;
}

static void release_node(struct node *node)
{
    free(node->text);
    free(node->written);
    if (node->kind == NODE_LIST)
        free(node->items.v);
    if (node->kind == NODE_MAP)
        free(node->entries.v);
}

void node_pool_release(struct node_pool *pool)
{
    while (pool->chunks != NULL) {
        struct node_chunk *chunk = pool->chunks;

        pool->chunks = chunk->next;
        for (size_t i = 0; i < chunk->len; i++)
            release_node(&chunk->v[i]);
        free(chunk);
    }
}

bool node_is_null(const struct node *node)
{
    return node->kind == NODE_SCALAR && node->type == NODE_NULL;
}

char *node_describe(const struct node *node)
{
    const char *text = node->written != NULL ? node->written : node->text;

    switch (node->kind) {
    case NODE_LIST:
        return xstrdup("a list");
    case NODE_MAP:
        return xstrdup("a map");
    case NODE_SCALAR:
        break;
    }
    switch (node->type) {
    case NODE_NULL:
        return xstrdup("nothing");
    case NODE_BOOL:
        return xasprintf("the boolean %.60s", text);
    case NODE_INT:
    case NODE_FLOAT:
        return xasprintf("the number %.60s", text);
    case NODE_TEXT:
        break;
    }
    return xasprintf("the text \"%.60s\"", text);
}

/* Index of the entry that holds a key, while a map is put together. */
struct slot {
    const char *key;
    size_t place;
    UT_hash_handle hh;
};

struct merge {
    struct node *map;
    struct slot *index;
};

/* Appends an entry. An earlier entry of the same key stays in the list but is
 * hidden; when neither came from `<<`, it remembers the second key, so that a
 * warning can name both places. */
static void put(struct merge *merge, struct node_entry entry)
{
    struct node *map = merge->map;
    struct slot *slot = NULL;
    size_t place = map->entries.len;

    HASH_FIND_STR(merge->index, entry.key->text, slot);
    if (slot != NULL && !entry.hidden) {
        struct node_entry *old = &map->entries.v[slot->place];

        old->hidden = true;
        if (!old->merged && !entry.merged)
            old->again = entry.key;
        slot->place = place;
    } else if (slot == NULL && !entry.hidden) {
        slot = xcalloc(1, sizeof(*slot));
        slot->key = entry.key->text;
        slot->place = place;
        HASH_ADD_KEYPTR(hh, merge->index, slot->key, strlen(slot->key), slot);
    }
    *(struct node_entry *)vec_add(&map->entries) = entry;
}

static void put_map(struct merge *merge, const struct node *from)
{
    for (size_t i = 0; i < from->entries.len; i++) {
        struct node_entry entry = from->entries.v[i];

        if (entry.again != NULL)
            continue;
        entry.merged = true;
        put(merge, entry);
    }
}

/* Adds the entries of `<<: *base`, or of `<<: [*a, *b]`. Of a list the last map
 * goes first, since a later entry hides an earlier one and the keys of *a are
 * to win. */
static void put_merged(struct merge *merge, const struct node *value,
                       struct diags *errors)
{
    bool ok = value->kind == NODE_MAP || value->kind == NODE_LIST ||
              node_is_null(value);

    if (value->kind == NODE_MAP)
        put_map(merge, value);
    for (size_t i = value->kind == NODE_LIST ? value->items.len : 0; i > 0;
         i--) {
        ok = ok && value->items.v[i - 1]->kind == NODE_MAP;
        if (ok)
            put_map(merge, value->items.v[i - 1]);
    }
    if (!ok)
        diags_add(errors, DIAG_ERROR, value->pos,
                  "<< takes a map or a list of maps, such as *NAME");
}

static bool is_merge_key(const struct node *key)
{
    return strcmp(key->text, "<<") == 0;
}

/* The shortcut for nearly all maps, which have few keys and no `<<`: comparing
 * each key with each is faster than a hash table. False when the map is not of
 * that kind. */
static bool merge_small(struct node *map)
{
    struct node_entry *own = map->entries.v;

    if (map->entries.len > 8)
        return false;
    for (size_t i = 0; i < map->entries.len; i++)
        if (is_merge_key(own[i].key))
            return false;
    for (size_t i = 0; i < map->entries.len; i++)
        for (size_t j = 0; j < i; j++)
            if (!own[j].hidden &&
                strcmp(own[j].key->text, own[i].key->text) == 0) {
                own[j].hidden = true;
                own[j].again = own[i].key;
            }
    return true;
}

void node_merge(struct node *map, struct diags *errors)
{
    struct merge merge = { .map = map };
    struct slot *slot, *next;
    struct node_entry *own = map->entries.v;
    size_t len = map->entries.len;

    if (merge_small(map))
        return;
    map->entries.v = NULL;
    map->entries.len = map->entries.cap = 0;
    for (size_t i = 0; i < len; i++)
        if (is_merge_key(own[i].key))
            put_merged(&merge, own[i].value, errors);
    for (size_t i = 0; i < len; i++)
        if (!is_merge_key(own[i].key))
            put(&merge, own[i]);
    slot = merge.index;
    HASH_CLEAR(hh, merge.index); /* the slots stay linked */
    for (; slot != NULL; slot = next) {
        next = slot->hh.next;
        free(slot);
    }
    free(own);
}
