/* The items of a start, and the lines in which they are shown and redrawn at
 * the bottom of a terminal. render.c keeps them up to date and decides when to
 * draw. */
#include "cli/live.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "cli/events.h"
#include "cli/text.h"
#include "cli/when.h"

/* A manifest may have thousands of services, but a screen cannot show them.
 * Beyond this many, items share the last one. */
#define ITEMS_MAX 20000

/* Columns. Below NARROW the kind of an item is left out, below VERY_NARROW its
 * time as well. */
#define NARROW      44
#define VERY_NARROW 28

#define SPIN_MS 100

static struct live_item *find(struct live *l, const char *kind,
                              const char *label)
{
    for (size_t i = 0; i < l->len; i++)
        if (strcmp(l->v[i].label, label) == 0 &&
            strcmp(l->v[i].kind, kind) == 0)
            return &l->v[i];
    return NULL;
}

static struct live_item *find_or_add(struct live *l, const char *kind,
                                     const char *label)
{
    struct live_item *item = find(l, kind, label);

    if (item != NULL)
        return item;
    if (l->len == ITEMS_MAX)
        return &l->v[ITEMS_MAX - 1];
    item = vec_add(l);
    item->kind = xstrdup(kind);
    item->label = xstrdup(label);
    item->state = xstrdup("");
    item->text = xstrdup("");
    item->progress = xstrdup("");
    item->began_ms = item->done_ms = -1;
    item->said_ms = INT64_MIN / 2;
    return item;
}

static void set(char **field, const char *text)
{
    free(*field);
    *field = xstrdup(text);
}

static bool is_one_of(const char *state, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strcmp(state, *list) == 0)
            return true;
    return false;
}

bool live_is_good(const struct live_item *item)
{
    static const char *const good[] = { "ready", "built", "external", NULL };

    return is_one_of(item->state, good);
}

bool live_is_bad(const struct live_item *item)
{
    static const char *const bad[] = { "failed", "exited", NULL };

    return is_one_of(item->state, bad);
}

static bool is_waiting(const struct live_item *item)
{
    return strcmp(item->state, "waiting") == 0;
}

struct live_item *live_state(struct live *l, const struct event *e)
{
    cleanup_free char *label = e->replica > 0
                                   ? xasprintf("%s/%d", e->name, e->replica)
                                   : xstrdup(e->name);
    struct live_item *item = find_or_add(l, e->kind, label);

    set(&item->state, e->state);
    set(&item->text, e->text);
    set(&item->progress, "");
    if (item->began_ms < 0 && !is_waiting(item))
        item->began_ms = e->ms;
    item->done_ms = live_is_good(item) || live_is_bad(item) ? e->ms : -1;
    return item;
}

static void print_megabytes(struct str *out, const struct event *e)
{
    if (e->total > 0)
        str_printf(out, "%.1f/%.1f MB", (double)e->current / 1e6,
                   (double)e->total / 1e6);
    else if (e->current > 0)
        str_printf(out, "%.1f MB", (double)e->current / 1e6);
}

struct live_item *live_progress(struct live *l, const struct event *e)
{
    struct live_item *item = find_or_add(l, "image", e->name);
    cleanup_str struct str s = { 0 };

    if (*item->state == '\0')
        set(&item->state, "pulling");
    if (item->began_ms < 0)
        item->began_ms = e->ms;
    if (e->layers > 0)
        str_printf(&s, "%d/%d layers", e->layers_done, e->layers);
    if (e->layers > 0 && e->current + e->total > 0)
        str_add_char(&s, ' ');
    print_megabytes(&s, e);
    set(&item->progress, str_c(&s));
    return item;
}

/* Adds text as one line: it ends at the first line end, and control characters
 * become spaces. */
static void add_flat(struct str *out, const char *text)
{
    for (; *text != '\0' && *text != '\n'; text++) {
        if ((unsigned char)*text < ' ')
            str_add_char(out, ' ');
        else
            str_add_char(out, *text);
    }
}

static void add_symbol(const struct live_item *item,
                       const struct live_look *look, int64_t now_ms,
                       struct str *out)
{
    static const char *const braille[] = { "⠋", "⠙", "⠹", "⠸", "⠼",
                                           "⠴", "⠦", "⠧", "⠇", "⠏" };
    static const char *const plain[] = { "|", "/", "-", "\\" };
    const char *symbol, *code = "36";
    size_t turn = (size_t)(now_ms < 0 ? 0 : now_ms) / SPIN_MS;

    if (live_is_good(item)) {
        symbol = look->utf8 ? "✔" : "+";
        code = "32";
    } else if (live_is_bad(item)) {
        symbol = look->utf8 ? "✘" : "x";
        code = "31";
    } else if (is_waiting(item) || look->frozen) {
        symbol = look->utf8 ? "·" : ".";
        code = "2";
    } else {
        symbol = look->utf8 ? braille[turn % 10] : plain[turn % 4];
    }
    if (look->colour)
        str_printf(out, "\033[%sm%s\033[0m ", code, symbol);
    else
        str_printf(out, "%s ", symbol);
}

