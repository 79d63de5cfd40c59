/* Decodes `scale`: how many replicas, and their size. A local rack does not
 * scale, so it runs the minimum; all else is checked by the rules of v2 and
 * v3. */
#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "manifest/decode.h"
#include "manifest/sections.h"

/* No laptop runs more containers of one service. */
#define COUNT_MAX 1000

struct count {
    bool given;
    int min, max;
};

struct scale {
    struct count count;
    bool has_min, has_max;
    int min, max; /* v3's keys; they win over `count` */
    int cpu, memory, cpu_limit, memory_limit;
    bool has_keda;
    int gpus;
    struct autoscale autoscale;
};

static void wrong_count(const struct at *at)
{
    cleanup_free char *path = at_path(at), *got = node_describe(at->node);

    at_error(at,
             "invalid scale: %s must be a number, \"MIN-MAX\" or a map of min "
             "and max, not %s",
             path, got);
}

/* "2" or "1-3" */
static bool count_of_text(const char *text, struct count *count)
{
    const char *dash = strchr(text, '-');
    cleanup_free char *first =
        str_dup_len(text, dash == NULL ? strlen(text) : (size_t)(dash - text));
    long min, max;

    if (!str_to_long(first, 0, INT_MAX, &min))
        return false;
    max = min;
    if (dash != NULL && !str_to_long(dash + 1, 0, INT_MAX, &max))
        return false;
    *count = (struct count){ .given = true, .min = (int)min, .max = (int)max };
    return true;
}

/* A number, quoted or not. */
static void decode_bound(const struct at *at, void *out)
{
    const struct node *node = at->node;
    long n;

    if (at_is_string(at) && str_to_long(node->text, INT_MIN, INT_MAX, &n))
        *(int *)out = (int)n;
    else if (node->kind == NODE_SCALAR && node->type == NODE_INT)
        decode_int(at, out);
    else
        wrong_count(at);
}

static void decode_count(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "min", decode_bound, offsetof(struct count, min), 0 },
        { "max", decode_bound, offsetof(struct count, max), 0 },
        { 0 },
    };
    struct count *count = out;
    int n = 0;

    if (at->node->kind == NODE_MAP) {
        count->given = true;
        decode_map(at, "", keys, count);
    } else if (at->node->kind == NODE_SCALAR && at->node->type == NODE_INT) {
        decode_int(at, &n);
        *count = (struct count){ .given = true, .min = n, .max = n };
    } else if (node_is_null(at->node)) {
        *count = (struct count){ .given = true };
        at_warn(at, "service %.100s: an empty scale runs 0 of it, as in Convox",
                at_owner(at));
    } else if (!at_is_string(at) || !count_of_text(at->node->text, count)) {
        wrong_count(at);
    }
}

static void decode_min(const struct at *at, void *out)
{
    struct scale *scale = out;

    scale->has_min = true;
    decode_bound(at, &scale->min);
}

static void decode_max(const struct at *at, void *out)
{
    struct scale *scale = out;

    scale->has_max = true;
    decode_bound(at, &scale->max);
}

/* Convox silently ignores a size that is not a whole number; here a warning
 * says so. */
static void decode_size(const struct at *at, void *out)
{
    if (at->node->kind == NODE_SCALAR && at->node->type == NODE_INT)
        decode_seconds(at, out);
    else
        at_ignored(at, "a whole number (without quotes)");
}

static void decode_limit(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "cpu", decode_seconds, offsetof(struct scale, cpu_limit), 0 },
        { "memory", decode_seconds, offsetof(struct scale, memory_limit), 0 },
        { 0 },
    };

    decode_map(at, "a map of cpu and memory", keys, out);
}

static void decode_gpu(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "count", decode_int, 0, 0 },
        { "vendor", decode_a_text, 0, 0 },
        { 0 },
    };

    if (at->node->kind == NODE_SCALAR && at->node->type == NODE_INT)
        decode_int(at, out);
    else
        decode_map(at, "a number or a map of count and vendor", keys, out);
}

static void decode_keda(const struct at *at, void *out)
{
    decode_a_map(at, NULL);
    *(bool *)out = true;
}

static void decode_cooldown(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "up", decode_a_text, 0, 0 },
        { "down", decode_a_text, 0, 0 },
        { 0 },
    };
    long n;

    (void)out;
    if (at->node->kind == NODE_MAP)
        decode_map(at, "", keys, NULL);
    else if (!at_is_scalar(at) || !str_to_long(at->node->text, 0, INT_MAX, &n))
        at_wrong(at, "a number or a map of up and down");
}

static void decode_targets(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "cpu", decode_an_int, 0, 0 },      { "memory", decode_an_int, 0, 0 },
        { "requests", decode_an_int, 0, 0 }, { "custom", decode_a_map, 0, 0 },
        { "external", decode_a_list, 0, 0 }, { 0 },
    };

    (void)out;
    decode_map(at, "a map of cpu, memory, requests and custom", keys, NULL);
}

#define SCALE(member) offsetof(struct scale, member)

