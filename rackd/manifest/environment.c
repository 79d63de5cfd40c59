/* Decodes `environment` lists, whose items are KEY (required), KEY=default or *
 * (everything). The top-level list is put in front of every service's own when
 * the whole file has been read. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "manifest/decode.h"
#include "manifest/sections.h"

/* The top-level list is copied into every service. A small file with long lists
 * and many services could ask for gigabytes, so the product is limited. It
 * counts as nodes do: one for an item and one for every 32 bytes. */
#define COMBINED_MAX ((size_t)1000000)

/* `- KEY: value` is a map, not KEY=VALUE. It is the most common mistake in
 * these lists. Convox drops such an item silently; here a warning says what to
 * write. */
static void warn_dropped(const struct at *at)
{
    const struct node *node = at->node;
    cleanup_free char *got = NULL, *path = NULL;

    if (node_is_null(node))
        return;
    got = node_describe(node);
    path = at_path(at);
    if (node->kind == NODE_MAP && node->entries.len == 1)
        at_warn(at,
                "%s must be KEY or KEY=VALUE, %s is ignored: write "
                "\"- %.60s=...\"",
                path, got, node->entries.v[0].key->text);
    else
        at_warn(at, "%s must be KEY or KEY=VALUE, %s is ignored", path, got);
}

static bool is_odd(const char *key, size_t len)
{
    static const char fine[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr"
                               "stuvwxyz0123456789_-.";

    return len == 0 || strspn(key, fine) < len;
}

static void warn_odd(const struct at *at)
{
    const char *shown = at_shown(at);
    size_t len = strcspn(shown, "=");

    at_warn(at, "\"%.*s\" is an unusual name for a variable",
            len < 60 ? (int)len : 60, shown);
}

static void add_item(const struct at *at, void *out)
{
    const char *text, *eq;
    struct manifest_env *item;
    size_t len;

    if (!at_is_string(at)) {
        warn_dropped(at);
        return;
    }
    text = at->node->text;
    eq = strchr(text, '=');
    len = eq == NULL ? strlen(text) : (size_t)(eq - text);
    if (is_odd(text, len) && strcmp(text, "*") != 0)
        warn_odd(at);
    item = vec_add((struct manifest_envs *)out);
    item->key = str_dup_len(text, len);
    item->value = eq == NULL ? NULL : xstrdup(eq + 1);
    item->pos = at->node->pos;
}

/* An alias in the middle of a list gives a list within the list. Its items
 * count as if they were written here, one level deep. */
static void add_items(const struct at *at, void *out)
{
    if (at->node->kind == NODE_LIST)
        decode_list(at, "a list", add_item, out);
    else
        add_item(at, out);
}

void decode_environment(const struct at *at, void *out)
{
    decode_list(at, "a list of KEY or KEY=VALUE", add_items, out);
}

static size_t weigh(const struct manifest_envs *envs)
{
    size_t weight = 0;

    for (size_t i = 0; i < envs->len; i++)
        weight +=
            1 + strlen(envs->v[i].key) / 32 +
            (envs->v[i].value == NULL ? 0 : strlen(envs->v[i].value) / 32);
    return weight;
}

static void put_in_front(struct manifest_envs *own,
                         const struct manifest_envs *top)
{
    struct manifest_envs all = { 0 };

    all.cap = all.len = top->len + own->len;
    all.v = xcalloc(all.len, sizeof(*all.v));
    for (size_t i = 0; i < top->len; i++) {
        all.v[i] = top->v[i];
        all.v[i].key = xstrdup(top->v[i].key);
        if (top->v[i].value != NULL)
            all.v[i].value = xstrdup(top->v[i].value);
    }
    if (own->len > 0)
        memcpy(all.v + top->len, own->v, own->len * sizeof(*own->v));
    free(own->v);
    *own = all;
}

void environment_combine(struct load *load)
{
    struct manifest *m = load->m;

    if (m->environment.len == 0)
        return;
    if (weigh(&m->environment) > COMBINED_MAX / (m->services.len + 1)) {
        diags_add(load->errors, DIAG_ERROR, m->environment.v[0].pos,
                  "environment: %zu items for each of %zu services are too "
                  "many",
                  m->environment.len, m->services.len);
        return;
    }
    for (size_t i = 0; i < m->services.len; i++)
        put_in_front(&m->services.v[i].environment, &m->environment);
}
