#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/strv.h"
#include "host/subnet.h"

static const char *shown(const char *text, char out[SUBNET_CIDR_LEN])
{
    struct subnet s;

    if (!subnet_parse(text, &s))
        return "no";
    subnet_print(&s, out);
    return out;
}

static void a_network_is_read_and_printed(void **state)
{
    char out[SUBNET_CIDR_LEN];

    (void)state;
    assert_string_equal(shown("10.213.7.0/24", out), "10.213.7.0/24");
    assert_string_equal(shown("10.213.7.99/24", out), "10.213.7.0/24");
    assert_string_equal(shown("192.168.1.5", out), "192.168.1.5/32");
    assert_string_equal(shown("1.2.3.4/0", out), "0.0.0.0/0");
    assert_string_equal(shown("255.255.255.255/32", out), "255.255.255.255/32");
}

static void what_is_no_ipv4_network_is_refused(void **state)
{
    static const char *const bad[] = {
        "",          "10.0.0/24",  "10.0.0.0/33",    "10.0.0.0/-1",
        "10.0.0.0/", "fd00::/64",  "300.1.1.1/24",   "10.0.0.0/2 4",
        "/24",       "10.0.0.0/x", "10.0.0.0.0.0.0", "10.0.0.0/24/24",
    };
    struct subnet s;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(subnet_parse(bad[i], &s));
}

static bool overlap(const char *a, const char *b)
{
    struct subnet x, y;

    assert_true(subnet_parse(a, &x) && subnet_parse(b, &y));
    assert_int_equal(subnet_overlaps(&x, &y), subnet_overlaps(&y, &x));
    return subnet_overlaps(&x, &y);
}

static void networks_overlap_when_one_holds_the_other(void **state)
{
    (void)state;
    assert_true(overlap("10.0.0.0/8", "10.213.7.0/24"));
    assert_true(overlap("10.213.7.0/24", "10.213.7.0/24"));
    assert_true(overlap("10.213.7.128/25", "10.213.7.0/24"));
    assert_true(overlap("10.213.7.9/32", "10.213.7.0/24"));
    assert_true(overlap("0.0.0.0/0", "10.213.7.0/24"));
    assert_false(overlap("10.213.6.0/24", "10.213.7.0/24"));
    assert_false(overlap("10.213.6.0/23", "10.213.8.0/24"));
    assert_false(overlap("172.16.0.0/12", "172.32.0.0/16"));
}

static const char *picked(const struct subnet_spec *spec,
                          char out[SUBNET_CIDR_LEN])
{
    struct subnet s;
    struct err err = { 0 };

    if (subnet_pick(spec, &s, &err) < 0) {
        assert_int_equal(err.code, ERR_UNAVAILABLE);
        assert_non_null(strstr(err.msg, "no free address pool"));
        return "none";
    }
    subnet_print(&s, out);
    return out;
}

static void the_same_question_has_the_same_answer(void **state)
{
    struct subnet_spec spec = { .seed = subnet_seed("local/s1") };
    char a[SUBNET_CIDR_LEN], b[SUBNET_CIDR_LEN];
    struct subnet s, range;

    (void)state;
    assert_string_equal(picked(&spec, a), picked(&spec, b));
    assert_true(subnet_parse(a, &s));
    assert_true(subnet_parse("10.192.0.0/10", &range));
    assert_true(subnet_overlaps(&s, &range));
    assert_int_equal(s.bits, 24);
}

static void two_racks_seldom_begin_at_the_same_place(void **state)
{
    int same = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        char name[16], a[SUBNET_CIDR_LEN], b[SUBNET_CIDR_LEN];
        struct subnet_spec one, two;

        snprintf(name, sizeof(name), "s%d", i);
        one = (struct subnet_spec){ .seed = subnet_seed(name) };
        snprintf(name, sizeof(name), "s%d", i + 1);
        two = (struct subnet_spec){ .seed = subnet_seed(name) };
        same += strcmp(picked(&one, a), picked(&two, b)) == 0;
    }
    assert_true(same <= 1);
}

static void a_network_in_use_is_stepped_over(void **state)
{
    cleanup_strv struct strv ranges = { 0 }, used = { 0 };
    struct subnet_spec spec = { .ranges = &ranges, .used = &used };
    char out[SUBNET_CIDR_LEN];

    (void)state;
    strv_add(&ranges, "10.213.0.0/22");
    spec.seed = 3;
    assert_string_equal(picked(&spec, out), "10.213.3.0/24");
    strv_add(&used, "10.213.3.64/26");
    assert_string_equal(picked(&spec, out), "10.213.0.0/24");
    strv_add(&used, "10.213.0.0/23");
    assert_string_equal(picked(&spec, out), "10.213.2.0/24");
    strv_add(&used, "fd00::/64"); /* says nothing */
    strv_add(&used, "10.213.2.77");
    assert_string_equal(picked(&spec, out), "none");
}