/* Adds "waiting for db", "ready" or "pulling 3/8 layers". */
static void add_state(const struct live_item *item, struct str *out)
{
    str_add(out, item->state);
    if (*item->progress != '\0')
        str_printf(out, " %s", item->progress);
    if (*item->text == '\0')
        return;
    str_add(out, is_waiting(item) && !str_starts(item->text, "for ") ? " for "
                                                                     : " ");
    add_flat(out, item->text);
}

static void add_line(const struct live_item *item, const size_t *width,
                     const struct live_look *look, int64_t now_ms,
                     struct str *out)
{
    cleanup_str struct str name = { 0 }, cut = { 0 }, took = { 0 };
    cleanup_str struct str line = { 0 };

    add_symbol(item, look, now_ms, &line);
    if (look->columns >= NARROW) {
        text_pad(&line, item->kind, width[0]);
        str_add_char(&line, ' ');
    }
    add_flat(&name, item->label);
    text_fit(&cut, str_c(&name), width[1], !look->utf8);
    text_pad(&line, str_c(&cut), width[1]);
    str_add_char(&line, ' ');
    if (look->columns >= VERY_NARROW) {
        if (item->began_ms >= 0 && !is_waiting(item))
            when_elapsed(&took, (item->done_ms < 0 ? now_ms : item->done_ms) -
                                    item->began_ms);
        text_pad(&line, str_c(&took), width[2]);
        str_add_char(&line, ' ');
    }
    add_state(item, &line);
    text_fit(out, str_c(&line), look->columns - 1, !look->utf8);
}

/* When there is no room for all items, those that are ready are left out. A
 * network is never worth a line. */
static bool is_shown(const struct live_item *item, bool crowded)
{
    return strcmp(item->kind, "network") != 0 &&
           !(crowded && live_is_good(item));
}

static size_t count_shown(const struct live *l, bool crowded)
{
    size_t count = 0;

    for (size_t i = 0; i < l->len; i++)
        count += is_shown(&l->v[i], crowded);
    return count;
}

/* Measures the columns. A long name is cut, so that there is room for its
 * state. */
static void measure(const struct live *l, bool crowded, size_t columns,
                    size_t *width)
{
    width[2] = strlen("10.0 s");
    for (size_t i = 0; i < l->len; i++) {
        const struct live_item *item = &l->v[i];
        size_t kind = text_width(item->kind, strlen(item->kind));
        size_t label = text_width(item->label, strlen(item->label));

        if (!is_shown(item, crowded))
            continue;
        width[0] = kind > width[0] ? kind : width[0];
        width[1] = label > width[1] ? label : width[1];
    }
    if (width[1] > columns / 2 - 2)
        width[1] = columns / 2 - 2;
}

/* Ends a line and stores its width: when the window gets narrower the terminal
 * folds it, and live_erase() must know into how many rows. */
static void end_line(struct live *l, struct str *out, size_t start)
{
    *vec_add(&l->drawn) = text_width(out->s + start, out->len - start);
    str_add(out, "\n");
}

void live_draw(struct live *l, const struct live_look *look, int64_t now_ms,
               struct str *out)
{
    size_t room = look->rows > 3 ? look->rows - 2 : 1, shown = 0;
    bool crowded = count_shown(l, false) > room;
    size_t wanted = count_shown(l, crowded), width[3] = { 0 };

    measure(l, crowded, look->columns, width);
    for (size_t i = 0; i < l->len && shown < room; i++) {
        size_t start = out->len;

        if (!is_shown(&l->v[i], crowded))
            continue;
        add_line(&l->v[i], width, look, now_ms, out);
        end_line(l, out, start);
        shown++;
    }
    if (crowded) {
        size_t start = out->len;
        cleanup_free char *more =
            xasprintf("  and %zu more",
                      wanted - shown + (count_shown(l, false) - wanted));

        text_fit(out, more, look->columns - 1, !look->utf8);
        end_line(l, out, start);
    }
}

void live_erase(struct live *l, size_t columns, struct str *out)
{
    size_t rows = 0;

    for (size_t i = 0; i < l->drawn.len; i++)
        rows += l->drawn.v[i] <= columns
                    ? 1
                    : (l->drawn.v[i] + columns - 1) / columns;
    if (rows > 0)
        str_printf(out, "\r\033[%zuA\033[J", rows);
    live_leave(l);
}

void live_leave(struct live *l)
{
    l->drawn.len = 0;
}

void live_release(struct live *l)
{
    for (size_t i = 0; i < l->len; i++) {
        free(l->v[i].kind);
        free(l->v[i].label);
        free(l->v[i].state);
        free(l->v[i].text);
        free(l->v[i].progress);
    }
    free(l->v);
    free(l->drawn.v);
    *l = (struct live){ 0 };
}
