/* Runs a docker-credential-NAME program and reads the login from its output.
 * pull.c starts one when config.json names a helper for the registry. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/auth.h"
#include "engine/client.h"
#include "engine/json.h"

/* Milliseconds. A helper may ask its user for a password, but not for ever. */
#define HELPER_MS  30000
#define OUTPUT_MAX ((size_t)1 << 20)

struct helper {
    struct engine *engine;
    uv_process_t process;
    uv_pipe_t in, out;
    uv_timer_t timer;
    uv_write_t write;
    uv_shutdown_t shutdown;
    char *name, *server;
    struct str output;
    char chunk[4096];
    unsigned handles; /* number of handles whose close callback has not run */
    bool ended;       /* its output has ended */
    bool exited, closing;
    int64_t status;
    const char *why; /* why it could not be run (a static text), or NULL */
    helper_cb cb;    /* NULL once cancelled or called */
    void *user;
};

/* In the order in which they run: the name of the registry goes in, the
 * login comes out, the process ends (or the timer ends it), all handles are
 * closed. */
static void on_written(uv_write_t *req, int status);
static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf);
static void on_output(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf);
static void on_exit_status(uv_process_t *p, int64_t status, int signal);
static void on_timeout(uv_timer_t *t);
static void finish(struct helper *h);
static void on_closed_process(uv_handle_t *handle);
static void on_closed_in(uv_handle_t *handle);
static void on_closed_out(uv_handle_t *handle);
static void on_closed_timer(uv_handle_t *handle);

/* The variables of rackd, replaced by those of the caller. A helper is found by
 * PATH, and needs variables of the user to reach a keyring or a cloud. */
static void add_vars(struct strv *out, const struct env *env)
{
    for (char **own = environ; *own != NULL; own++) {
        cleanup_free char *key = str_dup_len(*own, strcspn(*own, "="));

        if (env_get(env, key) == NULL)
            strv_add(out, *own);
    }
    for (size_t i = 0; i < env->len; i++)
        strv_printf(out, "%s=%s", env->v[i].key, env->v[i].value);
}

static int spawn(struct helper *h, const struct env *env)
{
    cleanup_free char *file = xasprintf("docker-credential-%s", h->name);
    char get[] = "get";
    char *args[] = { file, get, NULL };
    cleanup_strv struct strv vars = { 0 };
    uv_stdio_container_t stdio[] = {
        { .flags = UV_CREATE_PIPE | UV_READABLE_PIPE,
          .data.stream = (uv_stream_t *)&h->in },
        { .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
          .data.stream = (uv_stream_t *)&h->out },
        { .flags = UV_IGNORE },
    };
    uv_process_options_t options = { .file = file,
                                     .args = args,
                                     .stdio = stdio,
                                     .stdio_count = 3,
                                     .exit_cb = on_exit_status };

    add_vars(&vars, env);
    options.env = vars.v;
    return uv_spawn(h->engine->loop, &h->process, &options);
}

struct helper *helper_start(struct engine *e, const char *name,
                            const char *server, const struct env *env,
                            helper_cb cb, void *user)
{
    struct helper *h = xcalloc(1, sizeof(*h));
    uv_buf_t buf;
    int rc;

    h->engine = e;
    h->name = xstrdup(name);
    h->server = xstrdup(server);
    h->cb = cb;
    h->user = user;
    engine_add_handle(e);
    uv_pipe_init(e->loop, &h->in, 0);
    uv_pipe_init(e->loop, &h->out, 0);
    uv_timer_init(e->loop, &h->timer);
    /* uv_spawn() initialises the process handle even when it fails. */
    h->handles = 4;
    rc = spawn(h, env);
    if (rc < 0) {
        h->why = rc == UV_ENOENT ? "not found" : uv_strerror(rc);
        h->exited = h->ended = true;
        uv_timer_start(&h->timer, on_timeout, 0, 0);
        return h;
    }
    uv_timer_start(&h->timer, on_timeout, HELPER_MS, 0);
    uv_read_start((uv_stream_t *)&h->out, on_alloc, on_output);
    buf = uv_buf_init(h->server, (unsigned)strlen(h->server));
    uv_write(&h->write, (uv_stream_t *)&h->in, &buf, 1, on_written);
    return h;
}

void helper_cancel(struct helper *h)
{
    h->cb = NULL;
    if (!h->exited)
        uv_process_kill(&h->process, SIGKILL);
    /* A process that the helper left behind may still have the pipe open: do
     * not wait for its end. */
    h->ended = true;
    finish(h);
}

