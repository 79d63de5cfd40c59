/* Reports names that are referred to but not declared. manifest.c calls
 * validate_refs() when the whole file is read; the decoders have collected the
 * references. */
#include <string.h>

#include "base/mem.h"
#include "manifest/decode.h"
#include "manifest/sections.h"

struct known {
    struct names services, resources, configs;
};

static void collect(const struct manifest *m, struct known *known)
{
    for (size_t i = 0; i < m->services.len; i++)
        names_add(&known->services, m->services.v[i].name, i);
    for (size_t i = 0; i < m->resources.len; i++)
        names_add(&known->resources, m->resources.v[i].name, i);
    for (size_t i = 0; i < m->configs.len; i++)
        if (m->configs.v[i].id != NULL)
            names_add(&known->configs, m->configs.v[i].id, i);
}

static const struct {
    size_t set; /* offset of the set in struct known */
    const char *before, *between;
} kinds[] = {
    [REF_RESOURCE] = { offsetof(struct known, resources), "service ",
                       " references a resource that does not exist: " },
    [REF_TIMER_SERVICE] = { offsetof(struct known, services), "timer ",
                            " references a service that does not exist: " },
    [REF_BALANCER_SERVICE] = { offsetof(struct known, services), "balancer ",
                               " refers to unknown service " },
    [REF_CONFIG] = { offsetof(struct known, configs), "service ",
                     ": config id: " },
};

static void check_ref(const struct decode_ref *ref, const struct known *known,
                      struct diags *errors)
{
    const struct names *set =
        (const struct names *)((const char *)known + kinds[ref->kind].set);
    const char *quote = ref->kind == REF_CONFIG ? "'" : "";

    if (names_has(set, ref->to))
        return;
    diags_add(errors, DIAG_ERROR, ref->pos, "%s%.100s%s%s%.100s%s%s",
              kinds[ref->kind].before, ref->from, kinds[ref->kind].between,
              quote, ref->to, quote,
              ref->kind == REF_CONFIG ? " not found" : "");
}

void validate_refs(struct load *load)
{
    struct known known = { 0 };

    collect(load->m, &known);
    for (size_t i = 0; i < load->refs.len; i++)
        check_ref(&load->refs.v[i], &known, load->errors);
    names_release(&known.services);
    names_release(&known.resources);
    names_release(&known.configs);
}
