/* Checks `budget` and `appSettings` by the rules of Convox v3, when the
 * manifest's top level is decoded. A local rack spends no money: nothing is
 * stored. */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/strv.h"
#include "manifest/decode.h"
#include "manifest/sections.h"

struct budget {
    char *action, *webhook, *grace, *order, *recovery;
    double cap;
    int notify;
    struct strv never;
};

#define BUDGET(member) offsetof(struct budget, member)

static void decode_amount(const struct at *at, void *out)
{
    const struct node *node = at->node;

    if (node->kind != NODE_SCALAR ||
        (node->type != NODE_INT && node->type != NODE_FLOAT))
        at_wrong(at, "a number");
    else
        *(double *)out =
            node->type == NODE_INT ? (double)node->whole : node->real;
}

/* Seconds of a Go duration such as "1h30m", "90s" or "1.5h"; -1 when the text
 * is not one. */
static double to_seconds(const char *text)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = { { "ns", 1e-9 }, { "us", 1e-6 }, { "ms", 1e-3 },
                  { "s", 1 },     { "m", 60 },    { "h", 3600 } };
    double all = 0;

    if (strcmp(text, "0") == 0)
        return 0;
    if (*text == '\0')
        return -1;
    while (*text != '\0') {
        size_t digits = strspn(text, "0123456789.");
        size_t len = strspn(text + digits, "nusmh"), i;

        for (i = 0; i < sizeof(units) / sizeof(*units); i++)
            if (strlen(units[i].name) == len &&
                memcmp(units[i].name, text + digits, len) == 0)
                break;
        if (digits == 0 || i == sizeof(units) / sizeof(*units))
            return -1;
        all += strtod(text, NULL) * units[i].seconds;
        text += digits + len;
    }
    return all;
}

static void check_cap(const struct at *at, const struct budget *b)
{
    if (b->webhook == NULL || b->webhook[strspn(b->webhook, " \t")] == '\0')
        at_error(at, "budget.atCapAction \"auto-shutdown\" requires "
                     "budget.atCapWebhookUrl to be set");
    if (!(b->cap > 0))
        at_error(at, "budget.atCapAction \"auto-shutdown\" requires "
                     "budget.monthlyCapUsd > 0; cannot shut down on cap "
                     "breach without a cap");
}

static void check_grace(const struct at *at, const char *text)
{
    double seconds;

    if (text == NULL)
        return;
    seconds = to_seconds(text);
    if (seconds < 0)
        at_error(at,
                 "budget.shutdownGracePeriod must be a Go duration string "
                 "(e.g. \"5m\", \"30s\"); got \"%.60s\"",
                 text);
    else if (seconds > 3600)
        at_error(at,
                 "budget.shutdownGracePeriod must be between 0s and 1h; got "
                 "%.60s",
                 text);
}

/* Accepts one of the first two words. The third is one that Convox reserves for
 * the release named by `later`, and it gets an error of its own. */
static void check_word(const struct at *at, const char *key, const char *text,
                       const char *const words[3], const char *later)
{
    if (text == NULL || strcmp(text, words[0]) == 0 ||
        strcmp(text, words[1]) == 0)
        return;
    if (strcmp(text, words[2]) == 0)
        at_error(at, "budget.%s \"%s\" reserved for %s; use \"%s\" or \"%s\"",
                 key, text, later, words[0], words[1]);
    else
        at_error(at, "budget.%s must be one of \"%s\", \"%s\"; got \"%.60s\"",
                 key, words[0], words[1], text);
}

static void check_action(const struct at *at, const char *text)
{
    if (text != NULL && strcmp(text, "alert-only") != 0 &&
        strcmp(text, "block-new-deploys") != 0 &&
        strcmp(text, "auto-shutdown") != 0)
        at_error(at,
                 "budget.atCapAction must be one of \"alert-only\", "
                 "\"block-new-deploys\", \"auto-shutdown\"; got \"%.60s\"",
                 text);
}

static void check_budget(const struct at *at, const struct budget *b)
{
    static const char *const orders[] = { "largest-cost", "newest",
                                          "priority-annotation" };
    static const char *const recoveries[] = { "auto-on-reset", "manual",
                                              "scheduled" };

    check_action(at, b->action);
    if (b->action != NULL && strcmp(b->action, "auto-shutdown") == 0)
        check_cap(at, b);
    if (b->notify != 0 && (b->notify < 5 || b->notify > 1440))
        at_error(at,
                 "budget.notifyBeforeMinutes must be between 5 and 1440; "
                 "got %d",
                 b->notify);
    check_grace(at, b->grace);
    check_word(at, "shutdownOrder", b->order, orders, "a future release");
    check_word(at, "recoveryMode", b->recovery, recoveries, "3.25.0");
}

void decode_budget(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "monthlyCapUsd", decode_amount, BUDGET(cap), 0 },
        { "alertThresholdPercent", decode_an_int, 0, 0 },
        { "atCapAction", decode_text, BUDGET(action), 0 },
        { "atCapWebhookUrl", decode_text, BUDGET(webhook), 0 },
        { "pricingAdjustment", decode_a_text, 0, 0 },
        { "neverAutoShutdown", decode_texts, BUDGET(never), 0 },
        { "shutdownOrder", decode_text, BUDGET(order), 0 },
        { "notifyBeforeMinutes", decode_int, BUDGET(notify), 0 },
        { "shutdownGracePeriod", decode_text, BUDGET(grace), 0 },
        { "recoveryMode", decode_text, BUDGET(recovery), 0 },
        { 0 },
    };
    struct budget b = { 0 };

    (void)out;
    if (decode_map(at, "a map", keys, &b))
        check_budget(at, &b);
    free(b.action);
    free(b.webhook);
    free(b.grace);
    free(b.order);
    free(b.recovery);
    strv_release(&b.never);
}

static void decode_aws_logs(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "cwRetention", decode_an_int, 0, 0 },
        { "disableRetention", decode_a_bool, 0, 0 },
        { 0 },
    };

    decode_map(at, "a map of cwRetention and disableRetention", keys, out);
}

void decode_app_settings(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "awsLogs", decode_aws_logs, 0, 0 },
        { 0 },
    };

    decode_map(at, "a map", keys, out);
}
