#include "run/reaper.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/context.h"
#include "engine/engine.h"
#include "logs/demux.h"
#include "run/reaper_blob.h"

/* Where the socket is mounted, and the program is. */
#define SOCKET_INSIDE "/engine.sock"
#define PROGRAM       "/cvx-reaper"

/* It answers at once, or the engine is busy; one started again by the engine
 * answers at once, or not at all. */
#define ANSWER_MS       15000
#define ANSWER_AGAIN_MS 2000

/* When the engine does not answer it is asked again: the container waits for us
 * only for a second after it is back. */
#define AGAIN_MS      100
#define AGAIN_SLOW_MS 500
#define AGAIN_FAST    300 /* so often, then slowly */

/* A container that ends before it has answered is not tried for ever. */
#define TRIES 3

enum reaper_state {
    REAPER_OFF,
    REAPER_CREATING,
    REAPER_IMPORTING, /* the engine does not have its image yet */
    REAPER_ATTACHING,
    REAPER_STARTING,
    REAPER_ASKING, /* can it do its work? */
    REAPER_UP,
    REAPER_AWAY,      /* the stream has ended; the timer tries again */
    REAPER_REPLACING, /* what does not answer is removed, then another */
    REAPER_REMOVING,
    REAPER_FAILED,
};

struct reaper {
    struct reaper_spec spec;
    struct strv labels;
    char *socket_path, *image;
    enum reaper_state state;
    bool wanted, started, imported, closing;
    bool worked; /* it has been up since it was wanted */
    unsigned tries, again;
    char *name, *id; /* NULL: there is no container */
    char *tar;
    char *why;  /* of REAPER_FAILED */
    char *last; /* line it printed */
    struct engine_call *call, *hold;
    struct demux *demux;
    uv_timer_t timer;
    reaper_cb on_closed;
    void *closed_user;
};

/*
 * In order of time: it is created (its image imported when the engine does not
 * have it), held, started and asked; the stream ends some day; it is removed.
 */
static void create(struct reaper *r);
static void on_created(const char *id, const struct err *err, void *user);
static void on_imported(const struct err *err, void *user);
static void hold(struct reaper *r);
static void on_held(const struct err *err, void *user);
static void start(struct reaper *r);
static void on_started(const struct err *err, void *user);
static void on_output(const char *data, size_t len, void *user);
static void on_line(enum demux_stream stream, const char *data, size_t len,
                    bool partial, void *user);
static void on_hold_end(const struct err *err, void *user);
static void on_timer(uv_timer_t *timer);
static bool give_up(struct reaper *r);
static void replace(struct reaper *r);
static void remove_old(struct reaper *r);
static void on_replaced(const struct err *err, void *user);
static void remove_it(struct reaper *r);
static void on_removed(const struct err *err, void *user);
static void on_timer_closed(uv_handle_t *handle);

static const char *state_word(enum reaper_state state)
{
    static const char *const words[] = {
        [REAPER_OFF] = "off",
        [REAPER_CREATING] = "creating",
        [REAPER_IMPORTING] = "importing",
        [REAPER_ATTACHING] = "attaching",
        [REAPER_STARTING] = "starting",
        [REAPER_ASKING] = "asking",
        [REAPER_UP] = "up",
        [REAPER_AWAY] = "away",
        [REAPER_REPLACING] = "replacing",
        [REAPER_REMOVING] = "removing",
        [REAPER_FAILED] = "failed",
    };

    return words[state];
}

static void set_state(struct reaper *r, enum reaper_state state)
{
    bool was_settled = reaper_is_settled(r);

    log_debug("reaper", "%s -> %s", state_word(r->state), state_word(state));
    r->state = state;
    if (!was_settled && reaper_is_settled(r))
        r->spec.on_change(r->spec.user);
}

struct reaper *reaper_new(const struct reaper_spec *spec)
{
    struct reaper *r = xcalloc(1, sizeof(*r));

    r->spec = *spec;
    strv_add_all(&r->labels, spec->labels);
    r->socket_path = xstrdup(spec->socket_path);
    r->image = xasprintf("cvx/reaper:%s", reaper_tag);
    uv_timer_init(spec->loop, &r->timer);
    return r;
}

bool reaper_is_up(const struct reaper *r)
{
    return r->state == REAPER_UP;
}

bool reaper_is_gone(const struct reaper *r)
{
    return r->state == REAPER_OFF ||
           (r->state == REAPER_FAILED && r->id == NULL);
}

