/*
 * node -- YAML as a tree of values with their places, for the decoders.
 *
 * The dialect is that of the Convox loaders (yaml.v2): YAML 1.1 booleans,
 * nulls and numbers for plain scalars only, `<<` merged whether quoted or
 * not, the last of two equal keys wins. What an alias names is shared, not
 * copied; a tree that would be too large when written out is refused, so
 * walking it takes bounded time.
 */
#ifndef MANIFEST_NODE_H
#define MANIFEST_NODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"

struct source;

/* Values within values. */
#define NODE_DEPTH_MAX 100
/* Values in the file, one more for every 32 bytes of text. */
#define NODE_COUNT_MAX ((size_t)500000)
/* The same with every alias written out. */
#define NODE_EXPANDED_MAX ((size_t)1000000)

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

enum node_type { NODE_TEXT, NODE_NULL, NODE_BOOL, NODE_INT, NODE_FLOAT };

struct node {
    enum node_kind kind;
    enum node_type type; /* of a scalar */
    struct diag_pos pos;
    size_t weight;   /* values in it, aliases written out */
    bool open;       /* still being read: an alias may not name it */
    bool anchored;   /* has a name for aliases */
    bool boolean;    /* NODE_BOOL */
    long long whole; /* NODE_INT */
    double real;     /* NODE_FLOAT */
    char *text;      /* of a scalar, raw; no NUL inside */
    char *written;   /* of a scalar made with ${NAME}: as in the file */
    union {
        struct {
            struct node **v;
            size_t len, cap;
        } items;
        struct {
            struct node_entry *v;
            size_t len, cap;
        } entries; /* what `<<` brings in comes first */
    };
};

struct node_entry {
    struct node *key, *value;
    bool merged;              /* came in by `<<` */
    bool hidden;              /* a later entry has the same key */
    const struct node *again; /* that key, when neither is merged */
};

/* Owns every node of one tree. */
struct node_pool {
    struct node_chunk *chunks;
    size_t count;
};

/*
 * The tree of src's text; *root is NULL when there is nothing in it. -1 when
 * it cannot be read; errors then says where.
 */
int node_parse(struct node_pool *pool, const struct source *src,
               struct diags *errors, struct diags *warnings,
               struct node **root);

void node_pool_release(struct node_pool *pool);

/* For node_parse alone. */
struct node *node_new(struct node_pool *pool, enum node_kind kind);
void node_resolve(struct node *scalar, const char *tag, bool plain);
void node_merge(struct node *map, struct diags *errors);

bool node_is_null(const struct node *node);

/* "a map", "a list", "the text \"x\"", ...: for messages; caller frees. */
char *node_describe(const struct node *node);

#endif /* MANIFEST_NODE_H */
