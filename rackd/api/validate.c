/*
 * POST /validate and /plan: a manifest is read and checked, and what would be
 * made is shown. Nothing is started and no engine is asked.
 */
#include <cjson/cJSON.h>

#include "api/api.h"
#include "api/input.h"
#include "api/json.h"
#include "api/plan_json.h"
#include "api/routes.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "manifest/manifest.h"
#include "plan/plan.h"
#include "web/web.h"

static struct cJSON *diag_list(const struct input *in, enum diag_level level,
                               const char *word)
{
    struct cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < in->diags.len; i++) {
        const struct diag *d = &in->diags.v[i];
        struct cJSON *one;

        if (d->level != level)
            continue;
        one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "level", word);
        web_put(one, "file", in->manifest_name);
        cJSON_AddNumberToObject(one, "line", d->pos.line);
        cJSON_AddNumberToObject(one, "col", d->pos.col);
        put_masked(one, "text", d->text, &in->secrets);
        cJSON_AddItemToArray(list, one);
    }
    return list;
}

static void put_printed(struct cJSON *a, const char *name,
                        const struct input *in, const enum diag_level *levels,
                        size_t count)
{
    cleanup_str struct str text = { 0 };

    for (size_t i = 0; i < count; i++)
        diags_print(&in->diags, levels[i], in->manifest_name, in->text,
                    in->text_len, &text);
    put_masked(a, name, str_c(&text), &in->secrets);
}

void put_diags(struct cJSON *a, const struct input *in)
{
    static const enum diag_level loud[] = { DIAG_WARNING, DIAG_ERROR };
    static const enum diag_level quiet[] = { DIAG_NOTE };

    cJSON_AddBoolToObject(a, "ok", in->diags.errors == 0);
    cJSON_AddItemToObject(a, "errors", diag_list(in, DIAG_ERROR, "error"));
    cJSON_AddItemToObject(a, "warnings",
                          diag_list(in, DIAG_WARNING, "warning"));
    cJSON_AddItemToObject(a, "notes", diag_list(in, DIAG_NOTE, "note"));
    put_printed(a, "diag_text", in, loud, 2);
    put_printed(a, "notes_text", in, quiet, 1);
}

/* Shared by validate and plan: false when the request has been answered. */
static bool load(struct web_req *req, const struct api *api, struct input *in,
                 struct plan **plan)
{
    struct err err = { 0 };

    if (input_load(in, web_body(req), api->store, &err) < 0) {
        input_release(in);
        web_error(req, err.code == ERR_NOT_FOUND ? 404 : 400, "%s", err.msg);
        return false;
    }
    *plan = input_plan(in, api->store, "RELEASE",
                       web_bool(web_body(req), "keep_data"));
    return true;
}

void on_validate(struct web_req *req, void *user)
{
    struct input in = { 0 };
    struct plan *plan;
    struct cJSON *a;

    if (!load(req, user, &in, &plan))
        return;
    a = cJSON_CreateObject();
    put_diags(a, &in);
    web_put(a, "app", in.app);
    if (in.manifest != NULL) {
        cJSON_AddNumberToObject(a, "services",
                                (double)in.manifest->services.len);
        cJSON_AddNumberToObject(a, "resources",
                                (double)in.manifest->resources.len);
    }
    if (plan != NULL)
        plan_free(plan);
    input_release(&in);
    web_answer(req, a);
}

void on_plan(struct web_req *req, void *user)
{
    cleanup_str struct str text = { 0 };
    struct input in = { 0 };
    struct plan *plan;
    struct cJSON *a;

    if (!load(req, user, &in, &plan))
        return;
    a = cJSON_CreateObject();
    put_diags(a, &in);
    if (plan != NULL) {
        plan_print(plan, &text);
        put_masked(a, "plan", str_c(&text), &in.secrets);
        cJSON_AddItemToObject(a, "tree", plan_json(plan, &in.secrets));
        plan_free(plan);
    }
    input_release(&in);
    web_answer(req, a);
}
