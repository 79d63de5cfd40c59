/*
 * decode -- turns the YAML tree into structs, driven by tables: one table per
 * kind of map, one row per key. The table is the only list of a map's keys: the
 * warning about an unknown key, its "did you mean" and `cvx validate -v` are
 * made from it.
 *
 *     static const struct decode_key keys[] = {
 *         { "grace", decode_int, offsetof(struct manifest_check, grace), 0 },
 *         { "policies", decode_any, 0, DECODE_CLOUD },
 *         { 0 },
 *     };
 *     decode_map(at, "a map of grace and policies", keys, check);
 *
 * A decoder writes to *out only values that are right. A wrong value is an
 * error (a warning where the Convox loaders ignore it) and leaves the default
 * in place. A null value means "not given": decoders are not called for it,
 * unless the row has DECODE_NULL.
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

/* The most services, resources, timers or balancers (each) that a file may
 * have. */
#define DECODE_NAMED_MAX 20000

/* A name that must exist elsewhere in the file. It is looked up by validate.c
 * once everything is read, because it may be declared further down. */
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

/* The state of one manifest_load(), shared by all decoders. */
struct load {
    struct manifest *m;
    const struct env *env;
    struct diags *errors; /* the caller's */
    /* Added to the caller's list after the errors, so that its limit cannot
     * drop an error in favour of a warning. */
    struct diags *warnings;
    struct {
        struct decode_ref *v;
        size_t len, cap;
    } refs;
    /* Which service owns which load balancer port; allocated by the first
     * nlb. */
    struct load_nlb *nlb;
};

/* The value being decoded, with the path to it. Each level is a local variable
 * of the function that descends, and links to the one above. */
struct at {
    struct load *load;
    const struct at *up; /* NULL at the root */
    const char *key;     /* NULL for the item `index` of a list */
    size_t index;
    const struct node *node;
    struct diag_pos key_pos; /* place of the key; in a list, of the value */
};

typedef void (*decode_fn)(const struct at *at, void *out);

enum {
    DECODE_CLOUD = 1, /* no meaning on a local rack: a note says so */
    /* When a map has this key and `<<` brings it too, both are decoded and
     * their lists add up. */
    DECODE_ADDS = 2,
    DECODE_NULL = 4, /* the decoder is called for null too */
};

struct decode_key {
    const char *name; /* NULL ends the table */
    decode_fn decode;
    size_t offset; /* added to the `out` of decode_map() */
    unsigned flags;
};

/* Decodes each entry by its row in `keys`. False, after an error, when the
 * value is not a map; `want` completes the error's "must be ...". */
bool decode_map(const struct at *at, const char *want,
                const struct decode_key *keys, void *out);

/* Calls `item` for each item of a list, in order; false, after an error, when
 * the value is not a list. */
bool decode_list(const struct at *at, const char *want, decode_fn item,
                 void *out);

/* Decodes a map whose keys are names chosen by the user (services, resources):
 * `item` is called for each, with at->key as the name. A name that is declared
 * twice is an error. */
bool decode_named(const struct at *at, const char *want, decode_fn item,
                  void *out);

/* Any scalar, with the text as it is in the file. out: char ** (an old value is
 * freed), and struct strv *. */
void decode_text(const struct at *at, void *out);
void decode_texts(const struct at *at, void *out);
/* out: bool *, int *, long *. The fraction of a float is cut off. */
void decode_bool(const struct at *at, void *out);
void decode_int(const struct at *at, void *out);
void decode_long(const struct at *at, void *out);
/* out: int *; negative values are an error. */
void decode_seconds(const struct at *at, void *out);
/* out: struct manifest_command *; text or a list of text. */
void decode_command(const struct at *at, void *out);

/* These check the type of a value and store nothing; `out` is not used. */
void decode_any(const struct at *at, void *out);
void decode_a_bool(const struct at *at, void *out);
void decode_an_int(const struct at *at, void *out);
void decode_a_text(const struct at *at, void *out);
void decode_a_list(const struct at *at, void *out);
void decode_a_map(const struct at *at, void *out);

bool at_is_scalar(const struct at *at); /* any scalar except null */
/* A scalar that YAML takes for a string, not for a bool or number. */
bool at_is_string(const struct at *at);

/* A scalar's text for a message: with ${NAME} as in the file, because the value
 * that replaced it may be a secret. */
const char *at_shown(const struct at *at);

/* The path of a value, such as "services.web.nlb[0].port"; the caller frees
 * it. */
char *at_path(const struct at *at);

/* The name of the service, timer or balancer that `at` is inside of. */
const char *at_owner(const struct at *at);

/* Reports "PATH must be WANT, not a list" at the value. */
void at_wrong(const struct at *at, const char *want);

/* Reports the same as a warning, with the value said to be ignored. */
void at_ignored(const struct at *at, const char *want);

/* Reports an error, or a warning, at the value. */
void at_error(const struct at *at, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void at_warn(const struct at *at, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Reports "WHAT name KEY invalid, must contain only ..." unless at->key is a
 * valid name. */
void decode_check_name(const struct at *at, const char *what);
bool decode_is_name(const char *name);

/* Remembers that `from` (whose value `at` is) refers to `to`, which must exist.
 * Both are copied. */
void decode_ref_add(const struct at *at, int kind, const char *from,
                    const char *to);

#endif /* MANIFEST_DECODE_H */
