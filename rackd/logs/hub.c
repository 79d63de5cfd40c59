#include "logs/hub.h"

#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "base/mem.h"
#include "base/str.h"

/* A line in an error message is cut here. */
#define LAST_LINE_MAX ((size_t)500)

/* Tags and sources, kept once per hub: there are few, and lines share them. */
struct name {
    UT_hash_handle hh;
    struct name *next; /* of all the hub's */
    char text[];
};

/* A line kept. In the ring it is linked; out of it, a subscriber may still be
 * reading it. */
struct entry {
    struct hub_line line;
    struct entry *prev, *next; /* older, newer */
    unsigned readers;          /* subscribers whose `held` this is */
    bool in_ring;
    char text[];
};

struct hub_sub {
    struct hub *hub;
    struct hub_sub *prev, *next;
    hub_wake_cb on_wake;
    hub_end_cb on_end;
    void *user;
    const char *tag; /* one of the hub's names, or NULL */
    int64_t since_ms;
    uint64_t live_from;  /* since_ms does not ask lines from here on */
    struct entry *ahead; /* what hub_next() hands out next, or NULL */
    struct entry *held;  /* what it handed out last */
    uint64_t lost;       /* lines dropped before `ahead` */
    bool woken;          /* and not drained since */
    bool gone;           /* unsubscribed while callbacks run */
};

struct hub {
    struct entry *oldest, *newest;
    size_t bytes;
    uint64_t seq;
    struct name *names; /* by text */
    struct name *all_names;
    struct hub_sub *subs;
    unsigned calling; /* callbacks running: subscribers stay in the list */
    bool ended;       /* hub_free() was called */
};

struct hub *hub_new(void)
{
    return xcalloc(1, sizeof(struct hub));
}

static const char *intern(struct hub *h, const char *text)
{
    size_t len = strlen(text);
    struct name *name = NULL;

    HASH_FIND(hh, h->names, text, len, name);
    if (name == NULL) {
        name = xcalloc(1, sizeof(*name) + len + 1);
        memcpy(name->text, text, len);
        HASH_ADD_KEYPTR(hh, h->names, name->text, len, name);
        LL_PREPEND(h->all_names, name);
    }
    return name->text;
}

static size_t size_of(const struct entry *e)
{
    return sizeof(*e) + e->line.len + 1;
}

static bool wants(const struct hub_sub *sub, const struct entry *e)
{
    return (sub->tag == NULL || sub->tag == e->line.tag) &&
           (e->line.seq >= sub->live_from || e->line.time_ms >= sub->since_ms);
}

/* `e` or the first line after it that the subscriber wants. */
static struct entry *first_wanted(const struct hub_sub *sub, struct entry *e)
{
    while (e != NULL && !wants(sub, e))
        e = e->next;
    return e;
}

static bool someone_waits_for(const struct hub *h, const struct entry *e)
{
    const struct hub_sub *sub;

    DL_FOREACH (h->subs, sub)
        if (sub->ahead == e)
            return true;
    return false;
}

static void drop_oldest(struct hub *h)
{
    struct entry *e = h->oldest;
    struct hub_sub *sub;

    DL_FOREACH (h->subs, sub) {
        if (sub->ahead != e)
            continue;
        sub->ahead = first_wanted(sub, e->next);
        sub->lost++;
    }
    DL_DELETE(h->oldest, e);
    h->newest = h->oldest == NULL ? NULL : h->oldest->prev;
    h->bytes -= size_of(e);
    e->in_ring = false;
    if (e->readers == 0)
        free(e);
}

/* The newest line is kept whatever its size. */
static void trim(struct hub *h)
{
    while (h->bytes > HUB_KEEP_BYTES && h->oldest != h->newest &&
           (h->bytes > HUB_QUEUE_BYTES || !someone_waits_for(h, h->oldest)))
        drop_oldest(h);
}

static struct entry *keep(struct hub *h, const struct hub_line *line)
{
    struct entry *e = xcalloc(1, sizeof(*e) + line->len + 1);

    e->line = *line;
    e->line.tag = intern(h, line->tag);
    e->line.source = intern(h, line->source);
    if (line->len > 0)
        memcpy(e->text, line->text, line->len);
    e->line.text = e->text;
    e->line.seq = ++h->seq;
    e->in_ring = true;
    DL_APPEND(h->oldest, e);
    h->newest = e;
    h->bytes += size_of(e);
    return e;
}

/* Nothing left to say and nobody to say it to. */
static void free_if_over(struct hub *h)
{
    struct name *name, *next;

    if (!h->ended || h->subs != NULL || h->calling > 0)
        return;
    while (h->oldest != NULL)
        drop_oldest(h);
    HASH_CLEAR(hh, h->names);
    LL_FOREACH_SAFE(h->all_names, name, next)
    free(name);
    free(h);
}

static void let_go(struct hub_sub *sub)
{
    struct entry *e = sub->held;

    sub->held = NULL;
    if (e != NULL && --e->readers == 0 && !e->in_ring)
        free(e);
}

