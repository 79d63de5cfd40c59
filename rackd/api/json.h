/*
 * json -- pieces of answers that several requests share. `secrets` are masked
 * (plan/mask.h).
 */
#ifndef API_JSON_H
#define API_JSON_H

#include <stdbool.h>

struct app_run;
struct cJSON;
struct input;
struct strv;

/* A string member without the secrets. */
void put_masked(struct cJSON *object, const char *name, const char *text,
                const struct strv *secrets);

/* Errors, warnings and notes of a manifest, as JSON and as text (validate.c).
 */
void put_diags(struct cJSON *answer, const struct input *in);

/* Services and resources of a start whose session lives (list.c). Passwords of
 * databases that are not ours to start are masked unless `whole`. */
struct cJSON *services_json(const struct app_run *run);
struct cJSON *resources_json(const struct app_run *run, bool whole);

#endif /* API_JSON_H */