bool reaper_is_settled(const struct reaper *r)
{
    if (r->state == REAPER_FAILED)
        return true;
    return r->wanted ? r->state == REAPER_UP : r->state == REAPER_OFF;
}

const char *reaper_why(const struct reaper *r)
{
    return r->why == NULL ? "" : r->why;
}

/* Nothing is under way: go where we are wanted. */
static void go_on(struct reaper *r)
{
    uv_timer_stop(&r->timer);
    if (r->closing)
        return;
    if (!r->wanted && r->id != NULL)
        remove_it(r);
    else if (!r->wanted)
        set_state(r, REAPER_OFF);
    else if (r->id == NULL)
        create(r);
}

void reaper_want(struct reaper *r, bool wanted)
{
    if (r->wanted == wanted)
        return;
    r->wanted = wanted;
    if (wanted && (r->state == REAPER_OFF || r->state == REAPER_FAILED)) {
        r->tries = r->again = 0;
        r->imported = r->worked = false;
        free(r->why);
        free(r->last);
        r->why = r->last = NULL;
        create(r);
    } else if (!wanted && r->call == NULL && r->id != NULL) {
        go_on(r);
    } else if (!wanted && r->call == NULL) {
        uv_timer_stop(&r->timer);
        r->state = REAPER_OFF; /* the caller sees it: no set_state() */
    }                          /* else the call's answer goes on */
}

static void fail(struct reaper *r, const char *what, const char *why)
{
    free(r->why);
    r->why = xasprintf("%s: %s", what, why);
    log_warn("reaper", "no container: %s", r->why);
    if (r->id != NULL)
        remove_it(r);
    else
        set_state(r, REAPER_FAILED);
}

static bool is_away(const struct err *err)
{
    return err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT;
}

/* Another answer may come in a while. Where it has been up an engine that goes
 * down or comes up may say anything for some time. */
static bool may_pass(const struct reaper *r, const struct err *err)
{
    bool failed = err->code == ERR_SYSTEM || err->code == ERR_PROTOCOL ||
                  err->code == ERR_CONFLICT;

    return is_away(err) || (r->worked && failed && r->again < AGAIN_FAST);
}

static void try_again(struct reaper *r, enum reaper_state state)
{
    unsigned ms = r->again++ < AGAIN_FAST ? AGAIN_MS : AGAIN_SLOW_MS;

    set_state(r, state);
    uv_timer_start(&r->timer, on_timer, ms, 0);
}

/* The engine is away: it is asked again; anything else is for good. */
static void fail_step(struct reaper *r, const char *what, const struct err *err)
{
    if (!r->wanted)
        go_on(r);
    else if (may_pass(r, err))
        try_again(r, REAPER_AWAY);
    else
        fail(r, what, err->msg);
}

/* ---- up ------------------------------------------------------------------ */

static void choose_name(struct reaper *r)
{
    unsigned number = 0;

    if (getrandom(&number, sizeof(number), 0) != sizeof(number))
        abort();
    free(r->name);
    r->name = xasprintf("cvx-reaper-%08x", number);
}

static void add_args(const struct reaper *r, struct strv *argv)
{
    strv_add(argv, PROGRAM);
    strv_add(argv, "--self");
    strv_add(argv, r->name);
    strv_printf(argv, "--patience=%u", r->spec.patience_ms);
    strv_add(argv, SOCKET_INSIDE);
    strv_add_all(argv, &r->labels);
}

static void create(struct reaper *r)
{
    cleanup_strv struct strv argv = { 0 }, labels = { 0 }, drop = { 0 };
    struct engine_mount socket = { .kind = MOUNT_BIND,
                                   .source = r->socket_path,
                                   .target = SOCKET_INSIDE };

    choose_name(r);
    add_args(r, &argv);
    strv_add_all(&labels, &r->labels);
    strv_add(&labels, "cvx.kind=reaper");
    strv_add(&labels, "cvx.name=reaper");
    strv_add(&drop, "ALL");
    r->started = false;
    set_state(r, REAPER_CREATING);
    r->call = engine_container_create(
        r->spec.engine,
        &(struct engine_container){ .name = r->name,
                                    .image = r->image,
                                    .argv = &argv,
                                    .labels = &labels,
                                    .mounts = &socket,
                                    .mount_count = 1,
                                    .network = "none",
                                    .read_only_root = true,
                                    .no_new_privileges = true,
                                    .uses_engine = true,
                                    .cap_drop = &drop,
                                    .open_stdin = true,
                                    .stdin_once = true,
                                    .restart = "on-failure" },
        on_created, r);
}

