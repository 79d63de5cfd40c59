/* The parts of plan/ that turn one text into another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "base/mem.h"
#include "base/str.h"
#include "manifest/manifest.h"
#include "plan/command.h"
#include "plan/mask.h"
#include "plan/plan.h"
#include "plan/resource_type.h"
#include "plan/url.h"
#include "plan/vars.h"

/* ---- url --------------------------------------------------------------- */

struct url_case {
    const char *text, *scheme, *user, *pass, *host;
    int port;
    const char *name;
};

static void check_urls(const struct url_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct url_case *c = &cases[i];
        struct url u;

        if (!url_parse(c->text, &u))
            fail_msg("no host in %s", c->text);
        assert_string_equal(u.scheme, c->scheme);
        assert_string_equal(u.user, c->user);
        assert_string_equal(u.pass, c->pass);
        assert_string_equal(u.host, c->host);
        assert_int_equal(u.port, c->port);
        assert_string_equal(u.name, c->name);
        url_release(&u);
    }
}

#define CHECK_URLS(cases) check_urls(cases, sizeof(cases) / sizeof(cases[0]))

static void a_url_is_taken_apart(void **state)
{
    static const struct url_case cases[] = {
        { "postgres://me:pw@db.example.com:5433/shop", "postgres", "me", "pw",
          "db.example.com", 5433, "shop" },
        { "mysql://db/shop?ssl=true#x", "mysql", "", "", "db", 0, "shop" },
        { "redis://:pw@cache:6379/0", "redis", "", "pw", "cache", 6379, "0" },
        { "rediss://token@cache", "rediss", "token", "", "cache", 0, "" },
        { "postgres://@db/x", "postgres", "", "", "db", 0, "x" },
        { "cache:11211", "", "", "", "cache", 11211, "" },
        { "  memcached://cache:11211  ", "memcached", "", "", "cache", 11211,
          "" },
        { "mysql://h/a/b", "mysql", "", "", "h", 0, "a/b" },
        { "mysql://h?x=1", "mysql", "", "", "h", 0, "" },
    };

    (void)state;
    CHECK_URLS(cases);
}

static void
percent_encoding_is_undone_in_user_password_host_and_name(void **state)
{
    static const struct url_case cases[] = {
        { "postgres://a%40b:p%3Aq%2f%25@h/n%20m", "postgres", "a@b", "p:q/%",
          "h", 0, "n m" },
        { "postgres://a%zz:b%4@h/c%", "postgres", "a%zz", "b%4", "h", 0, "c%" },
        { "postgres://a%00b:c@h/d", "postgres", "a%00b", "c", "h", 0, "d" },
        { "postgres://%2Fvar%2Frun/db", "postgres", "", "", "/var/run", 0,
          "db" },
    };

    (void)state;
    CHECK_URLS(cases);
}

static void ipv6_hosts_lose_their_brackets(void **state)
{
    static const struct url_case cases[] = {
        { "redis://[::1]:6380/1", "redis", "", "", "::1", 6380, "1" },
        { "redis://u:p@[fe80::2]", "redis", "u", "p", "fe80::2", 0, "" },
        { "redis://[::1/0", "redis", "", "", "[::1", 0, "0" },
        { "redis://fe80::2/0", "redis", "", "", "fe80::2", 0, "0" },
    };

    (void)state;
    CHECK_URLS(cases);
}

static void the_last_at_sign_ends_the_password(void **state)
{
    static const struct url_case cases[] = {
        { "mysql://me:p@ss@h/db", "mysql", "me", "p@ss", "h", 0, "db" },
        { "mysql://me:p/w@h:33/db", "mysql", "me", "p/w", "h", 33, "db" },
        { "mysql://me:p#w?@h/db", "mysql", "me", "p#w?", "h", 0, "db" },
        { "http://h:80/a@b", "http", "", "", "h", 80, "a@b" },
    };

    (void)state;
    CHECK_URLS(cases);
}

static void query_parameters_fill_what_the_rest_leaves_open(void **state)
{
    static const struct url_case cases[] = {
        { "jdbc:mariadb://h.example:3306/DB?user=me&password=p%26w", "mariadb",
          "me", "p&w", "h.example", 3306, "DB" },
        { "postgres:///shop?host=/run/pg&port=5499", "postgres", "", "",
          "/run/pg", 5499, "shop" },
        { "postgres://a:b@h/n?user=x&password=y&dbname=z&host=w&port=1#f",
          "postgres", "a", "b", "h", 1, "n" },
        { "postgres://h?dbname=z&&flag", "postgres", "", "", "h", 0, "z" },
    };

    (void)state;
    CHECK_URLS(cases);
}

