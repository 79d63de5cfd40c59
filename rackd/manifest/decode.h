/*
 * decode -- from nodes to structs by tables: one table per kind of map, one
 * line per key. Adding a manifest key is a field, a line and a golden file.
 *
 *     static const struct decode_key keys[] = {
 *         { "grace", decode_int, offsetof(struct manifest_check, grace), 0 },
 *         { "policies", decode_any, 0, DECODE_CLOUD },
 *         { 0 },
 *     };
 *     decode_map(at, "a map of grace and policies", keys, check);
 *
 * A decoder writes to *out only what is right; what is wrong is an error (or
 * a warning, where the Convox loaders ignore it) and leaves the default.
 * Null is "not given": decoders are not called for it.
 */
#ifndef MANIFEST_DECODE_H
#define MANIFEST_DECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "manifest/manifest.h"
#include "manifest/names.h"
#include "manifest/node.h"

struct env;
struct str;

/* Of services, resources, timers, balancers each. */
#define DECODE_NAMED_MAX 20000

/* Something that must exist, looked up when all is read. */
struct decode_ref {
    enum {
        REF_RESOURCE,
        REF_TIMER_SERVICE,
        REF_BALANCER_SERVICE,
        REF_CONFIG
    } kind;
    char *from, *to;
    struct diag_pos pos;
};

/* Everything one manifest_load() has in hand. */
struct load {
    struct manifest *m;
    const struct env *env;
    struct diags *errors;   /* the caller's */
    struct diags *warnings; /* warnings and notes: added after the errors,
                               so that no error is lost for them */
    struct {
        struct decode_ref *v;
        size_t len, cap;
    } refs;
    struct load_nlb *nlb; /* who listens where, once there is an nlb */
};

/* A value and the way to it. Lives on the stack. */
struct at {
    struct load *load;
    const struct at *up; /* NULL: the whole manifest */
    const char *key;     /* NULL: the item `index` of a list */
    size_t index;
    const struct node *node;
    struct diag_pos key_pos; /* of the key; else of the value */
};

typedef void (*decode_fn)(const struct at *at, void *out);

enum {
    DECODE_CLOUD = 1, /* has no meaning on a local rack: noted */
    DECODE_ADDS = 2,  /* what `<<` brings in is decoded first, not replaced */
    DECODE_NULL = 4,  /* called for null too */
};

struct decode_key {
    const char *name; /* NULL ends the table */
    decode_fn decode;
    size_t offset; /* into what decode_map() was given */
    unsigned flags;
};

/* False when it is no map. `want` finishes "must be ...". */
bool decode_map(const struct at *at, const char *want,
                const struct decode_key *keys, void *out);

/* A list's items, one after the other; false when it is no list. */
bool decode_list(const struct at *at, const char *want, decode_fn item,
                 void *out);

/* Names of the user's choice: `item` is called for each, at->key the name.
 * Two of the same name are an error. */
bool decode_named(const struct at *at, const char *want, decode_fn item,
                  void *out);

/* Any scalar, as written. out: char ** (replaced), struct strv *. */
void decode_text(const struct at *at, void *out);
void decode_texts(const struct at *at, void *out);
/* out: bool *, int *, long *. A float is cut to a whole number. */
void decode_bool(const struct at *at, void *out);
void decode_int(const struct at *at, void *out);
void decode_long(const struct at *at, void *out);
/* out: int *, not negative. */
void decode_seconds(const struct at *at, void *out);
/* out: struct manifest_command *; text or a list of text. */
void decode_command(const struct at *at, void *out);

/* Judged for their shape and not kept; out is not used. */
void decode_any(const struct at *at, void *out);
void decode_a_bool(const struct at *at, void *out);
void decode_an_int(const struct at *at, void *out);
void decode_a_text(const struct at *at, void *out);
void decode_a_list(const struct at *at, void *out);
void decode_a_map(const struct at *at, void *out);

bool at_is_text(const struct at *at);  /* any scalar but null */
bool at_is_words(const struct at *at); /* a scalar that is no bool or number */

/* A scalar for a message: as it stands in the file, since what a ${NAME} in
 * it stands for may be a secret. */
const char *at_shown(const struct at *at);

/* "services.web.nlb[0].port"; the caller frees it. */
char *at_path(const struct at *at);

/* The name of the service, timer, ... `at` is in. */
const char *at_owner(const struct at *at);

/* "PATH must be WANT, not a list" at the value. */
void at_wrong(const struct at *at, const char *want);

/* The same as a warning, and that it is ignored. */
void at_ignored(const struct at *at, const char *want);

/* An error at the value. */
void at_error(const struct at *at, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void at_warn(const struct at *at, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* "service NAME invalid, must contain only ..." unless it is right. */
void decode_check_name(const struct at *at, const char *what);
bool decode_is_name(const char *name);

void decode_ref_add(const struct at *at, int kind, const char *from,
                    const char *to);

#endif /* MANIFEST_DECODE_H */
