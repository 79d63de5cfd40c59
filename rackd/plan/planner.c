/* The functions that several files of plan/ call while a plan is made. They
 * call none of the others, so that calls within plan/ go one way: plan.c, then
 * resources.c and services.c, then environ.c and volumes.c, then this file. */
#include "plan/planner.h"

#include <string.h>

const char *planner_text(const char *text)
{
    return text == NULL ? "" : text;
}

const struct plan_resource *planner_find_resource(const struct planner *pl,
                                                  const char *name)
{
    for (size_t i = 0; i < pl->plan->resources.len; i++)
        if (strcmp(pl->plan->resources.v[i].name, name) == 0)
            return &pl->plan->resources.v[i];
    return NULL;
}

void planner_env_list(const struct env *env, struct strv *out)
{
    cleanup_strv struct strv keys = { 0 };

    for (size_t i = 0; i < env->len; i++)
        strv_add(&keys, env->v[i].key);
    strv_sort(&keys);
    for (size_t i = 0; i < keys.len; i++)
        strv_printf(out, "%s=%s", keys.v[i], env_get(env, keys.v[i]));
}
