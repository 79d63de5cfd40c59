/* Checks `scale.autoscale` by the rules of Convox v3. decode_scale() (scale.c)
 * calls it. Nothing scales on a local rack, so only what scale.c must know for
 * its own checks is handed back. */
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "manifest/decode.h"
#include "manifest/sections.h"

static void decode_threshold(const struct at *at, void *out)
{
    const struct node *node = at->node;

    if (node->kind != NODE_SCALAR ||
        (node->type != NODE_INT && node->type != NODE_FLOAT))
        at_wrong(at, "a number");
    else
        *(double *)out =
            node->type == NODE_INT ? (double)node->whole : node->real;
}

static double read_threshold(const struct at *at)
{
    static const struct decode_key keys[] = {
        { "threshold", decode_threshold, 0, 0 },
        { "metricName", decode_a_text, 0, 0 },
        { "prometheusUrl", decode_a_text, 0, 0 },
        { "query", decode_a_text, 0, 0 },
        { 0 },
    };
    double threshold = 0;

    decode_map(at, "a map with a threshold", keys, &threshold);
    return threshold;
}

static void check_percent(const struct at *at, const char *must)
{
    double threshold = read_threshold(at);

    if (!(threshold > 0 && threshold <= 100))
        at_error(at, "service %.100s: scale.autoscale.%s.threshold must be %s",
                 at_owner(at), at->key, must);
}

static void decode_load(const struct at *at, void *out)
{
    struct autoscale *a = out;

    a->given = true;
    check_percent(at, "between 1 and 100");
}

static void decode_gpu_load(const struct at *at, void *out)
{
    struct autoscale *a = out;

    a->given = a->has_gpu = a->can_sleep = true;
    check_percent(at, "> 0 and <= 100");
}

static void decode_queue(const struct at *at, void *out)
{
    struct autoscale *a = out;

    a->given = a->can_sleep = true;
    if (!(read_threshold(at) > 0))
        at_error(at,
                 "service %.100s: scale.autoscale.queueDepth.threshold must "
                 "be > 0",
                 at_owner(at));
}

struct trigger {
    char *name, *type;
};

static void check_trigger(const struct at *at, const struct trigger *trigger,
                          struct autoscale *a)
{
    const char *name = trigger->name == NULL ? "" : trigger->name;
    const char *type = trigger->type == NULL ? "" : trigger->type;

    if (*name != '\0' && !decode_is_name(name))
        at_error(at,
                 "service %.100s: scale.autoscale.custom[%zu].name \"%.60s\" "
                 "invalid, must contain only lowercase alphanumeric and dashes",
                 at_owner(at), at->index, name);
    if (strncasecmp(name, "convox-", 7) == 0)
        at_error(at,
                 "service %.100s: scale.autoscale.custom[%zu].name: "
                 "\"%.60s\" uses reserved prefix 'convox-'",
                 at_owner(at), at->index, name);
    if (strcasecmp(type, "cpu") != 0 && strcasecmp(type, "memory") != 0 &&
        strcasecmp(type, "cron") != 0)
        a->can_sleep = true;
}

static void decode_trigger(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "name", decode_text, offsetof(struct trigger, name), 0 },
        { "type", decode_text, offsetof(struct trigger, type), 0 },
        { "metadata", decode_a_map, 0, 0 },
        { "metricType", decode_a_text, 0, 0 },
        { "useCachedMetrics", decode_a_bool, 0, 0 },
        { "authenticationRef", decode_a_map, 0, 0 },
        { 0 },
    };
    struct trigger trigger = { 0 };

    if (decode_map(at, "a map with a type", keys, &trigger))
        check_trigger(at, &trigger, out);
    free(trigger.name);
    free(trigger.type);
}

static void decode_custom(const struct at *at, void *out)
{
    struct autoscale *a = out;

    a->given = true;
    decode_list(at, "a list of triggers", decode_trigger, a);
}

void decode_autoscale(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "cpu", decode_load, 0, 0 },
        { "memory", decode_load, 0, 0 },
        { "gpuUtilization", decode_gpu_load, 0, 0 },
        { "queueDepth", decode_queue, 0, 0 },
        { "custom", decode_custom, 0, 0 },
        { "cooldownPeriod", decode_an_int, 0, 0 },
        { "pollingInterval", decode_an_int, 0, 0 },
        { "initialCooldownPeriod", decode_an_int, 0, 0 },
        { "idleReplicaCount", decode_an_int, 0, 0 },
        { "fallback", decode_a_map, 0, 0 },
        { "advanced", decode_a_map, 0, 0 },
        { 0 },
    };

    decode_map(at, "a map of cpu, memory, queueDepth, ...", keys, out);
}
