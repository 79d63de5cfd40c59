/* Decoders of `health`, `liveness` and `startupProbe`, and their defaults.
 * service.c calls the decoders for the keys and health_finish() when the
 * service is read. */
#include <string.h>

#include "base/mem.h"
#include "manifest/decode.h"
#include "manifest/sections.h"

#define CHECK(member) offsetof(struct manifest_check, member)

/* The Convox loaders ignore members of `health` that have a wrong type. The
 * file loads here too, with a warning. */
static void lax_seconds(const struct at *at, void *out)
{
    if (at->node->kind == NODE_SCALAR && at->node->type == NODE_INT)
        decode_seconds(at, out);
    else
        at_ignored(at, "a whole number of seconds (without quotes)");
}

static void lax_text(const struct at *at, void *out)
{
    if (at_is_string(at))
        decode_text(at, out);
    else
        at_ignored(at, "text");
}

static void lax_bool(const struct at *at, void *out)
{
    if (at->node->kind == NODE_SCALAR && at->node->type == NODE_BOOL)
        decode_bool(at, out);
    else
        at_ignored(at, "true or false (without quotes)");
}

void decode_health(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "path", lax_text, CHECK(path), 0 },
        { "grace", lax_seconds, CHECK(grace), 0 },
        { "interval", lax_seconds, CHECK(interval), 0 },
        { "timeout", lax_seconds, CHECK(timeout), 0 },
        { "disable", lax_bool, CHECK(disabled), 0 },
        { "port", decode_check_port, CHECK(port), 0 },
        { 0 },
    };
    static const char want[] =
        "a path or a map of path, grace, interval, timeout and disable";
    struct manifest_check *check = out;

    if (at_is_string(at))
        decode_text(at, &check->path);
    else
        decode_map(at, want, keys, check);
}

void decode_liveness(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "path", decode_text, CHECK(path), 0 },
        { "port", decode_check_port, CHECK(port), 0 },
        { "grace", decode_seconds, CHECK(grace), 0 },
        { "interval", decode_seconds, CHECK(interval), 0 },
        { "timeout", decode_seconds, CHECK(timeout), 0 },
        { "successThreshold", decode_seconds, CHECK(success_threshold), 0 },
        { "failureThreshold", decode_seconds, CHECK(failure_threshold), 0 },
        { 0 },
    };

    decode_map(at, "a map with a path", keys, out);
}

void decode_startup(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "path", decode_text, CHECK(path), 0 },
        { "port", decode_check_port, CHECK(port), 0 },
        { "tcpSocketPort", decode_check_port, CHECK(port), 0 },
        { "grace", decode_seconds, CHECK(grace), 0 },
        { "interval", decode_seconds, CHECK(interval), 0 },
        { "timeout", decode_seconds, CHECK(timeout), 0 },
        { "successThreshold", decode_seconds, CHECK(success_threshold), 0 },
        { "failureThreshold", decode_seconds, CHECK(failure_threshold), 0 },
        { 0 },
    };

    decode_map(at, "a map with a path or a tcpSocketPort", keys, out);
}

static void fill(int *value, int missing)
{
    if (*value == 0)
        *value = missing;
}

static void fill_check(struct manifest_check *check,
                       const struct manifest_check *from)
{
    fill(&check->grace, from->grace);
    fill(&check->interval, from->interval);
    fill(&check->timeout, from->timeout);
    fill(&check->success_threshold, from->success_threshold);
    fill(&check->failure_threshold, from->failure_threshold);
}

/* Fills in the defaults. A service without a port has no health check, since
 * there is nothing to ask. What a startup probe was not given it takes from
 * liveness, as in v3. */
void health_finish(struct manifest_service *s)
{
    static const struct manifest_check liveness = { .grace = 10,
                                                    .interval = 5,
                                                    .timeout = 5,
                                                    .success_threshold = 1,
                                                    .failure_threshold = 3 };
    struct manifest_check *health = &s->health;

    if (s->port.port == 0) {
        free(health->path);
        health->path = NULL;
    } else if (health->path == NULL) {
        health->path = xstrdup("/");
    }
    fill(&health->interval, 5);
    fill(&health->grace, health->interval);
    fill(&health->timeout, health->interval > 1 ? health->interval - 1 : 1);
    fill_check(&s->liveness, &liveness);
    fill_check(&s->startup, &s->liveness);
}
