/*
 * plan_make() on manifests built by hand. What goes in as convox.yml and comes
 * out as text is in test_plan_golden.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "manifest/manifest.h"
#include "plan/plan.h"
#include "plan/resource_type.h"

/* Strings of the manifest are literals here: nothing but the arrays is
 * freed. Tests run one after another, each with its own world. */
#define T(text) ((char *)(text))

struct world {
    struct manifest m;
    struct env env;
    struct diags diags;
    struct plan_opts opts;
    struct plan *plan;
};

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));

    w->opts = (struct plan_opts){
        .app = "demo",
        .rack = "local",
        .release = "RAAAAAAAAAA",
        .build_id = "BAAAAAAAAAA",
        .rack_url = "",
        .password = "hunter2hunter2",
        .env = &w->env,
    };
    *state = w;
    return 0;
}

static void free_service(struct manifest_service *s)
{
    free(s->environment.v);
    free(s->resources.v);
    strv_release(&s->links);
    strv_release(&s->domains);
    free(s->ports.v);
    free(s->nlb.v);
    free(s->volumes.v);
    free(s->volume_options.v);
    free(s->config_mounts.v);
    free(s->pull_secrets.v);
    free(s->init_container.volume_options.v);
    free(s->init_container.config_mounts.v);
    strv_release(&s->security.cap_add);
    strv_release(&s->security.cap_drop);
}

static int teardown(void **state)
{
    struct world *w = *state;

    plan_free(w->plan);
    for (size_t i = 0; i < w->m.services.len; i++)
        free_service(&w->m.services.v[i]);
    free(w->m.services.v);
    for (size_t i = 0; i < w->m.resources.len; i++)
        free(w->m.resources.v[i].options.v);
    free(w->m.resources.v);
    free(w->m.configs.v);
    strv_release(&w->m.used);
    env_release(&w->env);
    diags_release(&w->diags);
    free(w);
    return 0;
}

/* ---- building a manifest ----------------------------------------------- */

/* Valid until the next call: services may move. */
static struct manifest_service *service(struct world *w, const char *name)
{
    struct manifest_service *s = vec_add(&w->m.services);

    s->name = T(name);
    s->pos = (struct diag_pos){ 10, 3 };
    s->build_path = T(".");
    s->build_manifest = T("Dockerfile");
    s->init = true;
    s->scale.count = 1;
    s->security.run_as_user = s->security.run_as_group = -1;
    s->termination_grace = 30;
    return s;
}

static void route(struct manifest_service *s, int port, const char *scheme)
{
    s->port.port = port;
    s->port.scheme = T(scheme);
    s->health.path = T("/");
    s->health.interval = s->health.grace = 5;
    s->health.timeout = 4;
}

static void declare(struct manifest_service *s, const char *key,
                    const char *value)
{
    struct manifest_env *e = vec_add(&s->environment);

    e->key = T(key);
    e->value = T(value);
    e->pos = (struct diag_pos){ 20 + (unsigned)s->environment.len, 9 };
}

static void use(struct manifest_service *s, const char *name, const char *alias)
{
    struct manifest_use *u = vec_add(&s->resources);

    u->resource = T(name);
    u->variable = T(alias);
}

static struct manifest_resource *resource(struct world *w, const char *name,
                                          const char *type)
{
    struct manifest_resource *r = vec_add(&w->m.resources);

    r->name = T(name);
    r->type = T(type);
    r->pos = (struct diag_pos){ 2, 3 };
    r->type_pos = (struct diag_pos){ 3, 11 };
    return r;
}

static void option(struct manifest_resource *r, const char *key,
                   const char *value)
{
    struct manifest_option *o = vec_add(&r->options);

    o->key = T(key);
    o->value = T(value);
    o->pos = (struct diag_pos){ 5, 7 };
}

static void mount(struct manifest_service *s, const char *from, const char *to)
{
    struct manifest_volume *v = vec_add(&s->volumes);

    v->from = T(from);
    v->to = T(to);
}

static void set(struct world *w, const char *key, const char *value)
{
    env_set(&w->env, key, value, "-e");
}

/* ---- looking at a plan ------------------------------------------------- */

static void make(struct world *w)
{
    w->plan = plan_make(&w->m, &w->opts, &w->diags);
    for (size_t i = 0; w->plan == NULL && i < w->diags.len; i++)
        print_error("%s\n", w->diags.v[i].text);
    assert_non_null(w->plan);
}

static void make_fails(struct world *w, const char *text)
{
    w->plan = plan_make(&w->m, &w->opts, &w->diags);
    assert_null(w->plan);
    assert_int_equal(w->diags.errors, 1);
    assert_string_equal(w->diags.v[0].text, text);
}

/* NULL: not there. */
static const char *env_of(const struct plan_container *c, const char *key)
{
    size_t len = strlen(key);

    for (size_t i = 0; i < c->env.len; i++)
        if (strncmp(c->env.v[i], key, len) == 0 && c->env.v[i][len] == '=')
            return c->env.v[i] + len + 1;
    return NULL;
}

static const char *service_env(struct world *w, const char *key)
{
    return env_of(&w->plan->services.v[0].container, key);
}

static void check_env(struct world *w, const char *key, const char *value)
{
    const char *got = service_env(w, key);

    if (value == NULL) {
        if (got != NULL)
            fail_msg("%s=%s should not be there", key, got);
        return;
    }
    if (got == NULL)
        fail_msg("%s is not there", key);
    assert_string_equal(got, value);
}

static void check_argv(const struct strv *argv, const char *want)
{
    cleanup_free char *got = strv_join(argv, "|");

    assert_string_equal(got, want);
}

/* ---- environment: system, defaults, app -------------------------------- */

static void a_service_knows_its_app_and_rack(void **state)
{
    struct world *w = *state;

    w->opts.rack_url = "https://rack.example";
    route(service(w, "web"), 3000, "http");
    make(w);
    check_env(w, "APP", "demo");
    check_env(w, "RACK", "local");
    check_env(w, "RELEASE", "RAAAAAAAAAA");
    check_env(w, "BUILD", "BAAAAAAAAAA");
    check_env(w, "BUILD_DESCRIPTION", "");
    check_env(w, "SERVICE", "web");
    check_env(w, "PORT", "3000");
    check_env(w, "RACK_URL", "https://rack.example");
}

