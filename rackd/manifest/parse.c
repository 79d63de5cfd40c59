/* node_parse(): reads YAML with libyaml (0.2) and builds the tree from its
 * events. manifest.c calls it after interpolation. All limits are checked as
 * events come, so that a hostile file is refused before it takes memory. */
#include <stdint.h>
#include <string.h>
#include <uthash.h>
#include <yaml.h>

#include "base/mem.h"
#include "base/vec.h"
#include "manifest/interpolate.h"
#include "manifest/node.h"

struct anchor {
    char *name;
    struct node *node;
    UT_hash_handle hh;
};

/* A list or map whose end has not been read yet. */
struct frame {
    struct node *node;
    struct node *key; /* in a map: the key whose value comes next */
};

struct parse {
    yaml_parser_t yaml;
    struct node_pool *pool;
    const struct interpolated *src;
    struct diags *errors, *warnings;
    struct anchor *anchors;
    struct frame frames[NODE_DEPTH_MAX];
    size_t depth;
    struct node *root;
    size_t expanded;      /* values so far, with aliases written out */
    size_t chars, offset; /* the last place converted by to_offset() */
};

/* libyaml gives places in characters; we need bytes. Its marks nearly always
 * move forward, so counting on from the last one keeps the whole conversion
 * linear. */
static size_t to_offset(struct parse *p, size_t index)
{
    const char *text = str_c(&p->src->text);
    size_t len = p->src->text.len;

    if (index < p->chars)
        p->chars = p->offset = 0;
    for (; p->chars < index && p->offset < len; p->chars++)
        do
            p->offset++;
        while (p->offset < len &&
               ((unsigned char)text[p->offset] & 0xc0) == 0x80);
    return p->offset;
}

static struct diag_pos to_pos(struct parse *p, size_t index)
{
    return interpolated_pos(p->src, to_offset(p, index));
}

static int fail(struct parse *p, struct diag_pos pos, const char *text)
{
    diags_add(p->errors, DIAG_ERROR, pos, "%s", text);
    return -1;
}

/* An advice that fits the wording of libyaml 0.2 and the character where it
 * stopped; "" for none. */
static const char *explain(const char *problem, char at)
{
    if (at == '\t')
        return ": YAML is indented with spaces, this is a tab";
    if (strstr(problem, "alphabetic or numeric") != NULL && at != '\0')
        return ": text that begins with * or & needs quotes";
    if (strstr(problem, "cannot start any token") != NULL)
        return ": text that begins with such a character needs quotes";
    if (strstr(problem, "mapping values are not allowed") != NULL)
        return ": is a \":\" missing above, or the indentation wrong, or are "
               "quotes needed?";
    if (strstr(problem, "undefined tag handle") != NULL)
        return ": text that begins with ! needs quotes";
    return "";
}

/* The error is shown where reading stopped. At the end of the file that is a
 * place where nothing is written, so the last character before it is shown
 * instead. */
static size_t error_offset(struct parse *p)
{
    const char *text = str_c(&p->src->text);
    size_t at;

    if (p->yaml.error == YAML_READER_ERROR)
        return p->yaml.problem_offset;
    at = to_offset(p, p->yaml.problem_mark.index);
    if (at < p->src->text.len)
        return at;
    while (at > 0 && strchr(" \t\r\n", text[at - 1]) != NULL)
        at--;
    return at > 0 ? at - 1 : 0;
}

static int syntax_error(struct parse *p)
{
    const char *problem =
        p->yaml.problem != NULL ? p->yaml.problem : "this cannot be read";
    size_t at = error_offset(p);
    char here = '\0';
    struct diag_pos begun = { 0 };
    char since[40] = "";

    if (at < p->src->text.len)
        here = str_c(&p->src->text)[at];
    if (p->yaml.context != NULL)
        begun = to_pos(p, p->yaml.context_mark.index);
    if (begun.line > 0)
        snprintf(since, sizeof(since), " (begun in line %u)", begun.line);
    diags_add(
        p->errors, DIAG_ERROR, interpolated_pos(p->src, at), "yaml: %s%s%s%s%s",
        p->yaml.context != NULL ? p->yaml.context : "", since,
        p->yaml.context != NULL ? ": " : "", problem, explain(problem, here));
    return -1;
}

static void find_anchor(struct parse *p, const char *name, struct anchor **out)
{
    *out = NULL;
    HASH_FIND_STR(p->anchors, name, *out);
}

/* An anchor name may be used again; aliases then mean the latest node. */
static void add_anchor(struct parse *p, const yaml_char_t *name,
                       struct node *node)
{
    struct anchor *anchor;

    if (name == NULL)
        return;
    node->anchored = true;
    find_anchor(p, (const char *)name, &anchor);
    if (anchor == NULL) {
        anchor = xcalloc(1, sizeof(*anchor));
        anchor->name = xstrdup((const char *)name);
        HASH_ADD_KEYPTR(hh, p->anchors, anchor->name, strlen(anchor->name),
                        anchor);
    }
    anchor->node = node;
}

static void put_item(struct node *list, struct node *item)
{
    list->items.v = vec_grow(list->items.v, list->items.len, &list->items.cap,
                             sizeof(void *));
    list->items.v[list->items.len++] = item;
}

static void put_entry(struct parse *p, struct frame *frame, struct node *value)
{
    struct node_entry *entry;

    if (frame->key->kind != NODE_SCALAR) {
        diags_add(p->errors, DIAG_ERROR, frame->key->pos,
                  "a key must be a name, not a list or a map");
        return;
    }
    entry = vec_add(&frame->node->entries);
    entry->key = frame->key;
    entry->value = value;
}

