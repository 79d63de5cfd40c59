/* plan_json -- the plan as JSON: `cvx plan --json`. Secrets are masked as in
 * plan_print(). */
#ifndef RACKD_PLAN_JSON_H
#define RACKD_PLAN_JSON_H

struct cJSON;
struct plan;

struct cJSON *plan_json(const struct plan *p);

#endif /* RACKD_PLAN_JSON_H */