static void without_a_port_there_is_no_PORT(void **state)
{
    struct world *w = *state;

    service(w, "web");
    make(w);
    check_env(w, "PORT", NULL);
}

static void only_declared_keys_reach_a_service(void **state)
{
    struct world *w = *state;

    declare(service(w, "web"), "A", NULL);
    set(w, "A", "1");
    set(w, "B", "2");
    make(w);
    check_env(w, "A", "1");
    check_env(w, "B", NULL);
}

static void a_star_lets_every_key_through(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    declare(s, "*", NULL);
    declare(s, "C", "default");
    set(w, "A", "1");
    set(w, "B", "");
    make(w);
    check_env(w, "A", "1");
    check_env(w, "B", "");
    check_env(w, "C", "default");
}

static void the_app_overrides_defaults_and_the_system(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    declare(s, "A", "default");
    declare(s, "B", "default");
    declare(s, "RACK", "manifest");
    declare(s, "APP", "manifest");
    set(w, "A", "app");
    set(w, "B", "");
    set(w, "APP", "app");
    make(w);
    check_env(w, "A", "app");
    check_env(w, "B", "");
    check_env(w, "RACK", "manifest");
    check_env(w, "APP", "app");
}

static void the_later_of_two_defaults_wins(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    declare(s, "A", "top");
    declare(s, "A", "own");
    make(w);
    check_env(w, "A", "own");
}

static void the_environment_is_sorted(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");
    const struct strv *env;

    declare(s, "Z", "1");
    declare(s, "A", "1");
    declare(s, "A_B", "1");
    make(w);
    env = &w->plan->services.v[0].container.env;
    for (size_t i = 1; i < env->len; i++) {
        size_t a = strcspn(env->v[i - 1], "="), b = strcspn(env->v[i], "=");
        cleanup_free char *one = str_dup_len(env->v[i - 1], a);
        cleanup_free char *two = str_dup_len(env->v[i], b);

        assert_true(strcmp(one, two) < 0);
    }
}

/* ---- required environment ---------------------------------------------- */

static void missing_keys_are_one_error_per_service_at_the_item(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    declare(s, "B", NULL);
    declare(s, "C", "x");
    declare(s, "A", NULL);
    declare(s, "B", NULL);
    declare(service(w, "worker"), "Z", NULL);
    w->plan = plan_make(&w->m, &w->opts, &w->diags);
    assert_null(w->plan);
    assert_int_equal(w->diags.errors, 2);
    assert_string_equal(w->diags.v[0].text,
                        "required env: A, B (service web): set them with "
                        "`cvx env set A=...`, in .env, or with -e A=...");
    assert_int_equal(w->diags.v[0].pos.line, 21);
    assert_int_equal(w->diags.v[0].pos.col, 9);
    assert_string_equal(w->diags.v[1].text,
                        "required env: Z (service worker): set it with "
                        "`cvx env set Z=...`, in .env, or with -e Z=...");
}

static void an_empty_value_satisfies_a_required_key(void **state)
{
    struct world *w = *state;

    declare(service(w, "web"), "A", NULL);
    set(w, "A", "");
    make(w);
    check_env(w, "A", "");
}

static void a_default_elsewhere_does_not_satisfy_a_bare_key(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    declare(s, "A", "x");
    declare(s, "A", NULL);
    make_fails(w, "required env: A (service web): set it with `cvx env set "
                  "A=...`, in .env, or with -e A=...");
}

static void a_linked_resource_satisfies_all_six_keys(void **state)
{
    static const char *const keys[] = { "DB_URL",  "DB_USER", "DB_PASS",
                                        "DB_HOST", "DB_PORT", "DB_NAME" };
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    resource(w, "db", "postgres");
    use(s, "db", NULL);
    for (size_t i = 0; i < 6; i++)
        declare(s, keys[i], NULL);
    make(w);
    check_env(w, "DB_NAME", "app");
}

static void an_unlinked_resource_satisfies_nothing(void **state)
{
    struct world *w = *state;

    resource(w, "db", "postgres");
    declare(service(w, "web"), "DB_URL", NULL);
    make_fails(w, "required env: DB_URL (service web): set it with `cvx env "
                  "set DB_URL=...`, in .env, or with -e DB_URL=...");
}

static void an_alias_satisfies_only_itself(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    resource(w, "db", "postgres");
    use(s, "db", "OTHER_URL");
    declare(s, "OTHER_URL", NULL);
    declare(s, "DB_URL", NULL);
    make_fails(w, "required env: DB_URL (service web): set it with `cvx env "
                  "set DB_URL=...`, in .env, or with -e DB_URL=...");
}

static void the_systems_own_keys_satisfy_a_bare_key(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    route(s, 80, "http");
    declare(s, "PORT", NULL);
    declare(s, "RELEASE", NULL);
    make(w);
    check_env(w, "PORT", "80");
}

static void a_bare_PORT_without_a_port_is_missing(void **state)
{
    struct world *w = *state;

    declare(service(w, "web"), "PORT", NULL);
    make_fails(w, "required env: PORT (service web): set it with `cvx env "
                  "set PORT=...`, in .env, or with -e PORT=...");
}

static void an_unknown_type_is_the_only_error_of_its_resource(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");
    cleanup_free char *names = NULL, *right = NULL;

    resource(w, "db", "postgers");
    use(s, "db", NULL);
    declare(s, "DB_URL", NULL);
    names = resource_type_names();
    right = xasprintf("unknown resource type: postgers (did you mean "
                      "postgres?); the types are %s",
                      names);
    make_fails(w, right);
    assert_int_equal(w->diags.v[0].pos.line, 3);
    assert_int_equal(w->diags.v[0].pos.col, 11);
}

/* ---- variables of resources -------------------------------------------- */

static void a_service_gets_the_six_of_what_it_lists_only(void **state)
{
    struct world *w = *state;

    resource(w, "main-db", "mysql");
    resource(w, "other", "redis");
    use(service(w, "web"), "main-db", NULL);
    make(w);
    check_env(w, "MAIN_DB_URL",
              "mysql://app:hunter2hunter2@resource-main-db:3306/app");
    check_env(w, "MAIN_DB_USER", "app");
    check_env(w, "MAIN_DB_PASS", "hunter2hunter2");
    check_env(w, "MAIN_DB_HOST", "resource-main-db");
    check_env(w, "MAIN_DB_PORT", "3306");
    check_env(w, "MAIN_DB_NAME", "app");
    check_env(w, "OTHER_URL", NULL);
}

