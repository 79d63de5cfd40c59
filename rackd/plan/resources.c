#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "plan/maker.h"
#include "plan/vars.h"

/* What managed databases may be called (Convox checks it at release). */
#define MANAGED_NAME_MAX 20

/* Time for a server to write its data down before it is killed; without
 * kept data it is killed at once. */
#define KEPT_GRACE_S 10

#define INIT_SQL_PATH "/docker-entrypoint-initdb.d/cvx.sql"

/* The tag: `options.version` as it is written, or the type's own. */
static const char *version_of(const struct manifest_resource *r,
                              const struct resource_type *type)
{
    for (size_t i = 0; i < r->options.len; i++)
        if (strcmp(r->options.v[i].key, "version") == 0 &&
            *maker_text(r->options.v[i].value) != '\0')
            return r->options.v[i].value;
    return type->version;
}

static char *make_image(const struct manifest_resource *r,
                        const struct resource_type *type)
{
    if (*maker_text(r->image) != '\0')
        return xstrdup(r->image);
    return xasprintf("%s:%s", type->image, version_of(r, type));
}

/* Each line of `lines` (NULL: none) to `out`, empty ones too. */
static void add_lines(struct strv *out, const char *lines)
{
    while (lines != NULL) {
        size_t len = strcspn(lines, "\n");

        strv_add_len(out, lines, len);
        lines = lines[len] == '\n' ? lines + len + 1 : NULL;
    }
}

static void make_env(struct plan_resource *out,
                     const struct resource_type *type, bool keep)
{
    struct strv *env = &out->container.env;

    if (type->env != NULL) {
        cleanup_free char *filled = vars_fill(&out->vars, type->env, false);

        add_lines(env, filled);
    }
    add_lines(env, keep ? type->kept_env : type->scratch_env);
    strv_sort(env);
}

/* "postgres-17" where another major version could not read the data. */
static char *data_name(const struct plan_resource *r,
                       const struct resource_type *type)
{
    const char *slash = strrchr(r->container.image, '/');
    const char *tag = strchr(slash == NULL ? r->container.image : slash, ':');
    size_t digits = tag == NULL ? 0 : strspn(tag + 1, "0123456789");

    if (!type->data_by_major || digits == 0)
        return xstrdup(type->kind);
    return xasprintf("%s-%.*s", type->kind, (int)digits, tag + 1);
}

static void keep_data(struct maker *mk, struct plan_resource *out,
                      const struct resource_type *type)
{
    cleanup_free char *what = NULL;
    struct plan_mount *mount;

    if (type->data == NULL)
        return;
    out->container.stop_grace_s = KEPT_GRACE_S;
    what = data_name(out, type);
    mount = vec_add(&out->container.mounts);
    mount->volume = maker_data_volume(mk, out->name, what);
    mount->target = xstrdup(type->data);
}

static void allow_template(struct plan_resource *out,
                           const struct resource_type *type)
{
    add_lines(&out->server, type->server);
    out->template_tls = type->template_tls;
    if (type->server_user != NULL)
        out->server_user = xstrdup(type->server_user);
    add_lines(&out->container.argv, type->template_args);
    add_lines(&out->container.env, type->template_env);
    strv_sort(&out->container.env);
}

static void add_init_sql(struct plan_container *c, const char *sql)
{
    struct plan_file *file;

    if (sql == NULL)
        return;
    file = vec_add(&c->files);
    file->path = xstrdup(INIT_SQL_PATH);
    file->text = xstrdup(sql);
}

static void make_container(struct maker *mk, const struct manifest_resource *r,
                           const struct resource_type *type,
                           struct plan_resource *out)
{
    struct plan_container *c = &out->container;
    bool keep = mk->opts->keep_data;
    struct plan_port *port;

    out->has_container = true;
    out->probe = type->probe;
    out->standin = type->standin == NULL ? NULL : xstrdup(type->standin);
    c->image = make_image(r, type);
    add_lines(&c->argv, keep ? type->kept_args : type->scratch_args);
    make_env(out, type, keep);
    if (keep)
        keep_data(mk, out, type);
    else
        allow_template(out, type);
    add_init_sql(c, type->init_sql);

    port = vec_add(&c->ports);
    *port = (struct plan_port){ .container = type->port, .published = true };
    strv_add(&c->aliases, out->vars.host);
    if (env_get(&mk->services, r->name) == NULL)
        strv_add(&c->aliases, r->name);
}

static bool is_managed_name(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= MANAGED_NAME_MAX &&
           islower((unsigned char)name[0]) && name[len - 1] != '-' &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static void check_managed_name(struct maker *mk,
                               const struct manifest_resource *r)
{
    if ((!str_starts(r->type, "rds-") &&
         !str_starts(r->type, "elasticache-")) ||
        is_managed_name(r->name))
        return;
    diags_add(mk->diags, DIAG_WARNING, r->pos,
              "resource name %s: a cloud rack takes at most %d lowercase "
              "letters, digits and dashes for %s, beginning with a letter",
              r->name, MANAGED_NAME_MAX, r->type);
}

static void report_unknown(struct maker *mk, const struct manifest_resource *r,
                           const char *nearest)
{
    cleanup_free char *names = resource_names();

    diags_add(mk->diags, DIAG_ERROR,
              r->type_pos.line > 0 ? r->type_pos : r->pos,
              "unknown resource type: %s%s%s%s; the types are %s", r->type,
              nearest == NULL ? "" : " (did you mean ", maker_text(nearest),
              nearest == NULL ? "" : "?)", names);
}

/* The app's own NAME_URL, when it is not blank; else NULL. */
static const char *overlay(struct maker *mk, const char *name)
{
    cleanup_free char *key = vars_key(name, "URL");
    const char *url = maker_text(env_get(mk->opts->env, key));

    return url[strspn(url, " \t\r\n")] == '\0' ? NULL : url;
}

static void make_resource(struct maker *mk, const struct manifest_resource *r)
{
    const char *nearest = NULL, *url = overlay(mk, r->name);
    const struct resource_type *type = resource_find(r->type, &nearest);
    struct plan_resource *out;

    if (type == NULL) {
        report_unknown(mk, r, nearest);
        return;
    }
    check_managed_name(mk, r);
    out = vec_add(&mk->plan->resources);
    out->name = xstrdup(r->name);
    out->type = xstrdup(r->type);
    out->kind = xstrdup(type->kind);
    out->port = type->port;
    out->volume = -1;
    out->container.build = -1;
    if (type->url == NULL) {
        maker_efs(mk, r, out);
    } else if (url != NULL) {
        out->external = true;
        vars_from_url(&out->vars, type, url);
    } else {
        vars_make(&out->vars, type, r->name, maker_text(mk->opts->password));
        make_container(mk, r, type, out);
    }
}

void maker_resources(struct maker *mk)
{
    for (size_t i = 0; i < mk->m->resources.len; i++) {
        const struct manifest_resource *r = &mk->m->resources.v[i];

        /* A blank type, or a second one of a name, is the manifest's error. */
        if (*maker_text(r->type) != '\0' &&
            maker_find_resource(mk, r->name) == NULL)
            make_resource(mk, r);
    }
}