static void of_several_hosts_the_first_counts(void **state)
{
    static const struct url_case cases[] = {
        { "postgres://u:p@a:1,b:2/db", "postgres", "u", "p", "a", 1, "db" },
    };

    (void)state;
    CHECK_URLS(cases);
}

static void a_url_without_a_host_is_none(void **state)
{
    static const char *const bad[] = { "",   "postgres://", "://",
                                       "  ", "/x",          "@",
                                       "?",  "redis://:@/0" };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct url u;

        assert_false(url_parse(bad[i], &u));
        url_release(&u);
    }
}

static void a_port_out_of_range_is_no_port(void **state)
{
    static const char *const urls[] = { "x://h:0/", "x://h:65536/", "x://h:/",
                                        "x://h:1a/", "x://h:-1/" };

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct url u;

        assert_true(url_parse(urls[i], &u));
        assert_int_equal(u.port, 0);
        url_release(&u);
    }
}

/* ---- command ----------------------------------------------------------- */

static char *split(const char *text)
{
    cleanup_strv struct strv argv = { 0 };

    command_split(text, &argv);
    return strv_join(&argv, "|");
}

static void check_split(const char *text, const char *want)
{
    cleanup_free char *got = split(text);

    assert_string_equal(got, want);
}

static void a_plain_string_is_split_into_words(void **state)
{
    (void)state;
    check_split("npm start", "npm|start");
    check_split("  npm \t start  ", "npm|start");
    check_split("a b=c d:e f,g %h @i {x,y} ]", "a|b=c|d:e|f,g|%h|@i|{x,y}|]");
    check_split("a~b c#d", "a~b|c#d");
    check_split("a! b", "a!|b");
    check_split("", "");
    check_split(" \n ", "");
}

static void quotes_and_backslashes_are_a_shells(void **state)
{
    (void)state;
    check_split("a 'b  c' \"d  e\" f\\ g", "a|b  c|d  e|f g");
    check_split("a '' \"\"", "a||");
    check_split("a 'b'\"c\"d", "a|bcd");
    check_split("a '$X;`' ", "a|$X;`");
    check_split("a \"x;y|*\" '?'", "a|x;y|*|?");
    check_split("a \"\\\"\\\\\\$\\n\"", "a|\"\\$\\n");
    check_split("a \\; \\$b \\*", "a|;|$b|*");
    check_split("a \\\n b", "a|b");
    check_split("'cd x'", "cd x");
    check_split("echo\\ ", "echo ");
}

static void shell_syntax_is_left_to_a_shell(void **state)
{
    static const char *const shell[] = {
        "a | b",    "a && b",    "a; b",     "a > b",  "a < b",   "(a)",
        "a $X",     "a ${X}",    "a `b`",    "a *",    "a ?",     "a [x]",
        "a ~/x",    "~/x",       "a # b",    "a\nb",   "X=1 a",   "_X9=y",
        "a \"$X\"", "a \"`b`\"", "a 'b",     "a \"b",  "a b\\",   "if x",
        "for x",    "while x",   "case x",   "{ a",    "! a",     "cd x",
        "export X", "exec a",    "source x", ". x",    "set -e",  "ulimit -n",
        ": x",      "umask 022", "eval x",   "a 2>&1", "until x", "unset x",
        "trap x",   "wait",      "a \"b$\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(shell) / sizeof(shell[0]); i++) {
        cleanup_free char *want = xasprintf("sh|-c|%s", shell[i]);

        check_split(shell[i], want);
    }
    check_split("  cd x ", "sh|-c|cd x");
}

static void a_word_that_only_looks_like_shell_is_none(void **state)
{
    (void)state;
    check_split("iffy x", "iffy|x");
    check_split("./set x", "./set|x");
    check_split("run cd exec", "run|cd|exec");
    check_split("env X=1 a", "env|X=1|a");
    check_split("9X=1 a", "9X=1|a");
    check_split("--x=1", "--x=1");
}

static void a_list_is_taken_as_it_is(void **state)
{
    struct manifest_command c = { .set = true };
    cleanup_strv struct strv argv = { 0 };
    cleanup_free char *got = NULL;

    (void)state;
    strv_add(&c.argv, "a | b");
    strv_add(&c.argv, "");
    command_argv(&c, &argv);
    got = strv_join(&argv, ",");
    assert_string_equal(got, "a | b,");
    strv_release(&c.argv);
}

