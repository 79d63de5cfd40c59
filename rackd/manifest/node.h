/*
 * node -- YAML as a tree of values with their places, for the decoders.
 *
 * The dialect is that of yaml.v2, the Go library of the Convox loaders: YAML
 * 1.1 booleans, nulls and numbers, for plain (unquoted) scalars only; `<<`
 * merges whether it is quoted or not; of two equal keys the last one wins. A
 * value that aliases name is shared by its parents, not copied. A tree that
 * would be too large with every alias written out is refused, so walking it
 * takes bounded time.
 */
#ifndef MANIFEST_NODE_H
#define MANIFEST_NODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"

struct interpolated;

/* How deep lists and maps may be nested. */
#define NODE_DEPTH_MAX 100
/* The most values in a file; every 32 bytes of a text count as one more. */
#define NODE_COUNT_MAX ((size_t)500000)
/* The same limit, with every alias written out. */
#define NODE_EXPANDED_MAX ((size_t)1000000)

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

enum node_type { NODE_TEXT, NODE_NULL, NODE_BOOL, NODE_INT, NODE_FLOAT };

struct node {
    enum node_kind kind;
    enum node_type type; /* of a scalar */
    struct diag_pos pos;
    size_t weight;   /* number of values in it, with aliases written out */
    bool open;       /* still being read: an alias to it would be a circle */
    bool anchored;   /* has an anchor: it was written to be used elsewhere */
    bool boolean;    /* NODE_BOOL */
    long long whole; /* NODE_INT */
    double real;     /* NODE_FLOAT */
    char *text;      /* of a scalar, as written; has no NUL inside */
    char *written;   /* of a scalar with ${NAME} in it: the text of the file */
    union {
        struct {
            struct node **v;
            size_t len, cap;
        } items;
        struct {
            struct node_entry *v;
            size_t len, cap;
        } entries; /* the entries that `<<` adds come first */
    };
};

struct node_entry {
    struct node *key, *value;
    bool merged; /* added by `<<` */
    bool hidden; /* a later entry has the same key */
    /* That later key, unless one of them came from `<<`. */
    const struct node *again;
};

/* Owns every node of one tree. Zeroed: empty. */
struct node_pool {
    struct node_chunk *chunks;
    size_t count;
};

/* Parses src's text to a tree, whose nodes the pool owns. *root is NULL when
 * the text is empty. Returns -1 when it cannot be read, after an error that
 * says where. */
int node_parse(struct node_pool *pool, const struct interpolated *src,
               struct diags *errors, struct diags *warnings,
               struct node **root);

void node_pool_release(struct node_pool *pool);

/* Only parse.c calls these three. */
struct node *node_new(struct node_pool *pool, enum node_kind kind);
void node_resolve(struct node *scalar, const char *tag, bool plain);
void node_merge(struct node *map, struct diags *errors);

bool node_is_null(const struct node *node);

/* Describes a value for a message: "a map", "the text \"x\"", ...; the caller
 * frees it. */
char *node_describe(const struct node *node);

#endif /* MANIFEST_NODE_H */
