/* state -- a container as the engine describes it. Private to engine/. */
#ifndef ENGINE_STATE_H
#define ENGINE_STATE_H

#include <cjson/cJSON.h>

struct engine_state;

/* From GET /containers/ID/json, and from an element of /containers/json.
 * `out` is zeroed before; release it in any case. */
void state_from_inspect(struct engine_state *out, const cJSON *json);
void state_from_list(struct engine_state *out, const cJSON *json);
void state_release(struct engine_state *s);

/* "2026-11-23T16:31:18.5+01:00" to unix seconds; 0 when it is none. */
long long state_time(const char *text);

#endif /* ENGINE_STATE_H */
