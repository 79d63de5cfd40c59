/* An attached `cvx start`: one loop around poll() that shows the events of
 * rackd and passes signals on. cmd_start.c calls session_run(). */
#include "cli/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/events.h"
#include "cli/http.h"
#include "cli/render.h"
#include "cli/signals.h"
#include "cli/spawn.h"
#include "cli/term.h"
#include "cli/when.h"

struct session {
    const struct session_spec *spec;
    struct http stream;  /* the request that starts it: its lease */
    struct http stop[2]; /* the requests to stop: politely, and at once */
    int stops;
    struct signals signals;
    struct render render;
    char *id; /* NULL until the session has begun */
    bool ready, ended;
    int status;
};

int session_status(int end_status, bool ready, int signal_number)
{
    int by_signal = 128 + signal_number;

    if (signal_number == 0)
        return end_status;
    if (ready)
        return end_status == by_signal ? 0 : end_status;
    return end_status == 0 ? by_signal : end_status;
}

/* Takes the text out, so that a signal which arrives during the write can add
 * more. */
static struct str take(struct str *from)
{
    struct str taken = *from;

    *from = (struct str){ 0 };
    return taken;
}

/* Writes everything out, with a single write when possible, since two would
 * flicker. */
static void flush(struct session *s)
{
    struct render *r = &s->render;
    struct term *out = s->spec->out;
    cleanup_str struct str first = { 0 }, err = { 0 }, last = { 0 };

    render_frame(r, when_monotonic_ms());
    first = take(&r->out);
    err = take(&r->err);
    last = take(&r->tail);
    if (err.len == 0) {
        str_add_len(&first, str_c(&last), last.len);
        str_cut(&last, 0);
    }
    term_put(out, &first);
    term_put(s->spec->err, &err);
    term_put(out, &last);
}

/* Asks rackd to stop the session, on a connection of its own. Its answer is not
 * waited for: the stream shows what happens. */
static void ask_to_stop(struct session *s, bool now)
{
    cleanup_free char *target =
        xasprintf("/sessions/%s/stop%s", s->id, now ? "?now=1" : "");
    struct err ignored = { 0 };

    if (s->stops == 2)
        return;
    /* When rackd is gone the stream says so. */
    if (client_request(s->spec->client, &s->stop[s->stops], "POST", target,
                       NULL, &ignored) == 0)
        s->stops++;
}

/* When rackd has too many clients it refuses the request with 503. Closing the
 * lease stops the session too, and rackd cannot miss that. */
static void on_stop_answer(struct session *s, struct http *stop)
{
    struct err ignored = { 0 };
    bool over = http_feed(stop, &ignored) < 0 || stop->complete;

    if (stop->status == 503) {
        s->ended = true;
        if (!s->spec->json)
            render_stopping(&s->render, "rackd has too many clients to take "
                                        "the request; it removes all "
                                        "when cvx has left");
    }
    if (over)
        http_close(stop);
}

static void say_stopping(struct session *s)
{
    bool tty = s->spec->out->is_tty;

    if (s->spec->json)
        return;
    /* The terminal has printed "^C" at the cursor: overwrite it. */
    if (tty)
        str_add(&s->render.out, "\r\033[K");
    render_stopping(&s->render,
                    tty ? "stopping (Ctrl-C again: at once)" : "stopping");
}

static void on_signals(struct session *s)
{
    int before = s->signals.interrupts;

    signals_take(&s->signals);
    if (s->signals.resized) {
        s->signals.resized = false;
        term_measure(s->spec->out);
        s->render.dirty = true;
    }
    if (s->signals.interrupts == before)
        return;
    /* There is no session yet to be stopped: closing the connection is
     * enough. */
    if (s->id == NULL) {
        s->ended = true;
        return;
    }
    say_stopping(s);
    if (before == 0)
        ask_to_stop(s, false);
    if (s->signals.interrupts > 1)
        ask_to_stop(s, true);
}

/* Called by term.c when a signal arrives while a write to stdout waits for its
 * reader. */
static void on_write_interrupted(void *user)
{
    struct session *s = user;

    on_signals(s);
    if (s->ended)
        s->spec->out->failed = true;
}