static void import(struct reaper *r)
{
    cleanup_strv struct strv labels = { 0 };
    struct err err = { 0 };
    size_t len;

    strv_add(&labels, "cvx.kind=reaper");
    if (context_program(&r->tar, &len, PROGRAM + 1, reaper_blob,
                        (size_t)(reaper_blob_end - reaper_blob), &err) < 0) {
        fail(r, "its image", err.msg);
        return;
    }
    set_state(r, REAPER_IMPORTING);
    r->call = engine_image_import(r->spec.engine, r->image, &labels, r->tar,
                                  len, on_imported, r);
}

static void on_imported(const struct err *err, void *user)
{
    struct reaper *r = user;

    r->call = NULL;
    free(r->tar);
    r->tar = NULL;
    r->imported = err == NULL;
    if (err != NULL)
        fail_step(r, "its image cannot be imported", err);
    else
        go_on(r);
}

static void on_created(const char *id, const struct err *err, void *user)
{
    struct reaper *r = user;

    r->call = NULL;
    if (err == NULL)
        r->id = xstrdup(id);
    else if (is_away(err)) /* it may be there all the same: by its name */
        r->id = xstrdup(r->name);
    if (!r->wanted)
        go_on(r);
    else if (err != NULL && is_away(err))
        try_again(r, REAPER_REPLACING);
    else if (err != NULL && err->code == ERR_NOT_FOUND && !r->imported)
        import(r);
    else if (err != NULL)
        fail_step(r, "it cannot be created", err);
    else
        hold(r);
}

static void hold(struct reaper *r)
{
    if (r->demux != NULL)
        demux_free(r->demux);
    r->demux = demux_new(false, on_line, r);
    set_state(r, REAPER_ATTACHING);
    r->hold = engine_container_hold(r->spec.engine, r->id, on_output, on_held,
                                    on_hold_end, r);
}

static void ask(struct reaper *r, unsigned limit_ms)
{
    cleanup_free char *line = xasprintf("lease %s\n", r->labels.v[0]);

    set_state(r, REAPER_ASKING);
    engine_write(r->hold, line, strlen(line));
    uv_timer_start(&r->timer, on_timer, limit_ms, 0);
}

static void on_held(const struct err *err, void *user)
{
    struct reaper *r = user;

    (void)err;
    if (r->state != REAPER_ATTACHING)
        return;     /* it is being removed */
    if (r->started) /* by us before, and by the engine again */
        ask(r, ANSWER_AGAIN_MS);
    else
        start(r);
}

static void start(struct reaper *r)
{
    set_state(r, REAPER_STARTING);
    r->call = engine_container_start(r->spec.engine, r->id, on_started, r);
}

static void on_started(const struct err *err, void *user)
{
    struct reaper *r = user;

    r->call = NULL;
    r->started = err == NULL;
    if (!r->wanted)
        go_on(r);
    else if (err != NULL)
        fail_step(r, "it cannot be started", err);
    else if (r->hold == NULL)
        replace(r); /* it has ended already */
    else
        ask(r, ANSWER_MS);
}

static void on_output(const char *data, size_t len, void *user)
{
    struct reaper *r = user;
    struct err err = { 0 };

    if (demux_feed(r->demux, data, len, &err) < 0)
        log_warn("reaper", "its output: %s", err.msg);
}

static void on_line(enum demux_stream stream, const char *data, size_t len,
                    bool partial, void *user)
{
    struct reaper *r = user;

    (void)partial;
    free(r->last);
    r->last = str_dup_len(data, len);
    if (stream == DEMUX_STDERR)
        log_info("reaper", "%s", r->last);
    if (stream == DEMUX_STDERR || r->state != REAPER_ASKING)
        return;
    uv_timer_stop(&r->timer);
    if (str_starts(r->last, "no ")) {
        fail(r, "it cannot do its work", r->last + 3);
    } else if (strcmp(r->last, "ok") == 0) {
        r->tries = r->again = 0;
        r->imported = false; /* somebody may remove it */
        r->worked = true;
        set_state(r, REAPER_UP);
    }
}

/* ---- what may happen to it ---------------------------------------------- */

/* The engine went away, or somebody stopped or removed it: take hold of it
 * again, and see. */