static void redis_and_memcached_have_empty_logins(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    resource(w, "r", "redis");
    resource(w, "m", "memcached");
    use(s, "r", NULL);
    use(s, "m", NULL);
    make(w);
    check_env(w, "R_URL", "redis://resource-r:6379/0");
    check_env(w, "R_USER", "");
    check_env(w, "R_PASS", "");
    check_env(w, "R_NAME", "");
    check_env(w, "R_PORT", "6379");
    check_env(w, "M_URL", "memcached://resource-m:11211");
    check_env(w, "M_PASS", "");
}

static void an_alias_injects_one_value_picked_by_its_suffix(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    resource(w, "db", "postgres");
    use(s, "db", "MY_PG_HOST");
    use(s, "db", " DATABASE_URL ");
    use(s, "db", "DSN");
    use(s, "db", "X_port");
    make(w);
    check_env(w, "MY_PG_HOST", "resource-db");
    check_env(w, "DATABASE_URL",
              "postgres://app:hunter2hunter2@resource-db:"
              "5432/app?sslmode=disable");
    check_env(w, "DSN", service_env(w, "DATABASE_URL"));
    check_env(w, "X_port", service_env(w, "DATABASE_URL"));
    check_env(w, "DB_URL", NULL);
    check_env(w, "DB_HOST", NULL);
}

static void a_resource_overrides_a_default_and_the_app_a_resource(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    resource(w, "db", "postgres");
    use(s, "db", NULL);
    declare(s, "DB_USER", "default");
    declare(s, "DB_HOST", "default");
    set(w, "DB_HOST", "mine");
    set(w, "DB_PORT", "undeclared");
    make(w);
    check_env(w, "DB_USER", "app");
    check_env(w, "DB_HOST", "mine");
    check_env(w, "DB_PORT", "5432");
}

static void a_blank_value_of_the_app_masks_no_resource(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    resource(w, "db", "redis");
    use(s, "db", NULL);
    declare(s, "DB_URL", NULL);
    set(w, "DB_URL", "  ");
    make(w);
    assert_true(w->plan->resources.v[0].has_container);
    assert_false(w->plan->resources.v[0].external);
    check_env(w, "DB_URL", "redis://resource-db:6379/0");
}

static void an_overlay_means_no_container_and_derives_the_rest(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");
    const struct plan_resource *r;

    resource(w, "db", "postgres");
    use(s, "db", NULL);
    use(s, "db", "ALIAS_HOST");
    set(w, "DB_URL", "postgres://me:p%40s@db.example.com/shop?x=1");
    make(w);
    r = &w->plan->resources.v[0];
    assert_true(r->external);
    assert_false(r->has_container);
    assert_int_equal(r->probe, PROBE_NONE);
    check_env(w, "DB_URL", "postgres://me:p%40s@db.example.com/shop?x=1");
    check_env(w, "DB_USER", "me");
    check_env(w, "DB_PASS", "p@s");
    check_env(w, "DB_HOST", "db.example.com");
    check_env(w, "DB_PORT", "5432");
    check_env(w, "DB_NAME", "shop");
    check_env(w, "ALIAS_HOST", "db.example.com");
}

static void efs_has_no_variables_and_no_overlay(void **state)
{
    struct world *w = *state;

    resource(w, "files", "efs");
    use(service(w, "web"), "files", NULL);
    set(w, "FILES_URL", "nfs://x");
    make(w);
    check_env(w, "FILES_URL", NULL);
    assert_false(w->plan->resources.v[0].external);
    assert_int_equal(w->plan->resources.v[0].volume, 0);
}

/* ---- links ------------------------------------------------------------- */

static void a_link_gives_the_url_of_another_service(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    strv_add(&s->links, "my-api");
    strv_add(&s->links, "plain");
    strv_add(&s->links, "nobody");
    declare(s, "MY_API_URL", NULL);
    route(service(w, "my-api"), 4430, "https");
    service(w, "plain");
    make(w);
    check_env(w, "MY_API_URL", "https://my-api:4430");
    check_env(w, "PLAIN_URL", NULL);
    check_env(w, "NOBODY_URL", NULL);
}

static void a_links_key_yields_to_a_default_and_to_the_app(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    strv_add(&s->links, "api");
    strv_add(&s->links, "two");
    declare(s, "TWO_URL", "default");
    route(service(w, "api"), 80, "http");
    route(service(w, "two"), 80, "http");
    set(w, "API_URL", "http://elsewhere");
    make(w);
    check_env(w, "API_URL", "http://elsewhere");
    check_env(w, "TWO_URL", "default");
}

/* ---- .env -------------------------------------------------------------- */

static void keys_of_dot_env_that_nobody_asks_for_are_one_warning(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    declare(s, "A", NULL);
    strv_add(&s->links, "api");
    resource(w, "db", "redis");
    strv_add(&w->m.used, "IN_THE_FILE");
    env_set(&w->env, "IN_THE_FILE", "1", ".env");
    env_set(&w->env, "A", "1", ".env");
    env_set(&w->env, "Z", "1", ".env");
    env_set(&w->env, "Y", "1", ".env");
    env_set(&w->env, "DB_URL", "redis://x", ".env");
    env_set(&w->env, "API_URL", "http://x", ".env");
    env_set(&w->env, "OTHER", "1", "-e");
    make(w);
    assert_int_equal(w->diags.warnings, 1);
    assert_string_equal(w->diags.v[0].text,
                        ".env sets Y, Z, which no service asks for: list them "
                        "under `environment` to pass them on");
}

static void a_star_anywhere_asks_for_all_of_dot_env(void **state)
{
    struct world *w = *state;

    service(w, "web");
    declare(service(w, "worker"), "*", NULL);
    env_set(&w->env, "Z", "1", ".env");
    make(w);
    assert_int_equal(w->diags.warnings, 0);
}

/* ---- containers of resources ------------------------------------------- */

static const struct plan_container *only_resource(struct world *w,
                                                  const char *type)
{
    resource(w, "db", type);
    make(w);
    assert_true(w->plan->resources.v[0].has_container);
    return &w->plan->resources.v[0].container;
}

