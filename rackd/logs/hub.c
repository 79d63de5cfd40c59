#include "logs/hub.h"

#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "base/mem.h"
#include "base/str.h"

/* A line in an error message is cut here. */
#define LAST_LINE_MAX ((size_t)500)

/* What comes in a flood goes into blocks of up to this size, and of so much
 * time. It is one when the block before has this much. */
#define BLOCK_BYTES  ((size_t)128 << 10)
#define SAME_TIME_MS 10
#define FLOOD_BYTES  ((size_t)4 << 10)

/* Tags and sources, kept once per hub: there are few, and lines share them. */
struct name {
    UT_hash_handle hh;
    struct name *next; /* of all the hub's */
    char text[];
};

/* Lines of one source, and of one moment. In the ring it is linked; out of it,
 * a subscriber may still be reading it. It never moves, and only the newest
 * grows. */
struct block {
    struct hub_text text;
    struct block *prev, *next; /* older, newer */
    uint64_t seq;              /* counts from 1 per hub */
    uint64_t at;               /* bytes that were ever put before it */
    size_t used, cap;
    unsigned readers; /* subscribers whose `held` this is */
    bool in_ring;
    char bytes[]; /* whole lines, each with its '\n'; or a piece of one */
};

/* Where a subscriber is: lines of `block` from `skip` bytes on. */
struct place {
    struct block *block;
    size_t skip, skip_lines;
};

struct hub_sub {
    struct hub *hub;
    struct hub_sub *prev, *next;
    hub_wake_cb on_wake;
    hub_end_cb on_end;
    void *user;
    const char *tag; /* one of the hub's names, or NULL */
    int64_t since_ms;
    uint64_t live_from;   /* since_ms does not ask blocks from here on */
    struct place ahead;   /* what hub_next() hands out next */
    struct block *held;   /* what it handed out last */
    struct hub_text view; /* as it handed it out */
    uint64_t lost;        /* lines dropped before `ahead` */
    bool woken;           /* and not drained since */
    bool gone;            /* unsubscribed while callbacks run */
    bool patient;         /* wants all; `stuck`: but takes nothing */
    bool stuck, took;
    unsigned idle_ticks;
};

