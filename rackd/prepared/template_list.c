/*
 * Asks an engine for the templates it has, notes when each was used, and
 * removes them. prepared/templates.c and api/templates.c call it.
 */
#include "prepared/template_list.h"

#include <string.h>
#include <utlist.h>

#include "base/err.h"
#include "base/label.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strv.h"
#include "rack/link.h"
#include "store/store.h"

struct template_list {
    const struct store *store;
    unsigned long max_mb;
    struct template_query *queries; /* under way */
};

/* One question to an engine. */
struct template_query {
    struct template_list *list;
    struct engine_call *call;
    bool all;
    bool making; /* of a trim */
    struct link *link;
    template_list_cb cb;
    void *user;
    struct template_query *prev, *next;
};

static void on_images(const struct engine_object *list, size_t count,
                      const struct err *err, void *user);

struct template_list *template_list_new(const struct store *store,
                                        unsigned long max_mb)
{
    struct template_list *l = xcalloc(1, sizeof(*l));

    l->store = store;
    l->max_mb = max_mb;
    return l;
}

void template_touch(struct template_list *l, const char *name)
{
    struct err err = { 0 };

    if (store_template_touch(l->store, name, &err) < 0)
        log_warn("templates", "%s", err.msg);
}

static int64_t used(const struct template_list *l, const char *name,
                    int64_t made)
{
    int64_t when = *name == '\0' ? 0 : store_template_used(l->store, name);

    return when > made ? when : made;
}

/* ---- the list ------------------------------------------------------------ */

static const struct engine_object *find(const struct engine_object *list,
                                        size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].id, id) == 0)
            return &list[i];
    return NULL;
}

static bool is_foreign(const struct template_list *l,
                       const struct engine_object *image)
{
    return strcmp(strv_value(&image->labels, LABEL_TEMPLATE_RACK),
                  l->store->rack_id) != 0;
}

static void read_template(struct template_info *out,
                          const struct template_list *l,
                          const struct engine_object *image,
                          const struct engine_object *base)
{
    out->name = image->name;
    out->id = image->id;
    out->kind = strv_value(&image->labels, LABEL_TEMPLATE_KIND);
    out->image = strv_value(&image->labels, LABEL_TEMPLATE_IMAGE);
    out->size = image->size - (base == NULL ? 0 : base->size);
    out->made = image->created;
    out->used = used(l, image->name, image->created);
    out->foreign = is_foreign(l, image);
    out->stale = base == NULL || *base->name == '\0';
}

static int rank(const struct template_info *t)
{
    return *t->name == '\0' ? 0 : t->stale ? 1 : 2;
}

static int by_age(const void *a, const void *b)
{
    const struct template_info *x = a, *y = b;

    if (rank(x) != rank(y))
        return rank(x) - rank(y);
    return x->used < y->used ? -1 : x->used > y->used;
}

static bool is_wanted(const struct template_query *q,
                      const struct engine_object *image)
{
    return *strv_value(&image->labels, LABEL_TEMPLATE) != '\0' &&
           (q->all || !is_foreign(q->list, image));
}

static void on_images(const struct engine_object *list, size_t count,
                      const struct err *err, void *user)
{
    struct template_query *q = user;
    struct template_info *all = xcalloc(count + 1, sizeof(*all));
    size_t n = 0;

    DL_DELETE(q->list->queries, q);
    for (size_t i = 0; i < count; i++)
        if (is_wanted(q, &list[i]))
            read_template(
                &all[n++], q->list, &list[i],
                find(list, count,
                     strv_value(&list[i].labels, LABEL_TEMPLATE_BASE)));
    qsort(all, n, sizeof(*all), by_age);
    q->cb(all, n, err, q->user);
    free(all);
    free(q);
}

static struct template_query *ask(struct template_list *l, struct link *link,
                                  bool all, template_list_cb cb, void *user)
{
    struct template_query *q = xcalloc(1, sizeof(*q));

    q->list = l;
    q->link = link;
    q->all = all;
    q->cb = cb;
    q->user = user == NULL ? q : user;
    DL_APPEND(l->queries, q);
    q->call = engine_image_list(link->engine, NULL, on_images, q);
    return q;
}

void template_list_ask(struct template_list *l, struct link *link, bool all,
                       template_list_cb cb, void *user)
{
    ask(l, link, all, cb, user);
}

void template_list_close(struct template_list *l)
{
    struct template_query *q, *next;

    DL_FOREACH_SAFE (l->queries, q, next) {
        engine_cancel(q->call);
        free(q);
    }
    free(l);
}

/* ---- removal ------------------------------------------------------------- */

static void on_removed(const struct err *err, void *user)
{
    (void)user;
    if (err != NULL)
        log_info("templates", "not removed: %s", err->msg);
}

void template_remove_told(struct template_list *l, struct link *link,
                          const char *name, engine_done_cb cb, void *user)
{
    store_template_forget(l->store, name);
    engine_image_remove(link->engine, name, cb, user);
}

void template_remove(struct template_list *l, struct link *link,
                     const char *name)
{
    template_remove_told(l, link, name, on_removed, NULL);
}

static void trim_one(struct template_query *q, const struct template_info *t)
{
    bool unfinished = *t->name == '\0';

    log_info("templates", "%s is removed: %s", t->id,
             unfinished ? "it was never finished"
                        : "all take more than CVX_TEMPLATES_MB");
    template_remove(q->list, q->link, unfinished ? t->id : t->name);
}

static void on_trim(const struct template_info *list, size_t count,
                    const struct err *err, void *user)
{
    struct template_query *q = user;
    long long sum = 0, most = (long long)q->list->max_mb << 20;

    if (err != NULL)
        return;
    for (size_t i = 0; i < count; i++)
        sum += list[i].size;
    for (size_t i = 0; i < count; i++) {
        if (*list[i].name == '\0' && q->making)
            continue; /* one that is about to get its name */
        if (*list[i].name != '\0' && sum <= most)
            break;
        sum -= list[i].size;
        trim_one(q, &list[i]);
    }
}

void template_trim(struct template_list *l, struct link *link, bool making)
{
    struct template_query *q = ask(l, link, false, on_trim, NULL);

    q->making = making;
}