static void on_hold_end(const struct err *err, void *user)
{
    struct reaper *r = user;

    r->hold = NULL;
    switch (r->state) {
    case REAPER_ATTACHING:
        if (err != NULL && err->code == ERR_NOT_FOUND) {
            free(r->id);
            r->id = NULL;
            if (!give_up(r))
                go_on(r);
        } else if (err != NULL) {
            fail_step(r, "its stdin cannot be held", err);
        } else {
            replace(r);
        }
        break;
    case REAPER_ASKING:
    case REAPER_UP:
        log_info("reaper", "the stream has ended");
        set_state(r, REAPER_AWAY);
        uv_timer_start(&r->timer, on_timer, 0, 0);
        break;
    default:
        break; /* its removal, or its start's answer goes on */
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct reaper *r = container_of(timer, struct reaper, timer);

    if (r->state == REAPER_REMOVING)
        remove_it(r);
    else if (!r->wanted)
        go_on(r);
    else if (r->state == REAPER_ASKING)
        replace(r); /* it does not answer */
    else if (r->state == REAPER_REPLACING)
        remove_old(r);
    else if (r->hold != NULL)
        start(r); /* only that went wrong */
    else if (r->id != NULL)
        hold(r);
    else
        create(r);
}

static void let_go(struct reaper *r)
{
    uv_timer_stop(&r->timer);
    if (r->hold != NULL)
        engine_cancel(r->hold);
    r->hold = NULL;
}

/* True: another is not worth a try. */
static bool give_up(struct reaper *r)
{
    if (++r->tries <= TRIES)
        return false;
    fail(r, "it ends before it has answered",
         r->last == NULL ? "without a word" : r->last);
    return true;
}

static void replace(struct reaper *r)
{
    if (!give_up(r))
        remove_old(r);
}

/* Only then let go: else it would begin its work, on a session that lives. */
static void remove_old(struct reaper *r)
{
    set_state(r, REAPER_REPLACING);
    r->call = engine_container_remove(r->spec.engine, r->id, on_replaced, r);
}

static void on_replaced(const struct err *err, void *user)
{
    struct reaper *r = user;

    r->call = NULL;
    if (err != NULL && r->wanted && may_pass(r, err)) {
        try_again(r, REAPER_REPLACING);
        return;
    }
    if (err != NULL) {
        fail_step(r, "it cannot be removed", err);
        return;
    }
    let_go(r);
    free(r->id);
    r->id = NULL;
    go_on(r);
}

/* ---- down ---------------------------------------------------------------- */

static void remove_it(struct reaper *r)
{
    uv_timer_stop(&r->timer);
    if (r->call != NULL)
        return; /* its answer comes back here */
    set_state(r, REAPER_REMOVING);
    r->call = engine_container_remove(r->spec.engine, r->id, on_removed, r);
}

static void keep_failed(struct reaper *r, const struct err *err)
{
    if (r->why == NULL)
        r->why = xasprintf("it cannot be removed: %s", err->msg);
    set_state(r, REAPER_FAILED);
}

/* What could not be removed goes by itself once nobody holds it; where there
 * are sessions it stays held, or it would begin with them. */
static void on_removed(const struct err *err, void *user)
{
    struct reaper *r = user;

    r->call = NULL;
    if (err != NULL && is_away(err)) {
        try_again(r, REAPER_REMOVING);
        return;
    }
    if (err != NULL)
        log_warn("reaper", "%s: %s", r->name, err->msg);
    if (err != NULL && r->wanted) {
        keep_failed(r, err);
        return;
    }
    let_go(r);
    free(r->id);
    r->id = NULL;
    if (r->wanted && r->why == NULL)
        create(r);
    else
        set_state(r, r->wanted ? REAPER_FAILED : REAPER_OFF);
}

void reaper_close(struct reaper *r, reaper_cb cb, void *user)
{
    r->closing = true;
    r->on_closed = cb;
    r->closed_user = user;
    let_go(r);
    if (r->call != NULL)
        engine_cancel(r->call);
    uv_close((uv_handle_t *)&r->timer, on_timer_closed);
}

static void on_timer_closed(uv_handle_t *handle)
{
    uv_timer_t *timer = (uv_timer_t *)handle;
    struct reaper *r = container_of(timer, struct reaper, timer);
    reaper_cb cb = r->on_closed;
    void *user = r->closed_user;

    if (r->demux != NULL)
        demux_free(r->demux);
    strv_release(&r->labels);
    free(r->socket_path);
    free(r->image);
    free(r->name);
    free(r->id);
    free(r->tar);
    free(r->why);
    free(r->last);
    free(r);
    cb(user);
}