static void postgres_is_fast_and_throw_away_by_default(void **state)
{
    const struct plan_container *c = only_resource(*state, "rds-postgres");
    struct world *w = *state;

    assert_string_equal(c->image, "postgres:17");
    assert_string_equal(w->plan->resources.v[0].kind, "postgres");
    assert_string_equal(w->plan->resources.v[0].type, "rds-postgres");
    assert_int_equal(w->plan->resources.v[0].probe, PROBE_POSTGRES);
    check_argv(&c->argv, "-c|fsync=off|-c|full_page_writes=off|-c|"
                         "synchronous_commit=off");
    check_argv(&c->env, "PGDATA=/cvx/data|POSTGRES_DB=app|"
                        "POSTGRES_PASSWORD=hunter2hunter2|POSTGRES_USER=app");
    check_argv(&w->plan->resources.v[0].server, "postgres");
    assert_string_equal(w->plan->resources.v[0].server_user, "postgres");
    assert_int_equal(c->mounts.len, 0);
    assert_int_equal(c->files.len, 0);
    assert_int_equal(c->stop_grace_s, 0);
}

/* Another plan of the same world; the caller frees it. */
static struct plan *plan_again(struct world *w)
{
    struct plan *p = plan_make(&w->m, &w->opts, &w->diags);

    assert_non_null(p);
    return p;
}

static void resources_are_the_same_whatever_the_services_are(void **state)
{
    struct world *w = *state;
    struct plan *again;

    resource(w, "db", "mysql");
    resource(w, "cache", "redis");
    make(w);
    service(w, "web");
    again = plan_again(w);
    assert_true(plan_same_resources(w->plan, again));
    plan_free(again);
}

static void resources_differ_by_password_image_number_and_keeping(void **state)
{
    struct world *w = *state;
    struct plan *again;

    resource(w, "db", "mysql");
    make(w);
    w->opts.password = "another";
    again = plan_again(w);
    assert_false(plan_same_resources(w->plan, again));
    plan_free(again);
    w->opts.password = "hunter2hunter2";
    w->opts.keep_data = true;
    again = plan_again(w);
    assert_false(plan_same_resources(w->plan, again));
    assert_false(plan_same_resources(again, again));
    plan_free(again);
    w->opts.keep_data = false;
    again = plan_again(w);
    assert_true(plan_same_resources(w->plan, again));
    free(again->resources.v[0].container.image);
    again->resources.v[0].container.image = xstrdup("mysql:5");
    assert_false(plan_same_resources(w->plan, again));
    plan_free(again);
    resource(w, "more", "redis");
    again = plan_again(w);
    assert_false(plan_same_resources(w->plan, again));
    assert_false(plan_same_resources(again, w->plan));
    plan_free(again);
}

static void mysql_lets_app_create_databases(void **state)
{
    const struct plan_container *c = only_resource(*state, "mysql");

    check_argv(&c->argv, "--skip-log-bin|--innodb-flush-log-at-trx-commit=0|"
                         "--innodb-doublewrite=OFF|--loose-mysqlx=0|"
                         "--innodb-flush-method=fsync|"
                         "--performance-schema=OFF|"
                         "--innodb-buffer-pool-size=64M|"
                         "--loose-innodb-redo-log-capacity=32M|"
                         "--datadir=/cvx/data");
    check_argv(&c->env, "MYSQL_DATABASE=app|MYSQL_INITDB_SKIP_TZINFO=1|"
                        "MYSQL_PASSWORD=hunter2hunter2|"
                        "MYSQL_ROOT_PASSWORD=hunter2hunter2|MYSQL_USER=app");
    assert_int_equal(c->files.len, 1);
    assert_string_equal(c->files.v[0].path,
                        "/docker-entrypoint-initdb.d/cvx.sql");
    assert_string_equal(c->files.v[0].text, "GRANT ALL ON *.* TO 'app'@'%';\n");
}

static void mariadb_takes_its_own_variables(void **state)
{
    const struct plan_container *c = only_resource(*state, "mariadb");

    check_argv(&c->argv, "--skip-log-bin|--innodb-flush-log-at-trx-commit=0|"
                         "--innodb-doublewrite=0|"
                         "--innodb-buffer-pool-size=64M|"
                         "--innodb-log-file-size=32M|--datadir=/cvx/data");
    check_argv(&c->env,
               "MARIADB_DATABASE=app|MARIADB_INITDB_SKIP_TZINFO=1|"
               "MARIADB_PASSWORD=hunter2hunter2|"
               "MARIADB_ROOT_PASSWORD=hunter2hunter2|MARIADB_USER=app");
    assert_int_equal(c->files.len, 1);
}

static void redis_keeps_nothing_on_disk(void **state)
{
    const struct plan_container *c = only_resource(*state, "redis");

    check_argv(&c->argv, "--save||--appendonly|no");
    assert_int_equal(c->env.len, 0);
}

static void a_resource_is_published_anywhere_on_loopback(void **state)
{
    const struct plan_container *c = only_resource(*state, "memcached");

    assert_int_equal(c->ports.len, 1);
    assert_int_equal(c->ports.v[0].container, 11211);
    assert_true(c->ports.v[0].published);
    assert_int_equal(c->ports.v[0].host, 0);
    assert_false(c->ports.v[0].host_fixed);
    assert_int_equal(c->argv.len, 0);
}

static void a_resource_answers_to_its_name_unless_a_service_does(void **state)
{
    struct world *w = *state;

    resource(w, "db", "redis");
    resource(w, "web", "redis");
    service(w, "web");
    make(w);
    check_argv(&w->plan->resources.v[0].container.aliases, "resource-db|db");
    check_argv(&w->plan->resources.v[1].container.aliases, "resource-web");
    check_argv(&w->plan->services.v[0].container.aliases, "web");
}

static void the_version_is_the_tag_verbatim_and_image_replaces_it(void **state)
{
    struct world *w = *state;
    struct manifest_resource *r;

    option(resource(w, "a", "postgres"), "version", "10.10");
    option(resource(w, "b", "postgis"), "version", "14-3.3");
    option(resource(w, "c", "redis"), "version", "");
    r = resource(w, "d", "mysql");
    r->image = T("registry.example:5000/my/sql:x");
    option(r, "version", "8.0");
    make(w);
    assert_string_equal(w->plan->resources.v[0].container.image,
                        "postgres:10.10");
    assert_string_equal(w->plan->resources.v[1].container.image,
                        "postgis/postgis:14-3.3");
    assert_string_equal(w->plan->resources.v[2].container.image, "redis:8.0");
    assert_string_equal(w->plan->resources.v[3].container.image,
                        "registry.example:5000/my/sql:x");
}

