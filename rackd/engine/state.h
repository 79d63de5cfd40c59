/* state -- a container as the engine describes it. Private to engine/. */
#ifndef ENGINE_STATE_H
#define ENGINE_STATE_H

#include <cjson/cJSON.h>

struct engine_state;

/* Fill in `out`, which is zeroed before, from GET /containers/ID/json or from
 * an element of GET /containers/json. It must be released in any case. */
void state_from_inspect(struct engine_state *out, const cJSON *json);
void state_from_list(struct engine_state *out, const cJSON *json);
void state_release(struct engine_state *s);

/* "2026-11-23T16:31:18.5+01:00" as unix seconds; 0 when it is not a time. */
long long state_time(const char *text);

#endif /* ENGINE_STATE_H */
