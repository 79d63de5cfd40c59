#include "prepared/template_list.h"
#include "base/label.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "rack.h"

/* One question to the engine. */
struct template_query {
    struct link *link;
    bool all;
    template_list_cb cb;
    void *user;
    struct template_query *prev, *next;
};

static void on_images(const struct engine_object *list, size_t count,
                      const struct err *err, void *user);

/* ---- when was it used? --------------------------------------------------- */

/* "DIR/templates/mysql:0123456789abcdef"; the caller frees it. */
static char *mark_path(const struct rack *r, const char *name)
{
    const char *slash = strrchr(name, '/');

    return xasprintf("%s/templates/%s", r->store.dir,
                     slash == NULL ? name : slash + 1);
}

void template_touch(const struct rack *r, const char *name)
{
    cleanup_free char *path = mark_path(r, name);
    cleanup_free char *dir = xasprintf("%s/templates", r->store.dir);
    int fd;

    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        log_warn("templates", "%s: %s", dir, strerror(errno));
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || futimens(fd, NULL) < 0)
        log_warn("templates", "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

static int64_t used(const struct rack *r, const char *name, int64_t made)
{
    cleanup_free char *path = mark_path(r, name);
    struct stat st;

    if (*name == '\0' || stat(path, &st) < 0)
        return made;
    return st.st_mtime > made ? st.st_mtime : made;
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

static bool is_foreign(const struct rack *r, const struct engine_object *image)
{
    return strcmp(strv_value(&image->labels, LABEL_TEMPLATE_RACK),
                  r->store.rack_id) != 0;
}

static void read_template(struct template_info *out, const struct rack *r,
                          const struct engine_object *image,
                          const struct engine_object *base)
{
    out->name = image->name;
    out->id = image->id;
    out->kind = strv_value(&image->labels, LABEL_TEMPLATE_KIND);
    out->image = strv_value(&image->labels, LABEL_TEMPLATE_IMAGE);
    out->size = image->size - (base == NULL ? 0 : base->size);
    out->made = image->created;
    out->used = used(r, image->name, image->created);
    out->foreign = is_foreign(r, image);
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
           (q->all || !is_foreign(q->link->rack, image));
}

static void on_images(const struct engine_object *list, size_t count,
                      const struct err *err, void *user)
{
    struct template_query *q = user;
    struct rack *r = q->link->rack;
    struct template_info *all = xcalloc(count + 1, sizeof(*all));
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        if (is_wanted(q, &list[i]))
            read_template(
                &all[n++], r, &list[i],
                find(list, count,
                     strv_value(&list[i].labels, LABEL_TEMPLATE_BASE)));
    qsort(all, n, sizeof(*all), by_age);
    q->cb(all, n, err, q->user);
    free(all);
    DL_DELETE(q->link->template_queries, q);
    free(q);
}

void template_list(struct link *link, bool all, template_list_cb cb, void *user)
{
    struct template_query *q = xcalloc(1, sizeof(*q));

    q->link = link;
    q->all = all;
    q->cb = cb;
    q->user = user;
    DL_APPEND(link->template_queries, q);
    engine_image_list(link->engine, NULL, on_images, q);
}

void template_list_drop(struct link *link)
{
    struct template_query *q, *next;

    DL_FOREACH_SAFE (link->template_queries, q, next)
        free(q);
    link->template_queries = NULL;
}

/* ---- removal ------------------------------------------------------------- */

static void on_removed(const struct err *err, void *user)
{
    (void)user;
    if (err != NULL)
        log_info("templates", "not removed: %s", err->msg);
}

void template_remove_told(struct link *link, const char *name,
                          engine_done_cb cb, void *user)
{
    cleanup_free char *path = mark_path(link->rack, name);

    unlink(path);
    engine_image_remove(link->engine, name, cb, user);
}

void template_remove(struct link *link, const char *name)
{
    template_remove_told(link, name, on_removed, NULL);
}

static void on_trim(const struct template_info *list, size_t count,
                    const struct err *err, void *user)
{
    struct link *link = user;
    long long sum = 0, most = (long long)link->rack->templates_mb << 20;

    if (err != NULL)
        return;
    for (size_t i = 0; i < count; i++)
        sum += list[i].size;
    for (size_t i = 0; i < count; i++) {
        if (*list[i].name == '\0' && templates_are_made(link))
            continue; /* one that is about to get its name */
        if (*list[i].name != '\0' && sum <= most)
            break;
        log_info("templates", "%s is removed: %s", list[i].id,
                 *list[i].name == '\0' ? "it was never finished"
                                       : "all take more than CVX_TEMPLATES_MB");
        sum -= list[i].size;
        template_remove(link,
                        *list[i].name == '\0' ? list[i].id : list[i].name);
    }
}

void template_trim(struct link *link)
{
    template_list(link, false, on_trim, link);
}
