/*
 * planner -- the state of one plan_make(), and the functions by which the files
 * of plan/ call each other. Private to plan/.
 *
 * Calls go one way. plan.c calls resources.c first, because names of volumes
 * that keep data must not depend on the services, and then services.c, which
 * asks environ.c and volumes.c for each service. All of them use the helpers of
 * planner.c.
 */
#ifndef PLAN_PLANNER_H
#define PLAN_PLANNER_H

#include "base/diag.h"
#include "base/env.h"
#include "manifest/manifest.h"
#include "plan/plan.h"
#include "plan/resource_type.h"

/* The first three are borrowed; plan_make() returns the plan and releases the
 * sets. */
struct planner {
    const struct manifest *m;
    const struct plan_opts *opts;
    struct diags *diags;
    struct plan *plan;
    /* Names of all services; "made" once one is planned. */
    struct env services;
    /* Build path and Dockerfile, with a newline between them -> its index in
     * plan->builds. */
    struct env builds;
    /* Purpose -> its index in plan->volumes; see volumes.c. */
    struct env volumes;
    struct env volume_names; /* names of volumes that are taken */
};

/* The text, or "" for NULL. */
const char *planner_text(const char *text);

/* The resource of that name among those planned so far, or NULL. */
const struct plan_resource *planner_find_resource(const struct planner *pl,
                                                  const char *name);

/* Appends the variables as KEY=VALUE, sorted by key. */
void planner_env_list(const struct env *env, struct strv *out);

/* ---- resources.c ------------------------------------------------------- */

/* Plans every resource, in the order of the manifest. */
void planner_resources(struct planner *pl);

/* ---- services.c -------------------------------------------------------- */

/* Plans every service, and the builds they need. */
void planner_services(struct planner *pl);

/* ---- environ.c --------------------------------------------------------- */

/* Appends the environment of a service, sorted. A required key that nobody
 * provides is an error. */
void planner_environ(struct planner *pl, const struct manifest_service *s,
                     struct strv *out);

/* Adds one warning for all keys of .env that nobody uses. */
void planner_warn_undeclared(struct planner *pl);

/* ---- volumes.c --------------------------------------------------------- */

/* Plans an efs resource: a volume with an owner and a mode, and no
 * container. */
void planner_efs(struct planner *pl, const struct manifest_resource *r,
                 struct plan_resource *out);

/* Adds the volume that keeps the data of a resource, and returns its index.
 * `what` names the server and, where it matters, its major version: a newer
 * server gets a volume of its own. */
int planner_data_volume(struct planner *pl, const char *resource,
                        const char *what);

/* Appends the mounts of `volumes` and `volumeOptions`. */
void planner_mounts(struct planner *pl, const struct manifest_service *s,
                    struct plan_container *out);

/* Appends the mounts of `options`, which are those of the service or of its
 * initContainer. */
void planner_option_mounts(struct planner *pl, const struct manifest_service *s,
                           const struct manifest_volume_options *options,
                           struct plan_container *out);

#endif /* PLAN_PLANNER_H */
