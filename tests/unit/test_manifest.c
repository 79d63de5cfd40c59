/*
 * Manifests and what becomes of them: every fixtures/golden/manifest/NAME.yml
 * (with NAME.env as the app's environment, where there is one) is loaded and
 * printed with all it was told of; NAME.txt is what that must look like.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/env.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strv.h"
#include "manifest/manifest.h"
#include "support/golden.h"

#define FOLDER "fixtures/golden/manifest"

static void show_text(struct str *out, const char *what, const char *text)
{
    if (text != NULL)
        str_printf(out, "  %s: %s\n", what, text);
}

static void show_flag(struct str *out, const char *what, bool set)
{
    if (set)
        str_printf(out, "  %s\n", what);
}

static void show_list(struct str *out, const char *what,
                      const struct strv *list)
{
    cleanup_free char *all = strv_join(list, "|");

    if (list->len > 0)
        str_printf(out, "  %s: %s\n", what, all);
}

static void show_command(struct str *out, const char *what,
                         const struct manifest_command *command)
{
    assert_true(command->set == (command->text != NULL || command->argv.len));
    show_text(out, what, command->text);
    show_list(out, what, &command->argv);
}

static void show_envs(struct str *out, const struct manifest_envs *envs)
{
    for (size_t i = 0; i < envs->len; i++) {
        const struct manifest_env *e = &envs->v[i];

        str_printf(out, "  env %u:%u: %s%s%s\n", e->pos.line, e->pos.col,
                   e->key, e->value == NULL ? "" : "=",
                   e->value == NULL ? "" : e->value);
    }
}

static void show_ports(struct str *out, const char *what,
                       const struct manifest_ports *ports)
{
    for (size_t i = 0; i < ports->len; i++) {
        const struct manifest_port *p = &ports->v[i];

        str_printf(out, "  %s: %d/%s", what, p->port, p->protocol);
        if (p->published > 0)
            str_printf(out, " published %d", p->published);
        str_add(out, "\n");
    }
}

static void show_check(struct str *out, const char *what,
                       const struct manifest_check *c)
{
    if (c->path == NULL && c->port == 0 && !c->disabled)
        return;
    str_printf(out, "  %s: %s port %d grace %d interval %d timeout %d", what,
               c->path == NULL ? "-" : c->path, c->port, c->grace, c->interval,
               c->timeout);
    if (c->success_threshold != 0 || c->failure_threshold != 0)
        str_printf(out, " thresholds %d %d", c->success_threshold,
                   c->failure_threshold);
    str_printf(out, "%s\n", c->disabled ? " disabled" : "");
}

static void show_options(struct str *out, const char *what,
                         const struct manifest_volume_options *options)
{
    static const char *const kinds[] = { [VOLUME_EMPTY_DIR] = "emptyDir",
                                         [VOLUME_AWS_EFS] = "awsEfs",
                                         [VOLUME_AZURE_FILES] = "azureFiles" };

    for (size_t i = 0; i < options->len; i++) {
        const struct manifest_volume_option *o = &options->v[i];

        str_printf(out, "  %s: %s %s at %s%s%s\n", what, kinds[o->kind], o->id,
                   o->mount_path, o->memory ? " memory" : "",
                   o->read_only ? " read-only" : "");
    }
}

static void show_mounts(struct str *out, const char *what,
                        const struct manifest_config_mounts *mounts)
{
    for (size_t i = 0; i < mounts->len; i++)
        str_printf(out, "  %s: %s at %s / %s\n", what, mounts->v[i].id,
                   mounts->v[i].dir, mounts->v[i].filename);
}

static void show_storage(struct str *out, const struct manifest_service *s)
{
    for (size_t i = 0; i < s->volumes.len; i++)
        str_printf(out, "  volume: %s at %s\n",
                   s->volumes.v[i].from == NULL ? "-" : s->volumes.v[i].from,
                   s->volumes.v[i].to);
    show_options(out, "volume option", &s->volume_options);
    show_mounts(out, "config mount", &s->config_mounts);
    for (size_t i = 0; i < s->pull_secrets.len; i++)
        str_printf(out, "  pull secret: %s %s %s\n",
                   s->pull_secrets.v[i].registry, s->pull_secrets.v[i].username,
                   s->pull_secrets.v[i].password == NULL
                       ? "-"
                       : s->pull_secrets.v[i].password);
}

static void show_network(struct str *out, const struct manifest_service *s)
{
    if (s->port.port > 0)
        str_printf(out, "  port: %s:%d\n", s->port.scheme, s->port.port);
    show_ports(out, "internal port", &s->ports);
    show_ports(out, "nlb", &s->nlb);
    show_flag(out, "internal", s->internal);
    show_flag(out, "internal router", s->internal_router);
    show_list(out, "domains", &s->domains);
    show_check(out, "health", &s->health);
    show_check(out, "liveness", &s->liveness);
    show_check(out, "startup", &s->startup);
    show_flag(out, "grpc health", s->grpc_health);
    if (s->timeout != 60)
        str_printf(out, "  timeout: %d\n", s->timeout);
}

static void show_process(struct str *out, const struct manifest_service *s)
{
    show_flag(out, "agent", s->agent);
    show_flag(out, "singleton", s->singleton);
    show_flag(out, "privileged", s->privileged);
    show_flag(out, "no init", !s->init);
    str_printf(out, "  count: %d\n", s->scale.count);
    if (s->scale.cpu + s->scale.memory > 0)
        str_printf(out, "  cpu %d memory %d\n", s->scale.cpu, s->scale.memory);
    if (s->scale.cpu_limit + s->scale.memory_limit > 0)
        str_printf(out, "  limit: cpu %d memory %d\n", s->scale.cpu_limit,
                   s->scale.memory_limit);
    if (s->termination_grace != 30)
        str_printf(out, "  termination grace: %d\n", s->termination_grace);
    show_command(out, "pre stop", &s->lifecycle.pre_stop);
    show_command(out, "post start", &s->lifecycle.post_start);
    if (s->security.run_as_user >= 0 || s->security.run_as_group >= 0)
        str_printf(out, "  user: %ld:%ld\n", s->security.run_as_user,
                   s->security.run_as_group);
    show_flag(out, "read-only root", s->security.read_only_root);
    show_flag(out, "no new privileges", s->security.no_new_privileges);
    show_list(out, "add capabilities", &s->security.cap_add);
    show_list(out, "drop capabilities", &s->security.cap_drop);
}

static void show_init(struct str *out, const struct manifest_service *s)
{
    if (!s->init_container.set)
        return;
    str_add(out, "  init container\n");
    show_text(out, "  image", s->init_container.image);
    show_command(out, "  command", &s->init_container.command);
    show_options(out, "  volume option", &s->init_container.volume_options);
    show_mounts(out, "  config mount", &s->init_container.config_mounts);
}

static void show_service(struct str *out, const struct manifest_service *s)
{
    str_printf(out, "service %s (%u:%u)\n", s->name, s->pos.line, s->pos.col);
    show_text(out, "image", s->image);
    if (s->build_path != NULL)
        str_printf(out, "  build: %s %s\n", s->build_path, s->build_manifest);
    show_list(out, "build args", &s->build_args);
    show_command(out, "command", &s->command);
    show_text(out, "test", s->test);
    show_envs(out, &s->environment);
    for (size_t i = 0; i < s->resources.len; i++)
        str_printf(out, "  uses: %s as %s\n", s->resources.v[i].resource,
                   s->resources.v[i].variable == NULL
                       ? "-"
                       : s->resources.v[i].variable);
    show_list(out, "links", &s->links);
    show_network(out, s);
    show_process(out, s);
    show_storage(out, s);
    show_init(out, s);
}

static void show_rest(struct str *out, const struct manifest *m)
{
    for (size_t i = 0; i < m->resources.len; i++) {
        const struct manifest_resource *r = &m->resources.v[i];

        str_printf(out, "resource %s (%u:%u)\n", r->name, r->pos.line,
                   r->pos.col);
        if (r->type != NULL)
            str_printf(out, "  type (%u:%u): %s\n", r->type_pos.line,
                       r->type_pos.col, r->type);
        show_text(out, "image", r->image);
        for (size_t j = 0; j < r->options.len; j++)
            str_printf(out, "  option %s: %s\n", r->options.v[j].key,
                       r->options.v[j].value);
    }
    for (size_t i = 0; i < m->timers.len; i++) {
        const struct manifest_timer *t = &m->timers.v[i];

        str_printf(out, "timer %s (%u:%u)\n", t->name, t->pos.line, t->pos.col);
        show_text(out, "schedule", t->schedule);
        show_text(out, "service", t->service);
        show_command(out, "command", &t->command);
    }
    for (size_t i = 0; i < m->configs.len; i++)
        str_printf(out, "config %s %s: %s\n", m->configs.v[i].id,
                   m->configs.v[i].name == NULL ? "-" : m->configs.v[i].name,
                   m->configs.v[i].value);
}

static void show_manifest(struct str *out, const struct manifest *m)
{
    if (m == NULL) {
        str_add(out, "no manifest\n");
        return;
    }
    str_printf(out, "manifest\n");
    show_envs(out, &m->environment);
    for (size_t i = 0; i < m->services.len; i++)
        show_service(out, &m->services.v[i]);
    show_rest(out, m);
}

/* What `name`.yml becomes, as text. The caller frees it. */
static char *load_and_show(const char *name)
{
    cleanup_free char *yml = xasprintf(FOLDER "/%s.yml", name);
    cleanup_free char *env_path = xasprintf(FOLDER "/%s.env", name);
    cleanup_free char *text = NULL, *vars = NULL;
    cleanup_env struct env env = { 0 };
    cleanup_diags struct diags diags = { 0 };
    struct str out = { 0 };
    struct manifest *m;
    size_t len, vars_len;

    text = golden_read(yml, &len);
    if (access(env_path, R_OK) == 0) {
        vars = golden_read(env_path, &vars_len);
        env_parse(&env, vars, vars_len, false, "test");
    }
    m = manifest_load(text, len, &env, &diags);
    show_manifest(&out, m);
    diags_print(&diags, DIAG_ERROR, "convox.yml", text, len, &out);
    diags_print(&diags, DIAG_WARNING, "convox.yml", text, len, &out);
    diags_print(&diags, DIAG_NOTE, "note", NULL, 0, &out);
    manifest_free(m);
    return str_take(&out);
}