static void an_unset_command_leaves_the_images(void **state)
{
    struct manifest_command c = { 0 };
    cleanup_strv struct strv argv = { 0 };

    (void)state;
    command_argv(&c, &argv);
    c.set = true;
    command_argv(&c, &argv);
    c.text = (char *)" ";
    command_argv(&c, &argv);
    assert_int_equal(argv.len, 0);
}

/* ---- the table of types ------------------------------------------------ */

static void every_name_of_design_finds_its_row(void **state)
{
    static const struct {
        const char *name, *kind, *image, *version, *url;
        int port;
        bool login;
    } rows[] = {
#define PG "postgres://{user}:{pass}@{host}:{port}/{name}?sslmode=disable"
#define MY "mysql://{user}:{pass}@{host}:{port}/{name}"
#define RE "redis://{host}:{port}/0"
#define MC "memcached://{host}:{port}"
        { "postgres", "postgres", "postgres", "17", PG, 5432, true },
        { "rds-postgres", "postgres", "postgres", "17", PG, 5432, true },
        { "postgis", "postgis", "postgis/postgis", "17-3.5", PG, 5432, true },
        { "mysql", "mysql", "mysql", "8.4", MY, 3306, true },
        { "rds-mysql", "mysql", "mysql", "8.4", MY, 3306, true },
        { "mariadb", "mariadb", "mariadb", "11.8", MY, 3306, true },
        { "rds-mariadb", "mariadb", "mariadb", "11.8", MY, 3306, true },
        { "redis", "redis", "redis", "8.0", RE, 6379, false },
        { "elasticache-redis", "redis", "redis", "8.0", RE, 6379, false },
        { "valkey", "valkey", "valkey/valkey", "8.1", RE, 6379, false },
        { "memcached", "memcached", "memcached", "1.6", MC, 11211, false },
        { "elasticache-memcached", "memcached", "memcached", "1.6", MC, 11211,
          false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct resource_type *t = resource_type_find(rows[i].name, NULL);
        cleanup_free char *folder = NULL;

        assert_non_null(t);
        assert_string_equal(t->kind, rows[i].kind);
        assert_string_equal(t->image, rows[i].image);
        assert_string_equal(t->version, rows[i].version);
        assert_string_equal(t->url, rows[i].url);
        assert_int_equal(t->port, rows[i].port);
        assert_int_equal(t->has_login, rows[i].login);
        folder = xasprintf("images/%s", t->standin);
        assert_int_equal(access(folder, R_OK), 0);
    }
    assert_non_null(resource_type_find("efs", NULL));
    assert_int_equal(resource_type_find("efs", NULL)->port, 0);
}

static void the_nearest_type_is_offered_when_one_is_near(void **state)
{
    static const struct {
        const char *typed, *nearest;
    } cases[] = {
        { "postgers", "postgres" },
        { "postgresql", "postgres" },
        { "Postgres", "postgres" },
        { "my-sql", "mysql" },
        { "memcache", "memcached" },
        { "rds-postgre", "rds-postgres" },
        { "reddis", "redis" },
        { "maria", "mariadb" },
        { "efz", "efs" },
        { "mongodb", NULL },
        { "kafka", NULL },
        { "s3", NULL },
        { "x", NULL },
        { "", NULL },
    };
    const char *nearest;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        nearest = NULL;
        assert_null(resource_type_find(cases[i].typed, &nearest));
        if (cases[i].nearest == NULL)
            assert_null(nearest);
        else
            assert_string_equal(nearest, cases[i].nearest);
    }
}

static void every_name_is_listed_for_messages(void **state)
{
    cleanup_free char *names = resource_type_names();

    (void)state;
    assert_true(str_starts(names, "postgres, rds-postgres, postgis, "));
    assert_true(str_ends(names, ", efs"));
    for (const char *at = names; *at != '\0'; at += strspn(at, ", ")) {
        size_t len = strcspn(at, ",");
        cleanup_free char *name = str_dup_len(at, len);

        assert_non_null(resource_type_find(name, NULL));
        at += len;
    }
}

/* ---- the six variables ------------------------------------------------- */

static void a_password_is_encoded_inside_a_url_only(void **state)
{
    struct plan_vars vars = { 0 };

    (void)state;
    vars_make(&vars, resource_type_find("postgres", NULL), "main-db",
              "a/b@c:d");
    assert_string_equal(vars.url, "postgres://app:a%2Fb%40c%3Ad@resource-"
                                  "main-db:5432/app?sslmode=disable");
    assert_string_equal(vars.pass, "a/b@c:d");
    assert_string_equal(vars.host, "resource-main-db");
    vars_release(&vars);
}

