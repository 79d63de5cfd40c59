/* engine_host_info(): what the engine says of its machine (GET /info). `cvx
 * doctor` shows it. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "engine/client.h"
#include "engine/json.h"

static bool is_rootless(const cJSON *info)
{
    const cJSON *option;

    cJSON_ArrayForEach(option, json_get(info, "SecurityOptions"))
    {
        const char *text = cJSON_GetStringValue(option);

        if (text != NULL && strstr(text, "rootless") != NULL)
            return true;
    }
    return false;
}

static void on_info(struct engine_call *call, const struct answer *a,
                    const struct err *err)
{
    struct engine_host h = { 0 };

    call_end(call);
    if (err != NULL) {
        call->cb.host(NULL, err, call->user);
        return;
    }
    h.storage_driver = xstrdup(json_text(a->json, "Driver"));
    h.root_dir = xstrdup(json_text(a->json, "DockerRootDir"));
    h.os_name = xstrdup(json_text(a->json, "OperatingSystem"));
    h.kernel = xstrdup(json_text(a->json, "KernelVersion"));
    h.architecture = xstrdup(json_text(a->json, "Architecture"));
    h.memory = json_int(a->json, "MemTotal");
    h.cpus = (int)json_int(a->json, "NCPU");
    h.rootless = is_rootless(a->json);
    json_strings(json_get(a->json, "Warnings"), &h.warnings);
    call->cb.host(&h, NULL, call->user);
    free(h.storage_driver);
    free(h.root_dir);
    free(h.os_name);
    free(h.kernel);
    free(h.architecture);
    strv_release(&h.warnings);
}

struct engine_call *engine_host_info(struct engine *e, engine_host_cb cb,
                                     void *user)
{
    struct engine_call *call = call_new(e, sizeof(*call));

    call->cb.host = cb;
    call->user = user;
    call_send(call, &(struct request){
                        .method = "GET", .path = "/info", .step = on_info });
    return call;
}