static void kept_data_is_in_a_volume_and_written_safely(void **state)
{
    struct world *w = *state;
    const struct plan_container *c;

    w->opts.keep_data = true;
    c = only_resource(w, "postgres");
    assert_int_equal(c->argv.len, 0);
    assert_string_equal(env_of(c, "PGDATA"), "/var/lib/postgresql/data/pgdata");
    assert_int_equal(c->mounts.len, 1);
    assert_string_equal(c->mounts.v[0].target, "/var/lib/postgresql/data");
    assert_int_equal(c->mounts.v[0].volume, 0);
    assert_string_equal(w->plan->volumes.v[0].name, "db-postgres-17");
    assert_int_equal(w->plan->volumes.v[0].kind, PLAN_VOLUME_DATA);
    assert_true(w->plan->volumes.v[0].keep);
    assert_string_equal(w->plan->volumes.v[0].resource, "db");
    assert_true(c->stop_grace_s > 0);
}

static void
kept_volumes_are_told_apart_by_major_version_for_postgres(void **state)
{
    struct world *w = *state;

    w->opts.keep_data = true;
    option(resource(w, "a", "postgres"), "version", "9.6-alpine");
    option(resource(w, "b", "mysql"), "version", "8.0");
    resource(w, "c", "postgres")->image = T("reg:5000/pg");
    resource(w, "d", "memcached");
    resource(w, "e", "redis");
    make(w);
    assert_int_equal(w->plan->volumes.len, 4);
    assert_string_equal(w->plan->volumes.v[0].name, "a-postgres-9");
    assert_string_equal(w->plan->volumes.v[1].name, "b-mysql");
    assert_string_equal(w->plan->volumes.v[2].name, "c-postgres");
    assert_string_equal(w->plan->volumes.v[3].name, "e-redis");
    check_argv(&w->plan->resources.v[1].container.argv, "");
    check_argv(&w->plan->resources.v[4].container.argv, "--appendonly|yes");
    assert_null(
        env_of(&w->plan->resources.v[1].container, "MYSQL_INITDB_SKIP_TZINFO"));
}

static void managed_types_warn_about_names_a_cloud_refuses(void **state)
{
    struct world *w = *state;

    resource(w, "abcdefghijklmnopqrst", "rds-mysql");
    resource(w, "abcdefghijklmnopqrstu", "elasticache-redis");
    resource(w, "db-", "rds-postgres");
    resource(w, "abcdefghijklmnopqrstuv", "mysql");
    make(w);
    assert_int_equal(w->diags.warnings, 2);
    assert_string_equal(w->diags.v[0].text,
                        "resource name abcdefghijklmnopqrstu: a cloud rack "
                        "takes at most 20 lowercase letters, digits and "
                        "dashes for elasticache-redis, beginning with a "
                        "letter");
}

static void what_the_manifest_reports_is_passed_over(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    use(s, "ghost", NULL);
    declare(s, "GHOST_URL", NULL);
    resource(w, "blank", "");
    resource(w, "null", NULL);
    resource(w, "twice", "redis");
    resource(w, "twice", "mysql");
    service(w, "web");
    make(w);
    assert_int_equal(w->plan->resources.len, 1);
    assert_int_equal(w->plan->services.len, 1);
    assert_int_equal(w->plan->services.v[0].resources.len, 0);
}

/* ---- efs and volumes --------------------------------------------------- */

static void efs_has_an_owner_a_mode_and_a_directory(void **state)
{
    struct world *w = *state;
    struct manifest_resource *r;

    resource(w, "plain", "efs");
    r = resource(w, "own", "efs");
    option(r, "owner-uid", "33");
    option(r, "owner-gid", "0");
    option(r, "permissions", "0750");
    option(r, "path", "/a/b/");
    make(w);
    assert_int_equal(w->plan->volumes.v[0].uid, 1000);
    assert_int_equal(w->plan->volumes.v[0].gid, 1000);
    assert_int_equal(w->plan->volumes.v[0].mode, 0777);
    assert_null(w->plan->volumes.v[0].subpath);
    assert_int_equal(w->plan->volumes.v[1].uid, 33);
    assert_int_equal(w->plan->volumes.v[1].gid, 0);
    assert_int_equal(w->plan->volumes.v[1].mode, 0750);
    assert_string_equal(w->plan->volumes.v[1].subpath, "a/b");
    assert_int_equal(w->plan->volumes.v[1].kind, PLAN_VOLUME_EFS);
    assert_false(w->plan->volumes.v[1].keep);
}

static void bad_efs_options_are_errors_at_the_option(void **state)
{
    struct world *w = *state;
    struct manifest_resource *r = resource(w, "f", "efs");

    option(r, "owner-uid", "root");
    option(r, "owner-gid", "-1");
    option(r, "permissions", "0789");
    option(r, "path", "/a/../b");
    assert_null(plan_make(&w->m, &w->opts, &w->diags));
    assert_int_equal(w->diags.errors, 4);
    assert_string_equal(w->diags.v[0].text, "resource f: owner-uid is a number "
                                            "such as 1000, not root");
    assert_int_equal(w->diags.v[0].pos.line, 5);
    assert_string_equal(w->diags.v[2].text,
                        "resource f: permissions are octal digits such as "
                        "0777, not 0789");
}

static void an_efs_that_is_listed_is_mounted_by_its_name(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    resource(w, "files", "efs");
    use(s, "files", NULL);
    mount(s, "files", "/data");
    mount(service(w, "worker"), "files", "/data");
    make(w);
    assert_int_equal(w->plan->volumes.len, 2);
    assert_int_equal(w->plan->services.v[0].container.mounts.v[0].volume, 0);
    assert_int_equal(w->plan->services.v[1].container.mounts.v[0].volume, 1);
    assert_string_equal(w->plan->volumes.v[1].name, "files-2");
    assert_string_equal(w->diags.v[0].text,
                        "service worker mounts files without listing it under "
                        "`resources`: it gets a volume of its own, not the "
                        "resource's");
}

