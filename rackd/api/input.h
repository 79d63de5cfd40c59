/*
 * input -- what a request names: a directory, a manifest, an environment.
 *
 * Reads the files (small ones: the manifest up to MANIFEST_MAX, environment
 * files up to INPUT_ENV_MAX) and calls manifest and plan. Whatever is wrong
 * with them is in `diags`; only what keeps them from being read at all is an
 * error.
 */
#ifndef API_INPUT_H
#define API_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "base/env.h"
#include "base/strv.h"

struct cJSON;
struct err;
struct manifest;
struct plan;
struct store;

#define INPUT_ENV_MAX ((size_t)1 << 20)

struct input {
    char *dir;           /* where the manifest is, absolute */
    char *manifest_name; /* as the user wrote it: for messages */
    char *app;
    char *text; /* of the manifest */
    size_t text_len;
    struct env env;        /* store < .env < --env-file < -e */
    struct env client_env; /* HOME, DOCKER_HOST, ... of the caller */
    bool strict;
    struct strv secrets; /* not to be shown: see plan/mask.h */
    struct diags diags;
    struct manifest *manifest; /* NULL when it has errors of syntax */
};

/* Fills *in (zeroed) from a request's body: reads and parses. */
int input_load(struct input *in, const struct cJSON *body,
               const struct store *store, struct err *err);

/* NULL when in->diags has errors. */
struct plan *input_plan(struct input *in, const struct store *store,
                        const char *release, bool keep_data);

/* Only the caller's engine settings, for requests without a source. */
void input_client_env(struct env *out, const struct cJSON *body);

/* The name of the app in `dir`: .convox/app, else the directory's name. The
 * caller frees it; NULL when nothing usable is there. */
char *input_app_name(const char *given, const char *dir);

void input_release(struct input *in);

#endif /* API_INPUT_H */