static void every_network_of_a_range_is_given_once(void **state)
{
    cleanup_strv struct strv ranges = { 0 }, used = { 0 };
    struct subnet_spec spec = { .ranges = &ranges, .used = &used };
    char out[SUBNET_CIDR_LEN];

    (void)state;
    strv_add(&ranges, "192.168.240.0/20");
    spec.seed = subnet_seed("x");
    for (int i = 0; i < 16; i++) {
        assert_string_not_equal(picked(&spec, out), "none");
        assert_false(strv_has(&used, out));
        strv_add(&used, out);
    }
    assert_string_equal(picked(&spec, out), "none");
}

static void the_next_range_is_used_when_one_is_full(void **state)
{
    cleanup_strv struct strv used = { 0 };
    struct subnet_spec spec = { .used = &used };
    struct subnet s, range;
    char out[SUBNET_CIDR_LEN];

    (void)state;
    strv_add(&used, "10.0.0.0/8");
    assert_true(subnet_parse(picked(&spec, out), &s));
    assert_true(subnet_parse("172.16.0.0/12", &range));
    assert_true(subnet_overlaps(&s, &range));
}

static void routes_are_avoided_as_networks_are(void **state)
{
    cleanup_strv struct strv ranges = { 0 }, used = { 0 }, routes = { 0 };
    struct subnet_spec spec = { &ranges, &used, &routes, 0 };
    char out[SUBNET_CIDR_LEN];

    (void)state;
    strv_add(&ranges, "10.213.0.0/23");
    strv_add(&routes, "10.213.0.0/24");
    assert_string_equal(picked(&spec, out), "10.213.1.0/24");
    strv_add(&routes, "10.213.1.0/24");
    assert_string_equal(picked(&spec, out), "none");
}

static void a_vpn_that_routes_everything_private_leaves_a_network(void **state)
{
    cleanup_strv struct strv used = { 0 }, routes = { 0 };
    struct subnet_spec spec = { .used = &used, .routes = &routes };
    struct subnet s, range;
    char out[SUBNET_CIDR_LEN];

    (void)state;
    strv_add(&routes, "10.0.0.0/8");
    strv_add(&routes, "172.16.0.0/12");
    assert_true(subnet_parse(picked(&spec, out), &s));
    assert_true(subnet_parse("192.168.0.0/16", &range));
    assert_true(subnet_overlaps(&s, &range)); /* still one nobody routes */
    strv_add(&routes, "0.0.0.0/1");
    strv_add(&routes, "128.0.0.0/1");
    assert_true(subnet_parse(picked(&spec, out), &s));
}

static void addresses_begin_with_the_gateway(void **state)
{
    struct subnet s;
    char ip[SUBNET_IP_LEN];

    (void)state;
    assert_true(subnet_parse("10.213.7.0/24", &s));
    assert_true(subnet_ip(&s, 1, ip));
    assert_string_equal(ip, "10.213.7.1");
    assert_true(subnet_ip(&s, 254, ip));
    assert_string_equal(ip, "10.213.7.254");
    assert_false(subnet_ip(&s, 0, ip));
    assert_false(subnet_ip(&s, 255, ip));
    assert_false(subnet_ip(&s, 256, ip));
}

static void this_machines_own_addresses_are_found(void **state)
{
    cleanup_strv struct strv used = { 0 };
    bool loopback = false;

    (void)state;
    subnet_host_used(&used);
    for (size_t i = 0; i < used.len; i++) {
        struct subnet s;

        assert_true(subnet_parse(used.v[i], &s));
        assert_int_not_equal(s.bits, 0);
        loopback = loopback || strcmp(used.v[i], "127.0.0.0/8") == 0;
    }
    assert_true(loopback);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_is_read_and_printed),
        cmocka_unit_test(what_is_no_ipv4_network_is_refused),
        cmocka_unit_test(networks_overlap_when_one_holds_the_other),
        cmocka_unit_test(the_same_question_has_the_same_answer),
        cmocka_unit_test(two_racks_seldom_begin_at_the_same_place),
        cmocka_unit_test(a_network_in_use_is_stepped_over),
        cmocka_unit_test(every_network_of_a_range_is_given_once),
        cmocka_unit_test(the_next_range_is_used_when_one_is_full),
        cmocka_unit_test(routes_are_avoided_as_networks_are),
        cmocka_unit_test(a_vpn_that_routes_everything_private_leaves_a_network),
        cmocka_unit_test(addresses_begin_with_the_gateway),
        cmocka_unit_test(this_machines_own_addresses_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