static const struct decode_key scale_keys[] = {
    { "count", decode_count, SCALE(count), DECODE_NULL },
    { "min", decode_min, 0, 0 },
    { "max", decode_max, 0, 0 },
    { "cpu", decode_size, SCALE(cpu), 0 },
    { "memory", decode_size, SCALE(memory), 0 },
    { "limit", decode_limit, 0, 0 },
    { "gpu", decode_gpu, SCALE(gpus), DECODE_CLOUD },
    { "autoscale", decode_autoscale, SCALE(autoscale), DECODE_CLOUD },
    { "cooldown", decode_cooldown, 0, DECODE_CLOUD },
    { "keda", decode_keda, SCALE(has_keda), DECODE_CLOUD },
    { "targets", decode_targets, 0, DECODE_CLOUD },
    { "vpa", decode_a_map, 0, DECODE_CLOUD },
    { 0 },
};

/* The count that applies: min and max, else count, else 1. With autoscale and
 * none of them, v3 means 0 to 10. */
static struct count effective(const struct scale *scale)
{
    struct count c = scale->count;
    bool automatic = scale->autoscale.given;

    if (!c.given)
        c = (struct count){ .min = 1, .max = 1 };
    if (scale->has_min) {
        c.min = scale->min;
        c.max = automatic && c.min < 10 ? 10 : c.min;
    } else if (scale->has_max) {
        c.min = automatic ? 0 : scale->max;
    } else if (automatic && !scale->count.given) {
        c = (struct count){ .min = 0, .max = 10 };
    }
    if (scale->has_max)
        c.max = scale->max;
    return c;
}

static void check_count(const struct at *at, struct count c)
{
    const char *name = at_owner(at);

    if (c.min < 0)
        at_error(at, "service %.100s: scale.min must be >= 0", name);
    if (c.max < 0)
        at_error(at, "service %.100s: scale.max must be >= 0", name);
    if (c.max < c.min)
        at_error(at, "service %.100s: scale.max must be >= scale.min", name);
    if (c.min > COUNT_MAX)
        at_error(at, "service %.100s: scale: at most %d run on a local rack",
                 name, COUNT_MAX);
}

static void check_autoscale(const struct at *at, const struct scale *scale,
                            struct count c)
{
    const char *name = at_owner(at);

    if (c.max < 1)
        at_error(at,
                 "service %.100s: scale.max must be >= 1 when autoscale is "
                 "enabled",
                 name);
    if (c.max == c.min && c.max >= 1)
        at_error(at,
                 "service %.100s: scale.max must be > scale.min when "
                 "autoscale is enabled",
                 name);
    if (scale->autoscale.has_gpu && scale->gpus == 0)
        at_error(at,
                 "service %.100s: scale.autoscale.gpuUtilization requires "
                 "scale.gpu.count >= 1",
                 name);
    if (c.min == 0 && !scale->autoscale.can_sleep)
        at_error(at,
                 "service %.100s: scale.min: 0 combined with only "
                 "always-active autoscale triggers (cpu/memory/cron) will "
                 "never scale to zero",
                 name);
}

static void check_limits(const struct at *at, const struct scale *scale)
{
    if (scale->cpu_limit > 0 && scale->cpu_limit < scale->cpu)
        at_error(at, "service %.100s: cpu limit can not be less cpu request",
                 at_owner(at));
    if (scale->memory_limit > 0 && scale->memory_limit < scale->memory)
        at_error(at,
                 "service %.100s: memory limit can not be less memory request",
                 at_owner(at));
}

/* The keys of a service come in any order, so `agent` may not have been decoded
 * yet: look at the node itself. */
static bool is_agent(const struct node *service)
{
    for (size_t i = 0; i < service->entries.len; i++) {
        const struct node_entry *entry = &service->entries.v[i];

        if (!entry->hidden && strcmp(entry->key->text, "agent") == 0)
            return entry->value->kind == NODE_MAP ||
                   (entry->value->type == NODE_BOOL && entry->value->boolean);
    }
    return false;
}

static void finish(const struct at *at, const struct scale *scale,
                   struct manifest_service *s)
{
    struct count c = effective(scale);

    check_limits(at, scale);
    if (is_agent(at->up->node) && (scale->autoscale.given || scale->has_keda)) {
        at_warn(at,
                "service %.100s: an agent runs once per node, "
                "scale.autoscale and scale.keda are ignored",
                s->name);
    } else {
        check_count(at, c);
        if (scale->autoscale.given)
            check_autoscale(at, scale, c);
    }
    /* Nothing on a local rack wakes a service up again. One that would sleep
     * only because autoscale starts at 0 runs once; an explicit 0 stays 0. */
    if (c.min == 0 && scale->autoscale.given && !scale->has_min &&
        !scale->count.given)
        c.min = 1;
    s->scale.count = c.min < 0 ? 0 : c.min > COUNT_MAX ? COUNT_MAX : c.min;
    if (scale->cpu > 0)
        s->scale.cpu = scale->cpu;
    if (scale->memory > 0)
        s->scale.memory = scale->memory;
    s->scale.cpu_limit = scale->cpu_limit;
    s->scale.memory_limit = scale->memory_limit;
}

void decode_scale(const struct at *at, void *out)
{
    struct manifest_service *s = out;
    struct scale scale = { 0 };
    size_t errors = at->load->errors->errors;

    if (at->node->kind == NODE_MAP && at->node->entries.len > 0) {
        decode_map(at, "", scale_keys, &scale);
    } else if (at->node->kind == NODE_MAP) {
        scale.count.given = true;
        at_warn(at, "service %.100s: an empty scale runs 0 of it, as in Convox",
                s->name);
    } else {
        decode_count(at, &scale.count);
    }
    if (at->load->errors->errors == errors)
        finish(at, &scale, s);
}
