/* Turns the events of a start into what a person sees. session.c feeds it
 * events and writes out what it has put together. It does no I/O itself, so
 * that tests can check every byte. */
#include "cli/render.h"

#include <string.h>

#include "base/mem.h"
#include "cli/events.h"
#include "cli/report.h"
#include "cli/term.h"
#include "cli/text.h"
#include "cli/when.h"

/* Milliseconds between two frames on a terminal: when something changed (15
 * frames a second), and when only the spinners turn. */
#define FRAME_MS 67
#define SPIN_MS  100

/* Milliseconds between two lines that say how far a pull is, when stdout is not
 * a terminal. */
#define PROGRESS_MS 5000

/* Bytes. With more log lines than this the next frame does not wait. */
#define PENDING_MAX ((size_t)256 << 10)

void render_init(struct render *r, const struct render_spec *spec)
{
    *r = (struct render){ .spec = *spec, .frame_ms = INT64_MIN / 2 };
    tags_init(&r->tags, spec->out->colour);
    for (size_t i = 0; spec->only != NULL && i < spec->only->len; i++)
        tags_know(&r->tags, spec->only->v[i]);
}

/* True while items are drawn in place: on a terminal, until all is ready. */
static bool is_live(const struct render *r)
{
    return r->spec.out->is_tty && !r->spec.quiet && r->begun && !r->ready &&
           !r->stopping && !r->failed;
}

static int64_t session_ms(const struct render *r, int64_t now_ms)
{
    return now_ms - r->base_ms;
}

static void end_open_line(struct render *r)
{
    if (r->open_source != NULL)
        str_add_char(&r->out, '\n');
    free(r->open_source);
    r->open_source = NULL;
}

/* Where to write what is not a log line; it begins on a line of its own. */
static struct str *fresh_line(struct render *r)
{
    end_open_line(r);
    return &r->out;
}

/* Erases the items below the log. This must come before any other text of the
 * frame. */
static void erase_first(struct render *r)
{
    struct str all = { 0 };

    live_erase(&r->live, r->spec.out->columns, &all);
    if (all.len > 0) {
        str_add_len(&all, str_c(&r->out), r->out.len);
        str_release(&r->out);
        r->out = all;
    }
}

void render_say(struct render *r, const char *text)
{
    if (r->spec.quiet)
        return;
    fresh_line(r);
    tags_prefix(&r->tags, "convox", &r->out);
    str_printf(&r->out, "%s\n", text);
}

static bool is_wanted(const struct render *r, const char *name, bool resource)
{
    const struct strv *only = r->spec.only;

    if (only != NULL && only->len > 0)
        return strv_has(only, name);
    return !resource;
}

static void on_session(struct render *r, const struct event *e)
{
    cleanup_free char *text = NULL;
    const char *engine = event_string(e->json, "engine");

    if (r->spec.out->is_tty)
        return;
    text =
        xasprintf("starting %s%s%s %s", e->app, *engine == '\0' ? "" : " on ",
                  engine, event_string(e->json, "engine_version"));
    render_say(r, text);
}

/* Prints a line such as "resource db: ready 1.9 s". */
static void say_item(struct render *r, const struct live_item *item,
                     const struct event *e)
{
    cleanup_str struct str s = { 0 };

    str_printf(&s, "%s %s: %s", item->kind, item->label, item->state);
    if (e->has_exit && *item->text == '\0')
        str_printf(&s, " with status %d", e->exit);
    if (live_is_good(item) && item->began_ms >= 0 && !r->ready) {
        str_add_char(&s, ' ');
        when_elapsed(&s, item->done_ms - item->began_ms);
    }
    if (*item->text != '\0')
        str_printf(&s, e->has_exit ? ": %s" : " (%s)", item->text);
    render_say(r, str_c(&s));
}

/* True for changes that get a line which stays. Those of a network never do. */
static bool is_news(const struct render *r, const struct live_item *item)
{
    static const char *const mishaps[] = { "exited", "restarting", NULL };
    static const char *const steps[] = { "pulling", "building", "built",
                                         "ready",   "failed",   "external",
                                         NULL };
    const char *state = item->state;

    if (r->stopping || strcmp(item->kind, "network") == 0)
        return false;
    for (size_t i = 0; mishaps[i] != NULL; i++)
        if (strcmp(state, mishaps[i]) == 0)
            return true;
    for (size_t i = 0; steps[i] != NULL; i++)
        if (strcmp(state, steps[i]) == 0)
            return !is_live(r);
    return false;
}