struct hub {
    struct block *oldest, *newest;
    size_t bytes;
    uint64_t seq, put;  /* blocks and bytes so far */
    struct name *names; /* by text */
    struct name *all_names;
    struct hub_sub *subs;
    hub_full_cb on_full;
    void *full_user;
    unsigned calling;   /* callbacks running: subscribers stay in the list */
    unsigned held_back; /* hub_begin() without its hub_commit() */
    bool ended;         /* hub_free() was called */
    bool sealed;        /* the newest block grows no more */
    bool full;
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

static size_t size_of(const struct block *b)
{
    return sizeof(*b) + b->cap;
}

/* ---- how far a subscriber is --------------------------------------------- */

static bool wants(const struct hub_sub *sub, const struct block *b)
{
    return (sub->tag == NULL || sub->tag == b->text.tag) &&
           (b->seq >= sub->live_from || b->text.time_ms >= sub->since_ms);
}

/* `b` or the first block after it that the subscriber wants. */
static struct place first_wanted(const struct hub_sub *sub, struct block *b)
{
    while (b != NULL && !wants(sub, b))
        b = b->next;
    return (struct place){ .block = b };
}

/* Bytes between it and the newest, wanted or not. */
static uint64_t waiting(const struct hub_sub *sub)
{
    const struct place *p = &sub->ahead;

    return p->block == NULL ? 0 : sub->hub->put - p->block->at - p->skip;
}

static bool holds_up(const struct hub_sub *sub, uint64_t bytes)
{
    return sub->patient && !sub->stuck && !sub->gone && waiting(sub) > bytes;
}

/* Full above the mark, until nobody is above half of it. */
static void check_full(struct hub *h)
{
    uint64_t mark = h->full ? HUB_FULL_BYTES / 2 : HUB_FULL_BYTES;
    const struct hub_sub *sub;
    bool full = false;

    if (h->on_full != NULL)
        DL_FOREACH (h->subs, sub)
            full |= holds_up(sub, mark);
    if (full == h->full)
        return;
    h->full = full;
    if (h->on_full != NULL)
        h->on_full(full, h->full_user);
}

void hub_on_full(struct hub *h, hub_full_cb cb, void *user)
{
    h->on_full = cb;
    h->full_user = user;
    check_full(h);
}

bool hub_is_full(const struct hub *h)
{
    return h->full;
}

void hub_tick(struct hub *h)
{
    struct hub_sub *sub;

    DL_FOREACH (h->subs, sub) {
        sub->idle_ticks = sub->took ? 0 : sub->idle_ticks + 1;
        sub->took = false;
        if (waiting(sub) > 0 && sub->idle_ticks >= HUB_PATIENCE)
            sub->stuck = true;
    }
    check_full(h);
}

/* ---- the ring -------------------------------------------------------------
 */

static bool someone_waits_for(const struct hub *h, const struct block *b)
{
    const struct hub_sub *sub;

    DL_FOREACH (h->subs, sub)
        if (sub->ahead.block == b)
            return true;
    return false;
}

static void drop_oldest(struct hub *h)
{
    struct block *b = h->oldest;
    struct hub_sub *sub;

    DL_FOREACH (h->subs, sub) {
        if (sub->ahead.block != b)
            continue;
        sub->lost += b->text.lines - sub->ahead.skip_lines;
        sub->ahead = first_wanted(sub, b->next);
    }
    DL_DELETE(h->oldest, b);
    h->newest = h->oldest == NULL ? NULL : h->oldest->prev;
    h->bytes -= size_of(b);
    b->in_ring = false;
    if (b->readers == 0)
        free(b);
}

/* The newest block is kept whatever its size. */
static void trim(struct hub *h)
{
    while (h->bytes > HUB_KEEP_BYTES && h->oldest != h->newest &&
           (h->bytes > HUB_QUEUE_BYTES || !someone_waits_for(h, h->oldest)))
        drop_oldest(h);
}

/* Does it come from where the newest lines came from? */
static bool is_same_source(const struct hub *h, const struct hub_text *t)
{
    const struct hub_text *n;

    if (h->newest == NULL)
        return false;
    n = &h->newest->text;
    return n->is_stderr == t->is_stderr && strcmp(n->source, t->source) == 0 &&
           strcmp(n->tag, t->tag) == 0;
}

static bool is_same_time(const struct hub *h, const struct hub_text *t)
{
    return t->time_ms - h->newest->text.time_ms < SAME_TIME_MS &&
           t->time_ms >= h->newest->text.time_ms;
}

static bool fits(const struct hub *h, const struct hub_text *t)
{
    const struct block *n = h->newest;

    return is_same_source(h, t) && is_same_time(h, t) && !h->sealed &&
           !n->text.partial && !t->partial && n->cap - n->used > t->len;
}

/* Just big enough, or, in a flood, for more of it: a frame of the engine begins
 * with the end of a line, which is to share a block with the rest. */
static size_t choose_cap(const struct hub *h, const struct hub_text *t)
{
    size_t need = t->len + 1, more = 0;

    if (!is_same_source(h, t))
        return need;
    if (is_same_time(h, t)) /* it is full */
        more = h->newest->cap * 2;
    else if (h->newest->used >= FLOOD_BYTES)
        more = h->newest->used;
    if (more > BLOCK_BYTES)
        more = BLOCK_BYTES;
    return more / 2 >= need ? more : need;
}

static struct block *add_block(struct hub *h, const struct hub_text *t)
{
    size_t cap = choose_cap(h, t);
    struct block *b = xrealloc(NULL, sizeof(*b) + cap);