static void volumes_are_shared_in_the_app_by_name_and_by_path(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    mount(s, "data", "/a");
    mount(s, NULL, "/var/lib/x");
    mount(s, "/data", "/b");
    s = service(w, "worker");
    mount(s, "data", "/z");
    mount(s, NULL, "/var/lib/x");
    make(w);
    assert_int_equal(w->plan->volumes.len, 3);
    assert_string_equal(w->plan->volumes.v[0].name, "data");
    assert_string_equal(w->plan->volumes.v[1].name, "var-lib-x");
    assert_string_equal(w->plan->volumes.v[2].name, "data-2");
    assert_int_equal(w->plan->services.v[1].container.mounts.v[0].volume, 0);
    assert_int_equal(w->plan->services.v[1].container.mounts.v[1].volume, 1);
    assert_int_equal(w->diags.notes, 1);
}

static void only_the_listed_host_paths_are_mounted_from_the_host(void **state)
{
    static const char *const paths[] = {
        "/cgroup/",
        "/proc/",
        "/sys/fs/cgroup/",
        "/sys/kernel/debug/",
        "/var/log/audit/",
        "/var/run/",
        "/dev/log",
        "/var/run/docker.sock",
        "/etc/passwd",
        "/var/lib/docker/containers/",
        "/etc",
        "/var/run",
    };
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");
    const struct plan_container *c;

    for (size_t i = 0; i < 12; i++)
        mount(s, paths[i], xasprintf("/m%zu", i));
    make(w);
    c = &w->plan->services.v[0].container;
    for (size_t i = 0; i < 12; i++) {
        assert_int_equal(c->mounts.v[i].host != NULL, i < 10);
        assert_int_equal(c->mounts.v[i].volume >= 0, i >= 10);
        free(w->m.services.v[0].volumes.v[i].to);
    }
}

static void two_mounts_in_one_place_are_an_error(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    mount(s, "a", "/x");
    mount(s, "a", "/x");
    mount(s, "b", "/x");
    make_fails(w, "service web mounts two volumes at /x");
}

static void a_mount_point_is_absolute(void **state)
{
    struct world *w = *state;

    mount(service(w, "web"), "a", "x");
    make_fails(w, "service web: volume x: the path inside the container "
                  "begins with a /");
}

static void add_option(struct manifest_service *s, int kind, const char *id,
                       const char *path, bool memory)
{
    struct manifest_volume_option *o = vec_add(&s->volume_options);

    o->kind = kind == 0   ? VOLUME_EMPTY_DIR
              : kind == 1 ? VOLUME_AWS_EFS
                          : VOLUME_AZURE_FILES;
    o->id = T(id);
    o->mount_path = T(path);
    o->memory = memory;
    o->read_only = kind == 2;
}

static void volume_options_are_per_service_or_shared_by_id(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");
    const struct plan_mount *m;

    add_option(s, 0, "tmp", "/tmp", false);
    add_option(s, 0, "ram", "/ram", true);
    add_option(s, 1, "efs", "/efs", false);
    s = service(w, "worker");
    add_option(s, 0, "tmp", "/tmp", false);
    add_option(s, 2, "efs", "/efs", false);
    make(w);
    assert_int_equal(w->plan->volumes.len, 3);
    assert_string_equal(w->plan->volumes.v[0].name, "web-tmp");
    assert_string_equal(w->plan->volumes.v[1].name, "efs");
    assert_string_equal(w->plan->volumes.v[2].name, "worker-tmp");
    m = w->plan->services.v[0].container.mounts.v;
    assert_true(m[1].memory);
    assert_int_equal(m[1].volume, -1);
    m = w->plan->services.v[1].container.mounts.v;
    assert_int_equal(m[1].volume, 1);
    assert_true(m[1].read_only);
}

/* ---- services ---------------------------------------------------------- */

static void builds_of_one_dockerfile_are_one(void **state)
{
    struct world *w = *state;

    service(w, "a")->build_path = T("./web/");
    service(w, "b")->build_path = T("web");
    service(w, "c")->build_manifest = T("Dockerfile.c");
    service(w, "d")->image = T("nginx:1");
    service(w, "e")->build_path = T("./");
    service(w, "f");
    make(w);
    assert_int_equal(w->plan->builds.len, 3);
    assert_string_equal(w->plan->builds.v[0].path, "web");
    check_argv(&w->plan->builds.v[0].services, "a|b");
    assert_string_equal(w->plan->builds.v[1].dockerfile, "Dockerfile.c");
    check_argv(&w->plan->builds.v[2].services, "e|f");
    assert_string_equal(w->plan->services.v[3].container.image, "nginx:1");
    assert_int_equal(w->plan->services.v[3].container.build, -1);
    assert_null(w->plan->services.v[4].container.image);
}

static void a_routed_port_wants_its_number_an_internal_one_none(void **state)
{
    struct world *w = *state;
    struct manifest_service *s;
    const struct plan_port *p;

    route(service(w, "web"), 3000, "http");
    s = service(w, "api");
    route(s, 3000, "http");
    s->internal = true;
    make(w);
    p = w->plan->services.v[0].container.ports.v;
    assert_int_equal(p->container, 3000);
    assert_true(p->published);
    assert_int_equal(p->host, 3000);
    assert_false(p->host_fixed);
    p = w->plan->services.v[1].container.ports.v;
    assert_false(p->published);
    assert_int_equal(p->host, 0);
    assert_true(w->plan->services.v[1].internal);
}

static void add_port(struct manifest_ports *ports, int port, int published,
                     const char *protocol)
{
    struct manifest_port *p = vec_add(ports);

    p->port = port;
    p->published = published;
    p->protocol = T(protocol);
}

static void a_listener_insists_on_its_port_and_others_are_inside(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");
    const struct plan_port *p;

    route(s, 5000, "http");
    add_port(&s->nlb, 4000, 5000, "tcp");
    add_port(&s->nlb, 0, 6000, "tcp");
    add_port(&s->ports, 8125, 0, "udp");
    make(w);
    p = w->plan->services.v[0].container.ports.v;
    assert_int_equal(w->plan->services.v[0].container.ports.len, 4);
    assert_int_equal(p[0].host, 0); /* the listener's now */
    assert_true(p[0].published);
    assert_int_equal(p[1].container, 4000);
    assert_int_equal(p[1].host, 5000);
    assert_true(p[1].host_fixed);
    assert_int_equal(p[2].container, 6000);
    assert_int_equal(p[2].host, 6000);
    assert_int_equal(p[3].protocol, PLAN_UDP);
    assert_false(p[3].published);
}

