/* Keeps the lines of a session, and hands them to its subscribers. There is one
 * hub per session. run/ puts lines in as containers print them; api/ subscribes
 * for an attached `cvx start` and for `cvx logs`. */
#include "logs/hub.h"

#include <string.h>
#include <utlist.h>

#include "base/mem.h"
#include "logs/hub_parts.h"

/* Lines that arrive together share a block, of up to BLOCK_BYTES and of lines
 * no more than SAME_TIME_MS apart. A source that filled FLOOD_BYTES of the
 * block before is taken to print very much, and gets a large block. */
#define BLOCK_BYTES  ((size_t)128 << 10)
#define SAME_TIME_MS 10
#define FLOOD_BYTES  ((size_t)4 << 10)

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

/* ---- how far a subscriber is -------------------------------------------- */

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

/* Bytes that wait for a subscriber, including those that it does not want. */
static uint64_t waiting(const struct hub_sub *sub)
{
    const struct place *p = &sub->pending;

    return p->block == NULL ? 0 : sub->hub->put - p->block->at - p->skip;
}

/* True when a patient subscriber has more than `bytes` before it. */
static bool holds_up(const struct hub_sub *sub, uint64_t bytes)
{
    return sub->patient && !sub->stuck && !sub->gone && waiting(sub) > bytes;
}

/* The hub is full while some patient subscriber has more than HUB_FULL_BYTES
 * before it, and stays so until it has less than half: without that gap,
 * reading would stop and resume with every line. */
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

/* ---- the ring ----------------------------------------------------------- */

static bool someone_waits_for(const struct hub *h, const struct block *b)
{
    const struct hub_sub *sub;

    DL_FOREACH (h->subs, sub)
        if (sub->pending.block == b)
            return true;
    return false;
}

static void drop_oldest(struct hub *h)
{
    struct block *b = h->oldest;
    struct hub_sub *sub;

    DL_FOREACH (h->subs, sub) {
        if (sub->pending.block != b)
            continue;
        sub->lost += b->text.lines - sub->pending.skip_lines;
        sub->pending = first_wanted(sub, b->next);
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

/* True when the newest lines have the same source and stream. */
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

/* Size of a new block: just big enough, or larger when a source prints very
 * much. A frame of the engine begins with the end of a line, and the rest of it
 * should fit into the same block. */
static size_t choose_cap(const struct hub *h, const struct hub_text *t)
{
    size_t need = t->len + 1, more = 0;

    if (!is_same_source(h, t))
        return need;
    if (is_same_time(h, t)) /* so it did not fit: the block is full */
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

/* Frees the hub once hub_free() was called and the last subscriber has gone. */
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

/* ---- subscribers and their callbacks ------------------------------------ */

static void let_go(struct hub_sub *sub)
{
    struct block *b = sub->lent;

    sub->lent = NULL;
    if (b != NULL && --b->readers == 0 && !b->in_ring)
        free(b);
}

static void remove_sub(struct hub_sub *sub)
{
    let_go(sub);
    DL_DELETE(sub->hub->subs, sub);
    free(sub);
}

/* A callback may subscribe, unsubscribe, put and free. While one runs,
 * subscribers are only marked as gone; leave() removes them after the last
 * callback. */
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

/* Gives the new lines of `b` to a subscriber for which nothing waits; others
 * come to them in order. */
static void offer(struct hub_sub *sub, struct block *b, size_t from,
                  size_t from_line)
{
    if (sub->gone || sub->pending.block != NULL || !wants(sub, b))
        return;
    sub->pending = (struct place){ b, from, from_line };
}

static void wake(struct hub_sub *sub)
{
    if (sub->gone || sub->woken || sub->pending.block == NULL)
        return;
    sub->woken = true;
    sub->on_wake(sub->user);
}

void hub_begin(struct hub *h)
{
    enter(h);
    h->batches++;
}

void hub_commit(struct hub *h)
{
    struct hub_sub *sub;

    h->batches--;
    if (h->batches == 0 && !h->ended) {
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
struct place hub_last_lines(struct block *b, size_t count)
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

/* Where a new subscriber begins: the oldest stored lines that its filter asks
 * for. */
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
        first = hub_last_lines(b, left);
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
    sub->pending = first_kept(h, sub, filter);
    /* It pulls these without being woken. */
    sub->woken = sub->pending.block != NULL;
    DL_APPEND(h->subs, sub);
    return sub;
}

/* The lines from `p` on, as hub_next() hands them out. */
struct hub_text hub_lines_from(const struct place *p)
{
    struct hub_text t = p->block->text;

    t.text += p->skip;
    t.len -= p->skip;
    t.lines -= p->skip_lines;
    return t;
}

const struct hub_text *hub_next(struct hub_sub *sub, uint64_t *lost)
{
    struct place p = sub->pending;

    let_go(sub);
    *lost = 0;
    if (p.block == NULL) {
        sub->woken = false;
        return NULL;
    }
    *lost = sub->lost;
    sub->lost = 0;
    sub->lent_text = hub_lines_from(&p);
    sub->pending = first_wanted(sub, p.block->next);
    sub->took = true;
    sub->stuck = false;
    sub->lent = p.block;
    p.block->readers++;
    trim(sub->hub);
    check_full(sub->hub);
    return &sub->lent_text;
}

void hub_unsubscribe(struct hub_sub *sub)
{
    struct hub *h = sub->hub;

    sub->gone = true;
    sub->pending.block = NULL;
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