static void remove_sub(struct hub_sub *sub)
{
    let_go(sub);
    DL_DELETE(sub->hub->subs, sub);
    free(sub);
}

/* Callbacks may subscribe, unsubscribe, put and free: while any runs the list
 * only grows, and is swept after the last. */
static void enter(struct hub *h)
{
    h->calling++;
}

static void leave(struct hub *h)
{
    struct hub_sub *sub, *next;

    if (--h->calling > 0)
        return;
    DL_FOREACH_SAFE (h->subs, sub, next)
        if (sub->gone)
            remove_sub(sub);
    free_if_over(h);
}

static void offer(struct hub_sub *sub, struct entry *e)
{
    if (sub->gone || !wants(sub, e))
        return;
    if (sub->ahead == NULL)
        sub->ahead = e;
}

static void wake(struct hub_sub *sub)
{
    if (sub->gone || sub->woken || sub->ahead == NULL)
        return;
    sub->woken = true;
    sub->on_wake(sub->user);
}

void hub_put(struct hub *h, const struct hub_line *line)
{
    struct entry *e;
    struct hub_sub *sub;

    if (h->ended)
        return;
    e = keep(h, line);
    DL_FOREACH (h->subs, sub)
        offer(sub, e);
    trim(h);
    enter(h);
    DL_FOREACH (h->subs, sub)
        wake(sub);
    leave(h);
}

void hub_free(struct hub *h)
{
    struct hub_sub *sub;

    if (h == NULL || h->ended)
        return;
    h->ended = true;
    enter(h);
    DL_FOREACH (h->subs, sub)
        if (!sub->gone)
            sub->on_end(sub->user);
    leave(h);
}

/* The oldest kept line this subscriber is to get. */
static struct entry *first_kept(const struct hub *h, const struct hub_sub *sub,
                                const struct hub_filter *filter)
{
    struct entry *first = NULL, *e = h->newest;
    long count = 0;

    if (filter->since_ms < 0)
        return NULL;
    while (e != NULL && count != filter->tail) {
        if (wants(sub, e)) {
            first = e;
            count++;
        }
        e = e == h->oldest ? NULL : e->prev;
    }
    return first;
}

struct hub_sub *hub_subscribe(struct hub *h, const struct hub_filter *filter,
                              hub_wake_cb on_wake, hub_end_cb on_end,
                              void *user)
{
    struct hub_sub *sub = xcalloc(1, sizeof(*sub));

    sub->hub = h;
    sub->on_wake = on_wake;
    sub->on_end = on_end;
    sub->user = user;
    sub->tag = filter->tag == NULL ? NULL : intern(h, filter->tag);
    sub->since_ms = filter->since_ms;
    sub->live_from = h->seq + 1;
    sub->ahead = first_kept(h, sub, filter);
    sub->woken = sub->ahead != NULL; /* it pulls these unasked */
    DL_APPEND(h->subs, sub);
    return sub;
}

const struct hub_line *hub_next(struct hub_sub *sub, uint64_t *lost)
{
    struct entry *e = sub->ahead;

    let_go(sub);
    *lost = 0;
    if (e == NULL) {
        sub->woken = false;
        return NULL;
    }
    *lost = sub->lost;
    sub->lost = 0;
    sub->ahead = first_wanted(sub, e->next);
    sub->held = e;
    e->readers++;
    trim(sub->hub);
    return &e->line;
}

void hub_unsubscribe(struct hub_sub *sub)
{
    struct hub *h = sub->hub;

    if (h->calling > 0) {
        sub->gone = true;
        sub->ahead = NULL;
        return;
    }
    remove_sub(sub);
    trim(h);
    free_if_over(h);
}

void hub_hand_over(struct hub_sub *sub, hub_wake_cb on_wake, hub_end_cb on_end,
                   void *user)
{
    sub->on_wake = on_wake;
    sub->on_end = on_end;
    sub->user = user;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void add_last(struct str *out, const struct hub_line *line)
{
    size_t len = min_size(line->len, LAST_LINE_MAX), start;

    while (len > 0 && line->text[len - 1] == '\r')
        len--;
    str_add(out, out->len == 0 ? "  | " : "\n  | ");
    start = out->len;
    str_add_len(out, line->text, len);
    for (size_t i = start; i < out->len; i++)
        if (out->s[i] == '\0')
            out->s[i] = ' ';
    if (line->len > LAST_LINE_MAX)
        str_add(out, "...");
}

char *hub_last(const struct hub *h, const char *source, size_t count)
{
    const struct entry *first = NULL, *e = h->newest;
    struct str out = { 0 };

    while (e != NULL && count > 0) {
        if (strcmp(e->line.source, source) == 0) {
            first = e;
            count--;
        }
        e = e == h->oldest ? NULL : e->prev;
    }
    for (e = first; e != NULL; e = e->next)
        if (strcmp(e->line.source, source) == 0)
            add_last(&out, &e->line);
    return str_take(&out);
}
