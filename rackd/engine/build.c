/* engine_build(): sends a context and hands out the lines of the build. run/
 * calls it once per build of a plan. The classic builder answers with JSON
 * lines of text, BuildKit with protobuf inside of JSON (buildkit.c). */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/auth.h"
#include "engine/base64.h"
#include "engine/buildkit.h"
#include "engine/client.h"
#include "engine/json.h"
#include "engine/lines.h"
#include "engine/path.h"
#include "engine/reason.h"

struct build {
    struct engine_call call; /* first: see call_new() */
    engine_line_cb line;
    struct lines json;         /* the answer has one JSON object a line */
    struct lines text;         /* classic builder: pieces of its output */
    struct buildkit *buildkit; /* NULL: the classic builder */
    char *id;                  /* of the image, once it is known */
    struct err failed;
};

/* In the order in which they run. */
static void on_data(struct engine_call *call, const char *data, size_t len);
static bool on_json(const char *text, size_t len, void *user);
static bool on_text(const char *text, size_t len, void *user);
static void on_end(struct engine_call *call, const struct answer *a,
                   const struct err *err);

static void build_release(struct engine_call *call)
{
    struct build *b = container_of(call, struct build, call);

    lines_release(&b->json);
    lines_release(&b->text);
    buildkit_free(b->buildkit);
    free(b->id);
}

static void add_pairs(struct str *path, const char *key,
                      const struct strv *pairs)
{
    cJSON *json;
    cleanup_free char *text = NULL;

    if (pairs == NULL || pairs->len == 0)
        return;
    json = cJSON_CreateObject();
    json_add_pairs(json, key, pairs);
    text = json_take_text(cJSON_DetachItemFromObjectCaseSensitive(json, key));
    cJSON_Delete(json);
    path_query(path, key, text);
}

static char *build_path(const struct engine *e, const struct engine_build *b)
{
    struct str path = { 0 };

    str_add(&path, "/build?rm=1&forcerm=1");
    str_add(&path, e->buildkit ? "&version=2" : "&version=1");
    path_query(&path, "t", b->tag);
    path_query(&path, "dockerfile", b->dockerfile);
    path_query(&path, "target", b->target);
    if (b->no_cache)
        str_add(&path, "&nocache=1");
    add_pairs(&path, "buildargs", b->args);
    add_pairs(&path, "labels", b->labels);
    return str_take(&path);
}

struct engine_call *engine_build(struct engine *e, const struct engine_build *b,
                                 engine_line_cb line, engine_id_cb cb,
                                 void *user)
{
    struct build *op = call_new(e, sizeof(*op));
    cleanup_free char *path = build_path(e, b);
    cleanup_free char *logins = auth_config(e->config_dir);
    cleanup_free char *header =
        logins == NULL ? NULL : xasprintf("X-Registry-Config: %s", logins);
    const char *const headers[] = { header, NULL };

    op->call.release = build_release;
    op->call.cb.id = cb;
    op->call.user = user;
    op->line = line;
    if (e->buildkit)
        op->buildkit = buildkit_new(on_text, op);
    call_send(&op->call, &(struct request){ .method = "POST",
                                            .path = path,
                                            .upload_fd = b->context_fd,
                                            .type = "application/x-tar",
                                            .headers = headers,
                                            .stream = true,
                                            .on_data = on_data,
                                            .step = on_end });
    if (header != NULL) {
        explicit_bzero(logins, strlen(logins));
        explicit_bzero(header, strlen(header));
    }
    return &op->call;
}

static void on_data(struct engine_call *call, const char *data, size_t len)
{
    struct build *b = container_of(call, struct build, call);

    lines_feed(&b->json, data, len, on_json, b);
}

/* Takes the error text of a failed build, and decides whether it is an error of
 * the user, of a registry or of the engine. */
