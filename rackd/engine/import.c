/* engine_image_import(): makes an image from a tar of its files, without a
 * registry. guard/reaper_create.c brings the reaper's image this way, which is
 * the sandbox's too. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/client.h"
#include "engine/json.h"
#include "engine/lines.h"
#include "engine/path.h"

struct import {
    struct engine_call call; /* first: see call_new() */
    struct lines lines;
    struct err failed;
};

static void on_data(struct engine_call *call, const char *data, size_t len);
static bool on_line(const char *line, size_t len, void *user);
static void on_end(struct engine_call *call, const struct answer *a,
                   const struct err *err);

static void import_release(struct engine_call *call)
{
    lines_release(&container_of(call, struct import, call)->lines);
}

struct engine_call *engine_image_import(struct engine *e, const char *ref,
                                        const struct strv *labels,
                                        const char *tar, size_t len,
                                        engine_done_cb cb, void *user)
{
    struct import *i = call_new(e, sizeof(*i));
    cleanup_str struct str path = { 0 };

    i->call.release = import_release;
    i->call.cb.done = cb;
    i->call.user = user;
    str_add(&path, "/images/create?fromSrc=-");
    path_query(&path, "repo", ref); /* Podman ignores "tag" */
    for (size_t n = 0; labels != NULL && n < labels->len; n++) {
        cleanup_free char *change = xasprintf("LABEL %s", labels->v[n]);

        path_query(&path, "changes", change);
    }
    call_send(&i->call, &(struct request){ .method = "POST",
                                           .path = str_c(&path),
                                           .data = tar,
                                           .data_len = len,
                                           .type = "application/x-tar",
                                           .timeout_ms = ENGINE_CALL_MS,
                                           .stream = true,
                                           .on_data = on_data,
                                           .step = on_end });
    return &i->call;
}

static void on_data(struct engine_call *call, const char *data, size_t len)
{
    struct import *i = container_of(call, struct import, call);

    lines_feed(&i->lines, data, len, on_line, i);
}

/* The engine answers 200 at once, and reports failures in the stream that
 * follows. */
static bool on_line(const char *line, size_t len, void *user)
{
    struct import *i = user;
    cJSON *json = cJSON_ParseWithLength(line, len);
    const char *text = json_text(json, "error");

    if (*text != '\0')
        answer_text(&i->failed, ERR_SYSTEM, text);
    cJSON_Delete(json);
    return true;
}

static void on_end(struct engine_call *call, const struct answer *a,
                   const struct err *err)
{
    struct import *i = container_of(call, struct import, call);

    (void)a;
    lines_flush(&i->lines, on_line, i);
    if (err == NULL && i->failed.code != ERR_NONE)
        err = &i->failed;
    call_end(call);
    call->cb.done(err, call->user);
}
