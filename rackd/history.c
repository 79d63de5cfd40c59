#include "history.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

/* A former run, its items by their place. */
struct past {
    double ready_ms;
    const struct cJSON **items;
    size_t len;
};

static const struct cJSON *get(const struct cJSON *o, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(o, name);
}

static const char *text_of(const struct cJSON *o, const char *name)
{
    const struct cJSON *t = get(o, name);

    return cJSON_IsString(t) ? t->valuestring : "";
}

/* -1 where it is none, or no time. */
static double ms_of(const struct cJSON *o, const char *name)
{
    const struct cJSON *n = get(o, name);

    return cJSON_IsNumber(n) && n->valuedouble >= 0 && n->valuedouble < 1e12
               ? n->valuedouble
               : -1;
}

/* ---- lines -------------------------------------------------------------- */

static bool is_item(const struct cJSON *item)
{
    return *text_of(item, "kind") != '\0' && *text_of(item, "name") != '\0' &&
           ms_of(item, "own_ms") >= 0;
}

static bool is_run(const struct cJSON *run)
{
    const struct cJSON *items = get(run, "items"), *item;

    if (!cJSON_IsArray(items) || ms_of(run, "ready_ms") < 0)
        return false;
    cJSON_ArrayForEach(item, items)
    {
        if (!is_item(item))
            return false;
    }
    return true;
}

struct cJSON *history_parse(const char *text, size_t len, unsigned *bad)
{
    struct cJSON *runs = cJSON_CreateArray();
    const char *end = text + len;

    *bad = 0;
    while (text < end) {
        const char *nl = memchr(text, '\n', (size_t)(end - text));
        size_t line = (size_t)((nl == NULL ? end : nl) - text);
        struct cJSON *run = cJSON_ParseWithLength(text, line);

        if (is_run(run)) {
            history_add(runs, run);
        } else {
            cJSON_Delete(run);
            *bad += line > 0;
        }
        text += line + 1;
    }
    return runs;
}

void history_add(struct cJSON *runs, struct cJSON *run)
{
    cJSON_AddItemToArray(runs, run);
    while (cJSON_GetArraySize(runs) > HISTORY_RUNS)
        cJSON_DeleteItemFromArray(runs, 0);
}

void history_print(const struct cJSON *runs, struct str *out)
{
    const struct cJSON *run;

    cJSON_ArrayForEach(run, runs)
    {
        cleanup_free char *line = cJSON_PrintUnformatted(run);

        str_printf(out, "%s\n", line);
    }
    while (out->len > HISTORY_BYTES_MAX) {
        size_t first = strcspn(out->s, "\n") + 1;

        if (first == out->len) /* the only one */
            return;
        str_drop(out, first);
    }
}

/* ---- what is usual ------------------------------------------------------ */

static void past_fill(struct past *p, const struct cJSON *run)
{
    const struct cJSON *items = get(run, "items"), *item;

    p->ready_ms = ms_of(run, "ready_ms");
    p->items = xcalloc((size_t)cJSON_GetArraySize(items) + 1,
                       sizeof(const struct cJSON *));
    cJSON_ArrayForEach(item, items) p->items[p->len++] = item;
}

static bool is_container(const struct cJSON *item)
{
    const char *kind = text_of(item, "kind");

    return strcmp(kind, "resource") == 0 || strcmp(kind, "service") == 0 ||
           strcmp(kind, "init") == 0;
}

static bool is_same(const struct cJSON *a, const struct cJSON *b)
{
    return strcmp(text_of(a, "kind"), text_of(b, "kind")) == 0 &&
           strcmp(text_of(a, "name"), text_of(b, "name")) == 0 &&
           ms_of(a, "replica") == ms_of(b, "replica");
}

static const struct cJSON *next_container(const struct cJSON *item)
{
    while (item != NULL && !is_container(item))
        item = item->next;
    return item;
}

/* Containers come in the plan's order, images and builds as they are needed. */
static bool is_like(const struct cJSON *a, const struct cJSON *b)
{
    const struct cJSON *x = next_container(get(a, "items")->child);
    const struct cJSON *y = next_container(get(b, "items")->child);

    if (strcmp(text_of(a, "engine"), text_of(b, "engine")) != 0 ||
        cJSON_IsTrue(get(a, "keep_data")) != cJSON_IsTrue(get(b, "keep_data")))
        return false;
    while (x != NULL && y != NULL && is_same(x, y)) {
        x = next_container(x->next);
        y = next_container(y->next);
    }
    return x == NULL && y == NULL;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Sorts them. */
static double median(double *v, size_t len)
{
    if (len == 0)
        return 0;
    qsort(v, len, sizeof(*v), by_value);
    return len % 2 == 1 ? v[len / 2] : (v[len / 2 - 1] + v[len / 2]) / 2;
}

void usual_find(struct usual *u, const struct cJSON *runs,
                const struct cJSON *run)
{
    double times[HISTORY_RUNS];
    const struct cJSON *one;

    *u = (struct usual){ 0 };
    cJSON_ArrayForEach(one, runs)
    {
        if (one != run && u->len < HISTORY_RUNS && is_like(one, run))
            past_fill(vec_add(u), one);
    }
    for (size_t i = 0; i < u->len; i++)
        times[i] = u->v[i].ready_ms;
    if (u->len >= HISTORY_ENOUGH)
        u->usual_ms = median(times, u->len);
}

void usual_release(struct usual *u)
{
    for (size_t i = 0; i < u->len; i++)
        free(u->v[i].items);
    free(u->v);
    *u = (struct usual){ 0 };
}

bool usual_is_slower(const struct usual *u, const struct cJSON *run)
{
    double ready = ms_of(run, "ready_ms");

    return u->len >= HISTORY_ENOUGH && ready > u->usual_ms * HISTORY_TIMES &&
           ready > u->usual_ms + HISTORY_MORE_MS;
}

/* What it did in that run: most likely it is at the same place there. */
static double own_in(const struct past *p, const struct cJSON *item,
                     size_t index)
{
    if (index < p->len && is_same(p->items[index], item))
        return ms_of(p->items[index], "own_ms");
    for (size_t i = 0; i < p->len; i++)
        if (is_same(p->items[i], item))
            return ms_of(p->items[i], "own_ms");
    return 0;
}

double usual_own_ms(const struct usual *u, const struct cJSON *item,
                    size_t index)
{
    double own[HISTORY_RUNS];

    for (size_t i = 0; i < u->len; i++)
        own[i] = own_in(&u->v[i], item, index);
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
        double more = cJSON_IsTrue(get(item, "critical"))
                          ? ms_of(item, "own_ms") - usual_own_ms(u, item, index)
                          : 0;

        if (more > most) {
            most = more;
            best = item;
        }
        index++;
    }
    return best;
}
