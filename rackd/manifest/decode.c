/* The table-driven decoder and the decoders of plain values. manifest.c starts
 * it at the top of the file; every other file of this room hands it the table
 * of one kind of map. Errors are collected, and decoding goes on after each. */
#include "manifest/decode.h"

#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/vec.h"
#include "manifest/nearest.h"

/* Writes "services.web.nlb[0].port". The root has no key and is left out. */
static void add_path(const struct at *at, struct str *out)
{
    const struct at *way[NODE_DEPTH_MAX];
    size_t len = 0;

    for (; at->up != NULL && len < NODE_DEPTH_MAX; at = at->up)
        way[len++] = at;
    while (len-- > 0) {
        if (way[len]->key == NULL)
            str_printf(out, "[%zu]", way[len]->index);
        else
            str_printf(out, "%s%.60s", out->len == 0 ? "" : ".", way[len]->key);
    }
    if (out->len == 0)
        str_add(out, "the manifest");
}

char *at_path(const struct at *at)
{
    struct str path = { 0 };

    add_path(at, &path);
    return str_take(&path);
}

const char *at_owner(const struct at *at)
{
    while (at->up != NULL && at->up->up != NULL && at->up->up->up != NULL)
        at = at->up;
    return at->key == NULL ? "" : at->key;
}

void at_wrong(const struct at *at, const char *want)
{
    cleanup_free char *path = at_path(at), *got = node_describe(at->node);

    diags_add(at->load->errors, DIAG_ERROR, at->node->pos,
              "%s must be %s, not %s", path, want, got);
}

void at_ignored(const struct at *at, const char *want)
{
    cleanup_free char *path = at_path(at), *got = node_describe(at->node);

    diags_add(at->load->warnings, DIAG_WARNING, at->node->pos,
              "%s must be %s, %s is ignored", path, want, got);
}

void at_error(const struct at *at, const char *fmt, ...)
{
    struct str text = { 0 };
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    diags_add(at->load->errors, DIAG_ERROR, at->node->pos, "%s", str_c(&text));
    str_release(&text);
}

void at_warn(const struct at *at, const char *fmt, ...)
{
    struct str text = { 0 };
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    diags_add(at->load->warnings, DIAG_WARNING, at->node->pos, "%s",
              str_c(&text));
    str_release(&text);
}

static const struct decode_key *find_key(const struct decode_key *keys,
                                         const char *name)
{
    for (; keys->name != NULL; keys++)
        if (strcmp(keys->name, name) == 0)
            return keys;
    return NULL;
}

/* A map that carries an anchor, or whose key begins with x-, is meant for
 * aliases: no warning. */