/* Adds a finished value to the list or map that encloses it. */
static int put(struct parse *p, struct node *node)
{
    struct frame *frame;

    p->expanded += node->kind == NODE_SCALAR ? node->weight : 1;
    if (p->expanded > NODE_EXPANDED_MAX)
        return fail(p, node->pos, "the manifest is too large: too many values");
    if (p->depth == 0) {
        p->root = node;
        return 0;
    }
    frame = &p->frames[p->depth - 1];
    frame->node->weight += node->weight;
    if (frame->node->kind == NODE_LIST) {
        put_item(frame->node, node);
    } else if (frame->key == NULL) {
        frame->key = node;
    } else {
        put_entry(p, frame, node);
        frame->key = NULL;
    }
    return 0;
}

static int begin(struct parse *p, const yaml_event_t *event,
                 enum node_kind kind, const yaml_char_t *anchor)
{
    struct diag_pos pos = to_pos(p, event->start_mark.index);
    struct node *node;

    if (p->depth == NODE_DEPTH_MAX)
        return fail(p, pos, "values are nested more than 100 deep");
    if (p->pool->count >= NODE_COUNT_MAX)
        return fail(p, pos, "the manifest is too large: too many values");
    node = node_new(p->pool, kind);
    node->pos = pos;
    node->open = true;
    add_anchor(p, anchor, node);
    p->frames[p->depth++] = (struct frame){ .node = node };
    return 0;
}

static int end(struct parse *p)
{
    struct node *node = p->frames[--p->depth].node;

    node->open = false;
    if (node->kind == NODE_MAP)
        node_merge(node, p->errors);
    return put(p, node);
}

static int scalar(struct parse *p, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    yaml_scalar_style_t style = event->data.scalar.style;
    size_t quote = style == YAML_SINGLE_QUOTED_SCALAR_STYLE ||
                   style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    size_t from = to_offset(p, event->start_mark.index);
    size_t to = to_offset(p, event->end_mark.index);
    struct diag_pos pos = interpolated_pos(p->src, from);
    struct node *node;

    if (memchr(text, '\0', len) != NULL)
        return fail(p, pos, "text with a NUL character in it cannot be used");
    if (p->pool->count >= NODE_COUNT_MAX)
        return fail(p, pos, "the manifest is too large: too many values");
    node = node_new(p->pool, NODE_SCALAR);
    node->pos = pos;
    node->text = str_dup_len(text, len);
    node->weight += len / 32;
    node->written = interpolated_written(p->src, from + quote, to - quote);
    node_resolve(node, (const char *)event->data.scalar.tag,
                 style == YAML_PLAIN_SCALAR_STYLE);
    add_anchor(p, event->data.scalar.anchor, node);
    return put(p, node);
}

static int alias(struct parse *p, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    struct diag_pos pos = to_pos(p, event->start_mark.index);
    struct anchor *anchor;

    find_anchor(p, name, &anchor);
    if (anchor == NULL || anchor->node->open) {
        diags_add(p->errors, DIAG_ERROR, pos,
                  anchor == NULL ? "nothing above is named &%.60s"
                                 : "*%.60s stands inside what it names",
                  name);
        return -1;
    }
    p->expanded += anchor->node->weight;
    if (p->expanded > NODE_EXPANDED_MAX)
        return fail(p, pos,
                    "the manifest is too large: its aliases make more than "
                    "1000000 values");
    return put(p, anchor->node);
}

static int on_event(struct parse *p, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return alias(p, event);
    case YAML_SCALAR_EVENT:
        return scalar(p, event);
    case YAML_SEQUENCE_START_EVENT:
        return begin(p, event, NODE_LIST, event->data.sequence_start.anchor);
    case YAML_MAPPING_START_EVENT:
        return begin(p, event, NODE_MAP, event->data.mapping_start.anchor);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return end(p);
    case YAML_DOCUMENT_START_EVENT:
        if (p->root == NULL)
            return 0;
        diags_add(p->warnings, DIAG_WARNING, to_pos(p, event->start_mark.index),
                  "only the first YAML document of the file is read");
        return 1;
    case YAML_STREAM_END_EVENT:
        return 1;
    default:
        return 0;
    }
}

/* Reads events until the end (1) or an error (-1). */
static int run(struct parse *p)
{
    yaml_event_t event;
    int rc = 0;

    while (rc == 0) {
        if (yaml_parser_parse(&p->yaml, &event) == 0)
            return syntax_error(p);
        rc = on_event(p, &event);
        yaml_event_delete(&event);
    }
    return rc;
}

static void release_anchors(struct parse *p)
{
    struct anchor *anchor = p->anchors, *next;

    HASH_CLEAR(hh, p->anchors); /* the anchors stay linked */
    for (; anchor != NULL; anchor = next) {
        next = anchor->hh.next;
        free(anchor->name);
        free(anchor);
    }
}

int node_parse(struct node_pool *pool, const struct interpolated *src,
               struct diags *errors, struct diags *warnings, struct node **root)
{
    struct parse p = {
        .pool = pool, .src = src, .errors = errors, .warnings = warnings
    };
    int rc;

    if (yaml_parser_initialize(&p.yaml) == 0)
        abort(); /* no memory */
    yaml_parser_set_encoding(&p.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(
        &p.yaml, (const unsigned char *)str_c(&src->text), src->text.len);
    rc = run(&p);
    yaml_parser_delete(&p.yaml);
    release_anchors(&p);
    *root = p.root;
    return rc < 0 ? -1 : 0;
}
