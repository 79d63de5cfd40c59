/* Puts a service's environment together, in the order of precedence: each step
 * overwrites what an earlier one set. services.c calls planner_environ() for
 * each service; plan.c asks for the warning about .env at the end. */
#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "plan/planner.h"
#include "plan/vars.h"

/* The env_var.source of variables that come from the .env file beside the
 * manifest. */
#define DOT_ENV ".env"

/* The environment of one service while it is put together. */
struct environ {
    const struct planner *pl;
    const struct manifest_service *s;
    struct env vars;
    struct env links;     /* the keys that come from `links` */
    struct env resources; /* the keys that come from resources */
    /* The same, with those of resources that have an error. */
    struct env promised;
};

static bool has(const struct env *set, const char *key)
{
    return env_get(set, key) != NULL;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

/* ---- 1. the system's --------------------------------------------------- */

static void add_system(struct environ *e)
{
    const struct plan_opts *opts = e->pl->opts;
    const struct {
        const char *key, *value;
    } system[] = {
        { "APP", opts->app },           { "BUILD", opts->build_id },
        { "BUILD_DESCRIPTION", NULL },  { "RACK", opts->rack },
        { "RACK_URL", opts->rack_url }, { "RELEASE", opts->release },
        { "SERVICE", e->s->name },
    };

    for (size_t i = 0; i < sizeof(system) / sizeof(system[0]); i++)
        env_set(&e->vars, system[i].key, planner_text(system[i].value), NULL);
    if (e->s->port.port > 0) {
        cleanup_free char *port = xasprintf("%d", e->s->port.port);

        env_set(&e->vars, "PORT", port, NULL);
    }
}

/* ---- 2. links: NAME_URL of other services ------------------------------ */

static const struct manifest_service *find_service(const struct manifest *m,
                                                   const char *name)
{
    for (size_t i = 0; i < m->services.len; i++)
        if (strcmp(m->services.v[i].name, name) == 0)
            return &m->services.v[i];
    return NULL;
}

static void add_links(struct environ *e)
{
    for (size_t i = 0; i < e->s->links.len; i++) {
        const char *name = e->s->links.v[i];
        const struct manifest_service *to = find_service(e->pl->m, name);
        cleanup_free char *key = NULL, *url = NULL;

        if (to == NULL || to->port.port == 0)
            continue;
        key = vars_key(name, "URL");
        url = xasprintf("%s://%s:%d",
                        to->port.scheme == NULL ? "http" : to->port.scheme,
                        name, to->port.port);
        env_set(&e->vars, key, url, NULL);
        env_set(&e->links, key, "", NULL);
    }
}

/* ---- 3. the manifest's defaults ---------------------------------------- */

static void add_defaults(struct environ *e)
{
    const struct manifest_envs *list = &e->s->environment;

    for (size_t i = 0; i < list->len; i++)
        if (list->v[i].value != NULL)
            env_set(&e->vars, list->v[i].key, list->v[i].value, NULL);
}

/* ---- 4. resources ------------------------------------------------------ */

/* Sets one variable of a resource. `r` is NULL for a resource that was an error
 * elsewhere: its key is only noted, so that no second error says that it is
 * missing. */
static void add_variable(struct environ *e, const struct plan_resource *r,
                         const char *key, const char *suffix)
{
    env_set(&e->promised, key, "", NULL);
    if (r == NULL)
        return;
    env_set(&e->vars, key, vars_get(&r->vars, suffix), NULL);
    env_set(&e->resources, key, "", NULL);
}

/* Sets the variable that `- main:OTHER_URL` names. What follows the last "_" of
 * the alias says which of the six values it gets. */
static void add_alias(struct environ *e, const struct plan_resource *r,
                      const char *alias)
{
    cleanup_free char *key = NULL;
    const char *suffix;
    size_t len;

    while (isspace((unsigned char)*alias))
        alias++;
    len = strlen(alias);
    while (len > 0 && isspace((unsigned char)alias[len - 1]))
        len--;
    key = str_dup_len(alias, len);
    suffix = strrchr(key, '_');
    if (len > 0)
        add_variable(e, r, key, suffix == NULL ? "URL" : suffix + 1);
}

static void add_resource(struct environ *e, const struct manifest_use *use)
{
    const struct plan_resource *r = planner_find_resource(e->pl, use->resource);
    const char *suffix;

    if (r != NULL && r->vars.url == NULL)
        return; /* efs has no variables */
    if (use->variable != NULL) {
        add_alias(e, r, use->variable);
        return;
    }
    for (size_t i = 0; (suffix = vars_suffix(i)) != NULL; i++) {
        cleanup_free char *key = vars_key(use->resource, suffix);

        add_variable(e, r, key, suffix);
    }
}

/* ---- 5. the app's environment ------------------------------------------ */

/* A blank value does not hide a resource's variable: a blank NAME_URL does not
 * switch the resource's container off either. */
static void add_from_app(struct environ *e, const char *key)
{
    const char *value = env_get(e->pl->opts->env, key);

    if (value == NULL || (is_blank(value) && has(&e->resources, key)))
        return;
    env_set(&e->vars, key, value, NULL);
}

static void add_app(struct environ *e)
{
    const struct manifest_envs *list = &e->s->environment;
    const struct env *app = e->pl->opts->env;

    for (size_t i = 0; i < list->len; i++) {
        if (strcmp(list->v[i].key, "*") != 0) {
            add_from_app(e, list->v[i].key);
            continue;
        }
        for (size_t n = 0; n < app->len; n++)
            add_from_app(e, app->v[n].key);
    }
    for (size_t i = 0; i < e->links.len; i++)
        add_from_app(e, e->links.v[i].key);
}

/* ---- what is missing --------------------------------------------------- */

/* True for a required key that nobody provides. System variables, links and
 * resources provide one; a default elsewhere in the list does not, as in
 * Convox. */
static bool is_missing(const struct environ *e, const struct manifest_env *item)
{
    static const char *const system[] = { "APP",    "BUILD",    "PORT",
                                          "RACK",   "RACK_URL", "RELEASE",
                                          "SERVICE" };

    if (item->value != NULL || strcmp(item->key, "*") == 0 ||
        has(e->pl->opts->env, item->key) || has(&e->links, item->key) ||
        has(&e->promised, item->key))
        return false;
    for (size_t i = 0; i < sizeof(system) / sizeof(system[0]); i++)
        if (strcmp(item->key, system[i]) == 0)
            return !has(&e->vars, item->key);
    return true;
}

static void report_missing(const struct environ *e)
{
    const struct manifest_envs *list = &e->s->environment;
    cleanup_strv struct strv missing = { 0 };
    cleanup_free char *names = NULL;
    struct diag_pos pos = { 0 };

    for (size_t i = 0; i < list->len; i++) {
        if (!is_missing(e, &list->v[i]) || strv_has(&missing, list->v[i].key))
            continue;
        if (missing.len == 0)
            pos = list->v[i].pos;
        strv_add(&missing, list->v[i].key);
    }
    if (missing.len == 0)
        return;
    strv_sort(&missing);
    names = strv_join(&missing, ", ");
    diags_add(e->pl->diags, DIAG_ERROR, pos.line > 0 ? pos : e->s->pos,
              "required env: %s (service %s): set %s with "
              "`cvx env set %s=...`, in .env, or with -e %s=...",
              names, e->s->name, missing.len == 1 ? "it" : "them", missing.v[0],
              missing.v[0]);
}

void planner_environ(struct planner *pl, const struct manifest_service *s,
                     struct strv *out)
{
    struct environ e = { .pl = pl, .s = s };

    add_system(&e);
    add_links(&e);
    add_defaults(&e);
    for (size_t i = 0; i < s->resources.len; i++)
        add_resource(&e, &s->resources.v[i]);
    add_app(&e);
    report_missing(&e);

    planner_env_list(&e.vars, out);
    env_release(&e.vars);
    env_release(&e.links);
    env_release(&e.resources);
    env_release(&e.promised);
}

/* ---- .env -------------------------------------------------------------- */

/* Collects every key that some service, link, resource or ${NAME} uses. False
 * when a service takes all ("*"), so that none can be undeclared. */
static bool collect_declared(const struct manifest *m, struct env *declared)
{
    for (size_t i = 0; i < m->services.len; i++) {
        const struct manifest_service *s = &m->services.v[i];

        for (size_t n = 0; n < s->environment.len; n++) {
            if (strcmp(s->environment.v[n].key, "*") == 0)
                return false;
            env_set(declared, s->environment.v[n].key, "", NULL);
        }
        for (size_t n = 0; n < s->links.len; n++) {
            cleanup_free char *key = vars_key(s->links.v[n], "URL");

            env_set(declared, key, "", NULL);
        }
    }
    for (size_t i = 0; i < m->used.len; i++)
        env_set(declared, m->used.v[i], "", NULL);
    for (size_t i = 0; i < m->resources.len; i++) {
        cleanup_free char *key = vars_key(m->resources.v[i].name, "URL");

        env_set(declared, key, "", NULL);
    }
    return true;
}

static void report_undeclared(struct planner *pl, const struct env *declared)
{
    const struct env *app = pl->opts->env;
    cleanup_strv struct strv keys = { 0 };
    cleanup_free char *names = NULL;

    for (size_t i = 0; i < app->len; i++)
        if (app->v[i].source != NULL &&
            strcmp(app->v[i].source, DOT_ENV) == 0 &&
            !has(declared, app->v[i].key))
            strv_add(&keys, app->v[i].key);
    if (keys.len == 0)
        return;
    strv_sort(&keys);
    names = strv_join(&keys, ", ");
    diags_add(pl->diags, DIAG_WARNING, (struct diag_pos){ 0 },
              ".env sets %s, which no service asks for: list %s under "
              "`environment` to pass %s on",
              names, keys.len == 1 ? "it" : "them",
              keys.len == 1 ? "it" : "them");
}

void planner_warn_undeclared(struct planner *pl)
{
    struct env declared = { 0 };

    if (collect_declared(pl->m, &declared))
        report_undeclared(pl, &declared);
    env_release(&declared);
}