static void on_state(struct render *r, const struct event *e)
{
    const struct live_item *item = live_state(&r->live, e);

    if (strcmp(e->kind, "service") == 0 && is_wanted(r, e->name, false))
        tags_know(&r->tags, e->name);
    if (is_news(r, item))
        say_item(r, item, e);
}

static void on_progress(struct render *r, const struct event *e)
{
    struct live_item *item = live_progress(&r->live, e);
    cleanup_free char *text = NULL;

    /* The beginning of the pull has been printed already. */
    if (item->said_ms < item->began_ms)
        item->said_ms = item->began_ms;
    if (is_live(r) || e->ms - item->said_ms < PROGRESS_MS)
        return;
    item->said_ms = e->ms;
    text = xasprintf("%s %s: %s %s", item->kind, item->label, item->state,
                     item->progress);
    render_say(r, text);
}

static enum text_strip strip_for(const struct term *t)
{
    if (t->is_tty)
        return t->colour ? TEXT_NO_MOVES : TEXT_NO_CSI;
    return t->colour ? TEXT_KEEP : TEXT_NO_COLOUR;
}

/* On a terminal a '\r' goes back to the beginning of the line, over the prefix,
 * so the prefix is printed again. A '\r' at the end is only a line end from
 * Windows. */
static void add_returns(struct render *r, const struct str *prefix,
                        const char *text, size_t len)
{
    const char *end = text + len, *cr;

    while (end > text && end[-1] == '\r')
        end--;
    while (text < end) {
        cr = memchr(text, '\r', (size_t)(end - text));
        if (cr == NULL)
            cr = end;
        str_add_len(&r->out, text, (size_t)(cr - text));
        if (cr < end) {
            str_add(&r->out, "\r\033[K");
            str_add_len(&r->out, str_c(prefix), prefix->len);
        }
        text = cr + 1;
    }
}

/* True when the text needs no look at its bytes: it has no escape sequence and,
 * on a terminal, no '\r'. */
static bool is_plain(const struct render *r, const char *text, size_t len)
{
    return memchr(text, '\033', len) == NULL &&
           !(r->spec.out->is_tty && memchr(text, '\r', len) != NULL);
}

static void add_text(struct render *r, const struct str *prefix,
                     const char *text, size_t len)
{
    const struct term *t = r->spec.out;
    bool escapes = memchr(text, '\033', len) != NULL;
    cleanup_str struct str clean = { 0 };

    if (escapes) {
        text_strip(&clean, text, len, strip_for(t));
        text = str_c(&clean);
        len = clean.len;
    }
    if (t->is_tty && memchr(text, '\r', len) != NULL)
        add_returns(r, prefix, text, len);
    else
        str_add_len(&r->out, text, len);
    if (escapes && t->colour)
        str_add(&r->out, "\033[0m");
}

/* Adds lines with a prefix each; the first one continues an open line when
 * goes_on. */
static void add_lines(struct render *r, const struct event *e,
                      const struct str *prefix, bool goes_on)
{
    const char *line = e->line, *end = e->line + e->len, *nl;
    bool plain = is_plain(r, e->line, e->len);

    do {
        nl = memchr(line, '\n', (size_t)(end - line));
        if (nl == NULL)
            nl = end;
        if (!goes_on)
            str_add_len(&r->out, str_c(prefix), prefix->len);
        if (plain)
            str_add_len(&r->out, line, (size_t)(nl - line));
        else
            add_text(r, prefix, line, (size_t)(nl - line));
        if (!e->partial)
            str_add_char(&r->out, '\n');
        goes_on = false;
        line = nl + 1;
    } while (line <= end);
}

static void on_log(struct render *r, const struct event *e)
{
    bool resource = str_starts(e->source, "resource/");
    bool own = strcmp(e->tag, "convox") == 0 || strcmp(e->tag, "build") == 0;
    bool goes_on =
        r->open_source != NULL && strcmp(r->open_source, e->source) == 0;
    cleanup_str struct str prefix = { 0 };

    if (!r->spec.logs || (!own && !is_wanted(r, e->tag, resource)))
        return;
    if (!goes_on)
        end_open_line(r);
    tags_prefix(&r->tags, e->tag, &prefix);
    add_lines(r, e, &prefix, goes_on);
    if (e->partial && !goes_on)
        r->open_source = xstrdup(e->source);
    if (!e->partial && goes_on) {
        free(r->open_source);
        r->open_source = NULL;
    }
}

