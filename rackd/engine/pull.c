/* engine_image_pull(): finds the login, pulls, and reads from the stream how
 * far it is. run/ calls it for each image that the engine does not have. */
#include "engine/reason.h"

#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/auth.h"
#include "engine/client.h"
#include "engine/find.h"
#include "engine/json.h"
#include "engine/lines.h"
#include "engine/path.h"
#include "engine/ref.h"

struct pull {
    struct engine_call call; /* first: see call_new() */
    engine_progress_cb progress;
    struct lines lines;
    char *path;
    char *server;          /* name of the registry in config.json */
    char *note;            /* why there is no login, or NULL */
    struct err failed;     /* the error that the stream reported */
    struct helper *helper; /* running, or NULL */
};

/* In the order in which they run. */
static void on_login(const struct auth *auth, const char *why, void *user);
static void ask(struct pull *p, const struct auth *auth);
static void on_data(struct engine_call *call, const char *data, size_t len);
static bool on_line(const char *line, size_t len, void *user);
static void on_end(struct engine_call *call, const struct answer *a,
                   const struct err *err);

static void pull_release(struct engine_call *call)
{
    struct pull *p = container_of(call, struct pull, call);

    if (p->helper != NULL)
        helper_cancel(p->helper);
    lines_release(&p->lines);
    free(p->path);
    free(p->server);
    free(p->note);
}

static char *pull_path(const struct ref *r)
{
    struct str path = { 0 };

    str_add(&path, "/images/create");
    path_query(&path, "fromImage", r->name);
    /* Without a tag the engine would pull all tags. */
    path_query(&path, "tag", r->digest != NULL ? r->digest : r->tag);
    return str_take(&path);
}

/* Sends the request with the login of config.json, or asks a helper for one
 * first. */
static void find_login(struct pull *p, const struct env *env)
{
    cleanup_free char *dir = env == NULL ? NULL : find_config_dir(env);
    cleanup_free char *helper = NULL;
    struct auth auth;
    bool found = auth_read(&auth, &helper, dir, p->server);

    if (helper != NULL)
        p->helper =
            helper_start(p->call.engine, helper, p->server, env, on_login, p);
    else
        ask(p, found ? &auth : NULL);
    auth_release(&auth);
}

struct engine_call *engine_image_pull(struct engine *e, const char *ref,
                                      const struct engine_auth *auth,
                                      const struct env *env,
                                      engine_progress_cb progress,
                                      engine_done_cb cb, void *user)
{
    struct pull *p = call_new(e, sizeof(*p));
    struct auth given = { 0 };
    struct ref r;
    struct err err;

    p->call.release = pull_release;
    p->call.cb.done = cb;
    p->call.user = user;
    p->progress = progress;
    if (ref_parse(&r, ref, &err) < 0) {
        call_fail_later(&p->call, &err, on_end);
        return &p->call;
    }
    p->path = pull_path(&r);
    p->server = xstrdup(auth_server(r.registry));
    if (auth == NULL) {
        find_login(p, env);
    } else {
        given.username = xstrdup(auth->username);
        given.password = xstrdup(auth->password);
        ask(p, &given);
        auth_release(&given);
    }
    ref_release(&r);
    return &p->call;
}

bool engine_image_is_from(const char *ref, const char *registry)
{
    struct ref r;
    struct err err;
    bool same;

    if (ref_parse(&r, ref, &err) < 0)
        return false;
    same = strcmp(auth_server(r.registry), auth_server(registry)) == 0;
    ref_release(&r);
    return same;
}

static void on_login(const struct auth *auth, const char *why, void *user)
{
    struct pull *p = user;

    /* A public image comes without a login too, so this is told only if the
     * pull fails. */
    p->helper = NULL;
    if (auth == NULL && *why != '\0') {
        log_warn("engine", "no login for %s: %s", p->server, why);
        p->note = xstrdup(why);
    }
    call_enter(&p->call);
    ask(p, auth);
    call_leave(&p->call);
}

static void ask(struct pull *p, const struct auth *auth)
{
    cleanup_free char *value =
        auth == NULL ? NULL : auth_header(auth, p->server);
    cleanup_free char *header =
        value == NULL ? NULL : xasprintf("X-Registry-Auth: %s", value);
    const char *const headers[] = { header, NULL };

    call_send(&p->call, &(struct request){ .method = "POST",
                                           .path = p->path,
                                           .headers = headers,
                                           .stream = true,
                                           .on_data = on_data,
                                           .step = on_end });
    if (header != NULL) {
        explicit_bzero(value, strlen(value));
        explicit_bzero(header, strlen(header));
    }
}

static void on_data(struct engine_call *call, const char *data, size_t len)
{
    struct pull *p = container_of(call, struct pull, call);

    lines_feed(&p->lines, data, len, on_line, p);
}

static void hand_out(struct pull *p, const cJSON *json)
{
    const cJSON *detail = json_get(json, "progressDetail");
    const char *status = json_text(json, "status");

    /* In this line the id is the tag, not a layer. */
    bool whole = str_starts(status, "Pulling from ");

    if (p->progress == NULL || *status == '\0')
        return;
    p->progress(
        &(struct engine_progress){ .layer = whole ? "" : json_text(json, "id"),
                                   .status = status,
                                   .current = json_int(detail, "current"),
                                   .total = json_int(detail, "total") },
        p->call.user);
}

static bool on_line(const char *line, size_t len, void *user)
{
    struct pull *p = user;
    cJSON *json = cJSON_Parse(line);
    const char *text = json_text(json_get(json, "errorDetail"), "message");
    enum err_code code;

    (void)len;
    if (*text == '\0')
        text = json_text(json, "error");
    if (*text != '\0') {
        code = engine_registry_code(text);
        answer_text(&p->failed, code == ERR_NONE ? ERR_SYSTEM : code, text);
    } else {
        hand_out(p, json);
    }
    cJSON_Delete(json);
    return call_wanted(&p->call);
}

static void on_end(struct engine_call *call, const struct answer *a,
                   const struct err *err)
{
    struct pull *p = container_of(call, struct pull, call);
    struct err result = err != NULL ? *err : p->failed;
    enum err_code code;

    (void)a;
    if (!lines_flush(&p->lines, on_line, p))
        return;
    if (err == NULL)
        result = p->failed;
    /* When the engine itself answered with an error, its text says more than
     * its status. */
    code = engine_registry_code(result.msg);
    if (code != ERR_NONE &&
        (result.code == ERR_SYSTEM || result.code == ERR_NOT_FOUND))
        result.code = code;
    if (result.code != ERR_NONE && p->note != NULL) {
        cleanup_free char *said = xstrdup(result.msg);

        err_set(&result, result.code, "%.700s (without a login: %.200s)", said,
                p->note);
    }
    call_end(call);
    call->cb.done(result.code == ERR_NONE ? NULL : &result, call->user);
}