static void a_variable_is_picked_by_its_suffix_else_the_url(void **state)
{
    struct plan_vars vars = { 0 };

    (void)state;
    vars_make(&vars, resource_type_find("mysql", NULL), "db", "pw");
    assert_string_equal(vars_get(&vars, "URL"),
                        "mysql://app:pw@resource-db:3306/app");
    assert_string_equal(vars_get(&vars, "USER"), "app");
    assert_string_equal(vars_get(&vars, "PASS"), "pw");
    assert_string_equal(vars_get(&vars, "HOST"), "resource-db");
    assert_string_equal(vars_get(&vars, "PORT"), "3306");
    assert_string_equal(vars_get(&vars, "NAME"), "app");
    assert_string_equal(vars_get(&vars, "DSN"), vars.url);
    vars_release(&vars);
}

static void a_key_is_upper_case_with_underscores(void **state)
{
    cleanup_free char *key = vars_key("my-main-db2", "URL");

    (void)state;
    assert_string_equal(key, "MY_MAIN_DB2_URL");
}

static void unknown_braces_stay_in_a_template(void **state)
{
    struct plan_vars vars = { 0 };
    cleanup_free char *got = NULL;

    (void)state;
    vars_make(&vars, resource_type_find("mysql", NULL), "db", "{user}");
    got = vars_fill(&vars, "{what}{pass}{}{user", false);
    assert_string_equal(got, "{what}{user}{}{user");
    vars_release(&vars);
}

/* ---- secrets ----------------------------------------------------------- */

static void keys_that_look_secret_are_known_by_their_words(void **state)
{
    static const char *const secret[] = {
        "DB_PASS",      "PASSWORD",        "DBPASSWORD",
        "API_KEY",      "SECRET_KEY_BASE", "GITHUB_TOKEN",
        "auth",         "x-api-key",       "PRIVATE_PEM",
        "DB_PWD",       "AWS_CREDENTIALS", "PGPASSWORD",
        "MYSQL_PASSWD", "SECRET_URL",
    };
    static const char *const open[] = { "KEYBOARD",  "MONKEY",   "HOST",
                                        "COMPASS_X", "AUTH_URL", "KEY_HOST",
                                        "AUTHOR",    "PORT",     "" };

    (void)state;
    for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
        if (!mask_is_secret(secret[i], strlen(secret[i])))
            fail_msg("%s", secret[i]);
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        if (mask_is_secret(open[i], strlen(open[i])))
            fail_msg("%s", open[i]);
}

static void raw_text_is_masked_and_keeps_its_lines(void **state)
{
    cleanup_strv struct strv known = { 0 };
    cleanup_free char *out = NULL;

    (void)state;
    strv_add(&known, "hunter2x");
    out = mask_text("a\thunter2x\npg://u:p@h\nset API_KEY=value", &known);
    assert_string_equal(out, "a\t****\npg://u:****@h\nset API_KEY=value");
    assert_null(mask_text(NULL, &known));
}

static void secrets_of_an_environment_are_found(void **state)
{
    cleanup_env struct env env = { 0 };
    cleanup_strv struct strv known = { 0 };
    cleanup_free char *all = NULL;

    (void)state;
    env_set(&env, "API_TOKEN", "tok-of-dotenv", ".env");
    env_set(&env, "API_KEY", "tiny", ".env"); /* in too many words */
    env_set(&env, "PLAIN", "abc123def456", ".env");
    env_set(&env, "STORED", "stored123", "cvx env set");
    env_set(&env, "MODE", "production", "cvx env set");
    env_set(&env, "LISTEN", "30003000", "cvx env set");
    env_set(&env, "PLACE", "/srv/app2/x", "cvx env set");
    env_set(&env, "SITE", "http://localhost:3000", "cvx env set");
    env_set(&env, "DB_URL", "pg://me:pw-of-url@h/d", ".env");
    mask_collect_env(&env, "cvx env set", &known);
    all = strv_join(&known, " ");
    assert_string_equal(all, "tok-of-dotenv stored123 pw-of-url");
}

static void check_mask(const char *text, const char *want)
{
    cleanup_strv struct strv known = { 0 };
    cleanup_str struct str out = { 0 };

    strv_add(&known, "hunter2x");
    mask_add(text, &known, &out);
    assert_string_equal(str_c(&out), want);
}