static void on_lost(struct render *r, const struct event *e)
{
    cleanup_free char *text =
        xasprintf("%lld log lines dropped: they came faster than they could "
                  "be shown",
                  (long long)e->lines);

    if (r->spec.logs && e->lines > 0)
        render_say(r, text);
}

/* Draws the items a last time when a start has failed, and leaves them
 * there. */
static void freeze(struct render *r, const struct event *e)
{
    const struct term *t = r->spec.out;
    struct live_look look = { .columns = t->columns,
                              .rows = SIZE_MAX,
                              .colour = t->colour,
                              .utf8 = t->utf8,
                              .frozen = true };
    bool was_live = is_live(r);

    r->failed = true;
    if (!was_live)
        return;
    erase_first(r);
    live_draw(&r->live, &look, e->ms, fresh_line(r));
    live_leave(&r->live);
}

static void on_error(struct render *r, const struct event *e)
{
    freeze(r, e);
    end_open_line(r);
    report_error(e, r->spec.err, &r->err);
}

static void on_ready(struct render *r, const struct event *e)
{
    erase_first(r);
    r->ready = true;
    report_ready(e, r->spec.out, fresh_line(r));
}

static void on_stopping(struct render *r, const struct event *e)
{
    cleanup_free char *text =
        xasprintf("stopping%s%s", *e->reason == '\0' ? "" : ": ", e->reason);

    render_stopping(r, text);
}

void render_stopping(struct render *r, const char *text)
{
    if (r->stopping)
        return;
    erase_first(r);
    r->stopping = true;
    render_say(r, text);
}

static void on_removed(struct render *r, const struct event *e)
{
    report_removed(e, fresh_line(r));
    str_add_char(&r->out, '\n');
}

static void on_warm(struct render *r, const struct event *e)
{
    report_warm(e, fresh_line(r));
    str_add_char(&r->out, '\n');
}

static void draw_event(struct render *r, const struct event *e)
{
    switch (e->type) {
    case EVENT_SESSION:
        on_session(r, e);
        break;
    case EVENT_STATE:
        on_state(r, e);
        break;
    case EVENT_PROGRESS:
        on_progress(r, e);
        break;
    case EVENT_LOG:
    case EVENT_TEXT:
        on_log(r, e);
        break;
    case EVENT_LOST:
        on_lost(r, e);
        break;
    case EVENT_READY:
        on_ready(r, e);
        break;
    case EVENT_STOPPING:
        on_stopping(r, e);
        break;
    case EVENT_REMOVED:
        on_removed(r, e);
        break;
    case EVENT_WARM:
        on_warm(r, e);
        break;
    case EVENT_WARNING:
    case EVENT_ERROR:
    case EVENT_CHECK:
    case EVENT_LEFTOVER:
    case EVENT_TEMPLATE:
    case EVENT_END:
    case EVENT_OTHER:
        break;
    }
}

void render_event(struct render *r, const struct event *e, int64_t now_ms)
{
    if (!r->begun)
        r->base_ms = now_ms - e->ms;
    r->begun = true;
    r->dirty = true;
    if (e->type == EVENT_WARNING)
        report_warning(e->text, r->spec.err, &r->err);
    if (e->type == EVENT_ERROR)
        on_error(r, e);
    if (!r->spec.quiet)
        draw_event(r, e);
}

int render_wait(const struct render *r, int64_t now_ms)
{
    int64_t wait = r->frame_ms - now_ms;

    if (r->spec.quiet || !is_live(r) || r->out.len > PENDING_MAX)
        return r->out.len > 0 || r->err.len > 0 ? 0 : -1;
    wait += r->dirty ? FRAME_MS : SPIN_MS;
    return wait > 0 ? (int)wait : 0;
}

/* Puts a frame together: erase the items, print the new log lines, draw the
 * items below them. */
static void live_frame(struct render *r, int64_t now_ms)
{
    const struct term *t = r->spec.out;
    struct live_look look = { .columns = t->columns,
                              .rows = t->rows,
                              .colour = t->colour,
                              .utf8 = t->utf8 };

    end_open_line(r);
    erase_first(r);
    live_draw(&r->live, &look, session_ms(r, now_ms), &r->tail);
}

void render_frame(struct render *r, int64_t now_ms)
{
    if (is_live(r))
        live_frame(r, now_ms);
    r->frame_ms = now_ms;
    r->dirty = false;
}

void render_release(struct render *r)
{
    tags_release(&r->tags);
    live_release(&r->live);
    str_release(&r->out);
    str_release(&r->err);
    str_release(&r->tail);
    free(r->open_source);
}
