/*
 * What a session has, for those who list it: api/ asks for its containers and
 * ports. Sandboxes are ours alone and are not listed.
 */
#include <string.h>

#include "engine/engine.h"
#include "run/item.h"
#include "run/session.h"
#include "run/session_parts.h"

size_t session_item_count(const struct session *s)
{
    size_t count = 0;

    for (struct item *it = s->items; it != NULL; it = it->next)
        count += it->kind != ITEM_SANDBOX;
    return count;
}

void session_item_get(const struct session *s, size_t index,
                      struct session_item *out)
{
    struct item *it = s->items;

    while (it->kind == ITEM_SANDBOX || index-- > 0)
        it = it->next;
    *out = (struct session_item){ .kind = item_kind_word(it->kind),
                                  .name = it->name,
                                  .container_id = it->id,
                                  .state = item_state_word(it),
                                  .argv = &it->plan->argv,
                                  .replica = it->replica,
                                  .started_ms = it->started_ms };
    for (size_t i = 0; i < it->plan->ports.len; i++) {
        if (it->ports.host[i] == 0 || out->port_count == SESSION_ITEM_PORTS_MAX)
            continue;
        out->ports[out->port_count].container = it->plan->ports.v[i].container;
        out->ports[out->port_count++].host = it->ports.host[i];
    }
}

int session_host_port(const struct session *s, const char *kind,
                      const char *name, int container)
{
    for (struct item *it = s->items; it != NULL; it = it->next) {
        if (strcmp(item_kind_word(it->kind), kind) != 0 ||
            strcmp(it->name, name) != 0)
            continue;
        for (size_t i = 0; i < it->plan->ports.len; i++)
            if (it->ports.host[i] > 0 &&
                (container == 0 || it->plan->ports.v[i].container == container))
                return it->ports.host[i];
        return 0;
    }
    return 0;
}

unsigned long session_calls(const struct session *s)
{
    return engine_calls(s->spec.engine) - s->calls_before;
}
