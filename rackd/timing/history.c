/* Compares a start with former ones of the same app. api/timings.c calls it
 * when a start is ready, and for `cvx timings`. */
#include "timing/history.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/vec.h"

static const struct cJSON *get(const struct cJSON *o, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(o, name);
}

static const char *text_of(const struct cJSON *o, const char *name)
{
    const struct cJSON *t = get(o, name);

    return cJSON_IsString(t) ? t->valuestring : "";
}

/* -1 when it is missing, or no plausible time. */
static double number_of(const struct cJSON *o, const char *name)
{
    const struct cJSON *n = get(o, name);

    return cJSON_IsNumber(n) && n->valuedouble >= 0 && n->valuedouble < 1e12
               ? n->valuedouble
               : -1;
}

/* ---- which runs can be compared ------------------------------------------ */

/* With its NUL, so that no two lists of texts read the same. */
static uint64_t add_text(uint64_t hash, const char *text)
{
    return hash_bytes(hash, text, strlen(text) + 1);
}

static uint64_t id_of(const struct cJSON *item)
{
    int64_t replica = (int64_t)number_of(item, "replica");
    uint64_t hash = add_text(HASH_BEGIN, text_of(item, "kind"));

    hash = add_text(hash, text_of(item, "name"));
    return hash_bytes(hash, &replica, sizeof(replica));
}

static bool is_container(const struct cJSON *item)
{
    const char *kind = text_of(item, "kind");

    return strcmp(kind, "resource") == 0 || strcmp(kind, "service") == 0 ||
           strcmp(kind, "init") == 0;
}

/* The containers alone tell whether two runs are of the same app as it was.
 * Images and builds are left out: a run that had to pull is to be compared with
 * those that had not, and found slow. */
static uint64_t fingerprint_of(const struct cJSON *run)
{
    uint64_t hash = add_text(HASH_BEGIN, text_of(run, "engine")), id;
    const struct cJSON *item;

    hash = add_text(hash, cJSON_IsTrue(get(run, "keep_data")) ? "kept" : "");
    cJSON_ArrayForEach(item, get(run, "items"))
    {
        if (!is_container(item))
            continue;
        id = id_of(item);
        hash = hash_bytes(hash, &id, sizeof(id));
    }
    return hash;
}

/* ---- lines -------------------------------------------------------------- */

static bool is_item(const struct cJSON *item)
{
    return *text_of(item, "kind") != '\0' && *text_of(item, "name") != '\0' &&
           number_of(item, "own_ms") >= 0;
}

static bool is_run(const struct cJSON *run)
{
    const struct cJSON *items = get(run, "items"), *item;

    if (!cJSON_IsArray(items) || number_of(run, "ready_ms") < 0)
        return false;
    cJSON_ArrayForEach(item, items)
    {
        if (!is_item(item))
            return false;
    }
    return true;
}

/* A run to be deleted by the caller; NULL when the line is none. */
static struct cJSON *parse_line(const char *line, size_t len)
{
    struct cJSON *run = cJSON_ParseWithLength(line, len);

    if (is_run(run))
        return run;
    cJSON_Delete(run);
    return NULL;
}

static void forget_first(struct history *h)
{
    free(h->v[0].items);
    memmove(h->v, h->v + 1, --h->len * sizeof(*h->v));
}

static void add(struct history *h, const struct cJSON *run)
{
    const struct cJSON *item;
    struct past *p;

    if (h->len == HISTORY_RUNS)
        forget_first(h);
    p = vec_add(h);
    p->ready_ms = number_of(run, "ready_ms");
    p->started = number_of(run, "started");
    p->fingerprint = fingerprint_of(run);
    cJSON_ArrayForEach(item, get(run, "items"))
    {
        struct past_item *it;

        p->items = vec_grow(p->items, p->len, &p->cap, sizeof(*p->items));
        it = &p->items[p->len++];
        it->id = id_of(item);
        it->own_ms = number_of(item, "own_ms");
    }
}

static size_t line_len(const char *line, const char *end)
{
    const char *nl = memchr(line, '\n', (size_t)(end - line));

    return (size_t)((nl == NULL ? end : nl) - line);
}

/* Keeps the lines that are runs. */
static void drop_bad_lines(struct str *lines)
{
    struct str good = { 0 };
    const char *line = str_c(lines), *end = line + lines->len;

    while (line < end) {
        size_t len = line_len(line, end);
        struct cJSON *run = parse_line(line, len);

        if (run != NULL) {
            str_add_len(&good, line, len);
            str_add_char(&good, '\n');
        }
        cJSON_Delete(run);
        line += len + 1;
    }
    str_release(lines);
    *lines = good;
}