static void on_written(uv_write_t *req, int status)
{
    struct helper *h = container_of(req, struct helper, write);

    /* Its stdin is closed here, so that a helper that reads to the end goes
     * on. */
    (void)status;
    if (!uv_is_closing((uv_handle_t *)&h->in))
        uv_close((uv_handle_t *)&h->in, on_closed_in);
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    struct helper *h = container_of(handle, struct helper, out);

    (void)hint;
    *buf = uv_buf_init(h->chunk, sizeof(h->chunk));
}

static void on_output(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf)
{
    struct helper *h = container_of(s, struct helper, out);

    if (nread > 0 && h->output.len + (size_t)nread <= OUTPUT_MAX) {
        str_add_len(&h->output, buf->base, (size_t)nread);
        return;
    }
    if (nread == 0)
        return;
    uv_read_stop(s);
    h->ended = true;
    finish(h);
}

static void on_exit_status(uv_process_t *p, int64_t status, int signal)
{
    struct helper *h = container_of(p, struct helper, process);

    h->exited = true;
    h->status = signal != 0 ? 128 + signal : status;
    finish(h);
}

static void on_timeout(uv_timer_t *t)
{
    struct helper *h = container_of(t, struct helper, timer);

    if (h->why == NULL)
        h->why = "did not answer in time";
    if (!h->exited)
        uv_process_kill(&h->process, SIGKILL);
    h->ended = true;
    finish(h);
}

/* {"ServerURL":"...","Username":"...","Secret":"..."} */
static bool read_login(struct auth *out, const char *text)
{
    cJSON *json = cJSON_Parse(text);
    const char *user = json_text(json, "Username");
    const char *secret = json_text(json, "Secret");

    *out = (struct auth){ 0 };
    if (strcmp(user, "<token>") == 0) {
        out->token = xstrdup(secret);
    } else if (*secret != '\0') {
        out->username = xstrdup(user);
        out->password = xstrdup(secret);
    }
    cJSON_Delete(json);
    return out->token != NULL || out->username != NULL;
}

static void report(struct helper *h)
{
    struct auth auth = { 0 };
    helper_cb cb = h->cb;
    cleanup_free char *why = NULL;

    if (cb == NULL)
        return;
    h->cb = NULL;
    if (h->why == NULL && h->status == 0 &&
        read_login(&auth, str_c(&h->output))) {
        cb(&auth, NULL, h->user);
        auth_release(&auth);
        return;
    }
    /* docker-credential-helpers print "credentials not found in native
     * keychain" on stdout. That is no failure, since the registry may not want
     * a login. */
    if (h->why == NULL && strstr(str_c(&h->output), "not found") != NULL)
        why = xstrdup("");
    else if (h->why != NULL)
        why = xasprintf("docker-credential-%s: %s", h->name, h->why);
    else
        why = xasprintf("docker-credential-%s: status %d", h->name,
                        (int)h->status);
    cb(NULL, why, h->user);
}

static void finish(struct helper *h)
{
    if (!h->exited || !h->ended || h->closing)
        return;
    h->closing = true;
    report(h);
    uv_close((uv_handle_t *)&h->out, on_closed_out);
    uv_close((uv_handle_t *)&h->timer, on_closed_timer);
    if (!uv_is_closing((uv_handle_t *)&h->in))
        uv_close((uv_handle_t *)&h->in, on_closed_in);
    uv_close((uv_handle_t *)&h->process, on_closed_process);
}

static void handle_gone(struct helper *h)
{
    if (--h->handles > 0)
        return;
    if (h->output.s != NULL)
        explicit_bzero(h->output.s, h->output.cap);
    explicit_bzero(h->chunk, sizeof(h->chunk));
    str_release(&h->output);
    engine_drop_handle(h->engine);
    free(h->name);
    free(h->server);
    free(h);
}

static void on_closed_process(uv_handle_t *handle)
{
    handle_gone(container_of((uv_process_t *)handle, struct helper, process));
}

static void on_closed_in(uv_handle_t *handle)
{
    handle_gone(container_of((uv_pipe_t *)handle, struct helper, in));
}

static void on_closed_out(uv_handle_t *handle)
{
    handle_gone(container_of((uv_pipe_t *)handle, struct helper, out));
}

static void on_closed_timer(uv_handle_t *handle)
{
    handle_gone(container_of((uv_timer_t *)handle, struct helper, timer));
}
