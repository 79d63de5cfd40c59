/* Plans the resources: each becomes a container, an efs volume, or (when the
 * app's environment has its URL) only variables. plan.c calls it before the
 * services are planned. */
#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "plan/planner.h"
#include "plan/vars.h"

/* The longest name that a cloud database may have; Convox checks it at
 * release. */
#define MANAGED_NAME_MAX 20

/* A server whose data is kept gets this long to write it down; any other is
 * killed at once. */
#define KEPT_GRACE_S 10

#define INIT_SQL_PATH "/docker-entrypoint-initdb.d/cvx.sql"

/* The tag of the image: `options.version` as it is written, or the default of
 * the type. */
static const char *version_of(const struct manifest_resource *r,
                              const struct resource_type *type)
{
    for (size_t i = 0; i < r->options.len; i++)
        if (strcmp(r->options.v[i].key, "version") == 0 &&
            *planner_text(r->options.v[i].value) != '\0')
            return r->options.v[i].value;
    return type->version;
}

static char *make_image(const struct manifest_resource *r,
                        const struct resource_type *type)
{
    if (*planner_text(r->image) != '\0')
        return xstrdup(r->image);
    return xasprintf("%s:%s", type->image, version_of(r, type));
}

/* Appends each line of `lines` (NULL: none), empty ones too: an empty line is
 * an empty argument. */
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

/* What the data is of, as part of its volume's name: "postgres-17" where
 * another major version could not read it, else "redis". */
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

static void keep_data(struct planner *pl, struct plan_resource *out,
                      const struct resource_type *type)
{
    cleanup_free char *what = NULL;
    struct plan_mount *mount;

    if (type->data == NULL)
        return;
    out->container.stop_grace_s = KEPT_GRACE_S;
    what = data_name(out, type);
    mount = vec_add(&out->container.mounts);
    mount->volume = planner_data_volume(pl, out->name, what);
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

static void make_container(struct planner *pl,
                           const struct manifest_resource *r,
                           const struct resource_type *type,
                           struct plan_resource *out)
{
    struct plan_container *c = &out->container;
    bool keep = pl->opts->keep_data;
    struct plan_port *port;

    out->has_container = true;
    out->probe = type->probe;
    out->standin = type->standin == NULL ? NULL : xstrdup(type->standin);
    c->image = make_image(r, type);
    add_lines(&c->argv, keep ? type->kept_args : type->scratch_args);
    make_env(out, type, keep);
    if (keep)
        keep_data(pl, out, type);
    else
        allow_template(out, type);
    add_init_sql(c, type->init_sql);

    port = vec_add(&c->ports);
    *port = (struct plan_port){ .container = type->port, .published = true };
    strv_add(&c->aliases, out->vars.host);
    if (env_get(&pl->services, r->name) == NULL)
        strv_add(&c->aliases, r->name);
}

static bool is_managed_name(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= MANAGED_NAME_MAX &&
           islower((unsigned char)name[0]) && name[len - 1] != '-' &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static void check_managed_name(struct planner *pl,
                               const struct manifest_resource *r)
{
    if ((!str_starts(r->type, "rds-") &&
         !str_starts(r->type, "elasticache-")) ||
        is_managed_name(r->name))
        return;
    diags_add(pl->diags, DIAG_WARNING, r->pos,
              "resource name %s: a cloud rack takes at most %d lowercase "
              "letters, digits and dashes for %s, beginning with a letter",
              r->name, MANAGED_NAME_MAX, r->type);
}

static void report_unknown(struct planner *pl,
                           const struct manifest_resource *r,
                           const char *nearest)
{
    cleanup_free char *names = resource_type_names();

    diags_add(pl->diags, DIAG_ERROR,
              r->type_pos.line > 0 ? r->type_pos : r->pos,
              "unknown resource type: %s%s%s%s; the types are %s", r->type,
              nearest == NULL ? "" : " (did you mean ", planner_text(nearest),
              nearest == NULL ? "" : "?)", names);
}

/* The NAME_URL that the app's environment gives; NULL when it is blank. With
 * one, the database is somebody else's and needs no container. */
static const char *overlay(struct planner *pl, const char *name)
{
    cleanup_free char *key = vars_key(name, "URL");
    const char *url = planner_text(env_get(pl->opts->env, key));

    return url[strspn(url, " \t\r\n")] == '\0' ? NULL : url;
}

static void make_resource(struct planner *pl, const struct manifest_resource *r)
{
    const char *nearest = NULL, *url = overlay(pl, r->name);
    const struct resource_type *type = resource_type_find(r->type, &nearest);
    struct plan_resource *out;

    if (type == NULL) {
        report_unknown(pl, r, nearest);
        return;
    }
    check_managed_name(pl, r);
    out = vec_add(&pl->plan->resources);
    out->name = xstrdup(r->name);
    out->type = xstrdup(r->type);
    out->kind = xstrdup(type->kind);
    out->port = type->port;
    out->volume = -1;
    out->container.build = -1;
    if (type->url == NULL) {
        planner_efs(pl, r, out);
    } else if (url != NULL) {
        out->external = true;
        vars_from_url(&out->vars, type, url);
    } else {
        vars_make(&out->vars, type, r->name, planner_text(pl->opts->password));
        make_container(pl, r, type, out);
    }
}

void planner_resources(struct planner *pl)
{
    for (size_t i = 0; i < pl->m->resources.len; i++) {
        const struct manifest_resource *r = &pl->m->resources.v[i];

        /* The manifest has reported a blank type, and a second resource of one
         * name. */
        if (*planner_text(r->type) != '\0' &&
            planner_find_resource(pl, r->name) == NULL)
            make_resource(pl, r);
    }
}