    *b = (struct block){ .text = *t, .cap = cap, .at = h->put };
    b->text.tag = intern(h, t->tag);
    b->text.source = intern(h, t->source);
    b->text.text = b->bytes;
    b->text.lines = 0;
    b->seq = ++h->seq;
    b->in_ring = true;
    DL_APPEND(h->oldest, b);
    h->newest = b;
    h->sealed = false;
    h->bytes += size_of(b);
    return b;
}

static size_t count_lines(const char *text, size_t len)
{
    const char *end = text + len;
    size_t count = 1;

    while ((text = memchr(text, '\n', (size_t)(end - text))) != NULL) {
        count++;
        text++;
    }
    return count;
}

static void append(struct block *b, const struct hub_text *t, size_t lines)
{
    if (t->len > 0)
        memcpy(b->bytes + b->used, t->text, t->len);
    b->used += t->len;
    b->bytes[b->used] = '\n';
    if (!t->partial)
        b->used++;
    b->text.len = t->partial ? b->used : b->used - 1;
    b->text.lines += lines;
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

/* ---- subscribers and their callbacks --------------------------------------
 */

static void let_go(struct hub_sub *sub)
{
    struct block *b = sub->held;

    sub->held = NULL;
    if (b != NULL && --b->readers == 0 && !b->in_ring)
        free(b);
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

/* What `b` got from these places on is news for whoever waits for nothing. */
static void offer(struct hub_sub *sub, struct block *b, size_t from,
                  size_t from_line)
{
    if (sub->gone || sub->ahead.block != NULL || !wants(sub, b))
        return;
    sub->ahead = (struct place){ b, from, from_line };
}

static void wake(struct hub_sub *sub)
{
    if (sub->gone || sub->woken || sub->ahead.block == NULL)
        return;
    sub->woken = true;
    sub->on_wake(sub->user);
}

void hub_begin(struct hub *h)
{
    enter(h);
    h->held_back++;
}

void hub_commit(struct hub *h)
{
    struct hub_sub *sub;

    h->held_back--;
    if (h->held_back == 0 && !h->ended) {
        DL_FOREACH (h->subs, sub)
            wake(sub);
        check_full(h);
    }
    leave(h);
}

size_t hub_put(struct hub *h, const struct hub_text *text)
{
    size_t lines = text->partial ? 1 : count_lines(text->text, text->len);
    struct block *b = h->newest;
    struct hub_sub *sub;
    size_t from, from_line;

    if (h->ended)
        return lines;
    hub_begin(h);
    if (!fits(h, text))
        b = add_block(h, text);
    from = b->used;
    from_line = b->text.lines;
    append(b, text, lines);
    h->put += b->used - from;
    DL_FOREACH (h->subs, sub)
        offer(sub, b, from, from_line);
    trim(h);
    hub_commit(h);
    return lines;
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

/* The last `count` lines of a block, or all. */
static struct place last_lines(struct block *b, size_t count)
{
    struct place p = { .block = b };
    const char *at = b->bytes;

    if (b->text.lines <= count)
        return p;
    p.skip_lines = b->text.lines - count;
    for (size_t i = 0; i < p.skip_lines; i++)
        at = (const char *)memchr(at, '\n', b->used) + 1;
    p.skip = (size_t)(at - b->bytes);
    return p;
}

/* The oldest kept lines this subscriber is to get. */
static struct place first_kept(const struct hub *h, const struct hub_sub *sub,
                               const struct hub_filter *filter)
{
    struct place first = { NULL, 0, 0 };
    size_t left = filter->tail < 0 ? SIZE_MAX : (size_t)filter->tail;

    if (filter->since_ms < 0)
        return first;
    for (struct block *b = h->newest; b != NULL && left > 0;
         b = b == h->oldest ? NULL : b->prev) {
        if (!wants(sub, b))
            continue;
        first = last_lines(b, left);
        left -= b->text.lines - first.skip_lines;
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
    sub->patient = filter->patient;
    sub->live_from = h->seq + 1;
    h->sealed = true;
    sub->ahead = first_kept(h, sub, filter);
    sub->woken = sub->ahead.block != NULL; /* it pulls these unasked */
    DL_APPEND(h->subs, sub);
    return sub;
}

/* The lines from `p` on, as a subscriber sees them. */
static struct hub_text view(const struct place *p)
{
    struct hub_text t = p->block->text;

    t.text += p->skip;
    t.len -= p->skip;
    t.lines -= p->skip_lines;
    return t;
}

const struct hub_text *hub_next(struct hub_sub *sub, uint64_t *lost)
{
    struct place p = sub->ahead;

    let_go(sub);
    *lost = 0;
    if (p.block == NULL) {
        sub->woken = false;
        return NULL;
    }
    *lost = sub->lost;
    sub->lost = 0;
    sub->view = view(&p);
    sub->ahead = first_wanted(sub, p.block->next);
    sub->took = true;
    sub->stuck = false;
    sub->held = p.block;
    p.block->readers++;
    trim(sub->hub);
    check_full(sub->hub);
    return &sub->view;
}

void hub_unsubscribe(struct hub_sub *sub)
{
    struct hub *h = sub->hub;

    sub->gone = true;
    sub->ahead.block = NULL;
    if (h->full)
        check_full(h);
    if (h->calling > 0)
        return;
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

/* ---- for error messages ----------------------------------------------------
 */

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void add_last(struct str *out, const char *line, size_t whole)
{
    size_t len = min_size(whole, LAST_LINE_MAX), start;

    while (len > 0 && line[len - 1] == '\r')
        len--;
    str_add(out, out->len == 0 ? "  | " : "\n  | ");
    start = out->len;
    str_add_len(out, line, len);
    for (size_t i = start; i < out->len; i++)
        if (out->s[i] == '\0')
            out->s[i] = ' ';
    if (whole > LAST_LINE_MAX)
        str_add(out, "...");
}

static void add_lines(struct str *out, const struct hub_text *t)
{
    const char *line = t->text, *end = t->text + t->len, *nl;

    for (size_t i = 0; i < t->lines; i++) {
        nl = t->partial ? NULL : memchr(line, '\n', (size_t)(end - line));
        if (nl == NULL)
            nl = end;
        add_last(out, line, (size_t)(nl - line));
        line = nl + 1;
    }
}

char *hub_last(const struct hub *h, const char *source, size_t count)
{
    struct place first = { NULL, 0, 0 };
    struct str out = { 0 };
    struct hub_text text;

    for (struct block *b = h->newest; b != NULL && count > 0;
         b = b == h->oldest ? NULL : b->prev) {
        if (strcmp(b->text.source, source) != 0)
            continue;
        first = last_lines(b, count);
        count -= b->text.lines - first.skip_lines;
    }
    while (first.block != NULL) {
        text = view(&first);
        if (strcmp(text.source, source) == 0)
            add_lines(&out, &text);
        first = (struct place){ .block = first.block->next };
    }
    return str_take(&out);
}