static void note_failure(struct build *b, const char *text)
{
    enum err_code code = engine_registry_code(text);

    /* A step that fails, whatever its command line says, is the user's; and
     * files are "not found" as well as images. */
    if (engine_says(text, REASON_STEP_FAILED))
        code = ERR_INVALID;
    if (code == ERR_NONE ||
        (code == ERR_NOT_FOUND && !engine_says(text, REASON_IMAGE)))
        code = ERR_INVALID;
    answer_text(&b->failed, code, text);
}

static void note_id(struct build *b, const char *id)
{
    if (*id == '\0')
        return;
    free(b->id);
    b->id = xstrdup(id);
}

static bool take_trace(struct build *b, const char *text)
{
    cleanup_str struct str message = { 0 };

    if (b->buildkit == NULL)
        b->buildkit = buildkit_new(on_text, b);
    return !base64_decode(&message, text) ||
           buildkit_feed(b->buildkit, str_c(&message), message.len);
}

/* While the classic builder pulls a base image, each of its steps is a line;
 * its progress bars are left out. */
static bool take_status(struct build *b, const cJSON *json)
{
    const char *id = json_text(json, "id");
    cleanup_free char *line = NULL;

    if (json_get(json_get(json, "progressDetail"), "current") != NULL)
        return true;
    line = xasprintf("%s%s%s", id, *id == '\0' ? "" : ": ",
                     json_text(json, "status"));
    return on_text(line, strlen(line), b);
}

/* The classic builder colours what comes from stderr red. Colours are for cvx
 * to choose, so that escape sequence is removed. */
static bool take_stream(struct build *b, const char *text)
{
    static const char red[] = "\x1b[91m", plain[] = "\x1b[0m";
    size_t len = strlen(text);

    if (str_starts(text, red) && str_ends(text, plain)) {
        text += strlen(red);
        len -= strlen(red) + strlen(plain);
    }
    return lines_feed(&b->text, text, len, on_text, b);
}

static bool on_json(const char *text, size_t len, void *user)
{
    struct build *b = user;
    cJSON *json = cJSON_Parse(text);
    const cJSON *aux = json_get(json, "aux");
    const char *error = json_text(json_get(json, "errorDetail"), "message");
    const char *stream = json_text(json, "stream");

    (void)len;
    if (*error == '\0')
        error = json_text(json, "error");
    if (*error != '\0')
        note_failure(b, error);
    else if (strcmp(json_text(json, "id"), "moby.buildkit.trace") == 0)
        take_trace(b, json_text(json, "aux"));
    else if (aux != NULL)
        note_id(b, json_text(aux, "ID"));
    else if (*stream != '\0')
        take_stream(b, stream);
    else if (*json_text(json, "status") != '\0')
        take_status(b, json);
    cJSON_Delete(json);
    return call_wanted(&b->call);
}

static bool on_text(const char *text, size_t len, void *user)
{
    static const char built[] = "Successfully built ";
    struct build *b = user;

    /* Podman 4.3 gives the id of the image nowhere else. */
    if (b->id == NULL && str_starts(text, built))
        note_id(b, text + strlen(built));
    if (b->line != NULL)
        b->line(text, len, b->call.user);
    return call_wanted(&b->call);
}

static void on_end(struct engine_call *call, const struct answer *a,
                   const struct err *err)
{
    struct build *b = container_of(call, struct build, call);

    (void)a;
    if (!lines_flush(&b->json, on_json, b) ||
        !lines_flush(&b->text, on_text, b) ||
        (b->buildkit != NULL && !buildkit_flush(b->buildkit)))
        return;
    if (err != NULL && (err->code == ERR_SYSTEM || err->code == ERR_NOT_FOUND))
        /* The engine refused it before the first line. */
        note_failure(b, err->msg);
    else if (err != NULL)
        b->failed = *err;
    else if (b->failed.code == ERR_NONE && b->id == NULL)
        err_set(&b->failed, ERR_PROTOCOL,
                "the build has ended, but the engine names no image");
    call_end(call);
    if (b->failed.code != ERR_NONE)
        call->cb.id(NULL, &b->failed, call->user);
    else
        call->cb.id(b->id, NULL, call->user);
}