static void passwords_are_masked_wherever_they_stand(void **state)
{
    (void)state;
    check_mask("plain text", "plain text");
    check_mask("ahunter2xb hunter2x", "a****b ****");
    check_mask("pg://u:p@h/d", "pg://u:****@h/d");
    check_mask("pg://:p@h/d", "pg://:****@h/d");
    check_mask("pg://u:@h/d", "pg://u:@h/d");
    check_mask("https://t0ken@h/d", "https://****@h/d");
    check_mask("pg://u:a/b@h/d", "pg://u:****@h/d");
    check_mask("pg://u:p@q@h/d", "pg://u:****@h/d");
    check_mask("http://h:80/a@b", "http://h:80/a@b");
    check_mask("x://h?password=p%20q&a=1", "x://h?password=****&a=1");
    check_mask("x://h?a=1&api_key=zz", "x://h?a=1&api_key=****");
    check_mask("x://h?password=", "x://h?password=");
    check_mask("run --port=1 TOKEN=abc x", "run --port=1 TOKEN=**** x");
    check_mask("a pg://u:p@h b pg://v:q@i", "a pg://u:****@h b pg://v:****@i");
    check_mask("x://hunter2x:p@h?hunter2x_pass=q", "x://****:****@h?****_pass"
                                                   "=****");
    check_mask("x://u:hunter2x@h", "x://u:****@h");
    check_mask("a\nb\t\x1b[0m", "a\\nb\\t\\x1b[0m");
}

/* ---- an app's name ----------------------------------------------------- */

static void check_name(const char *raw, const char *want)
{
    cleanup_free char *got = plan_app_name(raw);

    if (want == NULL)
        assert_null(got);
    else
        assert_string_equal(got, want);
}

static struct plan *plan_with_secrets(void)
{
    struct plan *p = xcalloc(1, sizeof(*p));

    strv_add(&p->build_env, "A_TOKEN=abcdef");
    strv_add(&p->build_env, "B_TOKEN=abcdefghi");
    strv_add(&p->build_env, "C_TOKEN=short");
    strv_add(&p->build_env, "OPEN=nothing to hide");
    return p;
}

static void a_secret_that_holds_another_is_masked_whole(void **state)
{
    struct plan *p = plan_with_secrets();
    cleanup_strv struct strv known = { 0 };
    cleanup_str struct str out = { 0 };

    (void)state;
    mask_collect(p, &known);
    mask_add("abcdefghi abcdef short nothing to hide", &known, &out);
    assert_string_equal(str_c(&out), "**** **** short nothing to hide");
    plan_free(p);
}

static void an_apps_name_is_made_valid(void **state)
{
    (void)state;
    check_name("demo", "demo");
    check_name("My_App", "my-app");
    check_name("  --a  b..c--", "a-b-c");
    check_name("caf\xc3\xa9 1", "caf-1");
    check_name("123", "123");
    check_name("", NULL);
    check_name("___", NULL);
    check_name("abcdefghijklmnopqrstuvwxyzabcdefghijklm_op",
               "abcdefghijklmnopqrstuvwxyzabcdefghijklm");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_is_taken_apart),
        cmocka_unit_test(
            percent_encoding_is_undone_in_user_password_host_and_name),
        cmocka_unit_test(ipv6_hosts_lose_their_brackets),
        cmocka_unit_test(the_last_at_sign_ends_the_password),
        cmocka_unit_test(query_parameters_fill_what_the_rest_leaves_open),
        cmocka_unit_test(of_several_hosts_the_first_counts),
        cmocka_unit_test(a_url_without_a_host_is_none),
        cmocka_unit_test(a_port_out_of_range_is_no_port),
        cmocka_unit_test(a_plain_string_is_split_into_words),
        cmocka_unit_test(quotes_and_backslashes_are_a_shells),
        cmocka_unit_test(shell_syntax_is_left_to_a_shell),
        cmocka_unit_test(a_word_that_only_looks_like_shell_is_none),
        cmocka_unit_test(a_list_is_taken_as_it_is),
        cmocka_unit_test(an_unset_command_leaves_the_images),
        cmocka_unit_test(every_name_of_design_finds_its_row),
        cmocka_unit_test(the_nearest_type_is_offered_when_one_is_near),
        cmocka_unit_test(every_name_is_listed_for_messages),
        cmocka_unit_test(a_password_is_encoded_inside_a_url_only),
        cmocka_unit_test(a_variable_is_picked_by_its_suffix_else_the_url),
        cmocka_unit_test(a_key_is_upper_case_with_underscores),
        cmocka_unit_test(unknown_braces_stay_in_a_template),
        cmocka_unit_test(keys_that_look_secret_are_known_by_their_words),
        cmocka_unit_test(passwords_are_masked_wherever_they_stand),
        cmocka_unit_test(raw_text_is_masked_and_keeps_its_lines),
        cmocka_unit_test(secrets_of_an_environment_are_found),
        cmocka_unit_test(a_secret_that_holds_another_is_masked_whole),
        cmocka_unit_test(an_apps_name_is_made_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
