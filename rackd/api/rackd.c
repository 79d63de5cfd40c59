/* GET /version and POST /quit: which rackd this is, and its end. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "api/api.h"
#include "api/routes.h"
#include "base/build.h"
#include "base/mem.h"
#include "prepared/warm.h"
#include "rack/app_run.h"
#include "store/store.h"
#include "web/web.h"

static double whole_seconds(uint64_t ms)
{
    uint64_t s = ms / 1000;

    return (double)s;
}

/* ---- the rack ----------------------------------------------------------- */

static long resident_kb(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    long pages = 0;

    if (f == NULL)
        return 0;
    if (fscanf(f, "%*s %ld", &pages) != 1)
        pages = 0;
    fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* cvx points our stderr at a file beside the socket. */
static char *log_path(const struct api *api)
{
    const char *slash = strrchr(api->socket_path, '/');

    return xasprintf("%.*s/rackd.log",
                     slash == NULL ? 1 : (int)(slash - api->socket_path),
                     slash == NULL ? "." : api->socket_path);
}

void on_version(struct web_req *req, void *user)
{
    struct api *api = user;
    struct cJSON *a = cJSON_CreateObject();
    cleanup_free char *log = NULL;
    struct app_run *run;
    int sessions = 0;

    DL_COUNT(api->runs->all, run, sessions);
    cJSON_AddStringToObject(a, "version", CVX_VERSION);
    cJSON_AddStringToObject(a, "build", cvx_build);
    cJSON_AddNumberToObject(a, "pid", getpid());
    cJSON_AddNumberToObject(a, "sessions", sessions);
    cJSON_AddNumberToObject(a, "warm", warm_count_all(api->warm));
    web_put(a, "socket", api->socket_path);
    cJSON_AddNumberToObject(a, "rss_kb", (double)resident_kb());
    cJSON_AddNumberToObject(a, "uptime_s",
                            whole_seconds(uv_now(api->loop) - api->started_ms));
    log = log_path(api);
    web_put(a, "log", log);
    web_put(a, "rack_id", api->store->rack_id);
    web_answer(req, a);
}

void on_quit(struct web_req *req, void *user)
{
    struct api *api = user;

    web_answer(req, cJSON_CreateObject());
    api->quit(api->quit_user);
}
