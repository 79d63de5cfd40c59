/* Decoders of `resources`, of a service's use of them, of `timers` and of
 * `configs`. Which resource types exist is not known here: the plan checks
 * that. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "manifest/decode.h"
#include "manifest/sections.h"

#define RESOURCE(member) offsetof(struct manifest_resource, member)

/* Options are stored as written, since `version: 10.10` read as a number would
 * become 10.1. */
static void decode_option(const struct at *at, struct manifest_resource *r)
{
    struct manifest_option *option;

    if (at->node->kind != NODE_SCALAR) {
        at_wrong(at, "text");
        return;
    }
    option = vec_add(&r->options);
    option->key = xstrdup(at->key);
    option->value = xstrdup(node_is_null(at->node) ? "" : at->node->text);
    option->pos = at->key_pos;
}

static void decode_options(const struct at *at, void *out)
{
    if (at->node->kind != NODE_MAP) {
        at_wrong(at, "a map of options");
        return;
    }
    for (size_t i = 0; i < at->node->entries.len; i++) {
        const struct node_entry *entry = &at->node->entries.v[i];
        struct at one = { .load = at->load,
                          .up = at,
                          .key = entry->key->text,
                          .node = entry->value,
                          .key_pos = entry->key->pos };

        if (!entry->hidden)
            decode_option(&one, out);
        else if (entry->again != NULL)
            diags_add(at->load->warnings, DIAG_WARNING, entry->again->pos,
                      "%.60s is given twice, in line %u too: the last one "
                      "counts",
                      one.key, one.key_pos.line);
    }
}

static void decode_type(const struct at *at, void *out)
{
    struct manifest_resource *r = out;

    decode_text(at, &r->type);
    r->type_pos = at->node->pos;
}

static bool is_blank(const char *text)
{
    return text == NULL || text[strspn(text, " \t\r\n")] == '\0';
}

void decode_resource(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "type", decode_type, 0, 0 },
        { "image", decode_text, RESOURCE(image), 0 },
        { "options", decode_options, 0, 0 },
        { "tags", decode_any, 0, DECODE_CLOUD },
        { 0 },
    };
    struct manifest *m = out;
    struct manifest_resource *r = vec_add(&m->resources);

    r->name = xstrdup(at->key);
    r->pos = r->type_pos = at->key_pos;
    decode_check_name(at, "resource");
    if (!node_is_null(at->node) &&
        !decode_map(at, "a map of type and options", keys, r))
        return;
    if (is_blank(r->type))
        diags_add(at->load->errors, DIAG_ERROR, r->type_pos,
                  "resource type can not be blank: resource \"%.100s\" has "
                  "blank type",
                  at->key);
}

/* "main" or "main:OTHER_URL" */
static void add_use(const struct at *at, void *out)
{
    struct manifest_service *s = out;
    struct manifest_use *use;
    const char *text, *colon, *variable;
    size_t len;

    if (node_is_null(at->node))
        return;
    if (!at_is_scalar(at)) {
        at_wrong(at, "RESOURCE or RESOURCE:VARIABLE");
        return;
    }
    text = at->node->text;
    colon = strchr(text, ':');
    use = vec_add(&s->resources);
    use->resource = colon == NULL ? xstrdup(text)
                                  : str_dup_len(text, (size_t)(colon - text));
    use->pos = at->node->pos;
    decode_ref_add(at, REF_RESOURCE, at_owner(at), use->resource);
    if (colon == NULL)
        return;
    variable = colon + 1;
    variable += strspn(variable, " \t");
    len = strlen(variable);
    while (len > 0 && strchr(" \t", variable[len - 1]) != NULL)
        len--;
    if (len == 0)
        at_error(at, "service %.100s: no variable is named after \"%.60s\"",
                 at_owner(at), at_shown(at));
    else
        use->variable = str_dup_len(variable, len);
}

void decode_uses(const struct at *at, void *out)
{
    decode_list(at, "a list of RESOURCE or RESOURCE:VARIABLE", add_use, out);
}