static void health_is_asked_over_http_only(void **state)
{
    static const char *const schemes[] = { "http", "https", "grpc", "tcp" };
    struct world *w = *state;
    struct manifest_service *s;

    for (size_t i = 0; i < 4; i++)
        route(service(w, schemes[i]), 3000, schemes[i]);
    service(w, "none")->health.path = T("/");
    s = service(w, "off");
    route(s, 80, "http");
    s->health.disabled = true;
    s = service(w, "ghealth");
    route(s, 80, "http");
    s->grpc_health = true;
    s = service(w, "own");
    route(s, 80, "http");
    s->health.path = T("up");
    s->health.port = 81;
    s->health.interval = 7;
    make(w);
    assert_string_equal(w->plan->services.v[0].health.path, "/");
    assert_string_equal(w->plan->services.v[0].health.scheme, "http");
    assert_string_equal(w->plan->services.v[1].health.scheme, "https");
    for (size_t i = 2; i < 7; i++)
        assert_null(w->plan->services.v[i].health.path);
    assert_string_equal(w->plan->services.v[7].health.path, "/up");
    assert_int_equal(w->plan->services.v[7].health.port, 81);
    assert_int_equal(w->plan->services.v[7].health.interval_s, 7);
}

static void a_service_waits_for_each_resource_once(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    resource(w, "a", "redis");
    resource(w, "b", "redis");
    use(s, "b", NULL);
    use(s, "b", "X_URL");
    use(s, "a", NULL);
    make(w);
    assert_int_equal(w->plan->services.v[0].resources.len, 2);
    assert_int_equal(w->plan->services.v[0].resources.v[0], 1);
    assert_int_equal(w->plan->services.v[0].resources.v[1], 0);
}

static void what_a_service_asks_of_its_container_is_passed_on(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");
    const struct plan_container *c;

    s->command.set = true;
    s->command.text = T("npm start");
    s->init = false;
    s->privileged = true;
    s->termination_grace = 3;
    s->scale.count = 2;
    s->security.run_as_user = 10;
    s->security.run_as_group = 20;
    s->security.read_only_root = s->security.no_new_privileges = true;
    strv_add(&s->security.cap_add, "NET_ADMIN");
    strv_add(&s->domains, "x.example");
    s->test = T("make test");
    s->lifecycle.pre_stop.set = true;
    s->lifecycle.pre_stop.text = T("sleep 1; echo");
    make(w);
    c = &w->plan->services.v[0].container;
    check_argv(&c->argv, "npm|start");
    assert_false(c->init);
    assert_true(c->privileged && c->read_only_root && c->no_new_privileges);
    assert_string_equal(c->user, "10:20");
    check_argv(&c->cap_add, "NET_ADMIN");
    assert_int_equal(c->stop_grace_s, 3);
    assert_int_equal(w->plan->services.v[0].count, 2);
    check_argv(&w->plan->services.v[0].domains, "x.example");
    check_argv(&w->plan->services.v[0].pre_stop, "sh|-c|sleep 1; echo");
    assert_string_equal(w->plan->services.v[0].test, "make test");
}

static void config_mounts_are_files(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");
    struct manifest_config *config = vec_add(&w->m.configs);
    struct manifest_config_mount *cm;

    config->id = T("c1");
    config->value = T("text\n");
    cm = vec_add(&s->config_mounts);
    *cm = (struct manifest_config_mount){ T("c1"), T("/etc/x/"), T("x.conf") };
    cm = vec_add(&s->config_mounts);
    *cm = (struct manifest_config_mount){ T("ghost"), T("/e"), T("y") };
    make(w);
    assert_int_equal(w->plan->services.v[0].container.files.len, 1);
    assert_string_equal(w->plan->services.v[0].container.files.v[0].path,
                        "/etc/x/x.conf");
    assert_string_equal(w->plan->services.v[0].container.files.v[0].text,
                        "text\n");
}

static void an_init_container_is_the_service_with_its_own_command(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");
    struct manifest_volume_option *o;
    const struct plan_container *c;

    declare(s, "A", "1");
    declare(s, "Z", "1");
    add_option(s, 0, "shared", "/s", false);
    s->init_container.set = true;
    s->init_container.command.set = true;
    s->init_container.command.text = T("migrate up");
    o = vec_add(&s->init_container.volume_options);
    *o = s->volume_options.v[0];
    o->mount_path = T("/other");
    make(w);
    assert_true(w->plan->services.v[0].has_init);
    c = &w->plan->services.v[0].init_container;
    assert_int_equal(c->build, 0);
    check_argv(&c->argv, "migrate|up");
    assert_string_equal(env_of(c, "A"), "1");
    assert_string_equal(env_of(c, "INIT_CONTAINER"), "true");
    assert_string_equal(c->env.v[c->env.len - 1], "Z=1");
    assert_int_equal(c->mounts.v[0].volume, 0);
    assert_string_equal(c->mounts.v[0].target, "/other");
    assert_int_equal(w->plan->volumes.len, 1);
    assert_int_equal(c->ports.len, 0);
    assert_int_equal(c->aliases.len, 0);
    check_env(w, "INIT_CONTAINER", NULL);
}

static void logins_of_registries_are_collected_once_each(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 2; i++) {
        struct manifest_service *s = service(w, i == 0 ? "a" : "b");
        struct manifest_pull_secret *p = vec_add(&s->pull_secrets);

        p->registry = T("r.example");
        p->username = T("me");
        p->password = T(i == 0 ? "first-secret" : "second-secret");
    }
    make(w);
    assert_int_equal(w->plan->auths.len, 1);
    assert_string_equal(w->plan->auths.v[0].password, "first-secret");
}

static void the_apps_environment_is_offered_to_builds(void **state)
{
    struct world *w = *state;

    set(w, "B", "2");
    set(w, "A", "1");
    make(w);
    check_argv(&w->plan->build_env, "A=1|B=2");
}

static void an_app_without_any_environment_is_planned(void **state)
{
    struct world *w = *state;

    declare(service(w, "web"), "A", "x");
    w->opts.env = NULL;
    make(w);
    check_env(w, "A", "x");
    assert_int_equal(w->plan->build_env.len, 0);
}

static void errors_from_before_do_not_stop_a_plan(void **state)
{
    struct world *w = *state;

    diags_add(&w->diags, DIAG_ERROR, (struct diag_pos){ 1, 1 }, "earlier");
    service(w, "web");
    make(w);
    assert_int_equal(w->diags.errors, 1);
}