static bool is_as_expected(const char *name)
{
    cleanup_free char *txt = xasprintf(FOLDER "/%s.txt", name);
    cleanup_free char *got = load_and_show(name);

    return golden_equal(txt, got);
}

static void manifests_become_what_their_golden_files_say(void **state)
{
    cleanup_strv struct strv names = { 0 };
    DIR *dir = opendir(FOLDER);
    struct dirent *entry;
    int wrong = 0;

    (void)state;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        if (str_ends(entry->d_name, ".yml"))
            strv_add_len(&names, entry->d_name, strlen(entry->d_name) - 4);
    closedir(dir);
    strv_sort(&names);
    for (size_t i = 0; i < names.len; i++)
        if (!is_as_expected(names.v[i]))
            wrong++;
    print_message("%zu manifests\n", names.len);
    assert_int_equal(wrong, 0);
    assert_true(names.len >= 60);
}

/* A manifest made of many lines; `line` may hold one %d. */
static char *many(const char *head, const char *line, int count)
{
    struct str text = { 0 };

    str_add(&text, head);
    for (int i = 0; i < count; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        str_printf(&text, line, i, i);
#pragma GCC diagnostic pop
    }
    return str_take(&text);
}

static double seconds_since(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) +
           (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

/* How many services it has, -1 when it is refused with exactly one error,
 * whose text then holds `want`. Far slower than it should be is a failure;
 * sanitizers and valgrind are given their share. */
static int services_of(const char *text, size_t len, const char *want)
{
    cleanup_diags struct diags diags = { 0 };
    struct timespec start;
    struct manifest *m;
    int count = -1;

    clock_gettime(CLOCK_MONOTONIC, &start);
    m = manifest_load(text, len, NULL, &diags);
    assert_true(seconds_since(&start) < 60);
    if (diags.errors == 0) {
        count = (int)m->services.len;
    } else {
        assert_int_equal(diags.errors, 1);
        assert_true(diags.v[0].pos.line > 0 || len > MANIFEST_MAX);
        assert_non_null(want);
        if (strstr(diags.v[0].text, want) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", want, diags.v[0].text);
    }
    manifest_free(m);
    return count;
}

static void ten_thousand_services_load(void **state)
{
    cleanup_free char *text =
        many("environment: [A=1, B]\nresources:\n  db: {type: postgres}\n"
             "services:\n",
             "  s%d:\n    image: x\n    port: 3000\n    scale: 2\n"
             "    resources: [db]\n    environment:\n      - N=%d\n",
             10000);

    (void)state;
    assert_int_equal(services_of(text, strlen(text), NULL), 10000);
}

static void too_many_services_are_one_error(void **state)
{
    cleanup_free char *text = many("services:\n", "  s%d:\n", 30000);

    (void)state;
    assert_int_equal(services_of(text, strlen(text), "are too many"), -1);
}

static void a_huge_file_is_refused_unread(void **state)
{
    size_t len = (size_t)50 << 20;
    cleanup_free char *text = xcalloc(1, len + 1);

    (void)state;
    memset(text, 'a', len);
    assert_int_equal(services_of(text, len, "larger than 4 MB"), -1);
}

static void an_alias_bomb_is_one_error(void **state)
{
    struct str text = { 0 };

    (void)state;
    str_add(&text, "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for (int i = 1; i < 20; i++)
        str_printf(&text, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i,
                   i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    str_add(&text, "services: {web: {environment: *a19}}\n");
    assert_int_equal(services_of(str_c(&text), text.len, "aliases make more"),
                     -1);
    str_release(&text);
}

static void a_long_text_named_often_is_one_error(void **state)
{
    struct str text = { 0 };

    (void)state;
    str_add(&text, "long: &long ");
    for (int i = 0; i < 1000000; i++)
        str_add_char(&text, 'x');
    str_add(&text, "\nservices:\n  web:\n    environment:\n");
    for (int i = 0; i < 10000; i++)
        str_add(&text, "      - *long\n");
    assert_int_equal(services_of(str_c(&text), text.len, "aliases make more"),
                     -1);
    str_release(&text);
}

static void deep_nesting_is_one_error(void **state)
{
    struct str flow = { 0 }, block = { 0 };

    (void)state;
    str_add(&flow, "a: ");
    for (int i = 0; i < 10000; i++)
        str_add(&flow, "[");
    for (int i = 0; i < 1500; i++)
        str_printf(&block, "%*sa:\n", i, "");
    assert_int_equal(services_of(str_c(&flow), flow.len, "nested"), -1);
    assert_int_equal(services_of(str_c(&block), block.len, "nested"), -1);
    str_release(&flow);
    str_release(&block);
}

static void many_values_are_one_error(void **state)
{
    cleanup_free char *text = many("a:\n", "- a\n", 600000);

    (void)state;
    assert_int_equal(services_of(text, strlen(text), "too many values"), -1);
}

static void many_wrong_keys_do_not_take_for_ever(void **state)
{
    cleanup_free char *text =
        many("services:\n  web:\n", "    envirnment%d:\n", 100000);
    cleanup_diags struct diags diags = { 0 };
    struct manifest *m = manifest_load(text, strlen(text), NULL, &diags);

    (void)state;
    assert_non_null(m);
    assert_int_equal(diags.errors, 0);
    assert_int_equal(diags.warnings, 100000);
    assert_int_equal(diags.len, DIAGS_MAX);
    manifest_free(m);
}

static void the_same_environment_for_all_has_a_limit(void **state)
{
    cleanup_free char *items = many("environment:\n", "- K%d=1\n", 5000);
    cleanup_free char *services = many("services:\n", "  s%d:\n", 10000);
    cleanup_free char *text = xasprintf("%s%s", items, services);

    (void)state;
    assert_int_equal(services_of(text, strlen(text), "are too many"), -1);
}

static void dollars_without_an_end_are_read_once(void **state)
{
    struct str text = { 0 };

    (void)state;
    str_add(&text, "a: \"");
    for (int i = 0; i < 1500000; i++)
        str_add(&text, "${");
    str_add(&text, "\"\n");
    assert_int_equal(services_of(str_c(&text), text.len, NULL), 0);
    str_release(&text);
}

static void values_may_not_blow_the_text_up(void **state)
{
    cleanup_free char *text = many("", "a%d: ${BIG}\n", 1000);
    cleanup_free char *big = xcalloc(1, (1 << 20) + 1);
    cleanup_env struct env env = { 0 };
    cleanup_diags struct diags diags = { 0 };

    (void)state;
    memset(big, 'x', 1 << 20);
    env_set(&env, "BIG", big, "test");
    assert_null(manifest_load(text, strlen(text), &env, &diags));
    assert_int_equal(diags.errors, 1);
    assert_non_null(strstr(diags.v[0].text, "larger than 16 MB"));
}

static void errors_are_not_lost_among_notes(void **state)
{
    cleanup_free char *head =
        many("services:\n", "  s%d:\n    sticky: true\n    foo: 1\n", 500);
    cleanup_free char *text = xasprintf("%s  Bad_Name:\n    port: x\n", head);
    cleanup_diags struct diags diags = { 0 };
    struct manifest *m = manifest_load(text, strlen(text), NULL, &diags);

    (void)state;
    assert_int_equal(diags.errors, 2);
    assert_int_equal(diags.warnings, 500);
    assert_int_equal(diags.notes, 500);
    assert_int_equal(diags.v[diags.len - 1].level, DIAG_ERROR);
    assert_int_equal(diags.v[diags.len - 2].level, DIAG_ERROR);
    manifest_free(m);
}

static void the_environment_is_not_changed(void **state)
{
    static const char text[] = "services:\n  web:\n    environment: [A, B=2]\n"
                               "    image: ${A}\n";
    cleanup_env struct env env = { 0 };
    cleanup_diags struct diags diags = { 0 };
    struct manifest *m;

    (void)state;
    env_set(&env, "A", "1", "test");
    env_set(&env, "C", "3", "test");
    m = manifest_load(text, strlen(text), &env, &diags);
    assert_non_null(m);
    assert_string_equal(m->services.v[0].image, "1");
    assert_int_equal(env.len, 2);
    assert_string_equal(env_get(&env, "C"), "3");
    manifest_free(m);
}

static void values_of_the_environment_are_not_shown(void **state)
{
    static const char text[] = "services:\n  web:\n    port: ${SECRET}\n"
                               "    internal: a${SECRET}b\n"
                               "    health: [\"${SECRET}\"]\n"
                               "    volumes: [\"${SECRET}\"]\n"
                               "    environment: [\"a ${SECRET}\"]\n";
    cleanup_env struct env env = { 0 };
    cleanup_diags struct diags diags = { 0 };
    struct str out = { 0 };
    struct manifest *m;

    (void)state;
    env_set(&env, "SECRET", "hunter2", "test");
    m = manifest_load(text, strlen(text), &env, &diags);
    assert_int_equal(diags.errors, 4);
    assert_int_equal(diags.warnings, 1);
    diags_print(&diags, DIAG_ERROR, "convox.yml", text, strlen(text), &out);
    diags_print(&diags, DIAG_WARNING, "convox.yml", NULL, 0, &out);
    assert_null(strstr(str_c(&out), "hunter2"));
    assert_non_null(strstr(str_c(&out), "\"${SECRET}\""));
    str_release(&out);
    manifest_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manifests_become_what_their_golden_files_say),
        cmocka_unit_test(ten_thousand_services_load),
        cmocka_unit_test(too_many_services_are_one_error),
        cmocka_unit_test(a_huge_file_is_refused_unread),
        cmocka_unit_test(an_alias_bomb_is_one_error),
        cmocka_unit_test(a_long_text_named_often_is_one_error),
        cmocka_unit_test(deep_nesting_is_one_error),
        cmocka_unit_test(many_values_are_one_error),
        cmocka_unit_test(many_wrong_keys_do_not_take_for_ever),
        cmocka_unit_test(the_same_environment_for_all_has_a_limit),
        cmocka_unit_test(dollars_without_an_end_are_read_once),
        cmocka_unit_test(values_may_not_blow_the_text_up),
        cmocka_unit_test(errors_are_not_lost_among_notes),
        cmocka_unit_test(the_environment_is_not_changed),
        cmocka_unit_test(values_of_the_environment_are_not_shown),
    };

    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
