/*
 * GET /timings: what the time of an app's last start went into. It need not run
 * any more; rack/app_run.c stored it when it was ready.
 */
#include <string.h>

#include "api/api.h"
#include "api/routes.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "plan/plan.h"
#include "store/store.h"
#include "timing/record.h"
#include "web/web.h"

void on_timings(struct web_req *req, void *user)
{
    struct api *api = user;
    cleanup_free char *app = plan_app_name(web_query(req, "app"));
    cleanup_str struct str former = { 0 };
    struct err err = { 0 };
    struct cJSON *answer;

    if (app == NULL) {
        web_error(req, 400, "the name of an app is wanted");
        return;
    }
    if (store_timings_load(api->store, app, &former, &err) < 0) {
        log_warn("rack", "timings of %s: %s", app, err.msg);
        str_cut(&former, 0);
    }
    answer = record_last(app, &former);
    if (answer == NULL)
        web_error(req, 404, "no start of app %s has been timed yet: cvx start",
                  app);
    else
        web_answer(req, answer);
}