static void a_user_may_come_without_a_group(void **state)
{
    struct world *w = *state;

    service(w, "a")->security.run_as_user = 0;
    service(w, "b")->security.run_as_group = 7;
    make(w);
    assert_string_equal(w->plan->services.v[0].container.user, "0");
    assert_null(w->plan->services.v[1].container.user);
}

static void volumes_without_a_usable_name_get_one(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");

    mount(s, "/", "/a");
    mount(s, "---", "/b");
    mount(s, "x y/", "/c");
    make(w);
    assert_string_equal(w->plan->volumes.v[0].name, "volume");
    assert_string_equal(w->plan->volumes.v[1].name, "volume-2");
    assert_string_equal(w->plan->volumes.v[2].name, "x-y");
}

static void ten_thousand_services_are_planned_in_a_moment(void **state)
{
    struct world *w = *state;
    size_t count = 10000;

    resource(w, "db", "postgres");
    for (size_t i = 0; i < count; i++) {
        struct manifest_service *s = service(w, xasprintf("s%zu", i));

        s->build_path = s->name;
        use(s, "db", NULL);
        mount(s, s->name, "/x");
    }
    make(w);
    assert_int_equal(w->plan->builds.len, count);
    assert_int_equal(w->plan->volumes.len, count);
    for (size_t i = 0; i < count; i++)
        free(w->m.services.v[i].name);
}

/* ---- printing ---------------------------------------------------------- */

static void secrets_are_not_printed(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");
    cleanup_str struct str out = { 0 };

    resource(w, "db", "mysql");
    resource(w, "ext", "postgres");
    use(s, "db", NULL);
    use(s, "ext", NULL);
    declare(s, "API_KEY", NULL);
    declare(s, "SEEN", NULL);
    s->command.set = true;
    s->command.text = T("run --key abcdefgh");
    set(w, "API_KEY", "abcdefgh");
    set(w, "SEEN", "http://x/?token=qwertz");
    set(w, "EXT_URL", "postgres://u:sesame%21@h/d");
    make(w);
    plan_print(w->plan, &out);
    assert_null(strstr(str_c(&out), "hunter2"));
    assert_null(strstr(str_c(&out), "abcdefgh"));
    assert_null(strstr(str_c(&out), "qwertz"));
    assert_null(strstr(str_c(&out), "sesame"));
    assert_non_null(strstr(str_c(&out), "SEEN=http://x/?token=****"));
    assert_non_null(strstr(str_c(&out), "DB_URL=mysql://app:****@resource-db"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_service_knows_its_app_and_rack),
        TEST(without_a_port_there_is_no_PORT),
        TEST(only_declared_keys_reach_a_service),
        TEST(a_star_lets_every_key_through),
        TEST(the_app_overrides_defaults_and_the_system),
        TEST(the_later_of_two_defaults_wins),
        TEST(the_environment_is_sorted),
        TEST(missing_keys_are_one_error_per_service_at_the_item),
        TEST(an_empty_value_satisfies_a_required_key),
        TEST(a_default_elsewhere_does_not_satisfy_a_bare_key),
        TEST(a_linked_resource_satisfies_all_six_keys),
        TEST(an_unlinked_resource_satisfies_nothing),
        TEST(an_alias_satisfies_only_itself),
        TEST(the_systems_own_keys_satisfy_a_bare_key),
        TEST(a_bare_PORT_without_a_port_is_missing),
        TEST(an_unknown_type_is_the_only_error_of_its_resource),
        TEST(a_service_gets_the_six_of_what_it_lists_only),
        TEST(redis_and_memcached_have_empty_logins),
        TEST(an_alias_injects_one_value_picked_by_its_suffix),
        TEST(a_resource_overrides_a_default_and_the_app_a_resource),
        TEST(a_blank_value_of_the_app_masks_no_resource),
        TEST(an_overlay_means_no_container_and_derives_the_rest),
        TEST(efs_has_no_variables_and_no_overlay),
        TEST(a_link_gives_the_url_of_another_service),
        TEST(a_links_key_yields_to_a_default_and_to_the_app),
        TEST(keys_of_dot_env_that_nobody_asks_for_are_one_warning),
        TEST(a_star_anywhere_asks_for_all_of_dot_env),
        TEST(postgres_is_fast_and_throw_away_by_default),
        TEST(mysql_lets_app_create_databases),
        TEST(mariadb_takes_its_own_variables),
        TEST(redis_keeps_nothing_on_disk),
        TEST(a_resource_is_published_anywhere_on_loopback),
        TEST(a_resource_answers_to_its_name_unless_a_service_does),
        TEST(the_version_is_the_tag_verbatim_and_image_replaces_it),
        TEST(kept_data_is_in_a_volume_and_written_safely),
        TEST(kept_volumes_are_told_apart_by_major_version_for_postgres),
        TEST(managed_types_warn_about_names_a_cloud_refuses),
        TEST(what_the_manifest_reports_is_passed_over),
        TEST(efs_has_an_owner_a_mode_and_a_directory),
        TEST(bad_efs_options_are_errors_at_the_option),
        TEST(an_efs_that_is_listed_is_mounted_by_its_name),
        TEST(volumes_are_shared_in_the_app_by_name_and_by_path),
        TEST(only_the_listed_host_paths_are_mounted_from_the_host),
        TEST(two_mounts_in_one_place_are_an_error),
        TEST(a_mount_point_is_absolute),
        TEST(volume_options_are_per_service_or_shared_by_id),
        TEST(builds_of_one_dockerfile_are_one),
        TEST(a_routed_port_wants_its_number_an_internal_one_none),
        TEST(a_listener_insists_on_its_port_and_others_are_inside),
        TEST(health_is_asked_over_http_only),
        TEST(a_service_waits_for_each_resource_once),
        TEST(what_a_service_asks_of_its_container_is_passed_on),
        TEST(config_mounts_are_files),
        TEST(an_init_container_is_the_service_with_its_own_command),
        TEST(logins_of_registries_are_collected_once_each),
        TEST(the_apps_environment_is_offered_to_builds),
        TEST(an_app_without_any_environment_is_planned),
        TEST(errors_from_before_do_not_stop_a_plan),
        TEST(a_user_may_come_without_a_group),
        TEST(volumes_without_a_usable_name_get_one),
        TEST(ten_thousand_services_are_planned_in_a_moment),
        TEST(secrets_are_not_printed),
        TEST(resources_are_the_same_whatever_the_services_are),
        TEST(resources_differ_by_password_image_number_and_keeping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
