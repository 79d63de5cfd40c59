/*
 * maker -- what the parts of plan_make() share. Private to plan/.
 *
 * plan.c walks the manifest and calls the others in this order: resources
 * (they claim the names of their volumes first, which must not depend on
 * services), then each service's environment and mounts.
 */
#ifndef PLAN_MAKER_H
#define PLAN_MAKER_H

#include "base/diag.h"
#include "base/env.h"
#include "manifest/manifest.h"
#include "plan/plan.h"
#include "plan/resource.h"

/* What is borrowed comes first; plan_make() releases the sets below it. */
struct maker {
    const struct manifest *m;
    const struct plan_opts *opts;
    struct diags *diags;
    struct plan *plan;
    struct env services;     /* set of the names of all services */
    struct env builds;       /* "path\ndockerfile" -> index */
    struct env volumes;      /* what it is for -> index: see volumes.c */
    struct env volume_names; /* set of the names given so far */
};

/* "" for NULL. */
const char *maker_text(const char *text);

/* First match; NULL when there is none. */
const struct plan_resource *maker_find_resource(const struct maker *mk,
                                                const char *name);

/* KEY=VALUE, by key, appended to `out`. */
void maker_env_list(const struct env *env, struct strv *out);

/* ---- resources.c ------------------------------------------------------- */

/* Every resource of the manifest, in its order. */
void maker_resources(struct maker *mk);

/* ---- services.c -------------------------------------------------------- */

/* The same for services, and what they are built from. */
void maker_services(struct maker *mk);

/* ---- environ.c --------------------------------------------------------- */

/* The environment of a service, sorted, to `out`; required keys that are not
 * there are an error. */
void maker_environ(struct maker *mk, const struct manifest_service *s,
                   struct strv *out);

/* One warning for the keys of .env that nobody asks for. */
void maker_warn_undeclared(struct maker *mk);

/* ---- volumes.c --------------------------------------------------------- */

void maker_efs(struct maker *mk, const struct manifest_resource *r,
               struct plan_resource *out);

/* Index of the volume that keeps the resource's data. */
int maker_data_volume(struct maker *mk, const char *resource, const char *what);

/* `volumes` and volumeOptions of a service. */
void maker_mounts(struct maker *mk, const struct manifest_service *s,
                  struct plan_container *out);

/* The volumeOptions alone: of the service, or of its initContainer. */
void maker_option_mounts(struct maker *mk, const struct manifest_service *s,
                         const struct manifest_volume_options *options,
                         struct plan_container *out);

#endif /* PLAN_MAKER_H */
