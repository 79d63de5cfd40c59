/*
 * The lease on the guard's container: attaches its stdin, starts it, asks it
 * whether it can work. reaper_create.c comes here, and reaper.c when the stream
 * has ended.
 */
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "guard/reaper_parts.h"
#include "logs/demux.h"

/* A new container may take long to answer on a busy engine. One that the engine
 * has started again answers at once, or not at all. */
#define ANSWER_MS       15000
#define ANSWER_AGAIN_MS 2000

/* In order of time. */
static void on_held(const struct err *err, void *user);
static void on_started(const struct err *err, void *user);
static void on_output(const char *data, size_t len, void *user);
static void on_line(enum demux_stream stream, const char *data, size_t len,
                    bool partial, void *user);
static void on_lease_end(const struct err *err, void *user);

void reaper_lease(struct reaper *r)
{
    if (r->demux != NULL)
        demux_free(r->demux);
    r->demux = demux_new(false, on_line, r);
    reaper_set_state(r, REAPER_ATTACHING);
    r->lease = engine_container_attach_stdin(r->spec.engine, r->id, on_output,
                                             on_held, on_lease_end, r);
}

static void ask(struct reaper *r, unsigned limit_ms)
{
    cleanup_free char *line = xasprintf("lease %s\n", r->labels.v[0]);

    reaper_set_state(r, REAPER_ASKING);
    engine_write(r->lease, line, strlen(line));
    reaper_wait_for_answer(r, limit_ms);
}

static void on_held(const struct err *err, void *user)
{
    struct reaper *r = user;

    (void)err;
    if (r->state != REAPER_ATTACHING)
        return;     /* it is being removed */
    if (r->started) /* by us before; the engine has started it again */
        ask(r, ANSWER_AGAIN_MS);
    else
        reaper_start(r);
}

void reaper_start(struct reaper *r)
{
    reaper_set_state(r, REAPER_STARTING);
    r->call = engine_container_start(r->spec.engine, r->id, on_started, r);
}

static void on_started(const struct err *err, void *user)
{
    struct reaper *r = user;

    r->call = NULL;
    r->started = err == NULL;
    if (!r->wanted)
        reaper_go_on(r);
    else if (err != NULL)
        reaper_fail_step(r, "it cannot be started", err);
    else if (r->lease == NULL)
        reaper_replace(r); /* it has ended already */
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
    reaper_stop_timers(r);
    if (str_starts(r->last, "no ")) {
        reaper_fail(r, "it cannot do its work", r->last + 3);
    } else if (strcmp(r->last, "ok") == 0) {
        r->tries = r->again = 0;
        r->imported = false; /* somebody may remove the image */
        r->worked = true;
        reaper_set_state(r, REAPER_UP);
    }
}

/* The engine went away, or somebody stopped or removed the container: attaching
 * again tells which. */
static void on_lease_end(const struct err *err, void *user)
{
    struct reaper *r = user;

    r->lease = NULL;
    switch (r->state) {
    case REAPER_ATTACHING:
        if (err != NULL && err->code == ERR_NOT_FOUND) {
            free(r->id);
            r->id = NULL;
            if (!reaper_give_up(r))
                reaper_go_on(r);
        } else if (err != NULL) {
            reaper_fail_step(r, "its stdin cannot be held", err);
        } else {
            reaper_replace(r);
        }
        break;
    case REAPER_ASKING:
    case REAPER_UP:
        log_info("reaper", "the stream has ended");
        reaper_set_state(r, REAPER_AWAY);
        reaper_wait(r, 0);
        break;
    default:
        break; /* the answer to its removal, or to its start, goes on */
    }
}

void reaper_let_go(struct reaper *r)
{
    reaper_stop_timers(r);
    if (r->lease != NULL)
        engine_cancel(r->lease);
    r->lease = NULL;
}