static void unknown_key(const struct at *at, const struct decode_key *keys)
{
    const char *nearest = NULL;
    cleanup_free char *path = NULL;

    if (strncmp(at->key, "x-", 2) == 0 || at->node->anchored)
        return;
    if (at->load->warnings->len < DIAGS_MAX) {
        path = at_path(at);
        nearest = nearest_key(at->key, keys);
    }
    diags_add(at->load->warnings, DIAG_WARNING, at->key_pos,
              "unknown key %s%s%s%s", path == NULL ? at->key : path,
              nearest == NULL ? "" : ", did you mean ",
              nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?");
}

/* The path is only worth its memory while the list of warnings has room. */
static void note_cloud(const struct at *at)
{
    cleanup_free char *path = NULL;

    if (at->load->warnings->len < DIAGS_MAX)
        path = at_path(at);
    diags_add(at->load->warnings, DIAG_NOTE, at->key_pos,
              "%s has no meaning on a local rack",
              path == NULL ? at->key : path);
}

static void decode_entry(const struct at *map, const struct node_entry *entry,
                         const struct decode_key *keys, void *out)
{
    struct at at = { .load = map->load,
                     .up = map,
                     .key = entry->key->text,
                     .node = entry->value,
                     .key_pos = entry->key->pos };
    const struct decode_key *key = find_key(keys, at.key);

    if (entry->again != NULL)
        diags_add(at.load->warnings, DIAG_WARNING, entry->again->pos,
                  "%.60s is given twice, in line %u too: the last one counts",
                  at.key, at.key_pos.line);
    if (entry->hidden &&
        (entry->again != NULL || key == NULL || !(key->flags & DECODE_ADDS)))
        return;
    if (key == NULL) {
        unknown_key(&at, keys);
        return;
    }
    if (key->flags & DECODE_CLOUD)
        note_cloud(&at);
    if (!node_is_null(at.node) || key->flags & DECODE_NULL)
        key->decode(&at, out == NULL ? NULL : (char *)out + key->offset);
}

bool decode_map(const struct at *at, const char *want,
                const struct decode_key *keys, void *out)
{
    if (at->node->kind != NODE_MAP) {
        at_wrong(at, want);
        return false;
    }
    for (size_t i = 0; i < at->node->entries.len; i++)
        decode_entry(at, &at->node->entries.v[i], keys, out);
    return true;
}

bool decode_list(const struct at *at, const char *want, decode_fn item,
                 void *out)
{
    if (at->node->kind != NODE_LIST) {
        at_wrong(at, want);
        return false;
    }
    for (size_t i = 0; i < at->node->items.len; i++) {
        const struct node *node = at->node->items.v[i];
        struct at one = { .load = at->load,
                          .up = at,
                          .index = i,
                          .node = node,
                          .key_pos = node->pos };

        item(&one, out);
    }
    return true;
}

/* False when this entry is to be skipped. Convox requires that names are
 * strings or numbers; its wording of the error names Go types. */
static bool check_named_key(const struct at *map,
                            const struct node_entry *entry)
{
    static const char *const types[] = { [NODE_TEXT] = "string",
                                         [NODE_INT] = "int",
                                         [NODE_NULL] = "nil",
                                         [NODE_BOOL] = "bool",
                                         [NODE_FLOAT] = "float64" };
    const struct node *key = entry->key;

    if (entry->again != NULL) {
        diags_add(map->load->errors, DIAG_ERROR, entry->again->pos,
                  "%.60s.%.60s is declared twice, in line %u too", map->key,
                  key->text, key->pos.line);
    }
    if (key->type == NODE_TEXT || key->type == NODE_INT)
        return !entry->hidden;
    diags_add(map->load->errors, DIAG_ERROR, key->pos,
              "unknown key type: %s: %.60s needs quotes to be a name",
              types[key->type], key->text);
    return false;
}

bool decode_named(const struct at *at, const char *want, decode_fn item,
                  void *out)
{
    if (at->node->kind != NODE_MAP) {
        at_wrong(at, want);
        return false;
    }
    if (at->node->entries.len > DECODE_NAMED_MAX) {
        at_error(at, "%s: %zu are too many, there may be %d", at->key,
                 at->node->entries.len, DECODE_NAMED_MAX);
        return false;
    }
    for (size_t i = 0; i < at->node->entries.len; i++) {
        const struct node_entry *entry = &at->node->entries.v[i];
        struct at one = { .load = at->load,
                          .up = at,
                          .key = entry->key->text,
                          .node = entry->value,
                          .key_pos = entry->key->pos };

        if (check_named_key(at, entry))
            item(&one, out);
    }
    return true;
}

bool at_is_scalar(const struct at *at)
{
    return at->node->kind == NODE_SCALAR && at->node->type != NODE_NULL;
}

bool at_is_string(const struct at *at)
{
    return at->node->kind == NODE_SCALAR && at->node->type == NODE_TEXT;
}

const char *at_shown(const struct at *at)
{
    return at->node->written != NULL ? at->node->written : at->node->text;
}

void decode_text(const struct at *at, void *out)
{
    char **text = out;

    if (!at_is_scalar(at)) {
        at_wrong(at, "text");
        return;
    }
    free(*text);
    *text = at->node->text[0] == '\0' ? NULL : xstrdup(at->node->text);
}

static void add_text(const struct at *at, void *out)
{
    if (node_is_null(at->node))
        return;
    if (!at_is_scalar(at))
        at_wrong(at, "text");
    else
        strv_add(out, at->node->text);
}

void decode_texts(const struct at *at, void *out)
{
    decode_list(at, "a list of text", add_text, out);
}

void decode_bool(const struct at *at, void *out)
{
    if (at->node->kind != NODE_SCALAR || at->node->type != NODE_BOOL)
        at_wrong(at, "true or false (without quotes)");
    else
        *(bool *)out = at->node->boolean;
}

static bool to_long(const struct at *at, long min, long max, long *out)
{
    const struct node *node = at->node;
    double whole = 0;

    if (node->kind != NODE_SCALAR ||
        (node->type != NODE_INT && node->type != NODE_FLOAT)) {
        at_wrong(at, "a number (without quotes)");
        return false;
    }
    whole = node->type == NODE_INT ? (double)node->whole : node->real;
    /* This form of the condition also refuses a NaN, which compares false with
     * everything. */
    if (!(whole >= (double)min && whole <= (double)max)) {
        cleanup_free char *path = at_path(at);

        at_error(at, "%s must be a number from %ld to %ld", path, min, max);
        return false;
    }
    *out = node->type == NODE_INT ? (long)node->whole : (long)node->real;
    return true;
}

void decode_int(const struct at *at, void *out)
{
    long n;

    if (to_long(at, INT_MIN, INT_MAX, &n))
        *(int *)out = (int)n;
}

void decode_long(const struct at *at, void *out)
{
    long n;

    if (to_long(at, 0, INT_MAX, &n))
        *(long *)out = n;
}

void decode_seconds(const struct at *at, void *out)
{
    long n;

    if (to_long(at, 0, INT_MAX, &n))
        *(int *)out = (int)n;
}

static void add_word(const struct at *at, void *out)
{
    cleanup_free char *got = NULL;

    if (at_is_string(at)) {
        strv_add(out, at->node->text);
        return;
    }
    got = node_describe(at->node);
    at_error(at,
             "unknown type for %s command: each item of the list must be "
             "text, not %s%s",
             strcmp(at->up->key, "command") == 0 ? "service" : at->up->key, got,
             at_is_scalar(at) ? " (use quotes)" : "");
}

void decode_command(const struct at *at, void *out)
{
    struct manifest_command *command = out;

    free(command->text);
    strv_release(&command->argv);
    *command = (struct manifest_command){ 0 };
    if (at_is_scalar(at)) {
        command->set = at->node->text[0] != '\0';
        if (command->set)
            command->text = xstrdup(at->node->text);
    } else if (decode_list(at, "text or a list of text", add_word,
                           &command->argv)) {
        command->set = command->argv.len > 0;
    }
}

void decode_any(const struct at *at, void *out)
{
    (void)at;
    (void)out;
}

void decode_a_bool(const struct at *at, void *out)
{
    bool unused;

    (void)out;
    decode_bool(at, &unused);
}

void decode_an_int(const struct at *at, void *out)
{
    long unused;

    (void)out;
    to_long(at, INT_MIN, INT_MAX, &unused);
}

void decode_a_text(const struct at *at, void *out)
{
    (void)out;
    if (!at_is_scalar(at))
        at_wrong(at, "text");
}

void decode_a_list(const struct at *at, void *out)
{
    (void)out;
    if (at->node->kind != NODE_LIST)
        at_wrong(at, "a list");
}

void decode_a_map(const struct at *at, void *out)
{
    (void)out;
    if (at->node->kind != NODE_MAP)
        at_wrong(at, "a map");
}

bool decode_is_name(const char *name)
{
    return *name >= 'a' && *name <= 'z' &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

void decode_check_name(const struct at *at, const char *what)
{
    if (!decode_is_name(at->key))
        diags_add(at->load->errors, DIAG_ERROR, at->key_pos,
                  "%s name %.100s invalid, must contain only lowercase "
                  "alphanumeric and dashes",
                  what, at->key);
}

void decode_ref_add(const struct at *at, int kind, const char *from,
                    const char *to)
{
    struct decode_ref *ref = vec_add(&at->load->refs);

    ref->kind = kind;
    ref->from = xstrdup(from);
    ref->to = xstrdup(to);
    ref->pos = at->node->pos;
}
