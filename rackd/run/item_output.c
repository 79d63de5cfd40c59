/*
 * Reads what a container prints, from just before its start until its end, and
 * puts it into the hub line by line. item_start.c begins it; engine_events.c
 * resumes it after the engine went away.
 */
#include "run/item_output.h"

#include <time.h>

#include "base/err.h"
#include "engine/engine.h"
#include "logs/demux.h"
#include "logs/hub.h"
#include "run/backpressure.h"
#include "run/item.h"
#include "run/session_parts.h"

/* In order of time. */
static void on_attached(const struct err *err, void *user);
static void on_output(const char *data, size_t len, void *user);
static void on_lines(enum demux_stream stream, const char *data, size_t len,
                     bool partial, void *user);
static void on_end(const struct err *err, void *user);

void item_output_start(struct item *it, item_attached_cb attached,
                       item_output_end_cb end)
{
    it->output.on_attached = attached;
    it->output.on_end = end;
    it->output.lines = 0;
    item_output_resume(it);
}

void item_output_resume(struct item *it)
{
    struct item_output *o = &it->output;

    if (o->demux != NULL)
        demux_free(o->demux);
    o->demux = demux_new(false, on_lines, it);
    demux_join_lines(o->demux);
    o->call = engine_container_attach(it->s->spec.engine, it->id, on_output,
                                      on_attached, on_end, it);
    backpressure_join(it);
}

static void on_attached(const struct err *err, void *user)
{
    struct item *it = user;

    it->output.on_attached(it, err);
}

static void on_output(const char *data, size_t len, void *user)
{
    struct item *it = user;
    struct hub *hub = it->s->spec.hub;
    struct err err = { 0 };
    int failed;

    it->output.came = true;
    hub_begin(hub);
    failed = demux_feed(it->output.demux, data, len, &err);
    hub_commit(hub);
    if (failed == 0)
        return;
    /* What is not framed as it should be stays so: it is said once, and nothing
     * more is read. */
    session_warn(it->s, "output of %s: %s", it->name, err.msg);
    item_output_stop(it);
    it->output.on_end(it, &err);
}

static void on_lines(enum demux_stream stream, const char *data, size_t len,
                     bool partial, void *user)
{
    struct item *it = user;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    it->output.lines +=
        hub_put(it->s->spec.hub,
                &(struct hub_text){ .tag = it->name,
                                    .source = it->source,
                                    .time_ms = now.tv_sec * 1000LL +
                                               now.tv_nsec / 1000000,
                                    .is_stderr = stream == DEMUX_STDERR,
                                    .partial = partial,
                                    .text = data,
                                    .len = len });
}

static void on_end(const struct err *err, void *user)
{
    struct item *it = user;

    it->output.call = NULL;
    demux_flush(it->output.demux);
    it->output.on_end(it, err);
}

void item_output_stop(struct item *it)
{
    if (it->output.call != NULL)
        engine_cancel(it->output.call);
    it->output.call = NULL;
}

void item_output_expect(struct item *it)
{
    it->output.came = false;
}

/* It is being read, or waits for a slow reader of the hub. */
bool item_output_goes_on(const struct item *it)
{
    return it->output.call != NULL &&
           (it->output.came || hub_is_full(it->s->spec.hub));
}

void item_output_release(struct item *it)
{
    if (it->output.demux != NULL)
        demux_free(it->output.demux);
}
