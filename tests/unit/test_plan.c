/*
 * plan_make() on manifests built by hand: what a convox.yml cannot say, or what
 * the printed plan does not show (passwords, the environment of builds), or
 * what every new type would change (the list of types). All
 * the rest goes in as convox.yml and comes out as text: test_plan_golden.c.
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
    free(s->volumes.v);
    free(s->config_mounts.v);
    free(s->pull_secrets.v);
    strv_release(&s->links);
}

static int teardown(void **state)
{
    struct world *w = *state;

    plan_free(w->plan);
    for (size_t i = 0; i < w->m.services.len; i++)
        free_service(&w->m.services.v[i]);
    free(w->m.services.v);
    free(w->m.resources.v);
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

/* ---- what is not printed ------------------------------------------------ */

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

static void stand_ins_have_the_password_of_the_plan(void **state)
{
    static const struct {
        const char *type, *kind, *key;
    } rows[] = { { "rds-postgres", "postgres", "POSTGRES_PASSWORD" },
                 { "mysql", "mysql", "MYSQL_PASSWORD" },
                 { "mysql", "mysql", "MYSQL_ROOT_PASSWORD" },
                 { "rds-mariadb", "mariadb", "MARIADB_PASSWORD" },
                 { "rds-mariadb", "mariadb", "MARIADB_ROOT_PASSWORD" } };
    struct world *w = *state;

    for (size_t i = 0; i < 5; i++)
        resource(w, xasprintf("r%zu", i), rows[i].type);
    make(w);
    for (size_t i = 0; i < 5; i++) {
        const struct plan_resource *got = &w->plan->resources.v[i];

        assert_string_equal(got->kind, rows[i].kind);
        assert_string_equal(env_of(&got->container, rows[i].key),
                            "hunter2hunter2");
        free(w->m.resources.v[i].name);
    }
}

static void an_alias_is_trimmed(void **state)
{
    struct world *w = *state;

    resource(w, "db", "postgres");
    use(service(w, "web"), "db", " DATABASE_HOST ");
    make(w);
    check_env(w, "DATABASE_HOST", "resource-db");
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

static void what_the_manifest_reports_is_passed_over(void **state)
{
    struct world *w = *state;
    struct manifest_service *s = service(w, "web");
    struct manifest_config_mount *mounted = vec_add(&s->config_mounts);

    use(s, "ghost", NULL);
    use(s, "ghost", "ALIAS_URL");
    declare(s, "GHOST_URL", NULL);
    declare(s, "ALIAS_URL", NULL);
    strv_add(&s->links, "nobody");
    *mounted = (struct manifest_config_mount){ T("ghost"), T("/e"), T("y") };
    resource(w, "blank", "");
    resource(w, "null", NULL);
    resource(w, "twice", "redis");
    resource(w, "twice", "mysql");
    service(w, "web");
    make(w);
    assert_int_equal(w->plan->resources.len, 1);
    assert_int_equal(w->plan->services.len, 1);
    assert_int_equal(w->plan->services.v[0].resources.len, 0);
    assert_int_equal(w->plan->services.v[0].container.files.len, 0);
}

static void a_mount_point_is_absolute(void **state)
{
    struct world *w = *state;

    mount(service(w, "web"), "a", "x");
    make_fails(w, "service web: volume x: the path inside the container "
                  "begins with a /");
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_service_knows_its_app_and_rack),
        TEST(a_service_gets_the_six_of_what_it_lists_only),
        TEST(an_unknown_type_is_the_only_error_of_its_resource),
        TEST(stand_ins_have_the_password_of_the_plan),
        TEST(an_alias_is_trimmed),
        TEST(an_overlay_means_no_container_and_derives_the_rest),
        TEST(what_the_manifest_reports_is_passed_over),
        TEST(a_mount_point_is_absolute),
        TEST(logins_of_registries_are_collected_once_each),
        TEST(the_apps_environment_is_offered_to_builds),
        TEST(an_app_without_any_environment_is_planned),
        TEST(errors_from_before_do_not_stop_a_plan),
        TEST(ten_thousand_services_are_planned_in_a_moment),
        TEST(resources_are_the_same_whatever_the_services_are),
        TEST(resources_differ_by_password_image_number_and_keeping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
