/* plan_json -- the plan as JSON: `cvx plan --json`. `secrets` (mask_collect()
 * and more) are masked as in plan_print(). */
#ifndef API_PLAN_JSON_H
#define API_PLAN_JSON_H

struct cJSON;
struct plan;
struct strv;

struct cJSON *plan_json(const struct plan *p, const struct strv *secrets);

#endif /* API_PLAN_JSON_H */