void history_read(struct history *h)
{
    const char *line = str_c(&h->lines), *end = line + h->lines.len;

    while (line < end) {
        size_t len = line_len(line, end);
        struct cJSON *run = parse_line(line, len);

        if (run != NULL)
            add(h, run);
        else if (len > 0)
            h->bad++;
        cJSON_Delete(run);
        line += len + 1;
    }
    if (h->bad > 0)
        drop_bad_lines(&h->lines);
}

static size_t count_lines(const struct str *lines)
{
    size_t count = 0;

    for (size_t i = 0; i < lines->len; i++)
        count += lines->s[i] == '\n';
    return count;
}

void history_append(struct history *h, const struct cJSON *run)
{
    cleanup_free char *line = cJSON_PrintUnformatted(run);
    struct str *lines = &h->lines;
    size_t count;

    if (lines->len > 0 && lines->s[lines->len - 1] != '\n')
        str_add_char(lines, '\n');
    str_printf(lines, "%s\n", line);
    count = count_lines(lines);
    while (count > 1 &&
           (count > HISTORY_RUNS || lines->len > HISTORY_BYTES_MAX)) {
        str_drop(lines, strcspn(lines->s, "\n") + 1);
        count--;
    }
}

struct cJSON *history_last(const struct history *h)
{
    const char *text = str_c(&h->lines), *end = text + h->lines.len;

    while (end > text && end[-1] == '\n')
        end--;
    for (const char *line = end; line > text; line--)
        if (line[-1] == '\n')
            return parse_line(line, (size_t)(end - line));
    return parse_line(text, (size_t)(end - text));
}

void history_release(struct history *h)
{
    for (size_t i = 0; i < h->len; i++)
        free(h->v[i].items);
    free(h->v);
    str_release(&h->lines);
    *h = (struct history){ 0 };
}

/* ---- what is usual ------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Sorts the values. */
static double median(double *v, size_t len)
{
    if (len == 0)
        return 0;
    qsort(v, len, sizeof(*v), by_value);
    return len % 2 == 1 ? v[len / 2] : (v[len / 2 - 1] + v[len / 2]) / 2;
}

void usual_find(struct usual *u, const struct history *h, size_t count,
                const struct cJSON *run)
{
    uint64_t fingerprint = fingerprint_of(run);
    double times[HISTORY_RUNS];

    *u = (struct usual){ 0 };
    for (size_t i = 0; i < count; i++) {
        if (h->v[i].fingerprint != fingerprint)
            continue;
        times[u->len] = h->v[i].ready_ms;
        u->v[u->len++] = &h->v[i];
    }
    if (u->len >= HISTORY_ENOUGH)
        u->usual_ms = median(times, u->len);
}

bool usual_is_slower(const struct usual *u, const struct cJSON *run)
{
    double ready = number_of(run, "ready_ms");

    return u->len >= HISTORY_ENOUGH && ready > u->usual_ms * HISTORY_TIMES &&
           ready > u->usual_ms + HISTORY_MORE_MS;
}

/* What the item did in that run. It is most likely at the same place there, so
 * look there first. */
static double own_ms_in(const struct past *p, uint64_t id, size_t index)
{
    if (index < p->len && p->items[index].id == id)
        return p->items[index].own_ms;
    for (size_t i = 0; i < p->len; i++)
        if (p->items[i].id == id)
            return p->items[i].own_ms;
    return 0;
}

double usual_own_ms(const struct usual *u, const struct cJSON *item,
                    size_t index)
{
    uint64_t id = id_of(item);
    double own[HISTORY_RUNS];

    for (size_t i = 0; i < u->len; i++)
        own[i] = own_ms_in(u->v[i], id, index);
    return median(own, u->len);
}

const struct cJSON *usual_culprit(const struct usual *u,
                                  const struct cJSON *run)
{
    const struct cJSON *best = NULL, *item;
    double most = 0;
    size_t index = 0;

    cJSON_ArrayForEach(item, get(run, "items"))
    {
        double more =
            cJSON_IsTrue(get(item, "critical"))
                ? number_of(item, "own_ms") - usual_own_ms(u, item, index)
                : 0;

        if (more > most) {
            most = more;
            best = item;
        }
        index++;
    }
    return best;
}
