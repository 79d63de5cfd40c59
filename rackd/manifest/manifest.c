/* manifest_load(): text to struct. api/input.c calls it for every command that
 * reads convox.yml. It runs the passes in order: interpolate (interpolate.c),
 * parse (parse.c), decode the top level, then look up the names that were
 * referred to. */
#include "manifest/manifest.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "manifest/decode.h"
#include "manifest/interpolate.h"
#include "manifest/node.h"
#include "manifest/sections.h"

static void decode_services(const struct at *at, void *out)
{
    decode_named(at, "a map of services", decode_service, out);
}

static void decode_resources(const struct at *at, void *out)
{
    decode_named(at, "a map of resources", decode_resource, out);
}

static void decode_timers(const struct at *at, void *out)
{
    decode_named(at, "a map of timers", decode_timer, out);
}

static void decode_balancers(const struct at *at, void *out)
{
    decode_named(at, "a map of balancers", decode_balancer, out);
}

static const struct decode_key top_keys[] = {
    { "appSettings", decode_app_settings, 0, DECODE_CLOUD },
    { "balancers", decode_balancers, 0, DECODE_CLOUD },
    { "budget", decode_budget, 0, DECODE_CLOUD },
    { "configs", decode_configs, 0, 0 },
    { "environment", decode_environment, offsetof(struct manifest, environment),
      0 },
    { "labels", decode_labels, 0, DECODE_CLOUD },
    { "params", decode_a_map, 0, DECODE_CLOUD },
    { "resources", decode_resources, 0, 0 },
    { "services", decode_services, 0, 0 },
    { "timers", decode_timers, 0, 0 },
    { 0 },
};

/* False when the root is not a map, so that there is no manifest to return. */
static bool decode_top(struct load *load, const struct node *root)
{
    struct at at = { .load = load, .node = root };

    if (root == NULL || node_is_null(root))
        return true;
    if (!decode_map(&at, "a map of services, resources, ...", top_keys,
                    load->m))
        return false;
    environment_combine(load);
    validate_refs(load);
    return true;
}

static bool read_all(struct load *load, const char *text, size_t len)
{
    struct node_pool pool = { 0 };
    struct interpolated src;
    struct node *root = NULL;
    bool ok =
        interpolate(&src, text, len, load->env, load->errors, load->warnings) ==
            0 &&
        node_parse(&pool, &src, load->errors, load->warnings, &root) == 0 &&
        decode_top(load, root);

    strv_add_all(&load->m->used, &src.used);
    node_pool_release(&pool);
    interpolated_release(&src);
    return ok;
}

/* Messages quote names from the file. An escape sequence in one ("\\e[2J") must
 * not reach the terminal, and a length limit may have cut a UTF-8 character in
 * two: such bytes become "?". */
static void make_printable(char *text)
{
    size_t left = strlen(text), n;

    for (; left > 0; text += n, left -= n) {
        n = utf8_len(text, left);
        if (n == 1 && (unsigned char)*text >= 0x20 && *text != 0x7f)
            continue;
        /* U+0080 to U+009F (0xc2 0x80 to 0xc2 0x9f) are control characters
         * too. */
        if (n > 1 &&
            !(n == 2 && *text == '\xc2' && (unsigned char)text[1] < 0xa0))
            continue;
        n = n == 0 ? 1 : n;
        memset(text, '?', n);
    }
}

/* Adds the warnings and notes after the errors: the list has a limit, and what
 * it drops must not be an error. Dropped ones are still counted. */
static void hand_over(struct diags *warnings, struct diags *diags)
{
    size_t lost_warnings = warnings->warnings, lost_notes = warnings->notes;

    for (size_t i = 0; i < warnings->len; i++) {
        const struct diag *d = &warnings->v[i];

        diags_add(diags, d->level, d->pos, "%s", d->text);
        if (d->level == DIAG_WARNING)
            lost_warnings--;
        else
            lost_notes--;
    }
    diags->warnings += lost_warnings;
    diags->notes += lost_notes;
    for (size_t i = 0; i < diags->len; i++)
        make_printable(diags->v[i].text);
    diags_sort(diags);
    diags_release(warnings);
}

static void release_load(struct load *load)
{
    for (size_t i = 0; i < load->refs.len; i++) {
        free(load->refs.v[i].from);
        free(load->refs.v[i].to);
    }
    free(load->refs.v);
    nlb_release(load);
}

struct manifest *manifest_load(const char *text, size_t len,
                               const struct env *env, struct diags *diags)
{
    struct diags warnings = { 0 };
    struct load load = { .m = xcalloc(1, sizeof(*load.m)),
                         .env = env,
                         .errors = diags,
                         .warnings = &warnings };
    bool ok = read_all(&load, text == NULL ? "" : text, len);

    hand_over(&warnings, diags);
    release_load(&load);
    if (ok)
        return load.m;
    manifest_free(load.m);
    return NULL;
}