static void on_event(struct session *s, const struct event *e)
{
    if (e->type == EVENT_SESSION && s->id == NULL)
        s->id = xstrdup(e->session);
    if (e->type == EVENT_READY)
        s->ready = true;
    if (e->type == EVENT_END) {
        s->ended = true;
        s->status = e->status;
    }
    render_event(&s->render, e, when_monotonic_ms());
    /* A line on stderr must appear in order with those on stdout. */
    if (s->render.err.len > 0)
        flush(s);
}

static void take_lines(struct session *s)
{
    bool json = s->spec->json;
    const char *line;
    size_t len;
    struct event e;

    while (!s->ended && event_next(&e, &s->stream, json, &line, &len)) {
        if (json) {
            str_add_len(&s->render.out, line, len);
            str_add_char(&s->render.out, '\n');
        }
        on_event(s, &e);
        event_release(&e);
    }
}

static int broke_off(struct session *s, struct err *err)
{
    cleanup_free char *last = spawn_last_line(s->spec->client->log);

    if (s->stream.status >= 400)
        return client_refused(&s->stream, err);
    return err_set(err, ERR_UNAVAILABLE,
                   "rackd went away; what it had started is being removed%s%s"
                   "\n  its log: %s",
                   *last == '\0' ? "" : "\n  its last words: ", last,
                   s->spec->client->log);
}

static int read_stream(struct session *s, struct err *err)
{
    struct err ignored = { 0 };
    int bad = http_feed(&s->stream, &ignored);

    if (s->stream.status < 400)
        take_lines(s);
    if (!s->ended && (bad < 0 || s->stream.complete))
        return broke_off(s, err);
    return 0;
}

/* Waits once, and handles what came. */
static int turn(struct session *s, struct err *err)
{
    struct pollfd p[] = {
        { .fd = s->stream.fd, .events = POLLIN },
        { .fd = s->signals.fd, .events = POLLIN },
        /* Without POLLIN: only to notice that nobody reads stdout any more. */
        { .fd = s->spec->out->fd, .events = 0 },
        { .fd = s->stop[0].fd, .events = POLLIN },
        { .fd = s->stop[1].fd, .events = POLLIN },
    };
    int n = poll(p, 5, render_wait(&s->render, when_monotonic_ms())), bad = 0;

    if (n < 0 && errno != EINTR)
        return err_set(err, ERR_SYSTEM, "poll: %s", strerror(errno));
    if (n < 0)
        return 0;
    if (p[1].revents != 0)
        on_signals(s);
    if (p[0].revents != 0 && !s->ended)
        bad = read_stream(s, err);
    if (p[2].revents != 0)
        s->spec->out->failed = true;
    for (int i = 0; i < 2; i++)
        if (p[3 + i].revents != 0)
            on_stop_answer(s, &s->stop[i]);
    if (bad < 0 || s->ended ||
        render_wait(&s->render, when_monotonic_ms()) == 0)
        flush(s);
    return bad;
}

static int run(struct session *s, struct err *err)
{
    if (client_request(s->spec->client, &s->stream, "POST", "/start",
                       s->spec->request, err) < 0)
        return -1;
    while (!s->ended && !s->spec->out->failed)
        if (turn(s, err) < 0)
            return -1;
    if (!s->ended)
        return 128 + SIGPIPE;
    return session_status(s->status, s->ready, s->signals.first);
}

int session_run(const struct session_spec *spec, struct err *err)
{
    struct session s = { .spec = spec,
                         .stream = { .fd = -1 },
                         .stop = { { .fd = -1 }, { .fd = -1 } } };
    const struct render_spec look = { .out = spec->out,
                                      .err = spec->err,
                                      .only = spec->only,
                                      .quiet = spec->json,
                                      .logs = true };
    int status;

    if (signals_open(&s.signals, err) < 0)
        return -1;
    spec->out->on_interrupt = on_write_interrupted;
    spec->out->user = &s;
    render_init(&s.render, &look);
    status = run(&s, err);
    spec->out->on_interrupt = NULL;
    render_release(&s.render);
    http_close(&s.stream);
    http_close(&s.stop[0]);
    http_close(&s.stop[1]);
    free(s.id);
    return status;
}