#define TIMER(member) offsetof(struct manifest_timer, member)

static size_t count_fields(const char *text)
{
    size_t fields = 0;

    for (;;) {
        text += strspn(text, " \t");
        if (*text == '\0')
            return fields;
        fields++;
        text += strcspn(text, " \t");
    }
}

/* v2 writes ? for *, and v3 accepts a ? that is a whole field. Something like
 * "?/5" is an error in both. */
static bool has_odd_question(const char *text)
{
    for (;;) {
        size_t len;

        text += strspn(text, " \t");
        len = strcspn(text, " \t");
        if (len == 0)
            return false;
        if (len > 1 && memchr(text, '?', len) != NULL)
            return true;
        text += len;
    }
}

static void decode_schedule(const struct at *at, void *out)
{
    struct manifest_timer *timer = out;
    size_t fields;

    decode_text(at, &timer->schedule);
    if (timer->schedule == NULL || timer->schedule[0] == '@')
        return;
    fields = count_fields(timer->schedule);
    if (fields < 5 || fields > 6)
        at_error(at,
                 "timer %.100s: invalid schedule expression: %.60s (it has 5 "
                 "fields, or 6 with the year)",
                 at_owner(at), at_shown(at));
    else if (has_odd_question(timer->schedule))
        at_error(at, "timer %.100s invalid, schedule cannot contain ?",
                 at_owner(at));
}

static void decode_timer_service(const struct at *at, void *out)
{
    struct manifest_timer *timer = out;

    decode_text(at, &timer->service);
    if (timer->service != NULL)
        decode_ref_add(at, REF_TIMER_SERVICE, at_owner(at), timer->service);
}

static void decode_concurrency(const struct at *at, void *out)
{
    const char *text = at->node->kind == NODE_SCALAR ? at->node->text : "";

    (void)out;
    if (strcasecmp(text, "allow") != 0 && strcasecmp(text, "forbid") != 0 &&
        strcasecmp(text, "replace") != 0)
        at_wrong(at, "Allow, Forbid or Replace");
}

void decode_timer(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "command", decode_command, TIMER(command), 0 },
        { "schedule", decode_schedule, 0, 0 },
        { "service", decode_timer_service, 0, 0 },
        { "concurrency", decode_concurrency, 0, DECODE_CLOUD },
        { "parallelCount", decode_an_int, 0, DECODE_CLOUD },
        { "annotations", decode_annotations, 0, DECODE_CLOUD },
        { "policies", decode_any, 0, DECODE_CLOUD },
        { 0 },
    };
    struct manifest *m = out;
    struct manifest_timer *timer = vec_add(&m->timers);
    size_t errors = at->load->errors->errors;

    timer->name = xstrdup(at->key);
    timer->pos = at->key_pos;
    decode_check_name(at, "timer");
    if (!node_is_null(at->node) &&
        !decode_map(at, "a map of schedule, service and command", keys, timer))
        return;
    if (timer->service == NULL)
        diags_add(
            at->load->errors, DIAG_ERROR, at->key_pos,
            "timer %.100s references a service that does not exist: ", at->key);
    if (timer->schedule == NULL && at->load->errors->errors == errors)
        diags_add(at->load->errors, DIAG_ERROR, at->key_pos,
                  "timer %.100s: invalid schedule expression: it has none",
                  at->key);
}

static void decode_config(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "id", decode_text, offsetof(struct manifest_config, id), 0 },
        { "name", decode_text, offsetof(struct manifest_config, name), 0 },
        { "value", decode_text, offsetof(struct manifest_config, value), 0 },
        { 0 },
    };
    struct manifest *m = out;
    struct manifest_config *config = vec_add(&m->configs);

    if (decode_map(at, "a map of id, name and value", keys, config) &&
        config->id == NULL)
        at_error(at, "configs[*].id is required");
}

void decode_configs(const struct at *at, void *out)
{
    decode_list(at, "a list of maps of id, name and value", decode_config, out);
}
